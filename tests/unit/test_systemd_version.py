"""The number that `systemctl --version` says, as distributions spell it."""

from __future__ import annotations

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.tasks.facts.systemd_version import SystemdVersion


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("systemd 252 (252.39-1~deb12u1)", 252),
        ("systemd 249 (249.11-0ubuntu3.16)", 249),
        ("systemd 257 (257.8-1~deb13u2)", 257),
    ],
)
def test_the_version_is_read(line: str, version: int) -> None:
    assert SystemdVersion().process([line]) == version


@pytest.mark.parametrize("output", [[], ["sh: systemctl: not found"], ["systemd v252"]])
def test_anything_else_is_refused(output: list[str]) -> None:
    with pytest.raises(FactProcessError, match="systemctl --version said"):
        SystemdVersion().process(output)
