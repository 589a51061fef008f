"""Facts about cards and drivers: recorded outputs, and their commands run under sh."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.tasks.facts.driver import DriverState, NvidiaDriver
from llamarig.tasks.facts.graphics import GraphicsCards, PciCard, RenderNodes
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, SmiState
from llamarig.tasks.facts.ollama import Ollama, OllamaState

RECORDED = Path(__file__).parents[1] / "recorded" / "gpu"


def lines(name: str) -> list[str]:
    return (RECORDED / f"{name}.txt").read_text().splitlines()


def smi(name: str) -> SmiState:
    return NvidiaSmi().process(lines(name))


def run(command: str, path: str = "/usr/bin:/bin") -> list[str]:
    """A fact's command as a host runs it; a failing one fails the test."""
    done = subprocess.run(
        ["sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def program(folder: Path, name: str, body: str) -> None:
    """A program that prints what a host's own would."""
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def device(bus: Path, address: str, **values: str) -> None:
    (bus / address).mkdir(parents=True)
    for name, value in values.items():
        (bus / address / name).write_text(f"{value}\n")


def test_only_nvidias_display_controllers_are_cards(tmp_path: Path) -> None:
    bus = tmp_path / "devices"
    widths = {"current_link_width": "8", "max_link_width": "16"}
    device(bus, "0000:01:00.0", vendor="0x10de", **{"class": "0x030000"}, device="0x2684", **widths)
    device(bus, "0000:01:00.1", vendor="0x10de", **{"class": "0x040300"}, device="0x22ba")
    device(bus, "0000:03:00.0", vendor="0x1002", **{"class": "0x030000"}, device="0x744c")
    device(bus, "0000:41:00.0", vendor="0x10de", **{"class": "0x030200"}, device="0x2230")
    (tmp_path / "vfio-pci").mkdir()
    (bus / "0000:01:00.0" / "driver").symlink_to(tmp_path / "vfio-pci")
    output = run(GraphicsCards().command().replace("/sys/bus/pci/devices", str(bus)))
    assert GraphicsCards().process(output) == [
        PciCard("0000:01:00.0", "2684", "vfio-pci", 8, 16),
        PciCard("0000:41:00.0", "2230", "", None, None),
    ]


def test_a_width_that_the_kernel_does_not_know_is_none() -> None:
    (card,) = GraphicsCards().process(["0000:01:00.0|0x2684|nvidia|63|255"])
    assert (card.width, card.max_width) == (None, None)
    with pytest.raises(FactProcessError):
        GraphicsCards().process(["lspci: not found"])


def test_render_nodes_are_listed_and_none_is_no_error(tmp_path: Path) -> None:
    for name in ("card0", "renderD128", "renderD129"):
        (tmp_path / name).touch()
    command = RenderNodes().command()
    assert run(command.replace("/dev/dri", str(tmp_path / "absent"))) == []
    found = run(command.replace("/dev/dri", str(tmp_path)))
    assert found == [f"{tmp_path}/renderD128", f"{tmp_path}/renderD129"]
    nodes = ["/dev/dri/renderD128", "/dev/dri/renderD129"]
    assert RenderNodes().process(nodes) == nodes
    with pytest.raises(FactProcessError):
        RenderNodes().process(["ls: not found"])


def test_a_card_with_a_desktop() -> None:
    state = smi("rtx4090")
    (card,) = state.cards
    assert (state.installed, state.failure) == (True, "")
    assert (card.name, card.compute_capability) == ("NVIDIA GeForce RTX 4090", 89)
    assert (card.memory_total_mib, card.memory_free_mib) == (24564, 23310)
    assert (card.persistence, card.ecc, card.power_limit_w) == (False, None, 450.0)
    assert (card.temperature_c, card.pcie_width, card.throttle) == (38, 16, "")
    assert [(each.name, each.graphics, each.memory_mib) for each in state.processes] == [
        ("Xorg", True, 312),
        ("gnome-shell", True, 148),
    ]


def test_processes_have_full_names_and_units_and_are_listed_once() -> None:
    state = smi("two-cards-busy")
    found = {each.pid: each for each in state.processes}
    assert sorted(found) == [2210, 3120, 3999, 4001]
    assert len(state.processes) == 4
    assert found[2210].name == "/usr/local/lib/ollama/llama-server"
    assert (found[2210].unit, found[2210].memory_mib) == ("ollama.service", 17400)
    assert found[3120].name == "/home/ann/venv/bin/python, with a comma"
    assert (found[3999].memory_mib, found[3999].unit) == (None, "")
    assert found[4001].graphics
    assert not found[3120].graphics
    assert state.cards[0].throttle == "too hot, by the driver, too hot, by the hardware"
    assert state.cards[1].ecc is True


def test_owners_containers_and_power_limits() -> None:
    uuid = "GPU-5f8a2c31-9d04-4b7e-a1c6-3e2f70b8d915"
    groups = {
        "/user.slice/user-1000.slice/session-2.scope": "",
        "/system.slice/docker-0123456789abcdef.scope": "docker 0123456789ab",
        "/docker/0123456789abcdef": "docker 0123456789ab",
        "/user@1000.service/user.slice/libpod-0123456789abcd.scope": "podman 0123456789ab",
        "/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-abcdef0123456789.scope": (
            "kubernetes abcdef012345"
        ),
        "/lxc.payload.box/system.slice/ollama.service": "lxc box",
    }
    numbered = list(enumerate(groups, 1))
    state = NvidiaSmi().process(
        ["== cards", lines("rtx4090")[1], "exit 0", "== limits", f"{uuid}, 150.00, 600.00",
         "exit 0", "== compute", *(f"{uuid}, {pid}, 10, python" for pid, _ in numbered),
         f"{uuid}, 99, 10, [Not Found]", "exit 0", "== owners",
         *(f"{pid} ann {group}" for pid, group in numbered), "== units", "6 ollama.service"]
    )  # fmt: skip
    assert (state.cards[0].power_min_w, state.cards[0].power_max_w) == (150.0, 600.0)
    assert [each.container for each in state.processes[:-1]] == list(groups.values())
    assert [each.owner for each in state.processes] == ["ann"] * len(groups) + [""]
    # A container's own unit is none of the host's.
    assert state.processes[5].unit == ""


def test_an_old_driver_lacks_fields_and_names_others_differently() -> None:
    (card,) = smi("old-driver").cards
    assert (card.compute_capability, card.ecc, card.throttle) == (None, None, "")
    assert card.memory_free_mib == 24001
    assert smi("old-driver").processes == []


@pytest.mark.parametrize(
    ("name", "failure", "text"),
    [
        ("library-mismatch", "library-mismatch", "Driver/library version mismatch"),
        ("no-driver", "no-driver", "couldn't communicate"),
        ("no-devices", "no-devices", "No devices were found"),
        ("no-handle", "no-handle", "Unknown Error"),
        ("gpu-lost", "gpu-lost", "GPU is lost"),
        ("hangs", "other", "no answer within 20 s"),
    ],
)
def test_failures_are_told_apart(name: str, failure: str, text: str) -> None:
    state = smi(name)
    assert (state.installed, state.failure, state.cards) == (True, failure, [])
    assert text in state.text


def test_a_host_without_nvidia_smi() -> None:
    assert smi("absent") == NvidiaSmi.default()
    assert not smi("absent").installed


def test_a_lost_card_does_not_hide_the_other() -> None:
    state = NvidiaSmi().process(
        ["== cards", lines("no-handle")[1], lines("rtx4090")[1], "exit 255"]
    )
    assert (state.failure, len(state.cards)) == ("no-handle", 1)


def test_nvidia_smi_is_asked_again_where_a_field_has_another_name(tmp_path: Path) -> None:
    uuid = "GPU-5f8a2c31-9d04-4b7e-a1c6-3e2f70b8d915"
    program(
        tmp_path,
        "nvidia-smi",
        f"""case "$*" in
        *clocks_event*) echo 'Field "clocks_event_reasons.active" is not valid' >&2; exit 2 ;;
        *clocks_throttle*) echo '{uuid}, 0x80' ;;
        *compute_cap*) echo '{uuid}, 12.0' ;;
        *index*) echo '{lines("rtx4090")[1]}' ;;
        *compute-apps*) echo "{uuid}, {os.getpid()}, 17000, /opt/x/llama-server" ;;
        esac""",
    )
    state = NvidiaSmi().process(run(NvidiaSmi().command(), f"{tmp_path}:/usr/bin:/bin"))
    assert (state.cards[0].compute_capability, state.cards[0].throttle) == (120, "power brake")
    assert state.processes[0].name == "/opt/x/llama-server"
    assert state.processes[0].owner == getpass.getuser()
    assert state.cards[0].power_max_w is None


def test_a_failure_on_stderr_is_read_and_nothing_more_is_asked(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "echo 'No devices were found' >&2; exit 6")
    output = run(NvidiaSmi().command(), f"{tmp_path}:/usr/bin:/bin")
    assert [line for line in output if line.startswith("==")] == ["== cards"]
    assert NvidiaSmi().process(output).failure == "no-devices"


def test_an_upgraded_driver() -> None:
    state = NvidiaDriver().process(lines("driver-upgraded"))
    assert (state.loaded, state.on_disk, state.library) == ("570.86.10", "570.124.06", "570.124.06")
    assert state.api_mismatch == (
        "API mismatch: the client has the version 570.124.06, "
        "but this kernel module has the version 570.86.10"
    )
    assert state.xids[0].startswith("Xid (PCI:0000:01:00): 79")
    assert (state.secure_boot, state.reboot_required, state.key_rejected) == (True, True, False)
    assert "/dev/nvidia-uvm" not in state.devices


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (["mokutil=SecureBoot enabled", "efivar=1"], True),
        (["mokutil=SecureBoot enabled SecureBoot validation is disabled in shim"], False),
        (["mokutil=This system doesn't support Secure Boot", "efivar=0"], False),
        (["efivar=1"], True),
        (["efivar=0"], False),
        ([], None),
    ],
)
def test_secure_boot_is_known_from_either_source(said: list[str], known: bool | None) -> None:
    assert NvidiaDriver().process(["loaded=", *said]).secure_boot is known


