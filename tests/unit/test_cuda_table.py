"""The compatibility table: its figures, and that every one of them says where it is from."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml

from llamarig.cuda import table

SETTLED = (2, 39)


@pytest.mark.parametrize(
    ("version", "gcc"),
    [("11.8", 11), ("12.4", 13), ("12.6", 13), ("12.9", 14), ("13.3", 15), ("13.5", 16)],
)
def test_highest_gcc(version: str, gcc: int) -> None:
    assert table.highest_gcc(table.parse(version)) == gcc


def test_a_release_older_than_the_table_has_no_figures() -> None:
    assert table.highest_gcc((11, 5)) is None
    assert table.problems((11, 5), 86, 11) == ["CUDA 11.5 is older than any that llamarig knows"]


@pytest.mark.parametrize(
    ("version", "drivers"),
    [("11.8", (450, 520)), ("12.4", (525, 550)), ("12.8", (525, 570)), ("13.4", (580, 580))],
)
def test_minimum_and_recommended_driver(version: str, drivers: tuple[int, int]) -> None:
    assert table.needed_driver(table.parse(version)) == drivers


@pytest.mark.parametrize(
    ("version", "architecture", "gcc", "glibc", "told"),
    [
        ("11.5", 89, 11, SETTLED, "11.8 or later does"),
        ("12.4", 120, 13, SETTLED, "12.8 or later does"),
        ("13.0", 70, 13, SETTLED, "CUDA 13.0 and later dropped sm_70"),
        ("12.8", 89, 15, SETTLED, "accepts gcc 14 at most, not 15"),
        ("12.8", 89, None, SETTLED, "no g++ that CUDA 12.8 accepts"),
        ("12.8", 89, 14, (2, 41), "clash with glibc 2.41"),
        ("13.1", 89, 15, (2, 42), "clash with glibc 2.42"),
        ("13.2", 89, 15, SETTLED, "miscompiles IQ quants"),
        ("12.8", 37, 13, SETTLED, "sm_37 is older"),
    ],
)
def test_problems(
    version: str, architecture: int, gcc: int | None, glibc: tuple[int, ...], told: str
) -> None:
    found = table.problems(table.parse(version), architecture, gcc, glibc)
    assert any(told in each for each in found), found


@pytest.mark.parametrize(
    ("version", "architecture", "gcc", "glibc"),
    [("11.8", 89, 11, (2, 36)), ("12.8", 120, 13, SETTLED), ("12.8", 70, 13, SETTLED),
     ("13.0", 89, 14, (2, 41)), ("13.3", 120, 15, (2, 43)), ("12.9", 121, 14, SETTLED)],
)  # fmt: skip
def test_what_fits_has_no_problems(
    version: str, architecture: int, gcc: int, glibc: tuple[int, ...]
) -> None:
    assert table.problems(table.parse(version), architecture, gcc, glibc) == []


def test_the_recommended_release_by_distribution() -> None:
    def best(name: str, version: str, glibc: tuple[int, ...], sm: int = 89) -> str:
        here = table.distribution(name, version)
        assert here
        return table.text(table.recommended(here, sm, glibc)[0])

    assert best("ubuntu", "22.04", (2, 35)) == "12.8"
    assert best("debian", "13", (2, 41)) == "13.0"
    assert best("ubuntu", "26.04", (2, 43)) == "13.3"
    assert table.distribution("ubuntu", "25.10") is None


def test_nvidias_packages_hold_no_driver_and_cccl_is_renamed() -> None:
    assert table.nvidia_packages((12, 8)) == [
        "cuda-nvcc-12-8", "cuda-cudart-dev-12-8", "libcublas-dev-12-8"
    ]  # fmt: skip
    assert table.nvidia_packages((13, 3))[-1] == "cccl-13-3"


def test_only_one_keyring_is_known_and_none_was_made_up() -> None:
    known = [each for each in _yaml()["distributions"] if each["keyring_sha256"]]
    assert [each["folder"] for each in known] == ["ubuntu2404"]
    noble = table.distribution("ubuntu", "24.04")
    assert noble
    assert noble.keyring_url == (
        "https://developer.download.nvidia.com/compute/cuda/repos/"
        "ubuntu2404/x86_64/cuda-keyring_1.1-1_all.deb"
    )


def _yaml() -> dict[str, Any]:
    text = files("llamarig.cuda").joinpath("compatibility.yaml").read_text()
    return dict(yaml.safe_load(text))


def test_every_figure_names_its_source() -> None:
    for name, entries in _yaml().items():
        if name == "nvidia":
            entries = [*entries["packages"], entries["libraries"]]
        for entry in entries if isinstance(entries, list) else [entries]:
            assert entry["source"], (name, entry)


def test_ranges_ascend() -> None:
    data = _yaml()
    for name in ("highest_gcc", "minimum_driver", "recommended_driver"):
        reached = [table.parse(each["from"]) for each in data[name]]
        assert reached == sorted(reached), name
    architectures = [each["sm"] for each in data["architectures"]]
    assert architectures == sorted(architectures)
