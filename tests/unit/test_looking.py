"""A look's memory: a host is asked each thing once, and nothing is taken for something else."""

from __future__ import annotations

import pytest
from pyinfra.api.config import Config
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State

from llamarig.tasks import looking
from llamarig.tasks.facts.release import Release
from llamarig.tasks.facts.systemd_version import SystemdVersion

ANSWERS = {"systemctl --version": ["systemd 252"],
           "releases/old": ['{"id": "old", "build_number": 11434}']}  # fmt: skip


@pytest.fixture
def host() -> Host:
    """A @fake host in a look."""
    data = {"fake_responses": ANSWERS, "fake_delay": 0, "fake_delay_jitter": 0}
    state = State(Inventory(([("@fake/gpu01", data)], {})), Config())
    host = state.inventory.get_host("@fake/gpu01")
    host.connect()
    looking.once(host)
    return host


def asked(host: Host) -> int:
    commands: list[str] = host.connector.executed_commands  # type: ignore[attr-defined]
    return len(commands)


def test_what_is_known_is_not_asked_again(host: Host) -> None:
    answers = [host.get_fact(SystemdVersion) for _ in range(3)]
    assert (answers, asked(host)) == ([252] * 3, 1)


def test_what_a_host_does_not_have_is_known_as_well(host: Host) -> None:
    answers = [host.get_fact(Release, build_id="none") for _ in range(2)]
    assert (answers, asked(host)) == ([None, None], 1)


def test_another_question_is_asked(host: Host) -> None:
    host.get_fact(SystemdVersion)
    old, new = (host.get_fact(Release, build_id=each) for each in ("old", "new"))
    assert (old is None, new is None, asked(host)) == (False, True, 3)


def test_another_user_is_told_for_himself(host: Host) -> None:
    """Whether by the fact's own words or by the host's data, as sudo is arranged."""
    host.get_fact(SystemdVersion, _sudo=False)
    host.get_fact(SystemdVersion)
    assert asked(host) == 1
    host.data._sudo = True
    host.get_fact(SystemdVersion)
    host.get_fact(SystemdVersion, _sudo=True)
    assert asked(host) == 2
    host.get_fact(SystemdVersion, _sudo=False)
    assert asked(host) == 2


def test_what_is_executed_has_no_memory(host: Host) -> None:
    host.get_fact(SystemdVersion)
    host.state.is_executing = True
    host.get_fact(SystemdVersion)
    host.get_fact(SystemdVersion)
    assert asked(host) == 3
