"""What a bench is asked for: mistakes are a line each, and it reaches the hosts as it was said."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamarig import bench
from llamarig.bench import Wanted, checked
from llamarig.errors import UserError

ALLOWED = "allowed: depths from 0 to 16, each once, at least one above 0, such as 0,2,3"


def taken(text: str) -> Any:
    """What pyinfra makes of a value of --data (pyinfra_cli.util.parse_cli_arg; importing that would
    patch the sockets of all tests)."""
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


def asked(**options: str) -> Wanted:
    none = dict.fromkeys(bench.OPTIONS)
    return checked(**{**none, **options})


def test_without_options_it_is_the_walkthroughs() -> None:
    assert asked() == Wanted("walkthrough", (0, 2, 3), 2, None)
    assert asked(suite="article").suite == "walkthrough"
    assert asked(suite="bench", depths="1", rounds="40", tokens="32") == Wanted(
        "bench", (0, 1), 40, 32
    )


@pytest.mark.parametrize(
    ("text", "depths"),
    [("3", (0, 3)), ("3,0,2", (0, 2, 3)), ("0, 16", (0, 16)), ("1,2,3,4", (0, 1, 2, 3, 4))],
)
def test_depths_are_sorted_and_have_the_baseline(text: str, depths: tuple[int, ...]) -> None:
    assert asked(depths=text).depths == depths


@pytest.mark.parametrize(
    "text",
    ["0,0", "2,2", "17", "0,17", "x", "", "0", ",", "1,,2", "-1", "1.5", "٣", "0x2", "9" * 99],
)  # fmt: skip
def test_depths_that_are_none(text: str) -> None:
    with pytest.raises(UserError) as error:
        asked(depths=text)
    assert str(error.value) == f"--depths {text[:80]}: {ALLOWED}"


@pytest.mark.parametrize(
    ("option", "text", "allowed"),
    [
        ("rounds", "0", "from 1 to 40"), ("rounds", "41", "from 1 to 40"),
        ("rounds", "two", "from 1 to 40"), ("rounds", "", "from 1 to 40"),
        ("tokens", "31", "from 32 to 2048"), ("tokens", "2049", "from 32 to 2048"),
        ("tokens", "1e3", "from 32 to 2048"), ("tokens", "9" * 5000, "from 32 to 2048"),
    ],
)  # fmt: skip
def test_numbers_that_are_none(option: str, text: str, allowed: str) -> None:
    with pytest.raises(UserError) as error:
        asked(**{option: text})
    assert str(error.value) == f"--{option} {text[:80]}: allowed: a whole number {allowed}"


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("about: x\nprompts: []\n")
    with pytest.raises(UserError) as error:
        asked(suite=str(broken), depths="17", rounds="0", tokens="1")
    starts = [line.split(":")[0].split(" ")[0] for line in str(error.value).split("\n")]
    assert starts == ["--suite", "--suite", "--depths", "--rounds", "--tokens"]


def test_a_suite_of_a_users_is_a_file_wherever_the_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "about: a\nwarmup: b\nprompts: [{id: a, class: b, text: c}]\n"
    Path("mine.yaml").write_text(text)
    assert asked(suite="mine.yaml").suite == str(tmp_path / "mine.yaml")
    for name in ("none.yaml", "", "~no-such-user/x", "a\0b"):
        with pytest.raises(UserError, match="--suite"):
            asked(suite=name)


# A loaded machine is no fault: no deadline, and the same examples every time.
STEADY = settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@STEADY
@given(
    st.sets(st.integers(1, 16), min_size=1), st.integers(1, 40), st.none() | st.integers(32, 2048)
)
def test_it_comes_to_the_hosts_as_it_was_asked(
    depths: set[int], rounds: int, tokens: int | None
) -> None:
    wanted = Wanted("bench", (0, *sorted(depths)), rounds, tokens)
    data = {name: taken(value) for name, value in wanted.data().items()}
    assert bench.of({"port": 8080, **data}) == wanted
    assert all(name.startswith("_") for name in data)


def test_plain_pyinfra_may_say_it_by_hand() -> None:
    assert bench.of({}) == Wanted()
    for depths in ("3", "0,3", "[3]"):
        assert bench.of({"_bench_depths": taken(depths)}).depths == (0, 3)
    with pytest.raises(UserError, match="--depths True"):
        bench.of({"_bench_depths": True})
