"""Rules about cards, driver, memory and Ollama, judged on recorded outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.driver import DriverState, NvidiaDriver
from llamarig.tasks.facts.graphics import PciCard
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, SmiCard, SmiProcess, SmiState
from llamarig.tasks.facts.ollama import OllamaState
from llamarig.tasks.findings import cards, driver, health, memory, ollama
from llamarig.tasks.findings import smi as smi_rules
from llamarig.tasks.findings.finding import Finding

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

RECORDED = Path(__file__).parents[1] / "recorded" / "gpu"
RULES = (
    *cards.RULES, *driver.RULES, *smi_rules.RULES, *health.RULES, *memory.RULES, *ollama.RULES
)  # fmt: skip
ADA = "GPU-5f8a2c31-9d04-4b7e-a1c6-3e2f70b8d915"
AMPERE = "GPU-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
RUNNING = DriverState(
    loaded="570.86.10",
    on_disk="570.86.10",
    library="570.86.10",
    devices=("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"),
)
NO_OLLAMA = OllamaState()
UBUNTU = MachineState("ubuntu", "24.04", "noble", "x86_64", "systemd", 8)


def lines(name: str) -> list[str]:
    return (RECORDED / f"{name}.txt").read_text().splitlines()


def smi(name: str) -> SmiState:
    return NvidiaSmi().process(lines(name))


def installed(name: str) -> DriverState:
    return NvidiaDriver().process(lines(name))


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that these rules look at; by default one with a healthy card."""

    cards: list[PciCard] = field(
        default_factory=lambda: [PciCard("0000:01:00.0", "2684", "nvidia", 16, 16)]
    )
    driver: DriverState = RUNNING
    smi: SmiState = field(default_factory=lambda: smi("rtx4090"))
    ollama: OllamaState = NO_OLLAMA
    machine: MachineState = UBUNTU
    render_nodes: list[str] = field(default_factory=list)


def judge(seen: Seen, **settings: Any) -> list[Finding]:
    chosen = Settings(**settings)
    return [each for rule in RULES for each in rule(cast("Workstation", seen), chosen)]


def bad(seen: Seen, **settings: Any) -> list[tuple[str, str]]:
    """Level and topic of all that is not ok."""
    found = judge(seen, **{"gpu_persistence_mode": True, **settings})
    return [(each.level, each.topic) for each in found if each.level != "ok"]


def only(seen: Seen, topic: str, **settings: Any) -> Finding:
    """The one finding on a topic that is not ok."""
    found = judge(seen, **{"gpu_persistence_mode": True, **settings})
    (one,) = [each for each in found if each.topic == topic and each.level != "ok"]
    return one


def with_card(**values: Any) -> SmiState:
    """The recorded 4090's state with something else about its card."""
    state = smi("rtx4090")
    return replace(state, cards=[replace(state.cards[0], **values)])


def test_a_healthy_card_with_a_desktop_is_all_ok() -> None:
    assert bad(Seen()) == []
    said = [each.line() for each in judge(Seen())]
    assert "cuda_architecture: NVIDIA GeForce RTX 4090 is sm_89" in said
    assert "memory: a desktop on the card: Xorg (312 MiB), gnome-shell (148 MiB)" in said


@pytest.mark.parametrize("backend", ["cpu", "vulkan"])
def test_other_backends_need_no_nvidia_card(backend: str) -> None:
    none = Seen(cards=[], driver=DriverState(), smi=SmiState())
    upset = Seen(driver=installed("driver-upgraded"), smi=smi("library-mismatch"))
    hot = Seen(driver=replace(RUNNING, xids=("Xid 79",)), smi=smi("two-cards-busy"))
    topics = {topic for seen in (none, upset, hot) for _, topic in bad(seen, backend=backend)}
    assert topics == ({"ollama"} if backend == "vulkan" else set())


