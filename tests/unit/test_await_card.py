"""The script that waits for a card, on a folder in the place of /dev and programs of the test."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from llamarig.tasks.cuda import nodes

CUDA = ("nvidiactl", "nvidia-uvm", "nvidia0")


class Machine:
    """A machine whose systemd says that it is running, or booting."""

    def __init__(self, folder: Path) -> None:
        self.dev, self.bin = folder / "dev", folder / "bin"
        (self.dev / "dri").mkdir(parents=True)
        self.bin.mkdir()
        self.booting(False)
        # A second of the script takes a hundredth, and is counted.
        self.program("sleep", f"echo >> {folder}/slept; exec /bin/sleep 0.01")
        self.slept = folder / "slept"

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def booting(self, yes: bool) -> None:
        self.program("systemctl", f"echo {'starting' if yes else 'running'}")

    def make(self, *names: str) -> None:
        for name in names:
            (self.dev / name).touch()

    def wait(self, *words: str) -> subprocess.CompletedProcess[str]:
        script = nodes.script().replace("/dev/nvidia", f"{self.dev}/nvidia")
        script = script.replace("/dev/dri", f"{self.dev}/dri")
        return subprocess.run(
            ["/bin/sh", "-c", script, "await-card", *words], capture_output=True, text=True,
            env={"PATH": f"{self.bin}:/usr/bin:/bin"}, timeout=60, check=False,
        )  # fmt: skip

    def seconds(self) -> int:
        return len(self.slept.read_text().splitlines()) if self.slept.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_there_is_not_waited_for(machine: Machine) -> None:
    machine.make(*CUDA)
    assert machine.wait("cuda", "1").returncode == 0
    machine.make("dri/renderD128")
    assert machine.wait("vulkan", "1").returncode == 0
    assert machine.seconds() == 0


@pytest.mark.parametrize(("booting", "seconds"), [(False, 10), (True, 120)])
def test_what_is_missing_is_named_after_a_bounded_wait(
    machine: Machine, booting: bool, seconds: int
) -> None:
    machine.booting(booting)
    machine.make("nvidiactl")
    done = machine.wait("cuda", "1")
    assert done.returncode == 1
    assert machine.seconds() == seconds
    assert done.stderr == (
        f"no card: after {seconds} s can't open {machine.dev}/nvidia-uvm "
        f"{machine.dev}/nvidia[0-9]* (0 of 1)\n"
    )


def test_a_late_node_is_enough(machine: Machine) -> None:
    machine.make("nvidiactl", "nvidia0")
    late = f"[ $(wc -l < {machine.slept}) -lt 4 ] || touch {machine.dev}/nvidia-uvm"
    machine.program("sleep", f"echo >> {machine.slept}; {late}")
    assert machine.wait("cuda", "1").returncode == 0
    assert machine.seconds() == 4


def test_the_second_card_is_waited_for_where_it_is_the_chosen_one(machine: Machine) -> None:
    machine.make(*CUDA)
    done = machine.wait("cuda", "2")
    assert done.returncode == 1
    assert "nvidia0 (1 of 2)" in done.stderr
    machine.make("nvidia1")
    assert machine.wait("cuda", "2").returncode == 0


def test_nvidias_own_program_makes_them_where_it_is(machine: Machine) -> None:
    made = (
        'case $1 in -u) touch "$D/nvidia-uvm" "$D/nvidiactl" ;; '
        '-c=*) touch "$D/nvidia${1#-c=}" ;; esac'
    )
    machine.program("nvidia-modprobe", f"D={machine.dev}; {made}")
    assert machine.wait("cuda", "2").returncode == 0
    assert machine.seconds() == 0
    assert sorted(os.listdir(machine.dev)) == [
        "dri", "nvidia-uvm", "nvidia0", "nvidia1", "nvidiactl",
    ]  # fmt: skip


def test_a_node_that_exists_and_does_not_open_is_none(machine: Machine) -> None:
    """As /dev/nvidia-uvm is while its module loads."""
    machine.make("nvidiactl", "nvidia0")
    os.mknod(machine.dev / "nvidia-uvm", stat.S_IFSOCK | 0o666)  # no socket's file opens
    done = machine.wait("cuda", "1")
    assert done.returncode == 1
    assert f"can't open {machine.dev}/nvidia-uvm\n" in done.stderr


def test_looking_makes_nothing(machine: Machine) -> None:
    """A plain file in a node's place would keep the driver from making it."""
    assert machine.wait("cuda", "2").returncode == 1
    assert machine.wait("vulkan", "1").returncode == 1
    assert os.listdir(machine.dev) == ["dri"]
    assert os.listdir(machine.dev / "dri") == []
