"""Words of systemd's unit files: any text as one argument or one variable, quoted by its rules.

They look like a shell's and are not: % starts a specifier, $ a variable even within quotes, and a
backslash counts within both kinds of quotes (systemd.syntax(7), systemd.service(5) COMMAND LINES).
"""

from __future__ import annotations

import re

# Needs no quotes wherever it stands: no white space, quote, backslash, %, $ or lone semicolon.
_PLAIN = re.compile(r"[\w@+=:,./-]+", re.ASCII)
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def quote(text: str) -> str:
    """One argument of ExecStart= and its like, which means exactly this text.

    Raises:
        ValueError: NUL, a lone surrogate or a code point that is no character: systemd takes none.
    """
    return _quoted(text.replace("%", "%%").replace("$", "$$"))


def assignment(name: str, value: str) -> str:
    """One variable of Environment=, where $ is a letter as any other.

    Raises:
        ValueError: as `quote`.
    """
    return _quoted(f"{name}={value}".replace("%", "%%"))


def _quoted(text: str) -> str:
    if strange := next((each for each in text if not _is_character(ord(each))), None):
        raise ValueError(f"systemd takes no {strange!a} in a unit")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(_escaped(each) for each in text) + '"'


def _is_character(code: int) -> bool:
    """Whether systemd's UTF-8 check lets it pass; a line with any other is dropped whole."""
    surrogate, no_character = 0xD800 <= code <= 0xDFFF, 0xFDD0 <= code <= 0xFDEF
    return code != 0 and not surrogate and not no_character and code & 0xFFFE != 0xFFFE


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x20 or letter == "\x7f" else letter
