"""tune's options on their way to the hosts, and what the command says before and afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llamarig import tune
from llamarig.cli import deploy, runner
from llamarig.cli import tune as command
from llamarig.cli.tune_table import announced, seconds
from llamarig.errors import UserError

# In a process of its own: importing pyinfra's CLI makes greenlets of all threads.
PARSE = """
import json, sys
from pyinfra_cli.util import parse_cli_arg
print(json.dumps({key: parse_cli_arg(value) for key, value in json.load(sys.stdin).items()}))
"""


def parsed(data: dict[str, str]) -> dict[str, Any]:
    """What pyinfra makes of values of --data."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE], input=json.dumps(data), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wanted(
    depths: str | None = None, p_min: str | None = None, budget: str | None = None
) -> tune.Wanted:
    return tune.checked(depths=depths, p_min=p_min, budget_tokens=budget)


def test_without_options_it_is_the_usual_sweep() -> None:
    assert wanted() == tune.Wanted((1, 2, 3, 4, 5, 6), (0.0, 0.5, 0.75), None)
    over = wanted().grid(prompts=3, tokens=512, warmup_tokens=48)
    assert (over.budget, over.tokens, over.short) == (12528, 128, 64)
    assert wanted().grid(prompts=9, tokens=32, warmup_tokens=48).budget == 11184


@pytest.mark.parametrize(
    ("text", "depths"),
    [
        ("0-6", (1, 2, 3, 4, 5, 6)),
        ("3", (3,)),
        ("0,2,3", (2, 3)),
        ("4, 1-2,2", (1, 2, 4)),
        ("16", (16,)),
    ],
)
def test_depths(text: str, depths: tuple[int, ...]) -> None:
    assert wanted(depths=text).depths == depths


@pytest.mark.parametrize("text", ["", "0", "17", "6-1", "a", "1;2", "-1", "1-", "0-17", "1.5", "³"])
def test_wrong_depths_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"--depths .*: allowed: depths from 0 to 16"):
        wanted(depths=text)


def test_p_min_values_are_sorted_since_depths_are_compared_at_the_smallest() -> None:
    assert wanted(p_min="0.75,0,.5,0.50,1").p_mins == (0.0, 0.5, 0.75, 1.0)
    for text in (
        "",
        "2",
        "1.1",
        "-0.5",
        "0.1234",
        "nan",
        "1e-1",
        "0,,1",
        "0,1,.1,.2,.3,.4,.5,.6,.7",
    ):
        with pytest.raises(UserError, match=r"--p-min .*: allowed: "):
            wanted(p_min=text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as caught:
        wanted(depths="x", p_min="y", budget="z\x1b")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "--depths x", "--p-min y", "--budget-tokens z�",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        wanted(), wanted(depths="3"), wanted(depths="2,3", p_min="0"), wanted(p_min="0.5"),
        wanted(budget="9000"), wanted(depths="1-4", p_min="0.125,1", budget="1000000"),
    ],
)  # fmt: skip
def test_they_survive_the_way_through_pyinfra(given: tune.Wanted) -> None:
    data = parsed(given.data())
    assert all(key.startswith("_") for key in data)
    assert tune.of({**data, "port": 8080}) == given
    assert tune.of({}) == wanted()


def test_a_budget_that_can_not_end_well_is_refused_with_what_it_takes() -> None:
    over = wanted(budget="5000").grid(prompts=3, tokens=128, warmup_tokens=48)
    line = tune.too_little(over)
    assert line
    assert line.startswith("--budget-tokens 5000: allowed: at least 6000, for 3 prompt(s)")
    least = wanted(budget=str(over.least)).grid(prompts=3, tokens=128, warmup_tokens=48)
    assert tune.too_little(least) is None
    for prompts in (1, 3, 9, 50):
        usual = wanted().grid(prompts=prompts, tokens=128, warmup_tokens=48)
        assert tune.too_little(usual) is None


