"""doctor on made hosts whose operator uses version managers: each is named, nothing changes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
HOME = "/home/ops"
SHIMS, ASDF = f"{HOME}/.asdf/shims", f"{HOME}/.asdf/bin/asdf"
# As asdf 0.15 (bash) and the Go versions write them; without a version both end like this asdf.
BASH_SHIM = f'#!/usr/bin/env bash\n# asdf-plugin: cmake 3.30.1\nexec {ASDF} exec "cmake" "$@"\n'
GO_SHIM = '#!/usr/bin/env bash\n# asdf-plugin: cmake 3.30.1\nexec asdf exec "cmake" "$@"\n'
ASDF_PROGRAM = '#!/bin/sh\necho "No version is set for command $2" >&2\nexit 126\n'
PYENV_SHIM = f"""#!/usr/bin/env bash
set -e
[ -n "$PYENV_DEBUG" ] && set -x

program="${{0##*/}}"

export PYENV_ROOT="{HOME}/.pyenv"
exec "{HOME}/.pyenv/libexec/pyenv" exec "$program" "$@"
"""
PYENV_PROGRAM = '#!/bin/sh\necho "pyenv: $2: command not found" >&2\nexit 127\n'
MISE_PROGRAM = '#!/bin/sh\necho "mise ERROR ${0##*/} is not a valid shim" >&2\nexit 1\n'
PATHS = f"{SHIMS}:{HOME}/.asdf/bin"


class Host:
    """The operator's home and sessions, as a user would have set them up."""

    def __init__(self, on_host: OnHost) -> None:
        self.run = on_host

    def script(self, path: str, text: str) -> None:
        self.run(
            f"mkdir -p {os.path.dirname(path)} && printf %s {shlex.quote(text)} >{path} && "
            f"chmod 755 {path} && chown -R ops: {HOME}"
        )

    def profile(self, line: str) -> None:
        """For login shells."""
        self.run(f"printf '%s\\n' {shlex.quote(line)} >>{HOME}/.profile")

    def environment(self, line: str) -> None:
        """For every session; a login shell of Debian sets PATH anew."""
        self.run(f"printf '%s\\n' {shlex.quote(line)} >>/etc/environment")

    def asdf(self, shim: str) -> None:
        self.script(ASDF, ASDF_PROGRAM)
        self.script(f"{SHIMS}/cmake", shim)

    def state(self) -> str:
        """What a deploy would change, and what is the operator's own."""
        return self.run(
            f"find /opt /var/lib/llamarig /data /etc/systemd/system /etc/passwd /etc/environment "
            f"{HOME} -printf '%p %s %T@\\n' 2>/dev/null | sort | sha256sum"
        )


@pytest.fixture
def made(on_host: OnHost) -> Iterator[Host]:
    """The host, to be set up; as it was afterwards."""
    kept = "/root/kept.tar"
    on_host(f"touch /etc/environment && tar -cpf {kept} {HOME} /etc/environment 2>/dev/null")
    yield Host(on_host)
    # Not .ssh: it is the way in.
    on_host(f"find {HOME} -mindepth 1 -not -path '{HOME}/.ssh*' -delete")
    on_host(f"tar -xpf {kept} -C / && rm {kept}")


def examined(site: Any, made: Host) -> list[dict[str, str]]:
    """The findings of a host without a blocker, which is left as it was."""
    before = made.state()
    ran = site.run("doctor")
    assert ran.code == 0, ran.output
    assert "Traceback" not in ran.output
    assert made.state() == before
    found: list[dict[str, str]] = ran.host()["findings"]
    return found


def warned(findings: list[dict[str, str]], topic: str) -> dict[str, str]:
    (finding,) = [each for each in findings if each["topic"] == topic and each["level"] != "ok"]
    assert finding["level"] == "warning"
    return finding


@pytest.mark.parametrize("shim", [BASH_SHIM, GO_SHIM], ids=["asdf 0.15", "asdf in Go"])
@pytest.mark.parametrize("place", ["profile", "environment"])
def test_an_asdf_shim_is_named_with_its_session(
    site: Any, made: Host, shim: str, place: str
) -> None:
    made.asdf(shim)
    if place == "profile":
        made.profile(f'PATH="{PATHS}:$PATH"')
    else:
        made.environment(f'PATH="{PATHS}:/usr/local/bin:/usr/bin:/bin"')
    finding = warned(examined(site, made), "cmake")
    assert f"{SHIMS}/cmake, a shim of asdf, exits 126" in finding["found"]
    assert "No version is set for command cmake" in finding["found"]
    assert "llamarig itself calls /usr/bin/cmake" in finding["found"]
    where = {"profile": "the login shell", "environment": "a command over ssh"}[place]
    assert f" in {where}:" in finding["found"]
    assert "echo 'cmake system' >> ~/.tool-versions" in finding["fix"]


