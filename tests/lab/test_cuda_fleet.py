"""A CUDA release goes from host to host: who takes it needs a driver and libraries, no toolkit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from fleet import COMPILES, FORGET_RELEASES, Fleet, cut
from made import made_lab

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.cuda,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
CUDA: dict[str, Any] = {"backend": "cuda", "cuda_source": "auto", "cuda_ptx": False}
HOME = "/opt/llamarig/cuda/13.0/nvidia/cu13"
# No made host has a driver: its library in name alone, which answers every call with an error.
DRIVER = "/usr/local/lib/libcuda.so.580.65.06"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with made_lab("cudf", 2, services=True) as made:
        yield made


def test_who_takes_a_release_gets_libraries_and_no_toolkit(site: Any, fleet: Fleet) -> None:
    built = site.run("build --limit gpu01", **CUDA)
    assert built.code == 0, built.output
    stub = fleet.on("gpu01", f"base64 -w0 {HOME}/lib/stubs/libcuda.so")
    fleet.on("gpu02", f"echo {stub} | base64 -d >{DRIVER} && ldconfig")
    ran = site.run("build", **CUDA)
    assert ran.code == 0, ran.output
    assert ran.host("gpu02")["release_from"] == "hosts"
    assert fleet.release("gpu02") == built.host("gpu01")["release"]
    fleet.on("gpu02", f"ls {HOME}/lib/libcublas.so.13 && test ! -e {HOME}/bin/nvcc")
    fleet.on("gpu02", "! command -v g++ && ! command -v cmake")
    again = site.run("build", **CUDA)
    assert {of["changed"] for of in again.report["hosts"].values()} == {0}, again.output


def test_it_gets_the_toolkit_when_the_builder_dies(site: Any, fleet: Fleet) -> None:
    name = fleet.release("gpu02")
    fleet.all(("gpu01", "gpu02"), FORGET_RELEASES)
    code, output = cut(
        site, "build", lambda _: fleet.until("gpu01", COMPILES),
        lambda: fleet.lab.kill("gpu01"), lambda: fleet.lab.restart("gpu01"), **CUDA,
    )  # fmt: skip
    assert code == 1, output
    assert fleet.release("gpu02") == name
    fleet.on("gpu02", f"{HOME}/bin/nvcc --version && command -v g++")
    again = site.run("build", **CUDA)
    assert (again.code, again.host("gpu02")["changed"]) == (0, 0), again.output
    assert again.host("gpu01")["release_from"] == "hosts"
