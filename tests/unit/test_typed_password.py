"""What was typed in one child reaches the next, and no environment or argument holds it."""

from __future__ import annotations

import os
import subprocess
import sys

from llamarig import typed_password
from llamarig.typed_password import Typed

CHILD = """
import os, sys
from llamarig import typed_password
print(typed_password.given(), typed_password.given())
if typed := sys.stdin.read():
    typed_password.keep(typed)
environment = open("/proc/self/environ").read() + open("/proc/self/cmdline").read()
print("hunt" + "er2" in environment)
"""


def child(typed: Typed, types: str = "") -> list[str]:
    environment = dict(os.environ)
    with typed.lent(environment) as files:
        done = subprocess.run(
            [sys.executable, "-c", CHILD], env=environment, pass_fds=files, input=types,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return done.stdout.splitlines()


def test_it_is_asked_once_and_handed_on() -> None:
    typed = Typed()
    assert child(typed) == ["None None", "False"]
    assert child(typed, "hunter2é") == ["None None", "False"]
    assert child(typed) == ["hunter2é None", "False"]
    assert child(typed) == ["hunter2é None", "False"]


def test_no_file_is_left_open() -> None:
    before = set(os.listdir("/proc/self/fd"))
    typed = Typed()
    child(typed, "hunter2é")
    child(typed)
    assert set(os.listdir("/proc/self/fd")) == before


def test_what_nobody_reads_goes_nowhere() -> None:
    assert typed_password.given() is None
    typed_password.keep("hunter2")