def test_a_library_without_a_version_in_its_name_has_none() -> None:
    state = NvidiaDriver().process(["loaded=", "library=/usr/lib/wsl/lib/libcuda.so.1"])
    assert state == DriverState()
    with pytest.raises(FactProcessError):
        NvidiaDriver().process(["modinfo: not found"])


def test_the_drivers_command_reads_modules_and_the_kernels_log(tmp_path: Path) -> None:
    program(
        tmp_path, "modinfo", '[ "$3" = nvidia-current ] || exit 1; [ $2 = signer ] || echo 550.1'
    )
    xids = "\n".join(f"[ 1.{n}] NVRM: Xid (PCI:0000:01:00): {n}, x" for n in range(8))
    mismatch = "[ 2.0] NVRM: API mismatch: the client has A, but\n[ 2.0] NVRM: this has B.  Please"
    key = "[ 3.0] Loading of module with unavailable key is rejected"
    program(tmp_path, "dmesg", f"cat <<'END'\n{xids}\n{mismatch}\n{key}\nEND")
    program(tmp_path, "mokutil", "echo SecureBoot enabled")
    names = r"installed libnvidia-compute-580-server\nremoved libnvidia-compute-535\n"
    program(tmp_path, "dpkg-query", f"printf '{names}installed nvidia-kernel-common-580-server\\n'")
    state = NvidiaDriver().process(run(NvidiaDriver().command(), f"{tmp_path}:/usr/bin:/bin"))
    assert (state.on_disk, state.signer, state.secure_boot) == ("550.1", "", True)
    assert [xid.split(": ")[1] for xid in state.xids] == [f"{n}, x" for n in range(3, 8)]
    assert state.api_mismatch == "API mismatch: the client has A, but this has B"
    assert state.key_rejected
    assert state.flavours == ("580-server",)


@pytest.mark.parametrize(
    ("output", "state"),
    [
        (["active", "ollama version is 0.24.0"], OllamaState((0, 24, 0), True)),
        (
            ["inactive", "Warning: could not connect", "Warning: client version is 0.30.0-rc1"],
            OllamaState((0, 30, 0), False),
        ),
        (
            ["active", "ollama version is 0.32.1", "Warning: client version is 0.31.0"],
            OllamaState((0, 32, 1), True),
        ),
        (["inactive"], OllamaState()),
    ],
)
def test_ollamas_version_is_the_running_ones(output: list[str], state: OllamaState) -> None:
    assert Ollama().process(output) == state


def test_ollamas_command_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    assert Ollama().process(run(Ollama().command())).version == ()
    program(tmp_path, "ollama", "echo ollama version is 0.31.2")
    found = Ollama().process(run(Ollama().command(), f"{tmp_path}:/usr/bin:/bin"))
    assert found.version == (0, 31, 2)
