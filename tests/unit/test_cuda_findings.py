"""doctor on the toolkit and the driver: told before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.compilers import CompilerState
from llamarig.tasks.facts.cuda_toolkits import Toolkit
from llamarig.tasks.facts.driver import DriverState
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.findings.cuda import RULES
from llamarig.tasks.findings.finding import Finding

GLIBC = {"12": (2, 36), "13": (2, 41), "22.04": (2, 35), "24.04": (2, 39), "26.04": (2, 43)}


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that these rules look at."""

    machine: MachineState | None
    driver: DriverState = field(default_factory=DriverState)
    toolkits: list[Toolkit] = field(default_factory=list)
    compilers: CompilerState = field(default_factory=CompilerState)


def judged(name: str, loaded: str = "", /, *toolkits: Toolkit, **values: object) -> list[Finding]:
    distribution, version = name.split()
    machine = MachineState(distribution, version, "", "x86_64", "systemd", 8, GLIBC[version])
    seen = cast(Any, Seen(machine, DriverState(loaded=loaded), list(toolkits)))
    settings = Settings.model_validate(values)
    return [finding for rule in RULES for finding in rule(seen, settings)]


def one(found: list[Finding], topic: str) -> Finding:
    (finding,) = [each for each in found if each.topic == topic]
    return finding


def test_what_auto_takes_and_why() -> None:
    toolkit = one(judged("debian 12"), "cuda_source")
    assert toolkit.level == "ok"
    assert toolkit.found.startswith("pypi: CUDA 13.0 in /opt/llamarig/cuda/13.0/nvidia/cu13")
    assert "the sha256 of its keyring for Debian 12 is not known" in toolkit.found


def test_where_the_repository_decides_both_outcomes_are_told() -> None:
    found = one(judged("ubuntu 24.04"), "cuda_source").found
    assert found.startswith("nvidia if NVIDIA's repository answers: CUDA 12.8 in ")
    assert "; else pypi, CUDA 13.0 in " in found


def test_no_toolkit_that_fits_is_a_blocker() -> None:
    broken = Toolkit("/usr/local/cuda-13.2", (13, 2), "", True, ())
    found = one(judged("ubuntu 26.04", "", broken, cuda_source="present"), "cuda_source")
    assert found.level == "blocker"
    assert "CUDA 13.2 miscompiles IQ quants" in found.found
    assert found.fix == "repair it, or set cuda_home to another"


@pytest.mark.parametrize(
    ("name", "driver", "values", "level"),
    [
        ("debian 12", "580.65.06", {}, "ok"),
        ("debian 12", "535.261.03", {"cuda_source": "distro"}, "ok"),
        ("debian 13", "535.261.03", {"cuda_source": "distro"}, "warning"),
        ("debian 12", "510.47.03", {"cuda_source": "distro"}, "warning"),
        ("ubuntu 24.04", "550.90.07", {"cuda_source": "nvidia"}, "warning"),
        ("ubuntu 24.04", "550.90.07", {}, "warning"),
    ],
)
def test_a_driver_below_the_recommended_one_is_a_warning(
    name: str, driver: str, values: dict[str, object], level: str
) -> None:
    found = judged(name, driver, **values)
    assert one(found, "driver").level == level
    assert one(found, "cuda_source").level == "ok"


@pytest.mark.parametrize(
    ("name", "driver", "values"),
    [
        ("debian 12", "570.86.10", {"cuda_source": "pypi"}),
        ("ubuntu 24.04", "515.65.01", {"cuda_source": "nvidia"}),
        ("debian 13", "", {"cuda_source": "pypi", "driver": "install"}),
    ],
)
def test_a_driver_below_the_minimum_is_a_blocker(
    name: str, driver: str, values: dict[str, object]
) -> None:
    found = one(judged(name, driver, **values), "cuda_source")
    assert found.level == "blocker"
    assert "needs driver" in found.found
    assert found.fix == "upgrade the driver, or set another cuda_source"


def test_auto_goes_by_the_driver_too() -> None:
    found = one(judged("debian 13", "550.163.01"), "cuda_source").found
    assert found.startswith("distro: CUDA 12.4 in /usr with g++-13")
    assert "CUDA 13.0 needs driver 580 or later, not 550" in found
    coming = one(judged("debian 12", driver="install"), "cuda_source").found
    assert coming.startswith("distro: CUDA 11.8 in /usr with g++-11")
    assert "not 535" in coming


def test_a_card_that_the_distributions_driver_does_not_know() -> None:
    found = one(judged("debian 12", driver="install", cuda_architecture=120), "driver")
    assert found.level == "blocker"
    assert found.found == "Debian 12 has no driver for sm_120 that llamarig knows"
    good = judged("ubuntu 24.04", driver="install", cuda_architecture=120)
    assert [each.level for each in good] == ["ok", "ok"]


def test_vulkan_needs_a_shader_compiler() -> None:
    assert one(judged("ubuntu 22.04", backend="vulkan"), "backend").level == "blocker"
    assert one(judged("debian 12", backend="vulkan"), "backend").level == "warning"
    assert judged("debian 13", backend="vulkan") == []


def test_other_backends_have_nothing_to_say_of_cuda() -> None:
    assert judged("ubuntu 22.04", "450.1", backend="cpu") == []
