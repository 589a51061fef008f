"""What the operator's sessions find: real sessions of a made home, and recorded lines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llamarig.tasks.facts import tool_probe
from llamarig.tasks.facts.compilers import Compilers
from llamarig.tasks.facts.tools import ToolHit, Tools, ToolsState

Look = Callable[..., ToolsState]
# As asdf 0.15 and the Go versions write them; `asdf` says what it says without a version.
BASH_SHIM = '#!/usr/bin/env bash\n# asdf-plugin: cmake 3.30.1\nexec {asdf} exec "cmake" "$@"\n'
GO_SHIM = '#!/usr/bin/env bash\n# asdf-plugin: ninja 1.12\nexec asdf exec "ninja" "$@"\n'
ASDF = '#!/bin/sh\necho "No version is set for command $2" >&2\nexit 126\n'
# The first 256 bytes of pyenv 2.4's end before its exec line.
PYENV_SHIM = """#!/usr/bin/env bash
set -e
[ -n "$PYENV_DEBUG" ] && set -x

program="${0##*/}"

export PYENV_ROOT="/home/ops/.pyenv"
SHIM_PATH=${0%/*}
if [[ $SHIM_PATH != "/home/ops/.pyenv/shims" ]]; then
  export _PYENV_SHIM_PATH="$SHIM_PATH"
fi
echo "pyenv: $program: command not found" >&2; exit 127
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Ask the sessions of a home; the plain one has only what PATH is given."""
    monkeypatch.setattr(tool_probe, "SESSION_SECONDS", 2)

    def run(profile: str = "", path: str = "/usr/bin:/bin", **environment: str) -> ToolsState:
        (tmp_path / ".profile").write_text(profile)
        done = subprocess.run(
            ["sh", "-c", Tools().command()], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=20, check=True,
            env={"HOME": str(tmp_path), "SHELL": "/bin/bash", "PATH": path, **environment},
        )  # fmt: skip
        return Tools().process(done.stdout.split("\n"))

    return run


def first(state: ToolsState, session: str, tool: str) -> ToolHit:
    return next(hit for hit in state.hits if (hit.session, hit.tool) == (session, tool))


def test_shims_of_the_login_shell_are_told_by_their_kind(look: Look, tmp_path: Path) -> None:
    asdf = script(tmp_path / ".asdf/bin/asdf", ASDF)
    shims = tmp_path / ".asdf/shims"
    script(shims / "cmake", BASH_SHIM.format(asdf=asdf))
    script(shims / "ninja", GO_SHIM)
    script(shims / "python3", PYENV_SHIM)
    script(tmp_path / "mise", "#!/bin/sh\necho 'mise WARN no tasks'; exit 1\n")
    (shims / "git").symlink_to(tmp_path / "mise")
    (tmp_path / "conda-meta").mkdir()
    script(tmp_path / "bin/g++", "#!/bin/sh\necho 'g++ (conda-forge gcc 14.2.0-1) 14.2.0'\n")
    paths = f"{shims}:{tmp_path}/bin:{asdf.parent}"
    state = look(f"echo Welcome to my machine\nprintf 'no newline'\nPATH={paths}:$PATH\n")
    found = {
        tool: (hit.kind, hit.status, hit.version)
        for tool in ("cmake", "ninja", "python3", "git", "g++")
        for hit in [first(state, "login", tool)]
    }
    assert found == {
        "cmake": ("asdf", 126, "No version is set for command cmake"),
        "ninja": ("asdf", 126, "No version is set for command ninja"),
        "python3": ("pyenv", 127, "pyenv: python3: command not found"),
        "git": ("mise", 1, "mise WARN no tasks"),
        "g++": ("conda", 0, "g++ (conda-forge gcc 14.2.0-1) 14.2.0"),
    }
    assert not [hit for hit in state.hits if hit.session == "plain" and hit.kind != "program"]
    assert state.hung == ()


def test_every_hit_of_a_tool_is_named_in_the_order_of_path(look: Look, tmp_path: Path) -> None:
    script(tmp_path / "one/nvcc", "#!/bin/sh\nyes | head -c 1000000; exit 3\n")
    release = "Cuda compilation tools, release 12.4, V12.4.131"
    script(tmp_path / "two/nvcc", f"#!/bin/sh\necho 'nvcc: NVIDIA (R)'; echo '{release}'\n")
    (tmp_path / "three").symlink_to("two")
    state = look(path=f"{tmp_path}/one:{tmp_path}/two:{tmp_path}/three:/usr/bin:/bin")
    nvcc = [hit for hit in state.hits if (hit.session, hit.tool) == ("plain", "nvcc")]
    assert [(hit.path, hit.status, hit.version) for hit in nvcc][:2] == [
        (f"{tmp_path}/one/nvcc", 3, "y"),
        (f"{tmp_path}/two/nvcc", 0, release),
    ]
    assert f"{tmp_path}/three/nvcc" not in [hit.path for hit in nvcc]


def test_a_path_without_the_systems_folders_is_looked_at_too(look: Look, tmp_path: Path) -> None:
    script(tmp_path / "only/cmake", "#!/bin/sh\necho cmake version 3.30.1\n")
    state = look(f"PATH={tmp_path}/only")
    hit = first(state, "login", "cmake")
    assert (hit.status, hit.version) == (0, "cmake version 3.30.1")


def test_stray_variables_are_named_with_their_session(look: Look) -> None:
    state = look("export VIRTUAL_ENV=/home/ops/venv\n", CONDA_PREFIX="/opt/conda")
    assert state.variables == {
        "login VIRTUAL_ENV": "/home/ops/venv",
        "plain CONDA_PREFIX": "/opt/conda",
        "login CONDA_PREFIX": "/opt/conda",
    }


@pytest.mark.parametrize("profile", ["sleep 60\n", "exec sleep 60\n", "exit 3\n"])
def test_a_login_shell_that_gets_nowhere_is_said_to(look: Look, profile: str) -> None:
    state = look(profile)
    assert state.hung == ("login",)
    assert {hit.session for hit in state.hits} <= {"plain"}


def test_what_a_login_shell_leaves_running_holds_nothing_up(look: Look) -> None:
    assert look("setsid sleep 25 &\n").hung == ()


def test_a_shell_that_is_no_shell_gives_way_to_bash(look: Look, tmp_path: Path) -> None:
    script(tmp_path / "bin/cmake", "#!/bin/sh\necho cmake version 3.30.1\n")
    strange = script(tmp_path / "strange", "#!/bin/sh\necho 'Unknown option: -lc'; exit 1\n")
    state = look(f"PATH={tmp_path}/bin:$PATH", SHELL=str(strange))
    assert first(state, "login", "cmake").version == "cmake version 3.30.1"
    assert state.hung == ()


def test_a_tool_that_hangs_is_ended(look: Look, tmp_path: Path) -> None:
    script(tmp_path / "bin/cmake", "#!/bin/sh\nsleep 60\n")
    probe = Tools().command().replace("timeout -k 1 5 ", "timeout -k 1 1 ")
    done = subprocess.run(
        ["sh", "-c", probe], capture_output=True, text=True, timeout=20, check=True,
        env={**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
    )  # fmt: skip
    assert first(Tools().process(done.stdout.split("\n")), "plain", "cmake").status == 124


@pytest.mark.parametrize(
    ("path", "target", "kind"),
    [
        ("/snap/bin/cmake", "/usr/bin/snap", "snap"),
        ("/home/ops/.local/share/mise/shims/cmake", "/usr/bin/mise", "mise"),
        ("/usr/bin/cmake", "/usr/bin/cmake", "program"),
    ],
)
def test_links_tell_snap_and_mise(path: str, target: str, kind: str) -> None:
    line = f"@llamarig-hit\tlogin\tcmake\t{path}\t{target}\t-\t\tcmake version 3.31\t\tstatus 0"
    (hit,) = Tools().process([line]).hits
    assert (hit.kind, hit.version) == (kind, "cmake version 3.31")


@pytest.mark.parametrize(
    "line",
    ["", "hello", "@llamarig-hit", "@llamarig-hit\tlogin\tcmake\t/x", "@llamarig-end", "-", "[]"],
)
def test_cut_and_foreign_lines_are_nothing(line: str) -> None:
    assert Tools().process([line]) == ToolsState()


def test_compilers_by_major_version() -> None:
    state = Compilers().process(
        [
            "cmake cmake version 3.25.1",
            "g++ /usr/bin/g++ /usr/bin/x86_64-linux-gnu-g++-12 12",
            "g++ /usr/bin/g++-11 /usr/bin/x86_64-linux-gnu-g++-11 11",
            "g++ /usr/bin/g++-12 /usr/bin/x86_64-linux-gnu-g++-12 12",
            "g++ /usr/bin/g++-9 /usr/bin/x86_64-linux-gnu-g++-9 9.5.0",
        ]
    )
    assert state.cmake == (3, 25, 1)
    assert state.gcc == {9: "/usr/bin/g++-9", 11: "/usr/bin/g++-11", 12: "/usr/bin/g++-12"}
    assert state.default == 12


def test_a_default_compiler_without_a_versioned_name_goes_by_its_real_path() -> None:
    state = Compilers().process(["cmake ", "g++ /usr/bin/g++ /opt/gcc/bin/g++ 15.1.0"])
    assert (state.cmake, state.gcc, state.default) == ((), {15: "/opt/gcc/bin/g++"}, 15)


def test_a_compiler_that_does_not_run_is_none() -> None:
    state = Compilers().process(["cmake ", "g++ /usr/bin/g++ /usr/bin/g++ ", "-", "[]"])
    assert state == Compilers.default()


def test_the_compilers_of_this_machine_are_asked_under_sh() -> None:
    done = subprocess.run(
        ["sh", "-c", Compilers().command()], capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stdout.split("\n")
    assert lines[0].startswith("cmake ")
    assert not done.stderr
    for path in Compilers().process(lines).gcc.values():
        assert Path(path).exists()
