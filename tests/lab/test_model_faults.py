"""The fault matrix of the model: whatever cuts the download, the right bytes come, and once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import model_bytes
import pytest
from model_fetch import UNITS, Fetch, ended, line
from processes import command_lines

from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
GIB, MIB = 2**30, 2**20
LARGE, SMALL = "large-Q4_K_M.gguf", "small-Q4_K_M.gguf"
OPEN, GATED, PRIVATE, MOVING = (
    f"faults/{name}-GGUF" for name in ("open", "gated", "private", "moving")
)
TOKEN, STRANGER, WRONG = "hf_withaccess0123", "hf_withoutaccess0123", "hf_wrong0123"
KILL = f"systemctl kill -s KILL {UNITS}"
SEED = 6
KILLS = 10


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("served")
    return {
        "large": model_bytes.write(folder / LARGE, GIB, 1),
        "small": model_bytes.write(folder / SMALL, 64 * MIB, 2),
        "moved": model_bytes.write(folder / "moved.gguf", 64 * MIB, 3),
    }


@pytest.fixture(scope="module")
def hub(lab: Lab, served: dict[str, Path]) -> Iterator[Hub]:
    small = {SMALL: served["small"]}
    repositories = {
        OPEN: {**small, LARGE: served["large"]}, GATED: small, PRIVATE: small, MOVING: small,
    }  # fmt: skip
    with Hub(
        repositories,
        bind=lab.state.gateway,
        gated=frozenset({GATED}),
        private=frozenset({PRIVATE}),
        tokens={TOKEN: frozenset({GATED, PRIVATE}), STRANGER: frozenset()},
    ) as running:
        yield running


@pytest.fixture
def fetch(
    site: Any, lab: Lab, on_host: OnHost, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fetch]:
    """The small file, nothing of which is on the host or pinned."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    found = Fetch(site, lab, on_host, hub).of(OPEN, SMALL)
    found.forget()
    yield found
    found.forget()


@pytest.fixture
def large(fetch: Fetch) -> Fetch:
    """The file of 1 GiB."""
    return fetch.of(OPEN, LARGE)


