"""Rules about the machine, its tools, disk and port."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.compilers import CompilerState
from llamarig.tasks.facts.disk import DiskState, Placement
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.facts.port import Listening
from llamarig.tasks.facts.tools import ToolHit, ToolsState
from llamarig.tasks.findings import disks, platform, ports, shims
from llamarig.tasks.findings.finding import Finding

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

GIB = 2**30
RULES = (*platform.RULES, *shims.RULES, *disks.RULES, *ports.RULES)
DEBIAN = MachineState(
    "debian", "12", "bookworm", "x86_64", "systemd", 8, (2, 36), "6.1.0", 64 * GIB
)
ROOT = Placement("259:2", "ext4", "/", 90 * GIB, frozenset({"nvme0n1"}))
DATA = Placement("8:1", "xfs", "/data", 900 * GIB, frozenset({"sda"}))
SHIM = ToolHit(
    "cmake",
    "login",
    "/home/ops/.asdf/shims/cmake",
    "/home/ops/.asdf/shims/cmake",
    "asdf",
    126,
    "No version is set for command cmake",
)
CMAKE = ToolHit("cmake", "login", "/usr/bin/cmake", "/usr/bin/cmake", "program", 0, "cmake 3.25.1")


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that these rules look at; by default nothing is wrong."""

    machine: MachineState | None = DEBIAN
    compilers: CompilerState = field(
        default_factory=lambda: CompilerState((3, 25, 1), {12: "/usr/bin/g++-12"}, 12)
    )
    disk: DiskState | None = field(default_factory=lambda: DiskState(DATA, ROOT))
    listeners: list[Listening] = field(default_factory=list)
    tools: ToolsState = field(default_factory=ToolsState)


def judge(seen: Seen, **settings: Any) -> list[Finding]:
    chosen = Settings(**settings)
    return [each for rule in RULES for each in rule(cast("Workstation", seen), chosen)]


def bad(seen: Seen, **settings: Any) -> list[str]:
    return [each.line() for each in judge(seen, **settings) if each.level != "ok"]


def levels(findings: Iterable[Finding], topic: str) -> list[str]:
    return [each.level for each in findings if each.topic == topic]


def test_a_sound_host_is_described_and_not_blamed() -> None:
    seen = Seen(tools=ToolsState([CMAKE]))
    assert bad(seen) == []
    said = {each.topic: each.found for each in judge(seen)}
    assert said["distribution"] == "Debian 12"
    assert said["glibc"] == "2.36"
    assert said["hf_home"] == "xfs at /data on sda, 900.0 GiB free"
    assert said["cmake"] == "/usr/bin/cmake (cmake 3.25.1)"
    assert said["port"] == "8080 is free"


OTHER = "Debian or Ubuntu needed; install one of them, or leave this host out"
BOOT = "systemd needed; boot it with systemd, or leave it out"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"distribution": "fedora"}, f"distribution: fedora found, {OTHER}"),
        (
            {"architecture": "aarch64"},
            "architecture: aarch64 found, x86_64 needed; leave this host out",
        ),
        ({"init": "sh"}, f"init: sh runs as PID 1, {BOOT}"),
    ],
)
def test_a_machine_that_llamarig_cannot_serve(changes: dict[str, Any], line: str) -> None:
    findings = judge(Seen(replace(DEBIAN, **changes)))
    assert [each.line() for each in findings if each.level == "blocker"] == [line]


def test_a_host_that_says_nothing_is_one_blocker_for_machine_and_disk_each() -> None:
    assert bad(Seen(machine=None, disk=None)) == [
        "machine: the host did not say what it is; is it a Debian or Ubuntu machine?",
        "hf_home: the host could not say where /data/huggingface lies; log in and try: "
        "df /data/huggingface",
    ]


@pytest.mark.parametrize("version", ["11", ""])
def test_a_release_that_was_never_meant_is_a_warning(version: str) -> None:
    assert levels(judge(Seen(replace(DEBIAN, version=version))), "distribution") == ["warning"]


