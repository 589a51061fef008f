"""What a rollout does after each run, with a runner that answers as a fleet would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamarig import report
from llamarig.cli import runner
from llamarig.rollout import entries
from llamarig.rollout.flow import Rollout
from llamarig.rollout.parts import CANARY, LOOK, STAGE, WAVE, Part
from llamarig.rollout.waves import Limits

Entry = dict[str, Any]
PASS = {"verdict": "pass", "speedup": 2.0}


def names(count: int) -> list[str]:
    return [f"gpu{number:02}" for number in range(1, count + 1)]


@dataclass
class Fleet:
    """Hosts that run parts; broken: host to the kind of part at which it fails, `look` for one
    that is out of reach; gone: host to the kind of part at which it can't be connected to any more;
    settled: those that have nothing to do."""

    broken: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    stop_at: str | None = None
    parts: list[Part] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self, part: Part) -> runner.Result:
        self.parts.append(part)
        if part.kind == self.stop_at:
            return runner.Result({name: report.empty() for name in part.hosts}, interrupted=True)
        return runner.Result({name: self._entry(part, name) for name in part.hosts})

    def _entry(self, part: Part, name: str) -> Entry:
        entry = report.empty()
        if self.gone.get(name) == part.kind:
            return {**entry, "unreachable": True, "problems": ["unreachable: no route to host"]}
        fails = self.broken.get(name)
        if fails == part.kind or (fails == WAVE and part.kind == CANARY):
            return {**entry, "failed": 1, "problems": [f"{name} failed to {part.kind}"]}
        if part.kind == LOOK:
            settled = name in self.settled
            planned = [] if settled else [{"name": "Proof | Prove", "outcome": "planned"}]
            return {**entry, "settled": settled, "smoke": PASS, "operations": planned}
        if part.kind != STAGE:
            self.live.append(name)
            self.settled.add(name)
        done = [{"name": f"{part.kind} done", "outcome": "changed"}]
        return {**entry, "changed": 1, "operations": done, "smoke": PASS}

    def begin(self, part: Part) -> None:
        self.said.append(part.title)

    def ended(self, part: Part, hosts: dict[str, Entry]) -> None:
        """A view that shows nothing."""

    def say(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def rolled() -> Callable[..., Rollout]:
    def go(fleet: Fleet, count: int = 6, **limits: Any) -> Rollout:
        rollout = Rollout(names(count), Limits(**limits), fleet.run, fleet)
        rollout.go()
        return rollout

    return go


def kinds(fleet: Fleet) -> list[tuple[str, int]]:
    return [(part.kind, len(part.hosts)) for part in fleet.parts]


def test_canary_then_all_staged_at_once_then_waves(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet()
    done = rolled(fleet)
    assert kinds(fleet) == [(LOOK, 6), (CANARY, 1), (STAGE, 5), (WAVE, 2), (WAVE, 2), (WAVE, 1)]
    assert fleet.live == names(6)
    assert (done.left, done.stopped) == ([], None)


def test_what_is_converged_is_one_look(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(settled=set(names(6)))
    done = rolled(fleet)
    assert kinds(fleet) == [(LOOK, 6)]
    assert done.hosts["gpu06"]["smoke"] == PASS
    assert done.record()["stopped"] is None


def test_only_hosts_with_something_to_do_take_part_and_the_first_of_them_is_the_canary(
    rolled: Callable[..., Rollout],
) -> None:
    fleet = Fleet(settled={"gpu01", "gpu02", "gpu05"})
    rolled(fleet)
    assert [part.hosts for part in fleet.parts[1:]] == [
        ("gpu03",),
        ("gpu04", "gpu06"),  # one wave holds both, so they need no run of their own for staging
    ]


@pytest.mark.parametrize("allowed", [0, 5])
def test_a_failed_canary_leaves_all_others_untouched(
    rolled: Callable[..., Rollout], allowed: int
) -> None:
    fleet = Fleet(broken={"gpu01": WAVE})
    done = rolled(fleet, max_failures=allowed)
    assert kinds(fleet) == [(LOOK, 6), (CANARY, 1)]
    assert done.left == names(6)[1:]
    assert done.stopped == "the canary failed"
    assert done.hosts["gpu02"] == report.empty()


def test_a_failed_wave_stops_the_rest_and_its_others_go_on(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(broken={"gpu02": WAVE})
    done = rolled(fleet)
    assert fleet.live == ["gpu01", "gpu03"]
    assert done.left == ["gpu04", "gpu05", "gpu06"]
    assert done.stopped == "1 host failed in waves"
    assert done.record()["waves"][-1]["failed"] == ["gpu02"]
    assert "stopped: 1 host failed in waves; 3 hosts left as they are" in fleet.said


def test_hosts_that_went_away_since_the_look_stop_nobody(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(gone={"gpu01": CANARY, "gpu04": WAVE})
    done = rolled(fleet)
    assert [part.hosts for part in fleet.parts if part.kind == CANARY] == [("gpu01",), ("gpu02",)]
    assert fleet.live == ["gpu02", "gpu03", "gpu05", "gpu06"]
    assert (done.left, done.stopped) == ([], None)
    alone = rolled(Fleet(gone={"gpu01": CANARY}), 1)
    assert (alone.left, alone.stopped) == ([], None)


def test_failures_are_counted_over_all_waves(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(broken={"gpu02": WAVE, "gpu04": WAVE})
    done = rolled(fleet, max_failures=1)
    assert fleet.live == ["gpu01", "gpu03", "gpu05"]
    assert done.left == ["gpu06"]
    assert rolled(Fleet(broken={"gpu02": WAVE, "gpu04": WAVE}), max_failures=2).left == []


def test_out_of_reach_is_listed_and_stops_nobody(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(broken={"gpu01": LOOK, "gpu04": LOOK})
    done = rolled(fleet)
    assert fleet.live == ["gpu02", "gpu03", "gpu05", "gpu06"]
    assert list(done.hosts) == names(6)
    assert done.hosts["gpu01"]["problems"] == ["gpu01 failed to look"]
    assert done.left == []


def test_what_fails_to_stage_stops_nobody_else(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(broken={"gpu03": STAGE})
    done = rolled(fleet)
    assert fleet.live == ["gpu01", "gpu02", "gpu04", "gpu05", "gpu06"]
    assert done.hosts["gpu03"]["failed"] == 1


def test_again_goes_on_where_it_stopped(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet(broken={"gpu03": WAVE})
    assert rolled(fleet).left == ["gpu04", "gpu05", "gpu06"]
    fleet.broken.clear()
    fleet.live.clear()
    again = rolled(fleet)
    assert fleet.live == ["gpu03", "gpu04", "gpu05", "gpu06"]
    assert again.left == []
    fleet.parts.clear()
    rolled(fleet)
    assert kinds(fleet) == [(LOOK, 6)]


@pytest.mark.parametrize("kind", [LOOK, CANARY, STAGE, WAVE])
def test_an_interrupted_part_is_the_last_and_its_hosts_are_left(
    rolled: Callable[..., Rollout], kind: str
) -> None:
    fleet = Fleet(stop_at=kind)
    done = rolled(fleet)
    assert done.interrupted
    assert fleet.parts[-1].kind == kind
    assert sorted(done.left) == sorted(set(names(6)) - set(fleet.live))


def test_without_a_canary_all_are_staged_first(rolled: Callable[..., Rollout]) -> None:
    fleet = Fleet()
    rolled(fleet, canary=0, batch=3)
    assert kinds(fleet) == [(LOOK, 6), (STAGE, 6), (WAVE, 3), (WAVE, 3)]


def test_a_host_adds_up_over_its_runs(rolled: Callable[..., Rollout]) -> None:
    entry = rolled(Fleet()).hosts["gpu02"]
    assert entry["changed"] == 2
    assert [each["name"] for each in entry["operations"]] == ["stage done", "wave done"]
    assert entry["settled"] is True


SERVES = {**report.empty(), "settled": True}


@pytest.mark.parametrize(
    "more",
    [
        {"settled": False},
        {"settled": None},
        {"operations": [{"name": "Toolchain | Install", "outcome": "planned"}]},
        {"later": [{"name": "Stage a generation", "once": "the model is there"}]},
        {"problems": ["out of reach"]},
    ],
)
def test_settled_is_only_what_leaves_nothing_to_do(more: Entry) -> None:
    assert entries.settled(SERVES)
    assert not entries.settled({**SERVES, **more})


def test_a_cause_is_one_line() -> None:
    failed = [{"name": "Toolchain | Install", "outcome": "failed"}]
    entry = {**report.empty(), "failed": 1, "operations": failed}
    assert entries.cause(entry) == "Toolchain | Install: failed, the lines above say why"
    assert entries.cause({**entry, "problems": ["below the gate", "more"]}) == "below the gate"


@given(
    st.integers(2, 12),
    st.dictionaries(st.sampled_from(names(12)), st.sampled_from([LOOK, STAGE, WAVE])),
    st.sets(st.sampled_from(names(12))),
    st.integers(0, 3),
    st.sampled_from([1, 2, 3, "25%", "50%", "100%"]),
    st.integers(0, 3),
)
def test_whatever_breaks_every_host_is_accounted_for(
    count: int, broken: dict[str, str], settled: set[str], canary: int, batch: int | str, most: int
) -> None:
    fleet = Fleet(broken=broken, settled=set(settled))
    done = Rollout(names(count), Limits(canary, batch, most), fleet.run, fleet)
    done.go()
    assert list(done.hosts) == names(count)
    failed = {name for name, entry in done.hosts.items() if report.sick(entry)}
    quiet = {name for name in names(count) if name in settled and name not in failed}
    groups = [set(done.left), failed, set(fleet.live), quiet]
    assert set().union(*groups) == set(names(count))
    assert not set(done.left) & (failed | set(fleet.live))
    assert len(fleet.live) == len(set(fleet.live))
    # No wave begins once too many have failed.
    lost = 0
    for part, wave in zip(fleet.parts, done.parts, strict=True):
        if part.kind == WAVE:
            assert lost <= most
            lost += len(wave.failed)
    assert (done.stopped is not None) == bool(done.left)