def test_every_fault_says_what_mends_it() -> None:
    everything = [
        Seen(cards=[], smi=SmiState(), driver=DriverState()),
        Seen(driver=installed("driver-upgraded"), smi=smi("library-mismatch")),
        Seen(driver=installed("driver-rejected"), smi=smi("no-driver")),
        Seen(driver=installed("driver-nouveau"), smi=SmiState()),
        Seen(smi=smi("two-cards-busy"), ollama=OllamaState((0, 24, 0), True)),
    ]
    faults = [each for seen in everything for each in judge(seen) if each.level != "ok"]
    assert len(faults) > 8
    assert all(each.found and each.fix for each in faults)


# Cards.


def test_a_host_without_a_card_is_told_only_that() -> None:
    assert bad(Seen(cards=[], driver=DriverState(), smi=SmiState())) == [("blocker", "card")]


def test_a_card_kept_for_virtual_machines() -> None:
    kept = PciCard("0000:41:00.0", "2230", "vfio-pci")
    alone = Seen(cards=[kept], smi=smi("no-devices"))
    assert "10de:2230" in only(alone, "card").fix
    assert bad(Seen(cards=[*Seen().cards, kept])) == []


def test_the_architecture_must_be_the_cards() -> None:
    seen = Seen(smi=with_card(name="RTX 5090", compute_capability=120))
    finding = only(seen, "cuda_architecture")
    assert finding.level == "blocker"
    assert finding.found == "RTX 5090 is sm_120, cuda_architecture is 89"
    assert finding.fix == "set cuda_architecture = 120 in group_data or the inventory"
    assert bad(seen, cuda_architecture=120) == []


def test_a_card_that_no_setting_can_serve() -> None:
    old = only(Seen(smi=with_card(name="K40", compute_capability=35)), "card")
    assert old.line() == "card: K40 is sm_35, too old for llamarig; use a card with sm_50 or later"
    new = only(Seen(smi=with_card(compute_capability=130)), "card")
    assert (new.level, "cuda_architecture" in new.fix) == ("blocker", False)


def test_vulkan_is_offered_only_where_something_may_be_found() -> None:
    none = Seen(cards=[], driver=DriverState(), smi=SmiState())
    assert "vulkan" not in only(none, "card").fix
    other = replace(none, render_nodes=["/dev/dri/renderD128"])
    assert 'for a GPU of another make set backend = "vulkan"' in only(other, "card").fix


def test_several_cards_want_a_choice_and_the_chosen_one_is_judged() -> None:
    seen = Seen(smi=smi("two-cards-busy"))
    assert bad(seen)[0] == ("blocker", "gpu")
    assert ADA in only(seen, "gpu").fix
    assert bad(seen, gpu=1, cuda_architecture=86) == []
    assert bad(seen, gpu=AMPERE, cuda_architecture=86) == []
    wrong = only(seen, "cuda_architecture", gpu=AMPERE)
    assert wrong.found == "NVIDIA RTX A6000 is sm_86, cuda_architecture is 89"


def test_a_choice_that_is_not_there() -> None:
    assert only(Seen(), "gpu", gpu=1).found == "1 set, 1 card found, from 0"
    assert only(Seen(), "gpu", gpu=AMPERE).level == "blocker"
    assert bad(Seen(), gpu=0) == []
    assert bad(Seen(), gpu=ADA) == []


def test_cards_are_counted_on_the_bus_while_no_driver_runs() -> None:
    two = [PciCard("0000:01:00.0", "2684", ""), PciCard("0000:41:00.0", "2230", "")]
    seen = Seen(cards=two, driver=DriverState(), smi=SmiState())
    assert ("blocker", "gpu") in bad(seen)
    assert ("blocker", "gpu") in bad(seen, gpu=2)
    assert ("blocker", "gpu") not in bad(seen, gpu=1)
    kept = replace(two[1], driver="vfio-pci")
    assert ("blocker", "gpu") not in bad(replace(seen, cards=[two[0], kept]))


