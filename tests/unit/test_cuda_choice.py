"""Which toolkit is taken, and that it keeps its name from the first run on."""

from __future__ import annotations

import pytest

from llamarig.settings import Settings
from llamarig.tasks.cuda.choice import Choice, choose, rpath
from llamarig.tasks.cuda.sources import Live
from llamarig.tasks.facts.compilers import CompilerState
from llamarig.tasks.facts.cuda_toolkits import CudaToolkits, Toolkit
from llamarig.tasks.facts.machine import MachineState

GLIBC = {"12": (2, 36), "13": (2, 41), "22.04": (2, 35), "24.04": (2, 39), "26.04": (2, 43)}
SHA = "e" * 64
WHEELS = "/opt/llamarig/cuda/13.0/nvidia/cu13"


def machine(name: str) -> MachineState:
    """`debian 12`."""
    distribution, version = name.split()
    glibc = GLIBC.get(version, (2, 41))
    return MachineState(distribution, version, "", "x86_64", "systemd", 8, glibc, "6.1.0", 2**35)


def toolkit(home: str, version: tuple[int, ...], *missing: str, found_as: str = "") -> Toolkit:
    names = (found_as,) if found_as else ()
    return Toolkit(home, version, f"{home}/bin/nvcc", not missing, missing, names)


def taken(
    name: str, *present: Toolkit, reachable: bool = True, live: Live | None = None, **values: object
) -> Choice | str:
    settings = Settings.model_validate(values)
    return choose(settings, machine(name), CompilerState(), list(present), reachable, live=live)


def identity(choice: Choice | str) -> tuple[str, str, str, str]:
    assert isinstance(choice, Choice), choice
    return choice.source, choice.version, choice.home, choice.compiler


@pytest.mark.parametrize(
    ("name", "values", "reachable", "expected"),
    [
        ("ubuntu 24.04", {}, True, ("nvidia", "12.8", "/usr/local/cuda-12.8", "g++-13")),
        ("ubuntu 24.04", {}, False, ("pypi", "13.0", WHEELS, "g++-13")),
        # No sha256 of that keyring is known, so auto goes on to the wheels.
        ("debian 12", {}, True, ("pypi", "13.0", WHEELS, "g++-12")),
        ("debian 12", {"cuda_keyring_sha256": SHA}, True,
         ("nvidia", "12.8", "/usr/local/cuda-12.8", "g++-12")),
        ("debian 12", {"cuda_source": "distro"}, False, ("distro", "11.8", "/usr", "g++-11")),
        ("debian 13", {"cuda_source": "distro"}, False, ("distro", "12.4", "/usr", "g++-13")),
        ("debian 13", {}, False, ("pypi", "13.0", WHEELS, "g++-14")),
        # Volta: 13 dropped it, 12.8 clashes with glibc 2.41, the distribution's own is left.
        ("debian 13", {"cuda_architecture": 70}, True, ("distro", "12.4", "/usr", "g++-13")),
        ("ubuntu 22.04", {"cuda_keyring_sha256": SHA, "cuda_version": "13.0"}, True,
         ("nvidia", "13.0", "/usr/local/cuda-13.0", "g++-11")),
        ("ubuntu 26.04", {"cuda_keyring_sha256": SHA}, True,
         ("nvidia", "13.3", "/usr/local/cuda-13.3", "g++-15")),
    ],
)  # fmt: skip
def test_what_is_taken(
    name: str, values: dict[str, object], reachable: bool, expected: tuple[str, ...]
) -> None:
    source, version, home, compiler = identity(taken(name, reachable=reachable, **values))
    assert (source, version, home, compiler.removeprefix("/usr/bin/")) == expected


@pytest.mark.parametrize("name", ["debian 12", "debian 13", "ubuntu 24.04"])
@pytest.mark.parametrize("reachable", [True, False])
def test_the_second_run_finds_the_same_toolkit_present(name: str, reachable: bool) -> None:
    first = taken(name, reachable=reachable)
    assert isinstance(first, Choice)
    version = tuple(map(int, first.version.split(".")))
    again = taken(name, toolkit(first.home, version), reachable=not reachable)
    assert identity(again) == ("present", *identity(first)[1:])


@pytest.mark.parametrize(("name", "source"), [
    ("debian 12", "pypi"), ("debian 13", "distro"), ("ubuntu 24.04", "nvidia"),
])  # fmt: skip
@pytest.mark.parametrize("reachable", [True, False])
def test_a_host_with_libraries_alone_keeps_the_toolkit_of_what_serves(
    name: str, source: str, reachable: bool
) -> None:
    first = taken(name, cuda_source=source)
    assert isinstance(first, Choice)
    live = (tuple(map(int, first.version.split("."))), first.home)
    again = taken(name, reachable=reachable, live=live)
    assert identity(again) == identity(first)
    assert isinstance(again, Choice)
    assert again.why == "the live release was built with it"


def test_of_several_present_the_live_releases_is_taken() -> None:
    several = [toolkit(f"/usr/local/cuda-{each}", (12, each)) for each in (6, 8)]
    live = ((12, 6), "/usr/local/cuda-6")
    assert identity(taken("ubuntu 24.04", *several))[2] == "/usr/local/cuda-8"
    assert identity(taken("ubuntu 24.04", *several, live=live))[:3] == (
        "present", "12.6", "/usr/local/cuda-6",
    )  # fmt: skip


def test_an_owners_other_toolkit_moves_no_host_with_libraries_alone() -> None:
    live = ((12, 8), "/usr/local/cuda-12.8")
    found = taken("ubuntu 24.04", toolkit("/usr", (12, 0)), live=live)
    assert identity(found)[:3] == ("nvidia", "12.8", "/usr/local/cuda-12.8")


