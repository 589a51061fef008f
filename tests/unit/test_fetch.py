"""The download as a host runs it, against the stand-in hub."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

REPO, NAME = "someone/tiny-GGUF", "tiny.gguf"
SIZE = 40 * 10**6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / NAME
    model.make(path, Shape(layers=4))
    return path


@pytest.fixture(scope="module")
def large(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with bytes at its end that nobody reads, so that a download takes a while."""
    path = tmp_path_factory.mktemp("model") / NAME
    path.write_bytes(tiny.read_bytes() + bytes(SIZE - tiny.stat().st_size))
    return path


@pytest.fixture(scope="module")
def shared_hub(tiny: Path) -> Iterator[Hub]:
    with Hub({REPO: {NAME: tiny}}) as running:
        yield running


@pytest.fixture
def hub(shared_hub: Hub) -> Hub:
    shared_hub.content.faults.set({})
    shared_hub.content.stats(reset=True)
    return shared_hub


def prepare(hub: Hub, folder: Path, **changes: Any) -> list[str]:
    config = {
        "repo": REPO, "file": NAME, "revision": None, "sha256": None, "size": None,
        "hf_home": str(folder / "hf"), "endpoint": hub.url, "token_file": None,
        "result": str(folder / "record.json"), "min_free_bytes": 0, **changes,
    }  # fmt: skip
    path = folder / "fetch.json"
    path.write_text(json.dumps(config))
    return [sys.executable, "-m", "llamarig.onhost", "fetch", str(path)]


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def fetch(hub: Hub, folder: Path, **changes: Any) -> tuple[subprocess.CompletedProcess[str], Path]:
    return run(prepare(hub, folder, **changes)), folder / "record.json"


def pins(hub: Hub, path: Path) -> dict[str, Any]:
    return {
        "revision": hub.content.commit(REPO), "sha256": model.sha256(path),
        "size": path.stat().st_size,
    }  # fmt: skip


def partial(folder: Path, path: Path) -> Path:
    return folder / "hf/llamarig" / f"{model.sha256(path)}.partial"


def blob(folder: Path, path: Path) -> Path:
    return folder / "hf/hub/models--someone--tiny-GGUF/blobs" / model.sha256(path)


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size >= size):
        assert time.monotonic() < deadline, f"{path} did not grow"
        time.sleep(0.02)


def test_the_record_says_what_came(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    done, record = fetch(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert found["sha256"] == model.sha256(tiny)
    assert found["revision"] == hub.content.commit(REPO)
    assert (found["nextn_predict_layers"], found["architecture"]) == (1, "qwen35")
    assert Path(found["path"]).read_bytes() == tiny.read_bytes()
    assert Path(found["path"]).name == found["sha256"]
    assert Path(found["path"]).stat().st_mode & 0o777 == 0o644


def test_a_second_run_asks_nobody(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    hub.content.stats(reset=True)
    done, _ = fetch(hub, tmp_path)
    assert done.returncode == 0
    assert hub.content.stats() == {}


def test_a_wrong_byte_is_found_and_removed(hub: Hub, tmp_path: Path) -> None:
    urllib.request.urlopen(f"{hub.url}/_faults?corrupt=100000", timeout=5).close()
    done, record = fetch(hub, tmp_path)
    assert done.returncode == 1
    assert "arrived with sha256" in done.stderr
    assert not record.exists()
    urllib.request.urlopen(f"{hub.url}/_faults?clear=1", timeout=5).close()
    assert fetch(hub, tmp_path)[0].returncode == 0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"repo": "someone/else"}, "model_repo: someone/else not found"),
        ({"file": "no.gguf"}, f"model_file: {REPO} has no file no.gguf"),
        ({"revision": "f" * 40}, f"model_revision: {REPO} has no revision"),
        ({"sha256": "0" * 64}, "model_sha256: the hub says"),
        ({"min_free_bytes": 10**18}, "hf_home: "),
        ({"endpoint": "http://127.0.0.1:9"}, "http://127.0.0.1:9: "),
    ],
)
def test_each_failure_is_one_line(
    hub: Hub, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    done, record = fetch(hub, tmp_path, **changes)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"llamarig: {line}")
    assert not record.exists()


