"""The stand-in hub, judged by the hub's real client, in processes of its own as on a host."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamarig.rehearsal.hub import Hub

REPO, NAME = "someone/tiny-GGUF", "tiny.gguf"
SIZE = 24 * 2**20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub") / NAME
    path.write_bytes(hashlib.sha256(b"seed").digest() * (SIZE // 32))
    return path


@pytest.fixture
def hub(served: Path) -> Iterator[Hub]:
    with Hub({REPO: {NAME: served}}) as running:
        yield running


def download(
    hub: Hub, home: Path, repo: str = REPO, name: str = NAME, **more: str
) -> subprocess.CompletedProcess[str]:
    """The real client fetches a file; it prints the path."""
    script = (
        "import sys; from huggingface_hub import hf_hub_download;"
        "print(hf_hub_download(sys.argv[1], sys.argv[2], revision=sys.argv[3] or None))"
    )
    environment = {
        **os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": more.get("token", ""),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", script, repo, name, more.get("revision", "")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def control(hub: Hub, words: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{hub.url}/{words}", timeout=10) as reply:
        found: dict[str, int] = json.load(reply)
    return found


def test_the_client_gets_the_bytes_and_trusts_the_second_time(
    hub: Hub, served: Path, tmp_path: Path
) -> None:
    first = download(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert Path(first.stdout.strip()).read_bytes() == served.read_bytes()
    assert control(hub, "_stats?reset=1")["bytes"] == SIZE
    assert download(hub, tmp_path).returncode == 0
    assert "bytes" not in control(hub, "_stats")


def test_a_pinned_revision_is_honoured(hub: Hub, tmp_path: Path) -> None:
    commit = hub.content.commit(REPO)
    found = download(hub, tmp_path, revision=commit)
    assert f"snapshots/{commit}/" in found.stdout
    wrong = download(hub, tmp_path / "other", revision="f" * 40)
    assert wrong.returncode != 0
    assert "RevisionNotFoundError" in wrong.stderr


@pytest.mark.parametrize(
    ("repo", "name", "error"),
    [("someone/else", NAME, "RepositoryNotFoundError"), (REPO, "no.gguf", "EntryNotFoundError")],
)
def test_what_is_missing_is_told_apart(
    hub: Hub, tmp_path: Path, repo: str, name: str, error: str
) -> None:
    found = download(hub, tmp_path, repo, name)
    assert found.returncode != 0
    assert error in found.stderr


def test_a_gated_repository_wants_a_token(served: Path, tmp_path: Path) -> None:
    with Hub({REPO: {NAME: served}}, gated=frozenset({REPO})) as hub:
        assert "GatedRepoError" in download(hub, tmp_path).stderr
        assert download(hub, tmp_path, token="hf_valid").returncode == 0


def test_a_dropped_connection_is_resumed_in_one_process(hub: Hub, tmp_path: Path) -> None:
    control(hub, f"_faults?drop={15 * 2**20}&times=2")  # the first is spent on the HEAD
    found = download(hub, tmp_path)
    assert found.returncode == 0, found.stderr
    stats = control(hub, "_stats")
    assert stats["dropped"] == 1
    assert stats["bytes"] < 2 * SIZE


def test_a_wrong_byte_is_served_when_told(hub: Hub, served: Path, tmp_path: Path) -> None:
    control(hub, "_faults?corrupt=1000000")
    found = download(hub, tmp_path)
    assert found.returncode == 0  # the client checks the size alone
    got, sent = Path(found.stdout.strip()).read_bytes(), served.read_bytes()
    assert [at for at in range(999_990, 1_000_010) if got[at] != sent[at]] == [1_000_000]


def test_ranges(hub: Hub, served: Path) -> None:
    url = f"{hub.url}/{REPO}/resolve/main/{NAME}"
    request = urllib.request.Request(url, headers={"Range": "bytes=10-19"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 206
        assert reply.headers["Content-Range"] == f"bytes 10-19/{SIZE}"
        assert reply.read() == served.read_bytes()[10:20]
    beyond = urllib.request.Request(url, headers={"Range": f"bytes={SIZE}-"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(beyond, timeout=10)
    assert refused.value.code == 416


def test_an_unknown_fault_is_refused(hub: Hub) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        control(hub, "_faults?explode=1")
    assert refused.value.code == 400
