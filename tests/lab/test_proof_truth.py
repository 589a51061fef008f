"""The proof says what is true: models of known acceptance, no speculation at all, a busy host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import hosts, model, tensors, vocabulary
from llamarig.rehearsal.lab import Lab
from llamarig.rehearsal.shape import Shape
from llamarig.settings import Settings

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
DEPTH = 3
TOKENS: int = Settings.model_fields["proof_tokens"].default
OWN = "/data/own"


def accepted(shape: Shape) -> float:
    """The share of its drafts that are accepted, by construction: an answer is the chain's first
    words, and a draft is right as long as the head knows each word's successor."""
    words = vocabulary.build()
    known = tensors.learned(words, shape) == words.successor
    place, right, drafted = words.chain.start, 0, 0
    while place < words.chain.start + TOKENS:
        follow = list(known[place : place + DEPTH])
        run = [*follow, False].index(False)
        place, right, drafted = place + run + 1, right + run, drafted + DEPTH
    return right / drafted


def shape_of(acceptance: float) -> Shape:
    """The model of which this share of drafts is accepted, as near as its words allow."""
    shapes = [Shape(acceptance=known / 100) for known in range(1, 101)]
    return min(shapes, key=lambda each: abs(accepted(each) - acceptance))


def give(lab: Lab, path: Path) -> str:
    """Put a file of ours on the host; its path there."""
    target = f"{OWN}/{path.name}"
    done = lab.ssh("gpu01", f"mkdir -p {OWN} && chmod 755 {OWN}", sudo=True)
    assert done.returncode == 0, done.stderr
    state = lab.state
    argv = hosts.ssh_argv(state, state.host("gpu01"), "ops", [f"sudo -n tee {target} >/dev/null"])
    with path.open("rb") as file:
        subprocess.run(argv, stdin=file, check=True, timeout=120)
    return target


# What 60 % of accepted drafts gain depends on the machine: there the interval alone says it.
@pytest.mark.parametrize(
    ("acceptance", "verdicts"),
    [(0.3, {"fail"}), (0.6, {"fail", "undecided", "pass"}), (0.9, {"pass"})],
)
def test_a_known_acceptance_is_given_back(
    site: Any, lab: Lab, tmp_path: Path, acceptance: float, verdicts: set[str]
) -> None:
    path = tmp_path / f"accepts-{acceptance:.0%}.gguf".replace("%", "")
    model.make(path, shape_of(acceptance))
    ran = site.run(
        "up", model_path=give(lab, path), model_sha256=None, draft_n_max=DEPTH,
        min_acceptance_length=1.0,
    )  # fmt: skip
    found = ran.host()["smoke"]
    print(f"{acceptance:.0%} wanted: {found['acceptance']:.1%} accepted, {found['reason']}")
    assert found["acceptance"] == pytest.approx(acceptance, abs=0.05), ran.output
    assert found["acceptance_length"] == pytest.approx(1 + DEPTH * acceptance, abs=0.25)
    assert found["verdict"] in verdicts, found["reason"]
    (low, high), gate = found["interval"], found["min_speedup"]
    matching = "pass" if low >= gate else "fail" if high < gate else "undecided"
    assert found["verdict"] == matching, found["reason"]
    assert found["answers_equal"] is True


def test_without_speculation_the_ratio_is_one_and_the_verdict_fail(site: Any) -> None:
    ran = site.run("up", spec_type="none")
    found = ran.host()["smoke"]
    low, high = found["interval"]
    assert ran.code == 1, ran.output
    # One run in twenty misses its own 95 % interval: none misses one of twice the width.
    assert abs(found["speedup"] - 1) <= high - low, found["reason"]
    assert found["verdict"] == "fail"
    assert found["acceptance_length"] == 1.0


@pytest.fixture
def settled(site: Any) -> None:
    """What the site's own settings ask for is what serves."""
    ran = site.run("up")
    assert ran.code == 0, ran.output


@pytest.fixture
def busy(on_host: OnHost) -> Iterator[None]:
    loops = "for core in $(seq $(nproc)); do while :; do :; done & done; wait"
    on_host(f"systemd-run -q --unit=busy sh -c '{loops}'")
    yield
    on_host("systemctl stop busy")


def test_a_full_smoke_test_measures_nothing_but_what_serves(site: Any) -> None:
    ran = site.run("smoke --full")
    assert ran.code == 1
    assert "and the settings ask for generation" in ran.output


@pytest.mark.usefixtures("settled", "busy")
def test_a_busy_host_is_undecided_and_says_why(site: Any) -> None:
    ran = site.run("smoke --full", proof_rounds=4, proof_max_rounds=6)
    found = ran.host()["smoke"]
    if found["verdict"] == "pass":  # then from clean rounds alone
        assert (ran.code, found["rounds"] >= 4) == (0, True), ran.output
        return
    assert found["verdict"] == "undecided", ran.output
    assert ran.code == 3, ran.output
    assert "other programs took more than 10%" in found["reason"]
    assert found["disturbances"]["cpu"] >= 1


@pytest.mark.usefixtures("settled")
def test_ten_runs_in_a_row_agree(site: Any) -> None:
    found = [site.run("smoke --full").host()["smoke"] for _ in range(10)]
    for each in found:
        print(f"{each['speedup']:.3f} {each['interval']} {each['rounds']} rounds")
    assert {each["verdict"] for each in found} == {"pass"}