def test_a_narrow_link_is_seen_by_either_source() -> None:
    finding = only(Seen(smi=with_card(pcie_width=4)), "pcie")
    assert (finding.level, "4 of 16" in finding.found) == ("warning", True)
    unknown = with_card(pcie_width=None, pcie_max_width=None)
    narrow = [PciCard("0000:01:00.0", "2684", "nvidia", 8, 16)]
    assert "8 of 16" in only(Seen(cards=narrow, smi=unknown), "pcie").found


# Driver.


def test_no_driver_is_a_blocker_unless_it_will_be_installed() -> None:
    seen = Seen(driver=DriverState(), smi=SmiState())
    assert only(seen, "driver").fix == 'set driver = "install"'
    assert bad(seen, driver="install") == [("warning", "driver")]
    assert only(seen, "driver", driver="install").fix == "set allow_reboot = True"
    on_disk = Seen(driver=DriverState(on_disk="570.86.10"), smi=smi("no-driver"))
    assert bad(on_disk) == [("blocker", "driver")]
    assert only(on_disk, "driver").fix == "modprobe nvidia"


def test_a_reboot_that_is_allowed_is_no_fault() -> None:
    seen = Seen(driver=DriverState(), smi=SmiState())
    assert bad(seen, driver="install", allow_reboot=True) == []
    said = [each.line() for each in judge(seen, driver="install", allow_reboot=True)]
    assert said[1].endswith('driver = "install" mends, with a reboot if it takes one')


def test_a_driver_that_the_distribution_lacks_is_told_in_one_go() -> None:
    bookworm = replace(UBUNTU, distribution="debian", version="12")
    seen = Seen(driver=DriverState(), smi=SmiState(), machine=bookworm)
    assert only(seen, "driver").fix == 'set driver = "install"'
    fix = only(seen, "driver", cuda_architecture=120).fix
    assert fix.startswith('set driver = "install", and set cuda_source = "nvidia"')
    assert "/debian12/x86_64/cuda-keyring_1.1-1_all.deb | sha256sum` prints" in fix
    # The rule of the toolkit says that there is none; none is promised here.
    assert bad(seen, driver="install", cuda_architecture=120) == []
    other = replace(seen, machine=replace(UBUNTU, version="24.10"))
    assert only(other, "driver").fix == "install NVIDIA's driver by hand"


def test_nothing_is_advised_where_nothing_is_supported() -> None:
    fedora = replace(UBUNTU, distribution="fedora", version="42")
    arm = replace(UBUNTU, architecture="aarch64")
    for machine in (fedora, arm):
        none = Seen(driver=DriverState(), smi=SmiState(), machine=machine)
        assert bad(none) == []
        hurt = Seen(driver=installed("driver-upgraded"), smi=smi("library-mismatch"))
        assert bad(replace(hurt, machine=machine)) == []


def test_nouveau_is_named_alone() -> None:
    seen = Seen(driver=installed("driver-nouveau"), smi=SmiState())
    assert bad(seen) == [("blocker", "driver")]
    assert only(seen, "driver").fix == 'set driver = "install"'
    on_disk = Seen(driver=DriverState(on_disk="570.1", nouveau=True), smi=SmiState())
    assert bad(on_disk) == [("blocker", "driver")]
    fix = only(on_disk, "driver").fix
    assert "blacklist nouveau" in fix
    # A redirection would be the operator's shell's, without root's rights.
    assert ">" not in fix
    assert fix.count("sudo ") == fix.count("&&") + 1
    assert bad(seen, driver="install") == [("warning", "driver")]


def test_a_rejected_key_is_enrolled_and_an_unsigned_module_signed_first() -> None:
    seen = Seen(driver=installed("driver-rejected"), smi=smi("no-driver"))
    assert bad(seen) == [("blocker", "secure_boot")]
    assert only(seen, "secure_boot").fix.startswith("mokutil --import /var/lib/dkms/mok.pub")
    unsigned = Seen(driver=DriverState(on_disk="570.1", secure_boot=True), smi=smi("no-driver"))
    assert bad(unsigned, driver="install") == [("blocker", "secure_boot")]
    assert "not signed" in only(unsigned, "secure_boot").found


