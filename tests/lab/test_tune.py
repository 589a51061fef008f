"""Tuning a deployed host: the winner is written into the site and `up` takes it; what served is
back whatever becomes of the search."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serving
import yaml

from llamarig.cli.deploy import UNDECIDED
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
BACK = "the same generation, started again"
# Enough for the coarse step, the neighbours and four rounds of the final; not for p-min.
TUNE = "tune --depths 0-4 --p-min 0,0.5 --budget-tokens 6500"
LONG = "tune --budget-tokens 40000"
OTHERS = "gone:\n  draft_n_max: 2\n"
HAND = "# by hand\nsite_note = 'mine'\n"
TRIES = 3


def serves_on(lab: Lab, on_host: OnHost, before: int) -> None:
    serving.unharmed(lab, on_host, before)
    over(on_host)


def over(on_host: OnHost) -> None:
    """Wait until no search runs on the host any more."""
    on_host(
        "while systemctl list-units --plain --no-legend 'llamarig-tune-*' | grep -q .; "
        "do sleep 0.3; done"
    )


def tuned(site: Any, words: str = TUNE) -> Any:
    """A search that decided; one that was disturbed is run again, as it says itself."""
    for _ in range(TRIES):
        ran = site.run(words)
        if ran.code != UNDECIDED:
            break
    assert ran.code == 0, ran.output
    return ran


def files(folder: Path) -> dict[str, str]:
    """The site's files but those that a run writes."""
    own = ("tuned.yaml", "report.json", "llamarig.lock")
    found = [each for each in folder.rglob("*") if each.is_file() and each.name not in own]
    return {str(each.relative_to(folder)): each.read_text() for each in found}


def test_the_winner_is_written_and_up_takes_it_and_proves_it(
    site: Any, lab: Lab, on_host: OnHost, before: int
) -> None:
    folder = site.folder / "group_data"
    folder.mkdir()
    (folder / "hosts.py").write_text(HAND)
    (folder / "tuned.yaml").write_text(OTHERS)
    site.inventory()
    kept = files(site.folder)

    ran = tuned(site)
    found = ran.host()["tune"]
    assert (found["kind"], found["verdict"], found["generation"]) == ("tune", "pass", before)
    assert found["tokens"] <= found["budget_tokens"] == 6500
    assert {"n0", "n1", "n3"} <= set(found["arms"]) <= {"n0", "n1", "n2", "n3", "n4"}
    best = found["arms"][found["best"]]
    assert best["interval"][0] > 1
    written = yaml.safe_load((folder / "tuned.yaml").read_text())
    assert written["gone"] == {"draft_n_max": 2}
    entry = written["gpu01"]
    assert (entry["draft_n_max"], entry["draft_p_min"]) == (best["draft_n_max"], 0.0)
    assert entry["evidence"]["speedup"] == pytest.approx(best["speedup"], abs=0.001)
    assert entry["evidence"]["card"] is None
    depth = entry["draft_n_max"]
    assert (
        f"wrote group_data/tuned.yaml: gpu01 draft_n_max {depth}; next: llamarig up" in ran.output
    )
    last = json.loads(on_host("tail -n 1 /var/lib/llamarig/measurements.jsonl"))
    assert (last["kind"], last["best"]) == ("tune", found["best"])
    assert files(site.folder) == kept
    serves_on(lab, on_host, before)

    status = site.run("status")
    assert any("--spec-draft-p-min" in line for line in status.host()["drift"]), status.output
    deployed = site.run("up")
    assert deployed.code == 0, deployed.output
    assert serving.generation(lab) == before + 1
    unit = on_host("cat /opt/llamarig/current/llama-server.service")
    assert f"--spec-draft-n-max {depth} --spec-draft-p-min 0.0 " in unit
    assert deployed.host()["smoke"]["verdict"] == "pass"
    again = site.run("up")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


def test_a_second_search_needs_no_deploy_and_touches_nothing_else(
    site: Any, lab: Lab, on_host: OnHost, before: int
) -> None:
    """Also where the generation's depth is no longer what the settings ask for."""
    kept = files(site.folder)
    ran = tuned(site, "tune --depths 2,3 --p-min 0 --budget-tokens 6500")
    assert set(ran.host()["tune"]["arms"]) == {"n0", "n2", "n3"}
    assert files(site.folder) == kept
    written = yaml.safe_load((site.folder / "group_data" / "tuned.yaml").read_text())
    assert list(written) == ["gone", "gpu01"]
    serves_on(lab, on_host, before)


def test_what_the_inventory_says_of_the_host_goes_first_and_that_is_said(site: Any) -> None:
    path = site.folder / "group_data" / "tuned.yaml"
    path.write_text("gpu01: {draft_n_max: 5}\n")
    assert any("-> 5" in line for line in site.run("status").host()["drift"])
    same = site.run("status", draft_n_max=2).host()["drift"]
    assert not any("-> 5" in line for line in same)
    path.write_text("gpu01: {draft_n_max: 50}\n")
    refused = site.run("up")
    assert refused.code == 1
    assert f"{path}: gpu01: draft_n_max: found 50, allowed: " in refused.output
    path.unlink()


@pytest.mark.cell("a search for the best depth is killed half way: its job", BACK)
def test_a_killed_job(site: Any, lab: Lab, on_host: OnHost, before: int) -> None:
    child = site.start(LONG)
    try:
        serving.candidate_begun(on_host, 90)
        time.sleep(3)
        on_host("systemctl kill -s KILL 'llamarig-tune-*'")
        output, _ = child.communicate(timeout=120)
    finally:
        child.kill()
    assert child.returncode == 1, output
    assert "Traceback" not in output
    assert not (site.folder / "group_data" / "tuned.yaml").exists()
    serves_on(lab, on_host, before)


@pytest.mark.cell("a search for the best depth loses its controller (SIGKILL)", BACK)
def test_a_killed_controller_loses_nothing(
    site: Any, lab: Lab, on_host: OnHost, before: int
) -> None:
    """The same command joins the job that runs, and has its result."""
    child: subprocess.Popen[str] = site.start(TUNE)
    try:
        serving.candidate_begun(on_host, 90)
    finally:
        os.killpg(child.pid, 9)
        child.communicate()
    joined = site.run(TUNE)
    assert joined.code in (0, UNDECIDED), joined.output
    assert "tune the draft depth: already running on the host, joined" in joined.output
    serves_on(lab, on_host, before)


@pytest.mark.cell("the power is cut (PID 1 killed): in a search for the best depth", BACK)
def test_a_power_cut(site: Any, lab: Lab, on_host: OnHost, before: int) -> None:
    child = site.start(LONG)
    try:
        serving.candidate_begun(on_host, 90)
        lab.kill("gpu01")
        child.communicate(timeout=120)
    finally:
        child.kill()
        lab.restart("gpu01")
    serves_on(lab, on_host, before)
