"""Any text must come out of a unit as it went in, read back by the rules of systemd's manual."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llamarig import unit_words

ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
    '"': '"', "'": "'", "s": " ",
}  # fmt: skip
TRAPS = " '\"\\%${}();#=~`!|&<>*?[]\n\t\r\v\f\a\b\x01\x1b\x7fabcn01xu\u00a0\u0085\u2028\ufeffß漢🦙"


def characters() -> st.SearchStrategy[str]:
    """All that systemd takes: no NUL, no surrogate, no code point that is no character."""
    every = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return every.filter(lambda each: not re.match("[\ufdd0-\ufdef]", each)).filter(
        lambda each: ord(each) & 0xFFFE != 0xFFFE
    )


TEXTS = st.one_of(st.text(st.sampled_from(TRAPS)), st.text(characters()))


def words(line: str) -> list[str]:
    """systemd.syntax(7) QUOTING, and the lone semicolon of systemd.service(5). Strict where the
    manual is: a quote opens at the beginning of a word and closes before white space."""
    assert "\n" not in line, "an unescaped newline ends the setting"
    found, at = [], 0
    while at < len(line):
        if line[at] in " \t\r":
            at += 1
            continue
        quote = line[at] if line[at] in "'\"" else ""
        at += len(quote)
        word = ""
        while True:
            if at == len(line):
                assert not quote, "a quote that is never closed"
                break
            letter = line[at]
            if quote and letter == quote:
                at += 1
                assert at == len(line) or line[at] in " \t\r", "text behind a closing quote"
                break
            if not quote and letter in " \t\r":
                break
            assert quote or letter not in "'\"", "a quote in the middle of a word"
            if letter == "\\":
                meant, at = unescaped(line, at + 1)
                word += meant
            else:
                word, at = word + letter, at + 1
        assert quote or word != ";", "a lone semicolon begins another command"
        found.append(word)
    return found


def unescaped(line: str, at: int) -> tuple[str, int]:
    """What an escape means whose letter is at `at`, and where it ends."""
    if line[at] in ESCAPES:
        return ESCAPES[line[at]], at + 1
    number = re.compile(r"x([0-9a-f]{2})|([0-7]{3})|u([0-9a-f]{4})").match(line, at)
    assert number, f"no escape that the manual knows: {line[at:]!r}"
    code = int(number[2], 8) if number[2] else int(number[1] or number[3], 16)
    assert 0 < code < 0x80, "a byte of its own is no character"
    return chr(code), number.end()


def expanded(word: str, sign: str) -> str:
    """A word in which the sign may only stand doubled; systemd would replace anything else."""
    rest = word.replace(sign * 2, "")
    assert sign not in rest, f"{sign} that systemd expands: {word!r}"
    return word.replace(sign * 2, sign)


@given(TEXTS)
@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@example("")
@example(";")
@example("\\")
@example("\\;")
@example("$HOME")
@example("${CREDENTIALS_DIRECTORY}/key")
@example("%n %%")
@example('" --api-key x "')
@example("a\nUser=root")
@example("#no comment")
def test_an_argument_comes_back_as_it_was(text: str) -> None:
    read = words(f"/bin/x {unit_words.quote(text)} last")
    assert len(read) == 3, read
    assert expanded(expanded(read[1], "%"), "$") == text
    assert (read[0], read[2]) == ("/bin/x", "last")


@given(TEXTS)
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@example("$HOME")
@example("two words")
def test_a_variable_comes_back_as_it_was(text: str) -> None:
    read = words(f"{unit_words.assignment('NAME', text)} OTHER=1")
    assert [expanded(each, "%") for each in read] == [f"NAME={text}", "OTHER=1"]


def test_what_needs_no_quotes_has_none() -> None:
    for text in ("--temp", "0.6", "/data/m.gguf", "--alias=a,b", "GPU-1f"):
        assert unit_words.quote(text) == text


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\ufdd0", "\ufffe", "\U0001ffff"])
def test_what_systemd_never_takes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="systemd takes no "):
        unit_words.quote(text)
