"""Who of several hosts would download and build, and what the others would get for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Planner = Callable[..., Any]
CPU: dict[str, object] = {"backend": "cpu", "llama_cpp_commit": "a" * 40, "model_sha256": "b" * 64}
PROCESSOR = "Features"
ONE, OTHER = ["1" * 64], ["2" * 64]


def hosts(*processors: list[str], **changes: object) -> dict[str, dict[str, object]]:
    return {
        f"gpu{number:02}": {**CPU, **changes, "answers": {PROCESSOR: processor}}
        for number, processor in enumerate(processors, 1)
    }


def who(found: Any, operation: str) -> list[str]:
    """Hosts that an operation would change."""
    return [
        host.removeprefix("@fake/")
        for name, names in found.operations.items()
        if operation in name
        for host in names
    ]


def test_one_of_three_downloads(plan: Planner) -> None:
    found = plan(hosts(ONE, ONE, ONE))
    assert found.code == 0, found.output
    assert len(who(found, "Start the download")) == 1


def test_every_host_downloads_for_itself_where_that_is_asked_for(plan: Planner) -> None:
    found = plan(hosts(ONE, ONE, fan_out=False))
    assert who(found, "Start the download") == ["gpu01", "gpu02"]


@pytest.mark.parametrize(("portable", "builders"), [(False, 2), (True, 1)])
def test_each_kind_of_processor_has_its_builder(
    plan: Planner, portable: bool, builders: int
) -> None:
    found = plan(hosts(ONE, OTHER, ONE, portable=portable))
    assert found.code == 0, found.output
    origins = [of["release_from"] for of in found.report["hosts"].values()]
    assert sorted(origins) == ["build"] * builders + ["hosts"] * (3 - builders)


def test_hosts_that_share_have_one_port(plan: Planner) -> None:
    told = hosts(ONE, ONE, ONE)
    told["gpu02"]["fan_out_port"] = 6900
    found = plan(told)
    assert found.code == 1
    assert "fan_out_port: 6881 on @fake/gpu01, @fake/gpu03; 6900 on @fake/gpu02: " in found.output
    assert found.operations == {}
    told["gpu02"]["fan_out"] = False
    assert plan(told).code == 0
