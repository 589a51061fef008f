"""The units as systemd reads them: no misspelt directive, as closed as we say, and no surprise."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from llamarig.settings import Settings
from llamarig.tasks import check_files, generation
from llamarig.tasks.cuda import nodes
from llamarig.tasks.facts.check import TIMER, TIMER_PATH, UNIT, UNIT_PATH

GOLDEN = Path(__file__).parent / "golden"
LIVE, _, MTP = generation.UNITS
BACKENDS = ["cpu", "cuda", "vulkan"]
TLS = {"cert": "/etc/ssl/lan.pem", "key": "/etc/ssl/private/lan.key"}


def text(name: str = LIVE, systemd: int = 252, **values: object) -> str:
    settings = Settings.model_validate(values)
    rendered = generation.render(
        settings, 1, "b1", "/data/m.gguf", "f" * 64, systemd=systemd
    )  # fmt: skip
    return rendered.files[name]


def check(path: str = UNIT_PATH, **values: object) -> str:
    """A unit of the check by the timer; the program's name changes with every change of it."""
    files = check_files.wanted(Settings.model_validate({"check": "daily", **values}))
    return re.sub(r"onhost-\w+\.pyz", "onhost-x.pyz", files[path])


def root(folder: Path, units: dict[str, str]) -> Path:
    """A root file system with these units and the programs that they start."""
    system = folder / "etc" / "systemd" / "system"
    system.mkdir(parents=True)
    for name, unit in units.items():
        (system / name).write_text(unit)
    for program in ("opt/llamarig/generations/1/release/bin/llama-server", "bin/sh"):
        path = folder / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return folder


def verify(root: Path, *units: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         f"--root={root}", *units],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_systemd_knows_every_directive(tmp_path: Path, backend: str) -> None:
    """The installed one, so rendered for it or for the oldest that we know of."""
    for systemd in (249, 252):
        units = {name: text(name, systemd, backend=backend, tls=TLS) for name in generation.UNITS}
        if waiting := nodes.unit(Settings(backend=backend)):  # type: ignore[arg-type]
            units[nodes.UNIT] = waiting
        done = verify(root(tmp_path / str(systemd), units), *units)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("backend", BACKENDS)
def test_systemd_takes_the_check_and_it_is_closed(tmp_path: Path, backend: str) -> None:
    values = {"backend": backend, "metrics_folder": "/home/me/metrics"}
    units = {UNIT: check(**values), TIMER: check(TIMER_PATH, **values)}
    folder = root(tmp_path, units)
    python = folder / "usr" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    done = verify(folder, *units)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nProtectHome=read-only\n" in units[UNIT]
    assert ("\nPrivateDevices=yes\n" in units[UNIT]) is (backend != "cuda")
    assert exposure(folder / "etc/systemd/system" / UNIT) <= 3.0


@pytest.mark.parametrize("period", ["hourly", "daily", "weekly"])
def test_systemd_knows_the_period(period: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "calendar", period], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    timer = check(TIMER_PATH, check=period)
    assert f"\nOnCalendar={period}\n" in timer
    assert "\nPersistent=false\n" in timer


def test_a_misspelt_directive_would_be_seen(tmp_path: Path) -> None:
    wrong = text(backend="cpu").replace("ProtectClock=", "ProtectClok=")
    assert "ProtectClok" in verify(root(tmp_path, {LIVE: wrong}), LIVE).stderr


@pytest.mark.parametrize(("backend", "limit"), [("cpu", 1.2), ("cuda", 1.4), ("vulkan", 1.4)])
def test_exposure(tmp_path: Path, backend: str, limit: float) -> None:
    for name in (LIVE, MTP):
        path = tmp_path / name
        path.write_text(text(name, backend=backend))
        assert exposure(path) <= limit


