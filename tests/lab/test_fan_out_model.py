"""A model goes from host to host: once over the site's line, whatever happens on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from fleet import FORGET_MODEL, MODELS, SHARES, Fleet, cut
from made import made_lab

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
HOSTS = ("gpu01", "gpu02", "gpu03")
COPYING = f"test -s {MODELS}/llamarig/*.lan && systemctl is-active 'llamarig-fetch-*'"
# 47 MB take 19 s and more.
SLOW, SLOWER = "20mbit", "2mbit"
OTHERS = "the model, whole, on all hosts that are up"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Three bare hosts."""
    with made_lab("fanm", 3, services=True) as made:
        yield made


@pytest.fixture(scope="module")
def sha256(lab: Lab) -> str:
    assert lab.state.model
    return str(lab.state.model["sha256"])


@pytest.fixture
def first_has_it(site: Any, fleet: Fleet) -> Iterator[None]:
    """gpu01 has the model, the others nothing of it."""
    assert site.run("models get --limit gpu01").code == 0
    fleet.all(HOSTS[1:], FORGET_MODEL)
    yield
    for host in HOSTS:
        fleet.lab.shape(host, None)


def slow(fleet: Fleet, rate: str = SLOW) -> None:
    for host in HOSTS:
        fleet.lab.shape(host, rate)


def test_three_bare_hosts_cost_one_download(site: Any, fleet: Fleet, sha256: str) -> None:
    ran = site.run("models get")
    assert ran.code == 0, ran.output
    assert [fleet.model(host) for host in HOSTS] == [sha256] * 3
    assert fleet.downloads() == pytest.approx(1, abs=0.01)
    assert "copy synthetic-mtp-Q4_0.gguf from gpu01" in ran.output
    for host in HOSTS:
        fleet.until(host, f'test -z "$({SHARES})"')
        assert fleet.on(host, f"ls -A {MODELS}/llamarig").endswith(".lock")
    again = site.run("models get")
    assert [again.host(host)["changed"] for host in HOSTS] == [0, 0, 0], again.output


@pytest.mark.usefixtures("first_has_it")
def test_a_host_outside_of_the_run_gives_it(site: Any, fleet: Fleet, sha256: str) -> None:
    before = fleet.downloads()
    ran = site.run("models get --limit gpu03")
    assert ran.code == 0, ran.output
    assert fleet.model("gpu03") == sha256
    assert fleet.downloads() == before


@pytest.mark.usefixtures("first_has_it")
@pytest.mark.cell("a host goes down while it copies the model", OTHERS)
def test_a_host_that_goes_down_spoils_nothing(site: Any, fleet: Fleet, sha256: str) -> None:
    before = fleet.downloads()
    slow(fleet)
    code, output = cut(
        site, "models get", lambda _: fleet.until("gpu02", COPYING),
        lambda: fleet.lab.kill("gpu02"), lambda: fleet.lab.restart("gpu02"),
    )  # fmt: skip
    assert code == 1, output
    assert "gpu02" in output
    assert fleet.model("gpu03") == sha256
    fleet.lab.shape("gpu02", None)
    again = site.run("models get")
    assert again.code == 0, again.output
    assert fleet.model("gpu02") == sha256
    assert fleet.downloads() == before


@pytest.mark.usefixtures("first_has_it")
@pytest.mark.cell("a host's link dies silently while it copies the model", OTHERS)
def test_a_silent_link_fails_that_host_alone(site: Any, fleet: Fleet, sha256: str) -> None:
    slow(fleet)
    code, output = cut(
        site, "models get", lambda _: fleet.until("gpu02", COPYING),
        lambda: fleet.lab.unplug("gpu02"), lambda: fleet.lab.plug("gpu02"),
    )  # fmt: skip
    assert code == 1, output
    assert "the connection was lost" in output
    assert fleet.model("gpu03") == sha256
    assert site.run("models get").code == 0
    assert fleet.model("gpu02") == sha256


@pytest.mark.usefixtures("first_has_it")
@pytest.mark.cell("the only holder goes down while it gives the model", OTHERS)
def test_the_hub_stands_in_for_a_holder_that_died(site: Any, fleet: Fleet, sha256: str) -> None:
    before = fleet.downloads()
    slow(fleet)

    def only_holder_gone() -> None:
        fleet.lab.kill("gpu01")
        for host in HOSTS[1:]:
            fleet.lab.shape(host, None)

    _, output = cut(
        site, "models get", lambda _: fleet.until("gpu02", COPYING), only_holder_gone,
        lambda: fleet.lab.restart("gpu01"),
    )  # fmt: skip
    # One of the two got it from there, the other from that one.
    assert fleet.downloads() == pytest.approx(before + 1, abs=0.01), output
    assert [fleet.model(host) for host in HOSTS[1:]] == [sha256] * 2


@pytest.mark.usefixtures("first_has_it")
def test_a_slow_host_delays_nobody_else(site: Any, fleet: Fleet, sha256: str) -> None:
    slow(fleet)
    fleet.lab.shape("gpu03", SLOWER)
    done = f"ls {MODELS}/hub/models--*/blobs/{sha256}"

    def go_on() -> None:
        fleet.on("gpu03", COPYING)  # it has a long way to go
        fleet.lab.shape("gpu03", None)

    code, output = cut(
        site, "models get", lambda _: fleet.until("gpu02", done), go_on, lambda: None
    )
    assert code == 0, output
    assert fleet.model("gpu03") == sha256


@pytest.mark.usefixtures("first_has_it")
@pytest.mark.cell("one host's disk is full", "the model on the others; one line for that host")
def test_a_full_disk_fails_that_host_alone(site: Any, fleet: Fleet, sha256: str) -> None:
    fill = "fallocate -l $(($(df --output=avail -B1 /data | tail -1) - 60000000)) /data/full"
    fleet.on("gpu02", fill)
    try:
        ran = site.run("models get", min_free_gib=0.1)
    finally:
        fleet.on("gpu02", "rm /data/full")
    assert ran.code == 1
    assert "GiB free" in " ".join(ran.host("gpu02")["problems"])
    assert fleet.model("gpu03") == sha256


@pytest.mark.cell("a holder's copy of the model rotted", "the right bytes, from the other holder")
def test_rotten_bytes_are_given_to_nobody(site: Any, fleet: Fleet, sha256: str) -> None:
    assert site.run("models get").code == 0
    before = fleet.downloads()
    # With the file's own times: nothing but its bytes tells.
    fleet.on(
        "gpu01",
        f"cd {MODELS}/hub/models--*/blobs && touch -r {sha256} /tmp/times && "
        f"printf rot | dd of={sha256} bs=1 seek=1000000 conv=notrunc status=none && "
        f"touch -r /tmp/times {sha256}",
    )
    fleet.on("gpu03", FORGET_MODEL)
    ran = site.run("models get --limit gpu03")
    assert ran.code == 0, ran.output
    assert fleet.model("gpu03") == sha256
    assert fleet.downloads() == before
    assert "given to nobody" in ran.output
    fleet.on("gpu01", FORGET_MODEL)
