"""The stand-in hub, judged by the hub's real client, in processes of its own as on a host."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.hub_faults import Asked

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


def at(hub: Hub, words: str = f"{REPO}/resolve/main/{NAME}") -> str:
    return f"{hub.url}/{words}"


def ask(
    url: str, method: str = "GET", first: int = 0, token: str | None = None
) -> tuple[int, Message, bytes]:
    """(status, headers, body), whatever the status; redirects are followed as urllib does."""
    request = urllib.request.Request(url, method=method)
    if first:
        request.add_header("Range", f"bytes={first}-")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


def test_a_cut_at_a_place_of_the_file_spares_what_starts_after_it(hub: Hub) -> None:
    place = SIZE // 2 + 1
    control(hub, f"_faults?drop_at={place}&times=2")
    assert ask(at(hub), "HEAD")[0] == 200  # has no bytes, so it uses nothing up
    for first in (0, 1000):
        with pytest.raises(http.client.IncompleteRead) as cut:
            ask(at(hub), first=first)
        assert len(cut.value.partial) == place - first
    assert len(ask(at(hub), first=place)[2]) == SIZE - place
    assert control(hub, "_stats?reset=1")["bytes"] == place + place - 1000 + SIZE - place
    assert len(ask(at(hub))[2]) == SIZE  # both times are over


def test_a_reset_is_one(hub: Hub) -> None:
    control(hub, f"_faults?reset_at={SIZE // 2}")
    with pytest.raises(ConnectionResetError):
        ask(at(hub))
    control(hub, f"_faults?reset={SIZE // 2}")
    with pytest.raises(ConnectionResetError):
        ask(at(hub), first=100)
    assert len(ask(at(hub), first=SIZE // 2 + 1)[2]) == SIZE // 2 - 1


def test_busy_and_told_to_come_back(hub: Hub) -> None:
    control(hub, "_faults?status=429&retry_after=7&times=1")
    status, headers, _ = ask(at(hub))
    assert (status, headers["Retry-After"]) == (429, "7")
    control(hub, "_faults?status=503&times=3&downloads=1")
    assert ask(at(hub), "HEAD")[0] == 200
    look = urllib.request.Request(at(hub), headers={"Range": "bytes=0-9"})
    with urllib.request.urlopen(look, timeout=10) as reply:
        assert reply.status == 206
    assert [ask(at(hub))[0] for _ in range(4)] == [503, 503, 503, 200]


def test_a_rate_holds_when_other_faults_are_over(hub: Hub) -> None:
    control(hub, "_faults?status=503&slow=1000000000&times=1")
    whole = Asked(True, 0, SIZE - 1, SIZE)
    assert hub.content.faults.take(whole) == {"status": 503, "slow": 10**9}
    assert hub.content.faults.take(whole) == {"slow": 10**9}


def test_a_branch_moves_and_its_old_commit_stays(hub: Hub, served: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"other" * 1000)
    before = hub.content.commit(REPO)
    after = hub.content.move(REPO, NAME, other)
    assert after != before
    _, headers, body = ask(at(hub))
    assert (headers["X-Repo-Commit"], body) == (after, other.read_bytes())
    _, headers, body = ask(at(hub, f"{REPO}/resolve/{before}/{NAME}"))
    assert (headers["X-Repo-Commit"], body) == (before, served.read_bytes())
    listed = {
        revision: json.loads(ask(at(hub, f"api/models/{REPO}/tree/{revision}"))[2])[0]["size"]
        for revision in ("main", before, after)
    }
    assert listed == {"main": 5000, before: SIZE, after: 5000}


@pytest.mark.parametrize(
    ("token", "repo", "answer"),
    [
        (None, "gated", (401, "GatedRepo")),
        ("hf_without_access", "gated", (403, "GatedRepo")),
        ("hf_with_access", "gated", (200, None)),
        (None, "private", (401, "RepoNotFound")),
        ("hf_without_access", "private", (404, "RepoNotFound")),
        ("hf_with_access", "private", (200, None)),
        ("hf_wrong", "gated", (401, None)),
        ("hf_wrong", "open", (401, None)),
        (None, "open", (200, None)),
    ],
)
def test_who_may_see_what(
    served: Path, token: str | None, repo: str, answer: tuple[int, str | None]
) -> None:
    gated, private = "someone/gated", "someone/private"
    tokens = {"hf_with_access": frozenset({gated, private}), "hf_without_access": frozenset[str]()}
    repositories = {f"someone/{name}": {NAME: served} for name in ("gated", "private", "open")}
    with Hub(
        repositories, gated=frozenset({gated}), private=frozenset({private}), tokens=tokens
    ) as hub:
        url = at(hub, f"someone/{repo}/resolve/main/{NAME}")
        status, headers, _ = ask(url, "HEAD", token=token)
        assert (status, headers["X-Error-Code"]) == answer
        api = ask(at(hub, f"api/models/someone/{repo}"), token=token)[0]
        assert api == (200 if repo == "gated" and token != "hf_wrong" else answer[0])


def test_a_redirect_is_signed_and_must_not_get_the_token(served: Path, tmp_path: Path) -> None:
    with Hub({REPO: {NAME: served}}, redirect_to="localhost") as hub:
        assert download(hub, tmp_path, token="hf_secret").returncode == 0
        stats = control(hub, "_stats?reset=1")
        assert (stats["bytes"], "token leaked" in stats) == (SIZE, False)
        assert len(ask(at(hub), token="hf_secret")[2]) == SIZE  # urllib takes it along
        assert control(hub, "_stats")["token leaked"] == 1
        unsigned = f"_signed/{REPO}/resolve/{hub.content.commit(REPO)}/{NAME}"
        assert ask(at(hub, f"{unsigned}?X-Amz-Signature=0"))[0] == 403


def test_it_listens_where_it_is_told_and_counts_by_file(served: Path) -> None:
    with Hub({REPO: {NAME: served}}, bind="127.0.0.2") as hub:
        assert hub.url.startswith("http://127.0.0.2:")
        ask(at(hub), first=SIZE - 10)
        assert control(hub, "_stats")[f"bytes {NAME}"] == 10
