"""What nothing needs may go, and nothing else: on folders laid out as the hub's client does."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.onhost import verify
from llamarig.onhost.errors import Stop
from llamarig.tasks.facts.model_store import ModelStore, StoreState
from llamarig.tasks.model_prune import tidied
from llamarig.tasks.model_waste import Waste, unused

COMMIT = "c" * 40
NONE = "/no/record.json"


class Store:
    """HF_HOME, generations and records in a folder of the test's own."""

    def __init__(self, root: Path) -> None:
        self.home, self.generations, self.records = root / "hf", root / "gen", root / "rec"
        for each in (self.home / "llamarig", self.generations, self.records):
            each.mkdir(parents=True)

    def blob(self, repo: str, name: str, file: str | None = None) -> Path:
        """A blob of 8 KiB and, where `file` names one, the snapshot link to it."""
        folder = self.home / "hub" / ("models--" + repo.replace("/", "--"))
        path = folder / "blobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 8192)
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(COMMIT)
        if file:
            link = folder / "snapshots" / COMMIT / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(path, link.parent))
        return path

    def generation(self, number: int, path: Path) -> None:
        folder = self.generations / str(number)
        folder.mkdir()
        (folder / "model.gguf").symlink_to(path)

    def record(self, name: str, repo: str | None, path: Path) -> Path:
        file = self.records / f"{name}.json"
        file.write_text(json.dumps({"repo": repo, "path": str(path), "sha256": "f" * 64}))
        return file

    def read(self) -> StoreState:
        command = ModelStore().command(str(self.home), str(self.generations), str(self.records))
        told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert told.stderr == ""
        return ModelStore().process(told.stdout.splitlines())

    def waste(self, own: object = NONE, everything: bool = False) -> list[Waste]:
        return unused(self.read(), str(own), everything)

    def remove(self, waste: list[Waste]) -> None:
        """As `prune` does."""
        for each in waste:
            subprocess.run(["rm", "-rf", "--", *each.remove], check=True)
        for folder in {each.folder for each in waste if each.folder}:
            subprocess.run(["sh", "-c", tidied(folder)], check=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def paths(waste: list[Waste]) -> list[str]:
    return [each.path for each in waste]


def test_an_empty_host_has_nothing_to_remove(store: Store) -> None:
    assert store.waste() == []
    assert store.waste(everything=True) == []


def test_what_a_generation_uses_stays_and_the_rest_goes_with_all_its_names(store: Store) -> None:
    live, kept = store.blob("a/b", "1" * 64, "live.gguf"), store.blob("a/b", "2" * 64, "kept.gguf")
    old = store.blob("a/b", "3" * 64, "Q4/old.gguf")
    for number, path in ((1, kept), (2, live)):
        store.generation(number, path)
    record = store.record("old", "a/b", old)
    store.record("live", "a/b", live)
    (waste,) = store.waste()
    snapshot = old.parent.parent / "snapshots" / COMMIT / "Q4" / "old.gguf"
    assert waste.remove == (str(old), str(snapshot), str(record))
    assert (waste.name, waste.why) == ("a/b Q4/old.gguf", "no generation uses it")
    assert waste.size == old.stat().st_blocks * 512
    store.remove([waste])
    assert not record.exists()
    assert not snapshot.parent.exists()
    assert live.exists()
    assert kept.exists()
    assert (live.parent.parent / "refs" / "main").exists()
    assert store.waste() == []


def test_a_repository_with_nothing_left_is_gone(store: Store) -> None:
    old = store.blob("a/b", "3" * 64, "Q4/old.gguf")
    store.record("old", "a/b", old)
    store.remove(store.waste())
    assert list((store.home / "hub").iterdir()) == []


def test_somebody_elses_models_stay_unless_all_are_asked_for(store: Store) -> None:
    theirs = store.blob("their/model", "4" * 64, "m.gguf")
    store.record("path", None, theirs)  # model_path: used where it lies
    assert store.waste() == []
    assert paths(store.waste(everything=True)) == [str(theirs)]


def test_what_the_settings_ask_for_stays_before_it_is_staged(store: Store) -> None:
    fetched = store.blob("a/b", "5" * 64, "m.gguf")
    record = store.record("own", "a/b", fetched)
    assert store.waste(record) == []
    assert paths(store.waste()) == [str(fetched)]


def test_a_generations_repository_is_ours_without_a_record(store: Store) -> None:
    store.generation(1, store.blob("a/b", "1" * 64, "live.gguf"))
    old = store.blob("a/b", "2" * 64, "old.gguf")
    assert paths(store.waste()) == [str(old)]


def test_orphans_and_damaged_files_go(store: Store) -> None:
    live = store.blob("a/b", "1" * 64, "live.gguf")
    store.generation(1, live)
    orphan = store.blob("a/b", "2" * 64 + ".0123abcd.incomplete")
    damaged = store.blob("c/d", "6" * 64, "wrong.gguf")
    damaged = damaged.rename(str(damaged) + verify.DAMAGED)
    theirs = store.blob("e/f", "7" * 64 + ".89abcdef.incomplete")
    ours = store.home / "llamarig" / ("8" * 64 + ".partial")
    ours.write_bytes(b"x" * 100)
    (store.home / "llamarig" / ("8" * 64 + ".partial.lock")).touch()
    given = ours.with_name("7" * 64 + ".partial.lan")  # by other hosts
    given.write_bytes(b"x" * 100)
    sent = store.home / "llamarig" / ("incoming-" + "9" * 64)
    sent.mkdir()
    (sent / "model.gguf").write_bytes(b"x" * 8192)
    waste = store.waste()
    assert paths(waste) == [str(each) for each in (orphan, damaged, ours, given, sent)]
    assert waste[-1].size >= 8192
    store.remove(waste)
    assert store.waste() == []
    assert list((store.home / "llamarig").iterdir()) == []
    assert not damaged.parent.parent.exists()
    assert live.exists()
    assert theirs.exists()


def test_what_a_download_or_a_program_holds_stays(store: Store) -> None:
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    store.record("m", "a/b", blob)
    partial = store.home / "llamarig" / ("2" * 64 + ".partial")
    partial.write_bytes(b"x")
    other = partial.with_name("3" * 64 + ".partial")
    other.write_bytes(b"x")
    with blob.open("rb"), other.open("rb"), open(f"{partial}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert store.waste() == []
    assert len(store.waste()) == 3


def test_nothing_unfinished_goes_while_a_download_runs(store: Store) -> None:
    store.record("m", "a/b", store.blob("a/b", "1" * 64 + ".0123abcd.incomplete"))
    for name in ("2" * 64 + ".partial", "3" * 64 + ".partial.lan"):
        (store.home / "llamarig" / name).write_bytes(b"x")
    state = store.read()
    assert len(unused(state, NONE)) == 3
    assert unused(replace(state, fetching=True), NONE) == []


def test_bytes_behind_links_go_with_their_last_link(store: Store) -> None:
    """The layout of the hub's client with Xet."""
    shared = store.home / "hub" / "blobs" / "ab" / "xethash"
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"x" * 8192)
    for repo in ("a/b", "c/d"):
        blob = store.blob(repo, "1" * 64, "m.gguf")
        blob.unlink()
        blob.symlink_to(shared)
        store.record(repo[0], repo, blob)
    assert [str(shared) in each.remove for each in store.waste()] == [True, True]
    (store.records / "c.json").unlink()
    assert [str(shared) in each.remove for each in store.waste()] == [False]
    store.generation(1, blob)
    assert store.waste(everything=True) == []


def test_a_link_out_of_the_cache_never_takes_what_it_leads_to(store: Store) -> None:
    outside = store.home.parent / "precious"
    outside.write_text("mine")
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    blob.unlink()
    blob.symlink_to(outside)
    store.record("m", "a/b", blob)
    store.remove(store.waste(everything=True))
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("output", [[], ["x"], ["{}"], ['{"now": 1, "blobs": 3}']])
def test_a_list_that_cannot_be_read_is_said(output: list[str]) -> None:
    with pytest.raises(FactProcessError):
        ModelStore().process(output)


def judged(store: Store, record: Path) -> dict[str, Any]:
    result = store.records / "result"
    assert verify.main(str(record), str(result), str(store.generations)) == 0
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def recorded(store: Store, blob: Path, **more: object) -> Path:
    """A record of the blob as it is now."""
    record = store.record("m", "a/b", blob)
    known = {"sha256": hashlib.sha256(blob.read_bytes()).hexdigest(), "size": 8192, **more}
    record.write_text(json.dumps({**json.loads(record.read_text()), **known}))
    return record


def test_right_bytes_are_right(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    record = recorded(store, blob)
    found = judged(store, record)
    assert (found["verdict"], found["bytes"], found["renamed"]) == ("right", 8192, None)
    assert "[8192/8192]\n" in capsys.readouterr().out
    assert record.exists()


def test_one_wrong_byte_costs_the_record_and_the_name(store: Store) -> None:
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    record = recorded(store, blob)
    with blob.open("r+b") as file:
        file.seek(5000)
        file.write(b"!")
    found = judged(store, record)
    assert (found["verdict"], found["renamed"]) == ("wrong", f"{blob}.damaged")
    assert not record.exists()
    assert not blob.exists()
    assert Path(f"{blob}.damaged").exists()


@pytest.mark.parametrize("source", ["hub", "path"])
def test_a_damaged_file_in_use_or_of_the_users_own_keeps_its_name(
    store: Store, source: str
) -> None:
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    if source == "hub":
        store.generation(12, blob)
        store.generation(3, blob)
    record = recorded(store, blob, source=source, sha256="0" * 64)
    found = judged(store, record)
    assert (found["verdict"], found["renamed"]) == ("wrong", None)
    assert found["generations"] == ([3, 12] if source == "hub" else [])
    assert blob.exists()
    assert not record.exists()


def test_a_file_that_is_gone_is_said(store: Store) -> None:
    blob = store.blob("a/b", "1" * 64, "m.gguf")
    record = recorded(store, blob)
    blob.unlink()
    assert judged(store, record)["verdict"] == "missing"
    assert not record.exists()


def test_a_record_that_is_none_is_one_line(store: Store) -> None:
    (store.records / "m.json").write_text("[]")
    with pytest.raises(Stop, match="is no record of a model"):
        judged(store, store.records / "m.json")


def test_every_record_of_a_damaged_file_goes_and_no_other(store: Store) -> None:
    blob, other = store.blob("a/b", "1" * 64, "m.gguf"), store.blob("a/b", "2" * 64, "n.gguf")
    record = recorded(store, blob, sha256="0" * 64)
    twin = store.record("asked-by-its-sha256", "a/b", blob)
    stays = store.record("other", "a/b", other)
    judged(store, record)
    assert (twin.exists(), stays.exists()) == (False, True)


def test_the_download_that_the_settings_are_on_is_spared(store: Store) -> None:
    pinned, old = (store.home / "llamarig" / (each * 64 + ".partial") for each in "89")
    for each in (pinned, old):
        each.write_bytes(b"x")
    assert paths(unused(store.read(), NONE, pinned="8" * 64)) == [str(old)]


def test_a_ref_that_names_nothing_any_more_goes(store: Store) -> None:
    old, live = store.blob("a/b", "1" * 64, "old.gguf"), store.blob("a/b", "2" * 64)
    store.record("old", "a/b", old)
    store.generation(1, live)
    newer = live.parent.parent / "snapshots" / ("d" * 40) / "new.gguf"
    newer.parent.mkdir()
    newer.symlink_to(live)
    refs = live.parent.parent / "refs"
    (refs / "newer").write_text("d" * 40)
    store.remove(store.waste())
    assert sorted(each.name for each in refs.iterdir()) == ["newer"]
