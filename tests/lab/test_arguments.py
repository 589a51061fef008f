"""Real systemd must hand a program exactly the bytes that a unit was rendered from."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator

import pytest
from made import made_lab

from llamarig import unit_words
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
UNIT, SAID = "argv.service", "/root/argv.json"
# surrogateescape: whatever bytes come, they are told as they are.
PROGRAM = f"""
import json, os, sys
told = {{
    "argv": [os.fsencode(each).hex() for each in sys.argv[1:]],
    "variable": os.fsencode(os.environ.get("VARIABLE", "")).hex(),
    "key": open(sys.argv[-1]).read(),
    "mode": oct(os.stat(sys.argv[-1]).st_mode & 0o777),
}}
open("{SAID}", "w").write(json.dumps(told))
"""
SIGNS = [chr(code) for code in range(1, 128)] + list("\u0080\u0085\u00a0ß\u2028\ufeff漢🦙")
TRAPS = [
    "", ";", "\\", "\\;", '"', "'", "it's", 'say "x"', "$HOME", "${HOME}", "$$", "%n", "%%", "%",
    "a\nUser=root", "two  words ", " ", "\t", "#", "-", "--api-key x", "\\n", "\\x41", "@x", "$",
    "a;b", "; ls", "{}", "*", "~", "`id`", "$(id)", "\\", "ends in \\", "\r\n", "\x7f", "${X:-y}",
]  # fmt: skip


def arguments() -> list[str]:
    """Every sign alone and between others, the traps, and 200 mixtures."""
    chance = random.Random(11434)
    mixed = ["".join(chance.choices(SIGNS, k=chance.randint(2, 12))) for _ in range(200)]
    return [*SIGNS, *(f"a{sign}b" for sign in SIGNS), *TRAPS, *mixed]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host of the module's own, without hub and origin."""
    with made_lab("argv", 1) as made:
        yield made


def as_root(lab: Lab, command: str) -> str:
    done = lab.ssh("gpu01", command, sudo=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_every_byte_arrives_in_its_own_argument(lab: Lab) -> None:
    args, variable = arguments(), "100% of $HOME, \"two\" 'words'\\"
    words = " ".join(unit_words.quote(each) for each in args)
    unit = f"""[Service]
Type=oneshot
Environment={unit_words.assignment("VARIABLE", variable)}
LoadCredential=key:/root/key
ExecStart=/usr/bin/python3 /root/argv.py {words} ${{CREDENTIALS_DIRECTORY}}/key
"""
    put(lab, "/root/argv.py", PROGRAM)
    put(lab, f"/etc/systemd/system/{UNIT}", unit)
    as_root(lab, "umask 077; echo sesame > /root/key")
    as_root(lab, f"systemctl daemon-reload; systemctl start {UNIT}; journalctl -u {UNIT}")
    warned = as_root(lab, f"systemd-analyze verify --man=no {UNIT} 2>&1; true")
    assert UNIT not in warned
    told = json.loads(as_root(lab, f"cat {SAID}"))
    got = [bytes.fromhex(each).decode() for each in told["argv"]]
    assert got[:-1] == args
    # The last one is systemd's to complete: a copy that only the unit's user can read.
    assert got[-1].endswith(f"/{UNIT}/key")
    assert (told["key"], told["mode"]) == ("sesame\n", "0o400")
    assert bytes.fromhex(told["variable"]).decode() == variable


def put(lab: Lab, path: str, text: str) -> None:
    """Write a file on the host, byte by byte as it is: a shell would have rules of its own."""
    program = f"open({path!r}, 'wb').write(bytes.fromhex('{text.encode().hex()}'))"
    as_root(lab, f'python3 -c "{program}"')
