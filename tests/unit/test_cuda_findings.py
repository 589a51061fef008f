"""doctor on the toolkit and the driver: told before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.cuda.sources import Live
from llamarig.tasks.facts.compilers import CompilerState
from llamarig.tasks.facts.cuda_toolkits import Toolkit
from llamarig.tasks.facts.driver import DriverState
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.facts.nvidia_smi import SmiCard, SmiState
from llamarig.tasks.findings.cuda import RULES
from llamarig.tasks.findings.finding import Finding
from llamarig.tasks.findings.unused import without_effect

GLIBC = {"12": (2, 36), "13": (2, 41), "22.04": (2, 35), "24.04": (2, 39), "26.04": (2, 43)}


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that these rules look at."""

    machine: MachineState | None
    driver: DriverState = field(default_factory=DriverState)
    toolkits: list[Toolkit] = field(default_factory=list)
    live_toolkit: Live | None = None
    compilers: CompilerState = field(default_factory=CompilerState)
    smi: SmiState = field(default_factory=SmiState)
    render_nodes: list[str] = field(default_factory=lambda: ["/dev/dri/renderD128"])


def judged(
    name: str, loaded: str = "", /, *toolkits: Toolkit, live: Live | None = None,
    **values: object,
) -> list[Finding]:  # fmt: skip
    distribution, version = name.split()
    machine = MachineState(
        distribution, version, "", "x86_64", "systemd", 8, GLIBC.get(version, ())
    )
    seen = cast(Any, Seen(machine, DriverState(loaded=loaded), list(toolkits), live))
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


def test_what_serves_was_built_with_stays_whether_the_repository_answers_or_not() -> None:
    live = (12, 8), "/usr/local/cuda-12.8"
    found = one(judged("ubuntu 24.04", live=live), "cuda_source").found
    assert found.startswith("nvidia: CUDA 12.8 in /usr/local/cuda-12.8 with g++-13, the live ")


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
    ("name", "driver", "values", "fix"),
    [
        ("debian 12", "570.86.10", {"cuda_source": "pypi"}, "upgrade the driver to 580 or later"),
        ("ubuntu 24.04", "515.65.01", {"cuda_source": "nvidia"}, "the driver to 525 or later"),
        ("ubuntu 24.04", "470.1", {}, "upgrade the driver to 525 or later"),
        # What is not there yet can't be upgraded.
        ("debian 13", "", {"cuda_source": "pypi", "driver": "install"}, 'cuda_source = "distro"'),
        ("debian 13", "", {"cuda_version": "13.0", "driver": "install"}, 'cuda_source = "nvidia"'),
    ],
)
def test_a_driver_below_the_minimum_is_a_blocker(
    name: str, driver: str, values: dict[str, object], fix: str
) -> None:
    found = one(judged(name, driver, **values), "cuda_source")
    assert driver or "upgrade" not in found.fix
    assert found.level == "blocker"
    assert "needs driver" in found.found
    assert fix in found.fix


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
    assert found.fix.startswith('set cuda_source = "nvidia" and cuda_keyring_sha256 to what `curl')
    assert (
        one(judged("debian 12", driver="install", cuda_architecture=120), "cuda_source").level
        == "ok"
    )
    good = judged("ubuntu 24.04", driver="install", cuda_architecture=120)
    assert [each.level for each in good] == ["ok", "ok"]


def test_a_keyring_that_nobody_wrote_down_is_a_command() -> None:
    found = one(judged("debian 12", "580.1", cuda_source="nvidia"), "cuda_keyring_sha256")
    assert found.fix == (
        "set it to what `curl -fsSL https://developer.download.nvidia.com/compute/cuda/repos/"
        "debian12/x86_64/cuda-keyring_1.1-1_all.deb | sha256sum` prints, "
        "which trusts this download"
    )
    # With auto too, where nothing else is left.
    only = one(judged("ubuntu 26.04", "580.1", cuda_architecture=120), "cuda_source")
    assert only.fix.startswith("set cuda_keyring_sha256 to what `curl")


@pytest.mark.parametrize(
    ("source", "also"),
    [("auto", ""), *((each, ' and cuda_source = "present"') for each in ("nvidia", "distro"))],
)
def test_an_unknown_release_is_told_what_to_do_by_hand(source: str, also: str) -> None:
    found = one(judged("debian 14", "580.1", cuda_source=source), "cuda_source")
    fix = f"install a CUDA toolkit that fits by hand, then set cuda_home{also}"
    assert found.fix.removeprefix("apt install g++-15, or the newest before it; or ") == fix


