"""Accounts as getent tells them: who is there, and how a user logs in."""

from __future__ import annotations

from pathlib import Path

from llamarig.tasks.facts.accounts import Accounts, AccountState, User
from llamarig.tasks.operations.accounts import SERVICE

RECORDED = Path(__file__).parents[1] / "recorded/accounts-made-host.txt"
LINES = RECORDED.read_text().splitlines()


def test_the_services_user_as_useradd_made_it_is_what_is_asked_for() -> None:
    found = Accounts().process(LINES)
    assert found.users["llamarig"] == SERVICE
    assert found.ours == {"user llamarig", "group llamarig"}
    assert {"user ops", "group video"} <= found.there


def test_homes_and_shells_are_those_of_their_users() -> None:
    users = Accounts().process(LINES).users
    assert users["root"] == User("/root", "/bin/bash")
    assert users["ops"] == User("/home/ops", "/bin/bash")
    assert users["nobody"].home == "/nonexistent"
    assert "video" not in users  # a group


def test_of_two_lines_for_one_name_the_first_counts() -> None:
    """As a directory service may add one."""
    twice = ["llamarig:x:1:1::/nonexistent:/usr/sbin/nologin", "llamarig:x:2:2::/home/x:/bin/sh"]
    assert Accounts().process([*twice, "===", "==="]).users == {"llamarig": SERVICE}


def test_output_that_broke_off_says_nothing_of_anybody() -> None:
    assert Accounts().process(LINES[:5]) == AccountState()
