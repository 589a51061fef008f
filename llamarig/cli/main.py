"""The console script `llamarig`."""

from __future__ import annotations

import errno
import os
import sys

from llamarig.display import plain
from llamarig.errors import UserError

INTERRUPTED = 130
# Without a file's name they are about what stdout leads to: a full disk, a reader that has gone,
# something that can only be read.
_OF_STDOUT = (errno.ENOSPC, errno.EPIPE, errno.EBADF)


def main() -> None:
    """Run the command line: a user's mistake is one line, Ctrl-C another."""
    _open_closed_streams()
    try:
        try:
            code = _run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        _end("stopped", INTERRUPTED)
    except UserError as error:
        _end(str(error), 1)
    except OSError as error:
        # A full disk, a folder that can't be written: the machine's state, no defect of ours.
        if error.filename is None and error.errno not in _OF_STDOUT:
            raise
        # What is still buffered could not be written either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno == errno.EPIPE:
            sys.exit(1)
        _end(f"{error.filename or 'standard output'}: {error.strerror}", 1)
    sys.exit(code)


def _run() -> int:
    # Not at the top: it takes most of a second, and Ctrl-C may come before it is over.
    import click

    from llamarig.cli.commands import cli

    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0


def _end(words: str, code: int) -> None:
    # Words may come from a hub or a file: they must not steer the terminal.
    lines = [plain(each) for each in words.split("\n")]
    print("llamarig: " + "\n".join(lines), file=sys.stderr)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Whoever started us may have closed stdin, stdout or stderr: Python then has None there,
    and the next file we open would take the number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