def test_the_live_release_does_not_bind_who_asks_for_something_else() -> None:
    live = ((12, 8), "/usr/local/cuda-12.8")
    assert identity(taken("ubuntu 24.04", live=live, cuda_version="13.0"))[1] == "13.0"
    assert identity(taken("ubuntu 24.04", live=live, cuda_source="pypi"))[0] == "pypi"
    # Nor where it fits no more, its source gives it no more, or it has a place of its own.
    assert identity(taken("debian 13", live=live))[1] == "13.0"
    assert identity(taken("debian 12", live=live))[0] == "pypi"
    assert identity(taken("ubuntu 24.04", live=((13, 0), "/opt/cuda")))[1] == "12.8"


def test_the_distributions_own_is_the_same_when_present() -> None:
    first = taken("debian 13", cuda_source="distro")
    again = taken("debian 13", toolkit("/usr", (12, 4)))
    assert identity(again)[1:] == identity(first)[1:]


def test_why_names_what_was_passed_over() -> None:
    broken = toolkit("/usr/local/cuda-13.2", (13, 2))
    partial = toolkit("/usr/local/cuda-13.0", (13, 0), "libcublas.so")
    choice = taken("ubuntu 24.04", broken, partial, reachable=False)
    assert isinstance(choice, Choice)
    assert "/usr/local/cuda-13.2 does not fit (CUDA 13.2 miscompiles IQ quants" in choice.why
    assert "/usr/local/cuda-13.0 lacks libcublas.so" in choice.why
    assert "NVIDIA's repository (it does not answer this host)" in choice.why


def test_of_several_present_the_recommended_one_is_taken() -> None:
    several = [toolkit(f"/usr/local/cuda-13.{each}", (13, each)) for each in (0, 1, 3)]
    found = taken("ubuntu 24.04", *several, toolkit("/usr/local/cuda-12.6", (12, 6)))
    assert identity(found)[2] == "/usr/local/cuda-13.0"
    pinned = taken("ubuntu 24.04", *several, cuda_version="13.3")
    assert identity(pinned)[2] == "/usr/local/cuda-13.3"


def test_a_named_folder_is_taken_or_refused_never_replaced() -> None:
    here = toolkit("/usr/local/cuda-12.8", (12, 8), found_as="/usr/local/cuda")
    other = toolkit("/usr/local/cuda-13.0", (13, 0))
    found = taken("ubuntu 24.04", here, other, cuda_home="/usr/local/cuda")
    assert identity(found)[2] == "/usr/local/cuda-12.8"
    absent = taken("ubuntu 24.04", other, cuda_home="/srv/cuda")
    assert absent == "cuda_home: no CUDA toolkit in /srv/cuda; set cuda_home to where one is"


@pytest.mark.parametrize(
    ("name", "values", "begins"),
    [
        ("debian 12", {"cuda_source": "nvidia"}, "cuda_keyring_sha256: "),
        ("ubuntu 24.04", {"cuda_source": "pypi", "cuda_version": "12.8"}, "cuda_version: "),
        ("ubuntu 26.04", {"cuda_source": "pypi"}, "cuda_source: "),
        ("debian 12", {"cuda_source": "distro", "cuda_architecture": 120}, "cuda_source: "),
        ("debian 12", {"cuda_source": "present"}, "cuda_source: "),
        ("debian 14", {}, "cuda_source: nothing fits"),
        ("ubuntu 24.04", {"cuda_source": "nvidia", "cuda_version": "13.2"}, "cuda_version: "),
    ],
)
def test_a_refusal_is_one_line_that_names_the_setting(
    name: str, values: dict[str, object], begins: str
) -> None:
    line = taken(name, **values)
    assert isinstance(line, str)
    assert line.startswith(begins)
    assert "\n" not in line


def test_an_unknown_distribution_can_use_what_it_has() -> None:
    compilers = CompilerState((3, 30), {16: "/usr/bin/g++-16", 14: "/usr/bin/g++-14"}, 16)
    kit = toolkit("/opt/cuda", (13, 3))
    found = choose(Settings(), machine("debian 14"), compilers, [kit], nvidia_reachable=True)
    assert identity(found) == ("present", "13.3", "/opt/cuda", "/usr/bin/g++-14")


def test_run_path() -> None:
    wheels = taken("debian 12")
    assert isinstance(wheels, Choice)
    assert rpath(wheels) == "/opt/llamarig/cuda/13.0/nvidia/cu13/lib"
    own = taken("debian 12", cuda_source="distro")
    assert isinstance(own, Choice)
    assert rpath(own) is None


def test_toolkits_are_told_once_whatever_they_are_called() -> None:
    lines = [
        "/usr/local/cuda\t/usr/local/cuda-13.0\t13.0\t cublas_v2.h libcublas.so",
        "/usr/local/cuda-13.0\t/usr/local/cuda-13.0\t13.0\t cublas_v2.h libcublas.so",
        "/opt/cuda\t/opt/cuda\t-\t nvcc",
        "/usr\t/usr\t12.4\t",
    ]
    found = CudaToolkits().process(lines)
    assert [each.home for each in found] == ["/usr/local/cuda-13.0", "/opt/cuda", "/usr"]
    assert found[0].found_as == ("/usr/local/cuda", "/usr/local/cuda-13.0")
    assert found[0].missing == ("cublas_v2.h", "libcublas.so")
    assert (found[1].version, found[1].complete) == ((), False)
    assert (found[2].version, found[2].complete) == ((12, 4), True)
