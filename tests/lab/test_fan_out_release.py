"""A release is built once for each kind of host, and goes from host to host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from fleet import COMPILES, FORGET_RELEASES, SHARES, Fleet, cut
from made import made_lab

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
HOSTS = ("gpu01", "gpu02", "gpu03")
OLDER = ("gpu04", "gpu05")
FIRST_KIND = "build --limit gpu01 --limit gpu02 --limit gpu03"
RELEASES = "/opt/llamarig/releases"
EVERYBODY = "the release on all hosts that are up"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Three bare hosts of this machine's release, and two of another."""
    with made_lab("fanr", 3, services=True) as made:
        made.up(5, services=True, agreed=lambda question: True, release="trixie")
        yield made


def origins(ran: Any) -> dict[str, str]:
    """Where each host's release came from in a run: build or hosts."""
    return {name: of.get("release_from", "there") for name, of in ran.report["hosts"].items()}


@pytest.mark.cell("hosts of two distributions in one run", "one build for each")
def test_each_kind_is_built_once(site: Any, fleet: Fleet) -> None:
    ran = site.run("build")
    assert ran.code == 0, ran.output
    assert origins(ran) == {
        "gpu01": "build", "gpu02": "hosts", "gpu03": "hosts", "gpu04": "build", "gpu05": "hosts",
    }  # fmt: skip
    for host in (*HOSTS, *OLDER):
        assert fleet.release(host) == ran.host(host)["release"]
        fleet.until(host, f'test -z "$({SHARES})"')
    for host in ("gpu02", "gpu03", "gpu05"):
        fleet.on(host, "! command -v g++ && ! command -v cmake")
    again = site.run("build")
    assert {of["changed"] for of in again.report["hosts"].values()} == {0}, again.output


@pytest.mark.cell("the builder goes down while it builds", EVERYBODY)
def test_another_host_builds_when_the_builder_dies(site: Any, fleet: Fleet) -> None:
    fleet.all(HOSTS, FORGET_RELEASES)
    code, output = cut(
        site, FIRST_KIND, lambda _: fleet.until("gpu01", COMPILES),
        lambda: fleet.lab.kill("gpu01"), lambda: fleet.lab.restart("gpu01"),
    )  # fmt: skip
    assert code == 1, output
    assert fleet.release("gpu02") == fleet.release("gpu03")
    fleet.on("gpu02", "command -v g++")
    fleet.on("gpu03", "! command -v g++")
    again = site.run(FIRST_KIND)
    assert again.code == 0, again.output
    assert origins(again) == {"gpu01": "hosts", "gpu02": "there", "gpu03": "there"}


@pytest.mark.cell("the builder can't get its tools", EVERYBODY)
def test_another_host_builds_when_the_builder_fails_before(site: Any, fleet: Fleet) -> None:
    fleet.all(OLDER, FORGET_RELEASES)
    no_archive = "/etc/apt/apt.conf.d/99-nothing-answers"
    fleet.on("gpu04", "apt-get remove -y ninja-build && rm -f /var/cache/apt/archives/*.deb && "
             f"echo 'Acquire::http::Proxy \"http://127.0.0.1:9\";' >{no_archive}")  # fmt: skip
    kind = "build --limit gpu04 --limit gpu05"
    try:
        ran = site.run(kind)
    finally:
        fleet.on("gpu04", f"rm {no_archive}")
    assert ran.code == 1, ran.output
    assert "Install the compilers: E: " in ran.host("gpu04")["problems"][0]
    # It had been given what running needs; the rest came in the operation that builds.
    assert origins(ran)["gpu05"] == "build", ran.output
    fleet.on("gpu05", "command -v g++")
    again = site.run(kind)
    assert (again.code, origins(again)) == (0, {"gpu04": "hosts", "gpu05": "there"}), again.output


@pytest.mark.cell("one holder's release is corrupt", "the release as it was built, from another")
def test_a_corrupt_release_is_given_to_nobody(site: Any, fleet: Fleet) -> None:
    name = fleet.release("gpu01")
    fleet.on("gpu01", f"printf rot | dd of={RELEASES}/{name}/bin/llama-bench bs=1 seek=5000 "
             "conv=notrunc status=none")  # fmt: skip
    fleet.on("gpu03", FORGET_RELEASES)
    ran = site.run("build --limit gpu03")
    assert ran.code == 0, ran.output
    assert origins(ran)["gpu03"] == "hosts"
    sums = [fleet.on(host, f"cd {RELEASES}/{name} && sha256sum bin/llama-bench")
            for host in HOSTS[1:]]  # fmt: skip
    assert len(set(sums)) == 1
    fleet.on("gpu01", FORGET_RELEASES)
    assert site.run("build --limit gpu01").code == 0


@pytest.mark.cell("a host goes down while it copies the release", EVERYBODY)
def test_a_host_that_goes_down_mid_copy_goes_on_later(site: Any, fleet: Fleet) -> None:
    name = fleet.release("gpu01")
    fleet.all(HOSTS[1:], FORGET_RELEASES)
    for host in HOSTS:
        fleet.lab.shape(host, "40mbit")

    def restart() -> None:
        fleet.lab.restart("gpu02")
        for host in HOSTS:
            fleet.lab.shape(host, None)

    copying = f"test -s /var/lib/llamarig/build/{name}.tar.lan"
    code, output = cut(
        site, FIRST_KIND, lambda _: fleet.until("gpu02", copying),
        lambda: fleet.lab.kill("gpu02"), restart,
    )  # fmt: skip
    assert code == 1, output
    assert fleet.release("gpu03") == name
    again = site.run(FIRST_KIND)
    assert (again.code, origins(again)["gpu02"]) == (0, "hosts"), again.output


def test_portable_is_shared_whatever_the_processor(site: Any, fleet: Fleet) -> None:
    ran = site.run("build --limit gpu02", portable=True)
    assert ran.code == 0, ran.output
    assert "-DGGML_NATIVE=OFF" in ran.host("gpu02")["build"]["flags"]