@pytest.fixture
def token_file(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The setting that gives a token."""

    def write(token: str) -> dict[str, str]:
        path = tmp_path / "token"
        path.write_text(token)
        path.chmod(0o600)
        return {"hf_token_file": str(path)}

    return write


@pytest.mark.parametrize(
    "faults",
    [
        {"drop_at": GIB // 10, "times": 1},
        {"drop_at": GIB // 2, "times": 1},
        {"drop_at": GIB // 100 * 99, "times": 1},
        {"reset_at": GIB // 2, "times": 1},
        {"status": 503, "times": 3, "downloads": 1},
        {"status": 429, "retry_after": 3, "times": 1, "downloads": 1},
        {"stall": 30, "times": 1, "downloads": 1},
        {"truncated": GIB // 2, "times": 1, "downloads": 1},
    ],
    ids=lambda faults: "-".join(f"{name}_{value}" for name, value in faults.items()),
)
def test_an_ill_behaved_link_costs_next_to_nothing(large: Fetch, faults: dict[str, int]) -> None:
    large.faults(**faults)
    ran = large.get()
    assert large.faults_left() == 0, "the fault was never met"
    large.check(ran)


def test_wrong_bytes_of_the_right_size_never_count(fetch: Fetch) -> None:
    fetch.faults(corrupt=fetch.size // 2, downloads=1, slow=20_000_000)
    seen = ""
    with fetch.running() as child:
        while child.poll() is None:
            seen += fetch.blobs()
        code, output = ended(child)
    assert code == 1, output
    assert fetch.sha256[:12] in output  # what was expected
    assert fetch.sent() >= fetch.size  # all of it came
    assert seen + fetch.blobs() == ""
    assert fetch.kept() == 0
    fetch.forget(pins=False)
    fetch.check(fetch.get())


def test_wrong_bytes_are_found_after_a_kill_before_they_were_checked(large: Fetch) -> None:
    large.faults(corrupt=large.size // 2, downloads=1)
    with large.running() as child:
        large.until(large.size, KILL)
        code, output = ended(child)
    assert code == 1, output
    assert large.kept() == large.size, "killed too late: it had been checked"
    assert large.blobs() == ""
    large.faults()
    large.recount()  # all of it has to come once more
    ran = large.get()
    if ran.code:  # the bytes that lay there are judged first, and that run may end with it
        line(ran)
        assert large.blobs() == ""
        ran = large.get()
    large.check(ran)


@pytest.mark.parametrize(
    ("changes", "token", "setting", "page"),
    [
        ({}, WRONG, "token", ""),
        ({"model_repo": GATED}, None, "model_repo", GATED),
        ({"model_repo": GATED}, STRANGER, "model_repo", GATED),
        ({"model_repo": PRIVATE}, None, "model_repo", PRIVATE),
        ({"model_repo": "faults/none-GGUF"}, None, "model_repo", "faults/none-GGUF"),
        ({"model_file": "none.gguf"}, None, "model_file", OPEN),
        ({"model_revision": "f" * 40}, None, "model_revision", OPEN),
    ],
    ids=["401", "gated-401", "gated-403", "private", "repository", "file", "revision"],
)
def test_what_the_hub_refuses_is_one_line(
    fetch: Fetch,
    hub: Hub,
    token_file: Callable[[str], dict[str, str]],
    changes: dict[str, Any],
    token: str | None,
    setting: str,
    page: str,
) -> None:
    ran = fetch.get(**changes, **(token_file(token) if token else {}))
    said = line(ran)
    assert setting in said
    assert page in said
    assert hub.url in said
    assert token is None or token not in ran.output
    assert fetch.sent() == 0
    assert fetch.blobs() == ""


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_hub_refuses_the_host_alone_is_one_line(fetch: Fetch, status: int) -> None:
    fetch.faults(status=status, downloads=1)
    assert fetch.repo in line(fetch.get())
    asked = fetch.hub.content.stats()
    downloads = sum(asked[each] for each in asked if each.startswith(f"GET /{fetch.repo}/resolve/"))
    assert downloads < 20  # trying again does not help, and the look at the header is among them
    assert fetch.blobs() == ""


def test_a_branch_that_moves_does_not_move_the_pin(
    fetch: Fetch, hub: Hub, served: dict[str, Path]
) -> None:
    fetch.of(MOVING, SMALL)
    pinned = fetch.sha256
    fetch.check(fetch.get())
    hub.content.move(MOVING, SMALL, served["moved"])
    assert fetch.sha256 != pinned
    fetch.forget(pins=False)
    fetch.check(fetch.get(), pinned)
    fetch.forget()
    fetch.check(fetch.get())  # nothing pins it: what main names now


def test_a_disk_that_fills_up_is_one_line_and_keeps_what_came(
    large: Fetch, lab: Lab, on_host: OnHost
) -> None:
    if lab.state.host("gpu01").data_kind != "disk":
        pytest.skip("the data disk is this machine's memory, which nobody should fill")
    free = "$(df --output=avail -B1 /data | tail -1)"
    fill = f"fallocate -l $(({free} - {16 * MIB})) /data/ballast"
    try:
        with large.running() as child:
            large.until(GIB // 4, fill)
            code, output = ended(child)
        assert code == 1, output
        assert "hf_home" in output
        kept, sent = large.kept(), large.sent()
        assert kept >= GIB // 4
        assert "hf_home" in line(large.get())  # refused before it starts
        assert (large.kept(), large.sent()) == (kept, sent)
    finally:
        on_host("rm -f /data/ballast")
    large.check(large.get())


def test_two_controllers_at_once_fetch_once(large: Fetch, lab: Lab, tmp_path: Path) -> None:
    sites = [type(large.site)(tmp_path / name, lab) for name in ("a", "b")]
    with large.running(sites[0]) as first, large.running(sites[1]) as second:
        runs = [ended(first), ended(second)]
    assert 0 in [code for code, _ in runs], runs
    assert all(code == 0 or "lock: held by" in output for code, output in runs), runs
    for site in sites:
        large.check(large.get(site))


def test_the_job_killed_at_ten_points_fetches_once(large: Fetch) -> None:
    points = sorted(random.Random(SEED).uniform(0.02, 0.95) for _ in range(KILLS))
    for point in points:
        with large.running() as child:
            large.until(int(large.size * point), KILL)
            code, output = ended(child)
        assert code == 1, output
        assert "run the same command again" in output, output
        assert 0 < large.kept() < large.size
        assert large.blobs() == ""
    large.check(large.get(), interruptions=KILLS)


def test_a_power_cut_in_the_middle_costs_what_was_on_its_way(large: Fetch, lab: Lab) -> None:
    with large.running() as child:
        large.until(GIB // 2)
        lab.kill("gpu01")
        try:
            code, output = ended(child)
        finally:
            lab.restart("gpu01")
    assert code == 1
    assert "the connection was lost" in output
    assert 0 < large.kept() < large.size
    large.check(large.get())


def test_nobody_can_read_the_token(
    fetch: Fetch, on_host: OnHost, token_file: Callable[[str], dict[str, str]]
) -> None:
    fetch.of(PRIVATE, SMALL)
    fetch.faults(slow=8_000_000)
    on_host("touch /root/before")
    seen, lent = "", ""
    find = "find /run/llamarig -name 'hf-token-*' -printf '%m %u,' 2>/dev/null; true"
    with fetch.running(**token_file(TOKEN)) as child:
        while child.poll() is None:
            seen += on_host("cat /proc/[0-9]*/cmdline 2>/dev/null; true") + command_lines()
            lent += on_host(find)
        code, output = ended(child)
    assert code == 0, output
    assert "hf-token-" in on_host("cat /var/lib/llamarig/jobs/fetch-*/fetch.json")
    assert "fetch.json" in seen  # we did look while the job ran
    assert set(lent.rstrip(",").split(",")) == {"600 root"}
    new = "-xdev -type f -newer /root/before"
    places = "/etc /home /opt /root /run /tmp /var /data/huggingface"
    left = on_host(
        f"find {places} {new} ! -path '*/journal/*' -size -8M -exec cat {{}} + 2>/dev/null; true"
    )
    assert fetch.repo in left  # the job's own files are among them
    left += "".join(each.read_text() for each in fetch.site.folder.rglob("*") if each.is_file())
    for text in (seen, output, left, on_host("journalctl --no-pager; true")):
        assert TOKEN not in text
    assert on_host("ls /run/llamarig/hf-token-* 2>/dev/null; true") == ""


def test_a_converged_run_reads_no_byte_of_the_model(fetch: Fetch) -> None:
    first = fetch.get()
    fetch.check(first)
    sent = fetch.sent()
    blob = fetch.on_this_machine(first.host()["model"]["path"])
    with model_bytes.Opens(blob) as opens:
        again = fetch.get()
        assert opens.count() == 0
        assert again.code == 0, again.output
        assert (again.host()["changed"], again.host()["failed"]) == (0, 0)
        assert fetch.sent() == sent
        fetch.on_host(f"head -c 1 {first.host()['model']['path']} >/dev/null")
        assert opens.count() > 0  # a read on the host is seen here