def test_something_that_is_no_model_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>" * 1000)
    with Hub({REPO: {NAME: page}}) as hub:
        done, record = fetch(hub, tmp_path)
    assert "not a GGUF file" in done.stderr
    assert not record.exists()


def test_a_killed_download_goes_on_where_it_was(large: Path, tmp_path: Path) -> None:
    with Hub({REPO: {NAME: large}}) as hub:
        hub.content.faults.set({"slow": str(SIZE // 2)})
        argv = prepare(hub, tmp_path)
        first = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        wait_for(partial(tmp_path, large), SIZE // 4)
        first.send_signal(signal.SIGKILL)
        first.wait()
        hub.content.faults.set({})
        done = run(argv)
        fetched = hub.content.stats()["bytes"]
    assert done.returncode == 0, done.stderr
    assert blob(tmp_path, large).read_bytes() == large.read_bytes()
    assert fetched <= SIZE * 1.02 + 256 * 1024


def test_the_token_is_in_no_argument_and_in_no_output(large: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("hf_verysecret\n")
    with Hub({REPO: {NAME: large}}, token="hf_verysecret") as hub:
        hub.content.faults.set({"slow": str(SIZE)})
        argv = prepare(hub, tmp_path, token_file=str(secret))
        child = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )  # fmt: skip
        wait_for(partial(tmp_path, large), SIZE // 4)
        seen = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                seen.append((process / "cmdline").read_bytes() + (process / "environ").read_bytes())
            except OSError:
                continue
        output, _ = child.communicate(timeout=30)
    assert child.returncode == 0, output
    assert any(b"curl\0--disable" in each for each in seen)
    assert not any(b"hf_verysecret" in each for each in seen)
    assert "hf_verysecret" not in output


@pytest.mark.parametrize("text", ["hf_wrong", None])
def test_a_token_that_does_not_help_is_one_line(tiny: Path, tmp_path: Path, text: str) -> None:
    secret = tmp_path / "token"
    if text:
        secret.write_text(text)
    with Hub({REPO: {NAME: tiny}}, token="hf_right") as hub:
        done, _ = fetch(hub, tmp_path, token_file=str(secret))
    assert done.stderr.startswith("llamarig: hf_token_file: ")
    assert done.stderr.count("\n") == 1
    assert "hf_wrong" not in done.stderr


def test_two_at_once_fetch_once(large: Path, tmp_path: Path) -> None:
    with Hub({REPO: {NAME: large}}) as hub:
        # Slow enough that it lasts until the second one has started, on a busy machine too.
        hub.content.faults.set({"slow": str(SIZE // 5)})
        argv = prepare(hub, tmp_path)
        first = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        wait_for(partial(tmp_path, large), 1)
        second = run(argv)
        assert first.wait(30) == second.returncode == 0
        assert hub.content.stats()["bytes"] == SIZE
    assert "is under way, waiting for it" in second.stdout
    assert "was verified before" in second.stdout


def test_wrong_bytes_left_by_a_killed_run_are_never_placed(
    hub: Hub, tiny: Path, tmp_path: Path
) -> None:
    left = partial(tmp_path, tiny)
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(tiny.stat().st_size))
    done, record = fetch(hub, tmp_path, **pins(hub, tiny))
    assert "arrived with sha256" in done.stderr
    assert not left.exists()
    assert not blob(tmp_path, tiny).exists()
    assert not record.exists()


def test_with_all_pins_and_all_bytes_nobody_is_asked(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    left = partial(tmp_path, tiny)
    left.parent.mkdir(parents=True)
    shutil.copy(tiny, left)
    done, record = fetch(hub, tmp_path, **pins(hub, tiny))
    assert done.returncode == 0, done.stderr
    record.unlink()
    assert fetch(hub, tmp_path, **pins(hub, tiny))[0].returncode == 0
    assert json.loads(record.read_text())["path"] == str(blob(tmp_path, tiny))
    assert hub.content.stats() == {}


def test_a_hub_that_can_not_now_is_asked_for_what_is_pinned(
    hub: Hub, tiny: Path, tmp_path: Path
) -> None:
    hub.content.faults.set({"status": "503", "times": "3"})
    done, _ = fetch(hub, tmp_path, **pins(hub, tiny))
    assert done.returncode == 0, done.stderr
    assert "going on with what is pinned" in done.stdout


def test_a_damaged_blob_is_replaced_by_the_right_one(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    place = blob(tmp_path, tiny)
    damaged = bytearray(tiny.read_bytes())
    damaged[-1] ^= 1
    place.write_bytes(damaged)
    done, _ = fetch(hub, tmp_path)
    assert "wrong bytes: fetching it anew" in done.stdout
    assert place.read_bytes() == tiny.read_bytes()
    assert [each.name for each in (tmp_path / "hf/llamarig").iterdir()] == [
        f"{place.name}.partial.lock"
    ]


def test_a_full_disk_is_one_line_and_what_came_is_kept(large: Path, tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--mount"]
    if run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).returncode:
        pytest.skip("no mount namespace of our own here")
    (tmp_path / "hf").mkdir()
    # The other file takes its place after the check, as another program would.
    script = """
    mount -t tmpfs -o size=50m tmpfs "$1"; shift
    folder=$1; shift
    (until test -s "$folder"/llamarig/*.partial; do sleep 0.05; done; head -c 25M /dev/zero >"$folder/other") &
    "$@"; code=$?; wait; stat -c %s "$folder"/llamarig/*.partial; exit $code
    """  # noqa: E501
    with Hub({REPO: {NAME: large}}) as hub:
        hub.content.faults.set({"slow": str(SIZE)})
        argv = prepare(hub, tmp_path)
        hf_home = str(tmp_path / "hf")
        done = run([*alone, "sh", "-c", script, "sh", hf_home, hf_home, *argv])
    assert done.returncode == 1
    assert done.stderr.startswith(f"llamarig: hf_home: the disk of {hf_home}/llamarig is full; ")
    assert done.stderr.count("\n") == 1
    assert int(done.stdout.splitlines()[-1]) > 20 * 10**6


def test_the_hub_s_own_client_may_fetch(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    done, record = fetch(hub, tmp_path, xet=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(record.read_text())["path"] == str(blob(tmp_path, tiny))
    hub.content.faults.set({"corrupt": "100000"})
    (tmp_path / "other").mkdir()
    done, record = fetch(hub, tmp_path / "other", xet=True)
    assert "arrived with sha256" in done.stderr
    assert not blob(tmp_path / "other", tiny).exists()


def test_what_was_copied_in_is_verified_and_placed(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    left = partial(tmp_path, tiny)
    left.parent.mkdir(parents=True)
    left.write_bytes(tiny.read_bytes()[:-1])
    changes = {**pins(hub, tiny), "source": "incoming"}
    size = tiny.stat().st_size
    assert f"has {size - 1} of {size} bytes" in fetch(hub, tmp_path, **changes)[0].stderr
    shutil.copy(tiny, left)
    done, record = fetch(hub, tmp_path, **changes)
    assert done.returncode == 0, done.stderr
    assert json.loads(record.read_text())["source"] == "incoming"
    assert blob(tmp_path, tiny).read_bytes() == tiny.read_bytes()
    assert hub.content.stats() == {}


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_a_file_on_the_host_is_used_where_it_lies(
    hub: Hub, tiny: Path, public: Path, tmp_path: Path
) -> None:
    path = public / "my.gguf"
    shutil.copy(tiny, path)
    path.chmod(0o444)
    before = path.stat()
    changes = {"source": "path", "path": str(path)}
    done, record = fetch(hub, tmp_path, **changes)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert (found["path"], found["sha256"]) == (str(path), model.sha256(tiny))
    assert found["revision"] == found["sha256"][:40]
    assert path.stat().st_ctime_ns == before.st_ctime_ns
    assert not (tmp_path / "hf").exists()
    assert "was verified before" in fetch(hub, tmp_path, **changes)[0].stdout
    done, _ = fetch(hub, tmp_path, **changes, sha256="0" * 64)
    assert "model_sha256 asks for 0000" in done.stderr


def test_a_file_that_can_not_be_used_where_it_lies_is_one_line(
    hub: Hub, tiny: Path, public: Path, tmp_path: Path
) -> None:
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy(tiny, closed / "my.gguf")
    shutil.copy(tiny, public / "private.gguf")
    (public / "private.gguf").chmod(0o600)
    (public / "link").symlink_to("nowhere")
    (public / "page.gguf").write_text("<html>")
    lines = {
        "no.gguf": "there is no file",
        "closed": "is a folder; name the GGUF file in it",
        "closed/my.gguf": f"run: chmod o+x {closed}",
        "private.gguf": f"run: chmod o+r {public}/private.gguf",
        "link": "a link that leads nowhere",
        "page.gguf": "not a GGUF file",
    }
    for name, line in lines.items():
        done, record = fetch(hub, tmp_path, source="path", path=str(public / name))
        assert done.returncode == 1
        assert done.stderr.startswith("llamarig: model_path: ")
        assert line in done.stderr
        assert done.stderr.count("\n") == 1
        assert not record.exists()


@pytest.mark.parametrize("pinned", [True, False])
def test_a_hub_names_no_place_outside_of_its_cache(
    hub: Hub, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: bool
) -> None:
    wanted = pins(hub, tiny) if pinned else {}
    files = hub.content.repositories[REPO]
    evil = "../../../../../" + "x" * 25
    monkeypatch.setattr(hub.content, "at", lambda repository, revision: (evil, files))
    done, record = fetch(hub, tmp_path, **wanted)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert not record.exists()
    assert {each.name for each in tmp_path.iterdir()} <= {"hf", "fetch.json"}
    assert hub.content.stats().get("bytes", 0) == 0


def test_a_damaged_blob_keeps_its_name_until_the_right_one_is_there(
    hub: Hub, tiny: Path, tmp_path: Path
) -> None:
    """A generation may serve it: neither a hub that is away nor Xet takes it from under it."""
    wanted = pins(hub, tiny)
    fetch(hub, tmp_path)
    place = blob(tmp_path, tiny)
    damaged = b"x" * tiny.stat().st_size
    place.write_bytes(damaged)
    done, _ = fetch(hub, tmp_path, **wanted, xet=True, endpoint="http://127.0.0.1:9",
                    file=NAME, min_free_bytes=2**60)  # fmt: skip
    assert done.returncode == 1
    assert place.read_bytes() == damaged
    assert fetch(hub, tmp_path, **wanted, xet=True)[0].returncode == 0
    assert place.read_bytes() == tiny.read_bytes()
    place.write_bytes(damaged)
    fetch(hub, tmp_path, **wanted, endpoint="http://127.0.0.1:9", min_free_bytes=2**60)
    # What a controller copies in replaces it as well, once the job has said that it is wrong.
    suspect = tmp_path / "hf/llamarig" / f"{place.name}.suspect"
    assert suspect.exists()
    shutil.copy(tiny, partial(tmp_path, tiny))
    done, _ = fetch(hub, tmp_path, **wanted, source="incoming")
    assert done.returncode == 0, done.stderr
    assert place.read_bytes() == tiny.read_bytes()
    assert not suspect.exists()


def test_refs_say_what_was_asked_for_though_the_commit_is_pinned(
    hub: Hub, tiny: Path, tmp_path: Path
) -> None:
    wanted = pins(hub, tiny)
    refs = blob(tmp_path, tiny).parent.parent / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("d" * 40)
    fetch(hub, tmp_path, **wanted, asked=None)
    assert (refs / "main").read_text() == wanted["revision"]
