"""The bench on a deployed host: what it finds and writes, and that the server is back after it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serving

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
BACK = "the same generation, started again"
SHORT = "bench --depths 0,2,3 --tokens 48"
LONG = "bench --suite bench --depths 0,1,2,3 --rounds 4"
RUNNING = "systemctl list-units --plain --no-legend 'llamarig-bench-*' | wc -l"


def serves_on(lab: Lab, on_host: OnHost, before: int) -> None:
    serving.unharmed(lab, on_host, before)
    assert on_host(RUNNING) == "0"


def test_three_depths_are_measured_and_written_down(
    site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path
) -> None:
    ran = site.run(f"{SHORT} --out {tmp_path}/out")
    assert ran.code == 0, ran.output
    found = ran.host()["bench"]
    assert list(found["arms"]) == ["n0", "n2", "n3"]
    assert found["arms"]["n3"]["tps"] > found["arms"]["n0"]["tps"]
    assert found["arms"]["n0"]["acceptance"] is None
    assert found["arms"]["n3"]["acceptance"] > 0.5
    assert found["arms"]["n3"]["speedup"] > 1
    assert {each["predicted_n"] for each in found["samples"]} == {48}
    assert (found["verdict"], found["rounds"], found["kind"]) == (None, 2, "bench")
    assert "the walkthrough's" in ran.output

    folder = tmp_path / "out" / "gpu01"
    assert {"report.html", "chart.png", "chart.svg", "record.json"} <= set(os.listdir(folder))
    assert json.loads((folder / "record.json").read_text())["arms"] == found["arms"]
    last = json.loads(on_host("tail -n 1 /var/lib/llamarig/measurements.jsonl"))
    assert (last["kind"], last["generation"]) == ("bench", before)
    assert last["arms"]["n3"]["speedup"] == found["arms"]["n3"]["speedup"]
    assert "samples" not in last
    serves_on(lab, on_host, before)


def test_a_suite_of_ones_own(
    site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    prompts = "[{id: one, class: count, text: Count to a hundred.}]"
    path.write_text(f"about: Mine.\nwarmup: Hello.\nprompts: {prompts}\n")
    ran = site.run(f"bench --suite {path} --depths 1 --rounds 1 --tokens 32 --out {tmp_path}/out")
    assert ran.code == 0, ran.output
    found = ran.host()["bench"]
    assert list(found["arms"]) == ["n0", "n1"]
    assert list(found["arms"]["n1"]["per_prompt"]) == ["one"]
    assert found["context"]["suite"] == "mine"
    assert "0 is measured too" in ran.output
    path.write_text("about: Mine.\n")
    refused = site.run(f"bench --suite {path}")
    assert refused.code == 1
    assert refused.report == {"hosts": {}}
    serves_on(lab, on_host, before)


@pytest.mark.cell("the bench's job is killed", BACK)
def test_killed_half_way(site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path) -> None:
    child = site.start(f"{LONG} --out {tmp_path}/out")
    serving.candidate_begun(on_host, 60)
    on_host("systemctl kill -s KILL 'llamarig-bench-*'")
    output, _ = child.communicate(timeout=600)
    assert child.returncode == 1, output
    assert "it was killed; run the same command again" in output
    assert "Traceback" not in output
    serves_on(lab, on_host, before)


@pytest.mark.cell("the bench's server dies", BACK)
def test_a_candidate_that_dies(
    site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path
) -> None:
    child = site.start(f"{LONG} --out {tmp_path}/out")
    serving.candidate_begun(on_host, 60)
    on_host(
        "until systemctl is-active -q 'llamarig-candidate-*'; do sleep 0.2; done; "
        "systemctl kill -s KILL 'llamarig-candidate-*'"
    )
    output, _ = child.communicate(timeout=600)
    assert child.returncode == 1, output
    assert "bench generation" in output
    assert "Traceback" not in output
    serves_on(lab, on_host, before)


@pytest.mark.cell("the operator stops a bench with Ctrl-C", BACK)
def test_stopped_by_its_operator_and_joined(
    site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path
) -> None:
    words = f"bench --depths 0,2,3 --rounds 6 --out {tmp_path}/out"
    child = site.start(words)
    serving.candidate_begun(on_host, 60)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 130, output
    assert "the same command joins it" in output
    again = site.run(words)
    assert again.code == 0, again.output
    assert "already running on the host, joined" in again.output
    assert list(again.host()["bench"]["arms"]) == ["n0", "n2", "n3"]
    serves_on(lab, on_host, before)


@pytest.mark.cell("another bench is asked for while one runs", BACK)
def test_another_bench_takes_the_place_of_one_that_runs(
    site: Any, lab: Lab, on_host: OnHost, before: int, tmp_path: Path
) -> None:
    child = site.start(f"{LONG} --out {tmp_path}/out")
    serving.candidate_begun(on_host, 60)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    ran = site.run(f"{SHORT} --out {tmp_path}/out")
    assert ran.code == 0, ran.output
    assert list(ran.host()["bench"]["arms"]) == ["n0", "n2", "n3"]
    assert len(on_host("ls /var/lib/llamarig/jobs | grep '^bench-'").split()) == 1
    serves_on(lab, on_host, before)