def exposure(unit: Path) -> float:
    """systemd's own figure for how open a unit is, 0 to 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        *((f"{each}.service", text(backend=each)) for each in BACKENDS),
        *((f"{each}-candidate.service", text(MTP, backend=each)) for each in BACKENDS),
        ("cuda-tls-systemd255.service",
         text(systemd=255, tls=TLS, gpu=1, model_path="/home/me/m.gguf")),
        ("vulkan-gpu-localhost.service", text(backend="vulkan", gpu=0, bind="localhost")),
        ("card-cuda.service", nodes.unit(Settings(gpu=1))),
        ("card-vulkan.service", nodes.unit(Settings(backend="vulkan", gpu=1))),
        ("check-cpu.service", check(backend="cpu")),
        ("check-cuda.service", check(metrics_folder="/var/lib/prometheus/node-exporter")),
        ("check-weekly.timer", check(TIMER_PATH, check="weekly")),
    ],
)  # fmt: skip
def test_the_unit_is_the_one_we_looked_at(file: str, unit: str) -> None:
    """After a change that is meant: GOLDEN=write pytest tests/templates, then read the diff."""
    path = GOLDEN / file
    if os.environ.get("GOLDEN") == "write":
        path.write_text(unit)
    assert unit == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    here = Path(__file__).read_text()
    for path in GOLDEN.iterdir():
        stem = path.name.removesuffix(".service").removesuffix("-candidate")
        assert stem in BACKENDS or f'"{path.name}"' in here


@pytest.mark.parametrize("values", [{"hf_home": "/home/me/hf"}, {"model_path": "/home/me/m.gguf"}])
def test_a_model_below_home_stays_readable(values: dict[str, object]) -> None:
    unit = text(backend="cpu", **values)
    assert "\nProtectHome=read-only\n" in unit
    assert f"\nRequiresMountsFor={next(iter(values.values()))}\n" in unit


def test_vulkan_opens_render_nodes_and_lets_shaders_be_compiled() -> None:
    unit = text(backend="vulkan")
    for line in (
        "DeviceAllow=char-drm rw", "SupplementaryGroups=render video", "PrivateDevices=no",
        "MemoryDenyWriteExecute=no", "ProcSubset=all",
    ):  # fmt: skip
        assert f"\n{line}\n" in unit


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
def test_the_others_stay_closed(backend: str) -> None:
    unit = text(backend=backend)
    assert "char-drm" not in unit
    assert "SupplementaryGroups" not in unit
    assert "\nMemoryDenyWriteExecute=yes\n" in unit
    assert ("\nPrivateDevices=yes\n" in unit) is (backend == "cpu")
    # CUDA reads /proc/driver/nvidia while it starts; without it, it would fall back to the CPU.
    assert ("\nProcSubset=pid\n" in unit) is (backend == "cpu")


@pytest.mark.parametrize("name", [LIVE, MTP])
def test_a_card_is_waited_for_before_the_unit_starts(name: str) -> None:
    """In the unit itself it would be too late: its list of devices is made when it starts."""
    for backend in BACKENDS:
        waits = f"\nWants={nodes.UNIT}\nAfter={nodes.UNIT}\n" in text(name, backend=backend)
        assert waits is (backend != "cpu")


def test_what_serves_does_not_start_without_its_card() -> None:
    assert "\nExecStartPre=" in text(backend="cuda")
    assert "\nExecStartPre=" in text(backend="vulkan")
    # A named device may be Mesa's, which has no node; a candidate's log says more than a refusal.
    assert "\nExecStartPre=" not in text(backend="vulkan", gpu=0)
    assert "\nExecStartPre=" not in text(backend="cpu")
    assert "\nExecStartPre=" not in text(MTP, backend="cuda")


def test_an_older_systemd_is_told_nothing_that_it_does_not_know() -> None:
    assert "RestartSteps=" in text(systemd=254)
    assert "RestartMaxDelaySec=" in text(systemd=254)
    assert "RestartSteps=" not in text(systemd=253)
    assert "RestartMaxDelaySec=" not in text(systemd=253)
    assert "ProtectProc=" not in text(systemd=246, backend="cpu")
    assert "ProcSubset=" not in text(systemd=246, backend="cpu")
