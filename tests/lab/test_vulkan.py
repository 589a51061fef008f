"""Weights on a device, for real and without a card: Mesa's software Vulkan on a Debian 13 host.

Residency alone: the device is the processor, so the gate of the speedup is expected to hold.
It builds llama.cpp once (8 minutes on 2 cores) and loads the small model five times.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from made import made_lab

from llamarig.rehearsal import model
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
# Few tokens, one round: a block starts four servers, each loading for about half a minute and
# answering at about 3 tokens per second.
VULKAN = {
    "backend": "vulkan", "proof_tokens": 32, "proof_rounds": 4, "proof_max_rounds": 4,
    "proof_timeout_minutes": 40, "build_timeout_minutes": 60,
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A Debian 13 host: with its packages this build is known to work."""
    with made_lab("vulkan", 1, services=True, release="trixie") as made:
        yield made


def records(on_host: OnHost) -> list[dict[str, Any]]:
    """The proofs on the host, the oldest generation first."""
    program = (
        "import glob, json; "
        "print(json.dumps([json.load(open(path)) for path in "
        "glob.glob('/opt/llamarig/generations/*/proof.json')]))"
    )
    found: list[dict[str, Any]] = json.loads(on_host(f'python3 -c "{program}"'))
    return sorted(found, key=lambda each: int(each["generation"]))


def test_the_host_is_of_the_other_release(on_host: OnHost) -> None:
    assert "VERSION_CODENAME=trixie" in on_host("cat /etc/os-release")


def test_without_a_card_the_server_falls_back_and_is_refused(site: Any, on_host: OnHost) -> None:
    """No device named: the software one is not taken for a card, and llama-server says ok."""
    ran = site.run("up", **VULKAN)
    assert ran.code == 1, ran.output
    assert "gpu: the weights are not on the card" in ran.output
    assert "no usable GPU found" in ran.output
    seen = records(on_host)[-1]["residency"]["baseline"]
    assert seen["device"] == {}
    assert seen["host"]
    assert on_host("ls /opt/llamarig/current 2>&1 || true").endswith("No such file or directory")
    assert on_host("pgrep -c llama-server || true") == "0"


def test_with_a_device_named_all_weights_are_on_it(site: Any, on_host: OnHost) -> None:
    ran = site.run("up", **VULKAN, gpu=0)
    assert "gpu: the weights" not in ran.output, ran.output
    record = records(on_host)[-1]
    assert set(record["residency"]) == {"baseline", "mtp"}, record
    for seen in record["residency"].values():
        assert seen["offloaded"] == seen["layers"] == 98
        # All tensors but the embedding, which stays in main memory.
        assert seen["device"]["Vulkan0"] * 2**20 > 0.9 * model.cached("good").stat().st_size
        assert seen["init_error"] is None
    assert len(record["samples"]) > 0
    assert record["samples"][-1]["predicted_n"] == 32
    # Whether it passes is the processor's business; that it was measured to the end is ours.
    assert record["verdict"] in ("pass", "fail", "undecided")
    assert "min_speedup" in record