@pytest.mark.parametrize(
    ("distribution", "key"),
    [("ubuntu", "/var/lib/shim-signed/mok/MOK.der"), ("debian", "/var/lib/dkms/mok.pub")],
)
def test_the_key_lies_where_the_distribution_puts_it(distribution: str, key: str) -> None:
    machine = replace(UBUNTU, distribution=distribution)
    state = DriverState(on_disk="570.1", secure_boot=True)
    fix = only(Seen(driver=state, smi=smi("no-driver"), machine=machine), "secure_boot").fix
    assert f"mokutil --import {key}," in fix


def test_secure_boot_is_a_warning_before_an_installation_only() -> None:
    seen = Seen(driver=DriverState(secure_boot=True), smi=SmiState())
    assert ("warning", "secure_boot") in bad(seen, driver="install")
    assert bad(Seen(driver=replace(RUNNING, secure_boot=True))) == []


def test_an_upgraded_driver_wants_a_reboot_and_says_so_once() -> None:
    seen = Seen(driver=installed("driver-upgraded"), smi=smi("library-mismatch"))
    assert bad(seen) == [("blocker", "driver"), ("warning", "reboot"), ("warning", "xid")]
    finding = only(seen, "driver")
    assert finding.found == "570.86.10 is loaded, the library is 570.124.06"
    assert finding.fix == "systemctl reboot"
    next_boot = replace(RUNNING, on_disk="580.1")
    assert bad(Seen(driver=next_boot)) == [("warning", "driver")]
    logged = replace(RUNNING, library="", api_mismatch="API mismatch: A, but B")
    assert only(Seen(driver=logged, smi=SmiState()), "driver").level == "blocker"
    # An old program's mismatch, in a container say, is none of the host's.
    assert bad(Seen(driver=logged)) == []


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("library-mismatch", "systemctl reboot"),
        ("no-driver", "systemctl reboot"),
        ("no-devices", "dmesg | grep NVRM"),
        ("no-handle", "switch the power off"),
        ("gpu-lost", "should it happen again"),
        ("hangs", "run by hand"),
    ],
)
def test_a_failing_nvidia_smi_blocks(name: str, fix: str) -> None:
    seen = Seen(smi=smi(name))
    assert bad(seen) == [("blocker", "nvidia-smi")]
    assert fix in only(seen, "nvidia-smi").fix
    assert smi(name).text in only(seen, "nvidia-smi").found


def test_a_missing_nvidia_smi_and_a_lost_neighbour_are_warnings() -> None:
    seen = Seen(smi=SmiState())
    assert only(seen, "nvidia-smi").fix.startswith("install the nvidia-utils package that matches")
    assert only(seen, "nvidia-smi").level == "warning"
    assert only(replace(seen, driver=replace(RUNNING, library="")), "nvidia-smi").level == "blocker"
    lost = replace(smi("rtx4090"), failure="gpu-lost", text="GPU is lost")
    assert bad(Seen(smi=lost)) == [("warning", "nvidia-smi")]


@pytest.mark.parametrize(
    ("distribution", "loaded", "flavours", "fix"),
    [
        ("ubuntu", "580.95.05", ("580-server",), "apt install nvidia-utils-580-server"),
        ("ubuntu", "580.95.05", ("580",), "apt install nvidia-utils-580"),
        # Leftovers of another branch, and two flavours of ours, tell nothing.
        ("ubuntu", "580.95.05", ("535",), "install the nvidia-utils package that matches"),
        ("ubuntu", "580.95.05", ("580", "580-server"), "install the nvidia-utils package"),
        ("debian", "535.261.03", (), "apt install nvidia-smi"),
        ("debian", "580.95.05", (), "install the package with nvidia-smi that matches"),
    ],
)
def test_nvidia_smi_comes_in_the_drivers_own_flavour(
    distribution: str, loaded: str, flavours: tuple[str, ...], fix: str
) -> None:
    version = "12" if distribution == "debian" else "24.04"
    machine = replace(UBUNTU, distribution=distribution, version=version)
    state = replace(RUNNING, loaded=loaded, on_disk="", library="", flavours=flavours)
    finding = only(Seen(driver=state, smi=SmiState(), machine=machine), "nvidia-smi")
    assert finding.fix.startswith(fix)


