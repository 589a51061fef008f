"""auto tries to build, then the hub, and does without only when neither works; and says so."""

from __future__ import annotations

import pytest

from llamarig.errors import UserError
from llamarig.tasks.web_ui_choice import first

WHY = "npm ci failed on this machine (no way); see /x.log"


def fails() -> None:
    raise UserError(f"web_ui: {WHY}")


@pytest.mark.parametrize(
    ("builds", "at_hub", "how", "line"),
    [
        (True, True, "build", None),
        (True, False, "build", None),
        (False, True, "hub", f"web_ui: the page comes from the hub; not built here: {WHY}"),
        (False, False, "none", f"web_ui: none, / will answer 404: the host does not reach the hub, "
         f"and here: {WHY}; held by llamarig.lock, take web_ui out of it to try again"),
    ],
)  # fmt: skip
def test_the_first_way_that_works(builds: bool, at_hub: bool, how: str, line: str | None) -> None:
    said: list[str] = []
    found = first((lambda: None) if builds else fails, lambda: at_hub, said.append)
    assert found == how
    assert said == ([line] if line else [])


def test_the_hub_is_not_asked_where_it_is_not_needed() -> None:
    def asked() -> bool:
        raise AssertionError

    assert first(lambda: None, asked, print) == "build"


def test_what_is_not_a_users_mistake_is_not_hidden() -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        first(breaks, lambda: True, print)
