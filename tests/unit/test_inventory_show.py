"""`llamarig inventory`: what resulted for each host, and where it is said; no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

INVENTORY = """
lab = (["gpu01", "gpu02"], {"gpu_power_limit": 300})
rtx5090 = [
    ("gpu02", {"ssh_hostname": "192.168.1.12", "ssh_user": "ops", "ssh_port": 2022, "port": 8081,
               "ssh_password": "hunter2", "site_secret": "hunter3", "_sudo_password": "hunter4",
               "sudo_password_file": "~/sudo"}),
]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "all.py").write_text("context = 4096\nthreads = None\n")
    (tmp_path / "group_data" / "rtx5090.py").write_text("cuda_architecture = 120\n")
    (tmp_path / "inventory.py").write_text(INVENTORY)
    return tmp_path


def call(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "inventory", "inventory.py", *words],
        cwd=site, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_hosts_and_settings_are_shown_with_where_they_are_said(site: Path) -> None:
    done = call(site)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["gpu01", "gpu01", "-", "lab,", "inventory"] in lines
    assert any(line[:3] == ["gpu02", "192.168.1.12:2022", "ops"] for line in lines)
    assert ["context", "4096", "all", "all"] in lines
    assert ["gpu_power_limit", "300", "lab", "all"] in lines
    assert ["cuda_architecture", "120", "rtx5090", "gpu02"] in lines
    assert ["port", "8081", "host", "gpu02"] in lines
    assert ["sudo_password_file", '"~/sudo"', "host", "gpu02"] in lines
    assert "threads" not in done.stdout  # said, but the default


def test_no_secret_is_shown(site: Path) -> None:
    done = call(site, "--json", "told.json")
    told = (site / "told.json").read_text()
    assert "hunter" not in done.stdout + done.stderr + told


def test_tuned_values_are_told_from_the_sites(site: Path) -> None:
    (site / "group_data" / "tuned.yaml").write_text("gpu01: {draft_n_max: 4}\n")
    assert "draft_n_max" in call(site, "--json", "told.json").stdout
    hosts = json.loads((site / "told.json").read_text())["hosts"]
    assert hosts["gpu01"]["settings"]["draft_n_max"] == {"value": 4, "from": "tuned"}
    assert "draft_n_max" not in hosts["gpu02"]["settings"]
    assert hosts["gpu02"]["port"] == 2022


def test_a_limit_shows_fewer_and_must_name_somebody(site: Path) -> None:
    assert "gpu01" not in call(site, "--limit", "rtx5090").stdout
    done = call(site, "--limit", "gpu9*")
    assert done.returncode == 1
    assert "--limit gpu9*: names no host and no group" in done.stderr


def test_wrong_settings_are_named_after_what_can_be_shown(site: Path) -> None:
    (site / "group_data" / "rtx5090.py").write_text("portt = 1\n")
    done = call(site)
    assert done.returncode == 1
    assert "gpu02: portt: unknown key, nearest known: port" in done.stderr
    assert "192.168.1.12" in done.stdout