# The card's health.


def test_a_power_limit_must_be_one_that_the_card_takes() -> None:
    seen = Seen(smi=with_card(power_min_w=150.5, power_max_w=600.0))
    for watts in (150, 601):
        finding = only(seen, "gpu_power_limit", gpu_power_limit=watts)
        assert (finding.level, finding.fix) == ("blocker", "set gpu_power_limit from 151 to 600")
    assert bad(seen, gpu_power_limit=600) == []
    assert bad(seen, gpu_power_limit=151) == []
    assert bad(Seen(), gpu_power_limit=1000) == []


def test_persistence_mode() -> None:
    assert only(Seen(), "persistence", gpu_persistence_mode=False).level == "warning"


@pytest.mark.parametrize(
    ("values", "topic", "text"),
    [
        ({"power_limit_w": 320.0}, "power", "limited to 320 W, 450 W by default"),
        ({"temperature_c": 85}, "heat", "85 °C"),
        ({"throttle": "power brake"}, "heat", "clocks held down (power brake)"),
    ],
)
def test_what_a_card_says_of_itself(values: dict[str, Any], topic: str, text: str) -> None:
    assert bad(Seen(smi=with_card(**values))) == [("warning", topic)]
    assert only(Seen(smi=with_card(**values)), topic).found == text


def test_a_meant_power_limit_warmth_and_ecc_are_no_faults() -> None:
    limited = Seen(smi=with_card(power_limit_w=320.0, temperature_c=84, ecc=True))
    assert bad(limited, gpu_power_limit=320) == []
    assert any(each.topic == "ecc" for each in judge(limited))


def test_the_node_for_unified_memory() -> None:
    seen = Seen(driver=replace(RUNNING, devices=("/dev/nvidiactl", "/dev/nvidia0")))
    assert only(seen, "driver").fix == "nvidia-modprobe -u -c=0"


# Memory, and Ollama.


def holding(*processes: SmiProcess, free: int) -> SmiState:
    card = replace(smi("rtx4090").cards[0], memory_free_mib=free)
    return SmiState(True, "", "", [card], list(processes))


def test_who_holds_the_memory_is_named_with_the_way_to_free_it() -> None:
    job = SmiProcess(ADA, 31, "/usr/bin/python3", 9000, owner="ann")
    service = SmiProcess(ADA, 32, "/opt/comfy/python", 5000, "comfy.service")
    found = [each.line() for each in judge(Seen(smi=holding(job, service, free=9000)))]
    assert (
        "memory: 9000 of 24564 MiB free; systemctl stop comfy.service, ask ann or stop it (pid 31)"
        in found
    )
    assert "memory: /usr/bin/python3 (pid 31) holds 9000 MiB; ask ann or stop it (pid 31)" in found
    assert (
        "memory: /opt/comfy/python (pid 32) holds 5000 MiB; systemctl stop comfy.service" in found
    )


def test_our_own_server_is_no_fault() -> None:
    ours = SmiProcess(ADA, 9, "/opt/llamarig/releases/x/bin/llama-server", 17500)
    assert bad(Seen(smi=holding(ours, free=6500))) == []
    assert bad(Seen(smi=holding(replace(ours, memory_mib=None), free=6500))) == []
    by_unit = replace(ours, name="[Not Found]", unit="llama-server.service")
    assert bad(Seen(smi=holding(by_unit, free=6500))) == []
    elsewhere = replace(ours, uuid=AMPERE)
    assert bad(Seen(smi=holding(elsewhere, free=6500))) == [("warning", "memory")]


def test_a_large_desktop_is_a_matter_of_room_only() -> None:
    game = SmiProcess(ADA, 70, "game", 6000, "", graphics=True)
    finding = only(Seen(smi=holding(game, free=18000)), "memory")
    assert finding.fix.startswith("systemctl isolate multi-user.target")