def test_a_login_shell_whose_cmake_fails_is_named(site: Any, made: Host) -> None:
    made.script(f"{HOME}/tools/cmake", "#!/bin/sh\nexit 126\n")
    made.profile("echo Welcome; printf 'no newline'")
    made.profile(f'PATH="{HOME}/tools:$PATH"')
    finding = warned(examined(site, made), "cmake")
    assert f"{HOME}/tools/cmake, exits 126 in the login shell" in finding["found"]
    assert finding["fix"] == "by hand: call /usr/bin/cmake"


def test_pyenv_and_mise_are_named(site: Any, made: Host) -> None:
    made.script(f"{HOME}/.pyenv/libexec/pyenv", PYENV_PROGRAM)
    made.script(f"{HOME}/.pyenv/shims/python3", PYENV_SHIM)
    made.script(f"{HOME}/.local/bin/mise", MISE_PROGRAM)
    mise = f"{HOME}/.local/share/mise/shims"
    made.run(f"mkdir -p {mise} && ln -s {HOME}/.local/bin/mise {mise}/gcc")
    made.profile(f'PATH="{HOME}/.pyenv/shims:{mise}:$PATH"')
    findings = examined(site, made)
    python = warned(findings, "python3")
    assert f"{HOME}/.pyenv/shims/python3, a shim of pyenv, exits 127" in python["found"]
    assert "pyenv global system" in python["fix"]
    gcc = warned(findings, "gcc")
    assert f"{mise}/gcc, a shim of mise, exits 1 (mise ERROR" in gcc["found"]


def test_a_stray_virtual_environment_is_named(site: Any, made: Host) -> None:
    made.profile(f"export VIRTUAL_ENV={HOME}/venv")
    finding = warned(examined(site, made), "VIRTUAL_ENV")
    assert finding["found"].startswith(f"{HOME}/venv in the login shell")
    assert "unset VIRTUAL_ENV" in finding["fix"]


def test_a_blocker_ends_with_1(site: Any, made: Host) -> None:
    before = made.state()
    ran = site.run("doctor", min_free_gib=5000.0)
    assert ran.code == 1, ran.output
    (blocker,) = [each for each in ran.host()["findings"] if each["level"] == "blocker"]
    assert blocker["topic"] == "hf_home"
    assert "5000.0 GiB needed" in blocker["found"]
    assert "Traceback" not in ran.output
    assert made.state() == before


def call(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "doctor", *arguments],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def test_what_was_saved_is_judged_the_same_without_the_host(
    site: Any, made: Host, tmp_path: Path
) -> None:
    made.asdf(BASH_SHIM)
    made.profile(f'PATH="{PATHS}:$PATH"; export VIRTUAL_ENV={HOME}/venv')
    saved, first, second = (tmp_path / name for name in ("saved", "first.json", "second.json"))
    seen = call(
        str(site.inventory()), "--save", str(saved), "--json", str(first),
        environment=site.environment(),
    )  # fmt: skip
    assert seen.returncode == 0, seen.stderr
    # Neither a lab nor an inventory is named: only the file is left to judge.
    again = call("--replay", str(saved), "--json", str(second), environment=dict(os.environ))
    assert again.returncode == 0, again.stderr
    findings = [
        json.loads(path.read_text())["hosts"]["gpu01"]["findings"] for path in (first, second)
    ]
    assert findings[0] == findings[1]
    assert warned(findings[1], "cmake")
    assert warned(findings[1], "VIRTUAL_ENV")


@pytest.mark.fault
def test_a_deploy_is_not_led_astray(site: Any, made: Host) -> None:
    """All of it at once, in every session; what is the operator's stays as it was."""
    made.asdf(GO_SHIM)
    for tool in ("gcc", "g++", "ninja", "git", "ctest"):
        made.script(f"{SHIMS}/{tool}", GO_SHIM.replace("cmake", tool))
    made.script(f"{HOME}/.pyenv/libexec/pyenv", PYENV_PROGRAM)
    made.script(f"{HOME}/.pyenv/shims/python3", PYENV_SHIM)
    made.profile(f'PATH="{HOME}/.pyenv/shims:{PATHS}:$PATH"; export VIRTUAL_ENV={HOME}/venv')
    made.environment(f'PATH="{HOME}/.pyenv/shims:{PATHS}:/usr/local/bin:/usr/bin:/bin"')
    made.environment(f"VIRTUAL_ENV={HOME}/venv")
    home = f"find {HOME} -printf '%p %s %T@\\n' | sort | sha256sum"
    before = made.run(home)
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert made.run("systemctl is-active llama-server") == "active"
    assert made.run(home) == before