def test_a_pinned_release_is_to_be_had_by_hand_only_where_it_would_fit() -> None:
    broken = one(judged("ubuntu 24.04", "580.1", cuda_version="13.2"), "cuda_source")
    assert broken.fix == "set another cuda_version"
    sound = one(judged("debian 12", "580.1", cuda_version="12.6"), "cuda_source")
    assert sound.fix.startswith("set cuda_keyring_sha256 to ")
    assert sound.fix.endswith("then set cuda_home; or set another cuda_version")
    none = one(judged("ubuntu 24.04", "580.1", cuda_source="present"), "cuda_source")
    assert none.fix.endswith('then set cuda_home; or set cuda_source = "auto"')


def test_a_compiler_is_all_that_an_unknown_release_lacks() -> None:
    for source in ("auto", "pypi"):
        found = one(judged("ubuntu 24.10", "580.1", cuda_source=source), "cuda_source")
        assert found.fix.startswith("apt install g++-15, or the newest before it")
    # A known one gets its g++ from llamarig: where it packages none that fits, none can be had.
    lacking = one(judged("debian 13", "580.1", cuda_source="nvidia", cuda_version="11.8",
                         cuda_keyring_sha256="e" * 64), "cuda_version")  # fmt: skip
    assert "no g++" in lacking.found
    assert "apt install" not in lacking.fix


def test_no_toolkit_is_judged_where_none_would_help() -> None:
    old = SmiCard("K40", "GPU-1", "0", compute_capability=35)
    seen = Seen(MachineState("ubuntu", "24.04", "", "x86_64", "systemd", 8, (2, 39)),
                DriverState(loaded="470.1"), smi=SmiState(cards=[old]))  # fmt: skip
    assert [each for rule in RULES for each in rule(cast(Any, seen), Settings())] == []
    assert judged("fedora 42", "580.1") == []
    assert judged("fedora 42", driver="install") == []


def test_a_release_without_a_version_has_a_name() -> None:
    machine = MachineState("debian", "", "", "x86_64", "systemd", 8)
    seen = cast(Any, Seen(machine))
    settings = Settings(driver="install")
    lines = [each.line() for rule in RULES for each in rule(seen, settings)]
    assert any("Debian without a version has no driver for sm_89" in line for line in lines)


def test_vulkan_without_a_render_node_is_a_warning() -> None:
    machine = MachineState("debian", "13", "", "x86_64", "systemd", 8)
    for loaded, nodes, levels in (("", [], ["warning"]), ("", ["/dev/dri/renderD128"], []),
                                  ("580.1", [], [])):  # fmt: skip
        seen = cast(Any, Seen(machine, DriverState(loaded=loaded), render_nodes=nodes))
        found = [each for rule in RULES for each in rule(seen, Settings(backend="vulkan"))]
        assert [each.level for each in found] == levels
        assert all("Mesa's software device" in each.found for each in found)


def test_vulkan_needs_a_shader_compiler() -> None:
    assert one(judged("ubuntu 22.04", backend="vulkan"), "backend").level == "blocker"
    assert one(judged("debian 12", backend="vulkan"), "backend").level == "warning"
    assert judged("debian 13", backend="vulkan") == []


def warned(**values: object) -> list[str]:
    settings = Settings.model_validate(values)
    return [each.topic for each in without_effect(cast(Any, None), settings)]


def test_settings_without_effect_are_told_one_by_one() -> None:
    assert warned() == []
    assert warned(backend="vulkan") == []
    home = {"cuda_home": "/opt/cuda"}
    for source in ("nvidia", "pypi", "distro"):
        assert warned(cuda_source=source, **home) == ["cuda_home"]
    assert warned(cuda_source="present", **home) == warned(**home) == []
    sha = {"cuda_keyring_sha256": "e" * 64}
    assert warned(cuda_source="pypi", **sha) == ["cuda_keyring_sha256"]
    assert warned(cuda_source="nvidia", **sha) == warned(**sha) == []
    assert warned(backend="cpu", driver="install", gpu_power_limit=300, cuda_ptx=False) == [
        "cuda_ptx", "driver", "gpu_power_limit"
    ]  # fmt: skip


def test_other_backends_have_nothing_to_say_of_cuda() -> None:
    assert judged("ubuntu 22.04", "450.1", backend="cpu") == []
