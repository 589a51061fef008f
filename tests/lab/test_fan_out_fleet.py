"""Six bare hosts, one `up`: one build, one download, six proofs; then nothing left to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from fleet import SHARES, Fleet
from made import made_lab

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
HOSTS = [f"gpu{number:02}" for number in range(1, 7)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with made_lab("fansix", 6, services=True) as made:
        yield made


def test_six_hosts_cost_one_build_and_one_download(site: Any, lab: Lab) -> None:
    fleet = Fleet(lab)
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert {host: ran.host(host)["smoke"]["verdict"] for host in HOSTS} == dict.fromkeys(
        HOSTS, "pass"
    )
    assert [ran.host(host)["release_from"] for host in HOSTS] == ["build", *["hosts"] * 5]
    assert [ran.host(host)["model_from"] for host in HOSTS] == ["hub", *["hosts"] * 5]
    # Every run reads the file's header at the hub besides, some hundred kB.
    assert fleet.downloads() == pytest.approx(1, abs=0.1)
    again = site.run("up")
    assert (again.code, {again.host(host)["changed"] for host in HOSTS}) == (0, {0}), again.output
    for host in HOSTS:
        fleet.until(host, f'test -z "$({SHARES})"')
        alone = site.run(f"up --limit {host}")
        assert (alone.code, alone.host(host)["changed"]) == (0, 0), alone.output