def test_the_announcement_adds_up() -> None:
    over = wanted().grid(prompts=3, tokens=128, warmup_tokens=48)
    lines = announced("walkthrough", over)
    assert lines == [
        "depths 1, 2, 3, 4, 5, 6 against none, p-min 0, 0.5, 0.75; suite walkthrough, 3 prompt(s)",
        "coarse: 1 round(s) of 4 servers, answers of 64 tokens: 960 tokens with warm-ups",
        "neighbours: 1 round(s) of 3 servers, answers of 64 tokens: 720 tokens with warm-ups",
        "p-min: 1 round(s) of 3 servers, answers of 64 tokens: 720 tokens with warm-ups",
        "final: 6 round(s) of 4 servers, answers of 128 tokens: 10128 tokens with warm-ups",
        "12528 of 12528 tokens; 3 min 02 s at the walkthrough's speeds (44.2 t/s, 82.1 with MTP), "
        "and 29 loads of the model",
    ]
    assert sum(each.cost for each in over.steps()) == 12528
    coarse = over.steps()[0]
    assert seconds(coarse, over) == pytest.approx(240 / 44.2 + 720 / 82.1)


TUNED = {
    "draft_n_max": 4, "draft_p_min": 0.0, "file": "group_data/tuned.yaml", "beaten": [],
}  # fmt: skip
FINE: dict[str, Any] = {
    "problems": [], "failed": 0, "tune": {"verdict": "pass", "best": "n4", "reason": "r"},
    "tuned": TUNED,
}  # fmt: skip
NEVER: dict[str, Any] = {
    **FINE, "tuned": None,
    "tune": {"verdict": "fail", "best": "n1", "reason": "MTP does not pay here: x",
             "lost": {"n6": "it did not load"}},
}  # fmt: skip
BUSY: dict[str, Any] = {
    "problems": ["x"], "failed": 1, "undecided": True, "tune": {"verdict": "undecided"},
}  # fmt: skip


def test_it_says_what_was_written_and_what_to_do_next() -> None:
    pruned = {**FINE, "tuned": {**TUNED, "draft_p_min": 0.5}}
    hosts = {"gpu01": FINE, "gpu02": NEVER, "gpu03": pruned}
    assert command.written(hosts, Path("my site/inventory.py")) == [
        "wrote group_data/tuned.yaml: gpu01 draft_n_max 4, gpu03 draft_n_max 4 draft_p_min 0.5; "
        "next: llamarig up 'my site/inventory.py'"
    ]
    assert command.written({"gpu02": NEVER, "gpu04": BUSY}, Path("i.py")) == []


def test_it_says_when_mtp_does_not_pay_and_what_goes_before_the_winner() -> None:
    beaten = {**FINE, "tuned": {**TUNED, "beaten": ["draft_n_max"]}}
    lines = command.said({"gpu01": beaten, "gpu02": NEVER, "gpu03": BUSY})
    assert len(lines) == 3
    assert lines[0].startswith("gpu01: the inventory sets draft_n_max for this host, which goes")
    assert lines[1] == "gpu02: n6 was left out: it did not load"
    assert lines[2].startswith("gpu02: MTP does not pay here: x; nothing was written. spec_type")


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ({"a": FINE}, 0),
        ({"a": FINE, "b": NEVER}, 0),
        ({"a": FINE, "b": BUSY}, deploy.UNDECIDED),
        ({"a": FINE, "b": {**BUSY, "undecided": False}}, 1),
        ({"a": {"problems": [], "failed": 0}}, 1),
    ],
)
def test_the_exit_status(hosts: dict[str, Any], code: int) -> None:
    assert command.status(runner.Result(hosts)) == code


def test_dry_reaches_nobody_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "deploy.py").touch()
    (tmp_path / "inventory.py").write_text('hosts = ["gpu01", ("gpu02", {"proof_tokens": 64})]\n')

    def dry(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llamarig.cli", "tune", "inventory.py", "--dry", *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    done = dry()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert lines[5].startswith("gpu01: 12528 of 12528 tokens; 3 min 02 s at the walkthrough's")
    assert "gpu02: final: 6 round(s) of 4 servers, answers of 64 tokens" in done.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deploy.py", "inventory.py"]
    few = dry("--budget-tokens", "100")
    assert (few.returncode, few.stdout) == (1, "")
    assert "gpu01: --budget-tokens 100: allowed: at least 6000" in few.stderr
    assert "Traceback" not in few.stderr