def test_little_memory_matters_to_cards_only() -> None:
    small = Seen(replace(DEBIAN, memory_bytes=8 * GIB - 1))
    assert levels(judge(small), "main memory") == ["warning"]
    assert levels(judge(small, backend="cpu"), "main memory") == ["ok"]
    assert levels(judge(Seen(replace(DEBIAN, memory_bytes=8 * GIB))), "main memory") == ["ok"]


def test_another_c_library_is_a_warning_for_cuda() -> None:
    other = Seen(replace(DEBIAN, glibc=()))
    assert levels(judge(other), "glibc") == ["warning"]
    assert levels(judge(other, backend="cpu"), "glibc") == []


def test_a_cmake_shim_that_fails_is_explained_with_what_to_do_by_hand() -> None:
    plain = replace(CMAKE, session="plain")
    (line,) = bad(Seen(tools=ToolsState([SHIM, CMAKE, plain])))
    assert line == (
        "cmake: /home/ops/.asdf/shims/cmake, a shim of asdf, exits 126 (No version is set for "
        "command cmake) in the login shell: the walkthrough's build broke here; llamarig itself "
        "calls /usr/bin/cmake; by hand: echo 'cmake system' >> ~/.tool-versions, or call "
        "/usr/bin/cmake"
    )


def test_a_shim_in_both_sessions_is_one_finding() -> None:
    both = [SHIM, replace(SHIM, session="plain")]
    (finding,) = [each for each in judge(Seen(tools=ToolsState(both))) if each.topic == "cmake"]
    assert "in the login shell and a command over ssh" in finding.found


def test_a_shim_that_runs_or_lies_behind_is_named_and_no_warning() -> None:
    runs = replace(SHIM, status=0, version="cmake version 3.30.1")
    (finding,) = [each for each in judge(Seen(tools=ToolsState([runs]))) if each.topic == "cmake"]
    assert (finding.level, "a shim of asdf, runs" in finding.found) == ("ok", True)
    found = [each for each in judge(Seen(tools=ToolsState([CMAKE, SHIM]))) if each.topic == "cmake"]
    assert [each.level for each in found] == ["ok", "ok"]
    assert "lies behind another cmake" in found[1].found


@pytest.mark.parametrize(
    ("tool", "kind", "fix"),
    [
        ("python3", "pyenv", "by hand: pyenv global system, or call /usr/bin/python3"),
        ("g++", "asdf", "by hand: echo 'gcc system' >> ~/.tool-versions, or call /usr/bin/g++"),
        ("ninja", "mise", "by hand: call /usr/bin/ninja"),
        ("nvcc", "conda", "by hand: call bin/nvcc of the toolkit that is meant"),
    ],
)
def test_every_broken_shim_has_its_own_fix(tool: str, kind: str, fix: str) -> None:
    path = f"/home/ops/shims/{tool}"
    hit = ToolHit(tool, "login", path, path, kind, 127, "command not found")
    (finding,) = [each for each in judge(Seen(tools=ToolsState([hit]))) if each.level != "ok"]
    assert (finding.level, finding.topic, finding.fix) == ("warning", tool, fix)
    assert kind in finding.found


def test_a_system_tool_that_does_not_run_is_to_be_reinstalled() -> None:
    hit = ToolHit("ninja", "plain", "/bin/ninja", "/usr/bin/ninja", "program", 127, "")
    assert bad(Seen(tools=ToolsState([hit]))) == [
        "ninja: /bin/ninja, exits 127 in a command over ssh; apt-get install --reinstall "
        "ninja-build"
    ]


def test_condas_nvcc_is_a_warning_for_cuda_even_where_it_runs() -> None:
    hit = ToolHit("nvcc", "login", "/opt/conda/bin/nvcc", "/opt/conda/bin/nvcc", "conda", 0, "12.4")
    assert levels(judge(Seen(tools=ToolsState([hit]))), "nvcc") == ["warning"]
    assert levels(judge(Seen(tools=ToolsState([hit])), backend="cpu"), "nvcc") == ["ok"]