def test_ninety_percent_is_enough() -> None:
    assert bad(Seen(smi=holding(free=22108))) == []
    assert bad(Seen(smi=holding(free=22107))) == [("warning", "memory")]


def test_ollama_that_holds_the_card_is_told_once() -> None:
    seen = Seen(smi=smi("two-cards-busy"), ollama=OllamaState((0, 31, 0), True))
    finding = only(seen, "ollama", gpu=0)
    assert (
        finding.found == "/usr/local/lib/ollama/llama-server (pid 2210) holds 17400 MiB of the card"
    )
    assert finding.fix == "systemctl stop ollama.service"
    assert not any("2210" in each.found for each in judge(seen, gpu=0) if each.topic == "memory")


def test_a_pid_that_nobody_can_see_is_not_to_be_killed() -> None:
    lost = SmiProcess(ADA, 3999, "[Not Found]")
    fix = only(Seen(smi=holding(lost, free=23000)), "memory").fix
    assert fix == (
        "find pid 3999 with nvidia-smi on the machine that runs it (another container or "
        "namespace?)"
    )
    assert only(Seen(smi=smi("two-cards-busy")), "ollama", gpu=0).fix != fix
    everything = judge(Seen(smi=smi("two-cards-busy")), gpu=0)
    assert not any("kill" in each.fix for each in everything)


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"unit": "ollama.service"}, "systemctl stop ollama.service"),
        ({"unit": "open-webui.service"}, "systemctl stop open-webui.service"),
        ({"container": "docker 0123456789ab"}, "docker stop 0123456789ab"),
        ({"container": "lxc box"}, "stop it in its container (lxc box, pid 50)"),
        ({"owner": "ann"}, "ask ann or stop it (pid 50)"),
        ({}, "ask its owner or stop it (pid 50)"),
    ],
)
def test_ollama_is_stopped_by_what_started_it(values: dict[str, Any], fix: str) -> None:
    process = SmiProcess(ADA, 50, "/usr/bin/ollama", 900, **values)
    seen = Seen(smi=holding(process, free=23000), ollama=OllamaState((0, 31), True))
    assert only(seen, "ollama").fix == fix


def test_ollama_is_told_once_and_of_the_chosen_card_alone() -> None:
    two = smi("two-cards-busy")
    both = [SmiProcess(uuid, 50, "/usr/bin/ollama", 900) for uuid in (ADA, AMPERE)]
    seen = Seen(smi=replace(two, processes=both))
    assert only(seen, "ollama", gpu=1).found.endswith("holds 900 MiB of the card")
    # None chosen: the card is named, and the process once.
    assert only(seen, "ollama").found.endswith("of NVIDIA RTX A6000")
    elsewhere = Seen(smi=replace(two, processes=both[:1]))
    assert "ollama" not in {topic for _, topic in bad(elsewhere, gpu=1)}


def test_ollamas_version_decides_about_mtp_heads() -> None:
    old = Seen(ollama=OllamaState((0, 24, 0), False))
    assert bad(old) == [("warning", "ollama")]
    assert "missing attn_qkv/attn_gate projections" in only(old, "ollama").found
    new = Seen(ollama=OllamaState((0, 30), True))
    assert bad(new) == []
    said = " ".join(each.found for each in judge(new) if each.topic == "ollama")
    assert "`PARAMETER draft_num_predict 3`" in said
    assert "`FROM ./Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf`" in said
    assert bad(Seen()) == []


def test_a_card_that_says_little_is_judged_by_what_it_says() -> None:
    bare = SmiState(True, "", "", [SmiCard("NVIDIA GB10", ADA, "0000000F:01:00.0")])
    assert bad(Seen(smi=bare)) == []


def test_under_wsl_only_nvidia_smi_knows_the_card() -> None:
    assert bad(Seen(cards=[], driver=DriverState(library="570.1"))) == []
