"""The unit as systemd reads it: no misspelt directive, and as closed as we say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from llamarig.settings import Settings
from llamarig.tasks import generation


def write(folder: Path, **values: object) -> Path:
    settings = Settings.model_validate(values)
    rendered = generation.render(settings, 1, "b1", "/data/m.gguf", "f" * 64)
    path = folder / "etc" / "systemd" / "system" / "llama-server.service"
    path.parent.mkdir(parents=True)
    path.write_text(rendered.files["llama-server.service"])
    binary = folder / "opt/llamarig/generations/1/release/bin/llama-server"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return path


def verify(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         f"--root={root}", "llama-server.service"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["cpu", "cuda", "vulkan"])
def test_systemd_knows_every_directive(tmp_path: Path, backend: str) -> None:
    write(tmp_path, backend=backend, gpu=0)
    done = verify(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Unknown" not in done.stderr


def test_a_misspelt_directive_would_be_seen(tmp_path: Path) -> None:
    path = write(tmp_path, backend="cpu")
    path.write_text(path.read_text().replace("ProtectClock=", "ProtectClok="))
    done = verify(tmp_path)
    assert "ProtectClok" in done.stderr


@pytest.mark.parametrize(("backend", "limit"), [("cpu", 1.2), ("cuda", 1.4), ("vulkan", 1.4)])
def test_exposure(tmp_path: Path, backend: str, limit: float) -> None:
    path = write(tmp_path, backend=backend)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= limit


def test_a_model_below_home_stays_readable(tmp_path: Path) -> None:
    text = write(tmp_path, backend="cpu", hf_home="/home/me/hf").read_text()
    assert "ProtectHome=read-only" in text
    assert "RequiresMountsFor=/home/me/hf" in text


def test_vulkan_opens_render_nodes_and_lets_shaders_be_compiled(tmp_path: Path) -> None:
    text = write(tmp_path, backend="vulkan").read_text()
    for line in (
        "DeviceAllow=char-drm rw", "SupplementaryGroups=render video", "PrivateDevices=no",
        "MemoryDenyWriteExecute=no", "ProcSubset=all",
    ):  # fmt: skip
        assert f"\n{line}\n" in text


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
def test_the_others_stay_closed(tmp_path: Path, backend: str) -> None:
    text = write(tmp_path, backend=backend).read_text()
    assert "char-drm" not in text
    assert "SupplementaryGroups" not in text
    assert "\nMemoryDenyWriteExecute=yes\n" in text
    assert ("\nPrivateDevices=yes\n" in text) is (backend == "cpu")
    # CUDA reads /proc/driver/nvidia while it starts; without it, it would fall back to the CPU.
    assert ("\nProcSubset=pid\n" in text) is (backend == "cpu")