def test_the_systems_cmake_may_be_absent_but_not_old() -> None:
    old = CompilerState((3, 16, 3), {}, None)
    topic = "/usr/bin/cmake"
    assert levels(judge(Seen(compilers=old)), topic) == ["blocker"]
    assert levels(judge(Seen(compilers=old), backend="cpu"), topic) == ["ok"]
    assert levels(judge(Seen(compilers=replace(old, cmake=(3, 18)))), topic) == ["ok"]
    assert levels(judge(Seen(compilers=CompilerState())), topic) == ["ok"]


def test_stray_environments_are_one_warning_each() -> None:
    variables = {
        "login VIRTUAL_ENV": "/home/ops/venv",
        "plain VIRTUAL_ENV": "/home/ops/venv",
        "login CONDA_PREFIX": "/opt/conda",
    }
    first, second = bad(Seen(tools=ToolsState([], variables)))
    assert first.startswith("VIRTUAL_ENV: /home/ops/venv in the login shell and a command over ssh")
    assert second.endswith("conda config --set auto_activate_base false")


def test_a_login_shell_without_an_end_is_a_warning() -> None:
    (line,) = bad(Seen(tools=ToolsState(hung=("login",))))
    assert line.startswith("session: the login shell did not get as far as a command within 30 s")


def test_the_system_disk_is_a_blocker_unless_allowed() -> None:
    seen = Seen(disk=DiskState(ROOT, ROOT))
    assert bad(seen) == [
        "hf_home: /data/huggingface lies on the system disk (mounted at /); set hf_home to a data "
        "disk, or allow_system_disk = True"
    ]
    (finding,) = [each for each in judge(seen, allow_system_disk=True) if each.topic == "hf_home"]
    assert finding.found.endswith("90.0 GiB free, the system disk, as allow_system_disk says")


def test_too_little_room_and_a_network_disk_are_both_said() -> None:
    place = Placement("0:52", "nfs4", "/data", 10 * GIB, frozenset())
    lacking, network = bad(Seen(disk=DiskState(place, ROOT)), min_free_gib=5000.0)
    assert lacking == (
        "hf_home: 10.0 GiB free at /data, 5000.0 GiB needed (min_free_gib); make room there, or "
        "set hf_home to another disk"
    )
    assert "network file system (nfs4, mounted at /data)" in network
    assert levels(judge(Seen(disk=DiskState(place, ROOT))), "hf_home") == ["warning"]


def test_a_taken_port_is_named_once_and_our_own_is_fine() -> None:
    sshd = Listening("sshd", 77, "ssh.service")
    assert bad(Seen(listeners=[sshd, sshd]), port=2022) == [
        "port: 2022 is taken by sshd (pid 77); stop it or set another port"
    ]
    ours = Listening("llama-server", 78, "llama-server.service")
    (finding,) = [each for each in judge(Seen(listeners=[ours])) if each.topic == "port"]
    assert (finding.level, "our own llama-server.service" in finding.found) == ("ok", True)


def test_an_unsupported_machine_is_told_nothing_of_its_tools() -> None:
    fedora = replace(DEBIAN, distribution="fedora", version="42", glibc=())
    old = CompilerState((3, 16, 3), {}, None)
    assert bad(Seen(fedora, old, tools=ToolsState([SHIM]))) == [
        f"distribution: fedora found, {OTHER}"
    ]
    nameless = replace(DEBIAN, distribution="", version="", architecture="", init="")
    assert bad(Seen(nameless)) == [
        f"distribution: no name of one found, {OTHER}",
        "architecture: none found, x86_64 needed; leave this host out",
        f"init: something unknown runs as PID 1, {BOOT}",
    ]
