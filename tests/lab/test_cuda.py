"""The whole CUDA build on a made host, and what a host without a card does with it: make test-cuda.

Half an hour and more on 2 cores, so neither CI nor test-lab runs it. What only a card can show,
the passing proof, is not in here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.cuda,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
CUDA: dict[str, Any] = {"backend": "cuda", "cuda_source": "pypi", "cuda_ptx": False}
# deploy.py without its preflight, which refuses a host without a card before anything is done.
UNCHECKED = """
from pyinfra.context import state

from llamarig.tasks import display_callback, llama_cpp, model, server

display_callback.register(state)
model.begin()
llama_cpp.build()
model.await_()
server.stage()
server.prove()
server.switch()
"""


def test_a_host_without_a_card_gets_a_cuda_release(site: Any, on_host: OnHost) -> None:
    serving = on_host("systemctl show llama-server -p MainPID --value")
    ran = site.run("build", **CUDA)
    assert ran.code == 0, ran.output
    build = ran.host()["build"]
    assert build["cuda"]["machine_code"] == [89]
    assert (build["cuda"]["version"], build["cuda"]["source"]) == ("13.0", "pypi")
    assert "-DCMAKE_CUDA_ARCHITECTURES=89-real" in build["flags"]
    assert {"source", "configure", "compile"} <= set(build["seconds"])
    # The binary is linked with the driver's library, which this host has in name alone.
    stubs = f"LD_LIBRARY_PATH={build['cuda']['home']}/lib/stubs"
    run = f"{stubs} timeout 60 /opt/llamarig/releases/{build['id']}/bin/llama-server"
    assert "(build 11434," in on_host(f"{run} --version </dev/null 2>&1")
    devices = on_host(f"{run} --list-devices </dev/null 2>&1")
    assert "(none)" in devices
    assert on_host("systemctl show llama-server -p MainPID --value") == serving


def test_building_again_changes_nothing_and_checks_the_recipe(site: Any) -> None:
    ran = site.run("build --check", **CUDA)
    assert (ran.code, ran.host()["changed"]) == (0, 0), ran.output
    assert "it knows every flag of the recipe" in ran.output


def test_preflight_refuses_the_host(site: Any, on_host: OnHost) -> None:
    live = on_host("readlink /opt/llamarig/current")
    ran = site.run("up", **CUDA)
    assert ran.code == 1
    assert any("no NVIDIA card" in line for line in ran.host()["problems"]), ran.output
    assert on_host("readlink /opt/llamarig/current") == live


def refused(site: Any, on_host: OnHost) -> tuple[str, dict[str, Any]]:
    """Deploy without preflight; the problem's first line and the record. What served, serves on."""
    live = on_host("readlink /opt/llamarig/current")
    (site.folder / "deploy.py").write_text(UNCHECKED)
    # Preflight also finds out how to become root; this operator's sudo asks nothing.
    ran = site.run("up", _sudo=True, **CUDA)
    assert ran.code == 1, ran.output
    assert on_host("readlink /opt/llamarig/current") == live
    assert on_host("systemctl is-active llama-server") == "active"
    return ran.host()["problems"][0], ran.host()["smoke"]


def test_without_a_driver_the_release_does_not_start_and_is_refused(
    site: Any, on_host: OnHost
) -> None:
    line, _ = refused(site, on_host)
    assert "error while loading shared libraries: libcuda.so.1" in line


def test_the_silent_fallback_to_the_cpu_is_refused(site: Any, on_host: OnHost) -> None:
    """The driver's library without a card: llama-server says ok, and computes on the CPU."""
    stub = "/opt/llamarig/cuda/13.0/nvidia/cu13/lib/stubs/libcuda.so"
    on_host(f"install -m 644 {stub} /usr/local/lib/libcuda.so.1 && ldconfig")
    line, record = refused(site, on_host)
    assert "the weights are not on the card" in line
    assert "ggml_cuda_init: failed to initialize CUDA" in line
    assert record["residency"]["baseline"]["device"] == {}
    assert record["residency"]["baseline"]["host"]
