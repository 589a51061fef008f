"""The bytes and what keeps them from coming, against the stand-in hub's faults."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llamarig.onhost import curl
from llamarig.onhost.errors import Stop
from llamarig.onhost.hub_cache import remove
from llamarig.onhost.transfer import Patience, Transfer, retry_after
from llamarig.rehearsal.hub import Hub

REPO, NAME = "someone/padded-GGUF", "padded.gguf"
SIZE = 40 * 10**6
CHUNK = 256 * 1024
QUICK = Patience(tries=4, first_wait=0.01)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("content") / NAME
    path.write_bytes(hashlib.shake_128(b"llamarig").digest(SIZE))
    return path


@pytest.fixture(scope="module")
def hub(content: Path) -> Iterator[Hub]:
    with Hub({REPO: {NAME: content}}) as running:
        yield running


@pytest.fixture(autouse=True)
def well(hub: Hub) -> None:
    hub.content.faults.set({})
    hub.content.stats(reset=True)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    yield handle
    os.close(handle)


def request_for(hub: Hub, folder: Path) -> curl.Request:
    return curl.Request(f"{hub.url}/{REPO}/resolve/main/{NAME}", None, str(folder / "partial"))


def refused(status: int, headers: dict[str, str]) -> Stop:
    return Stop(f"refused with {status}")


def fetch(request: curl.Request, lock: int) -> None:
    Transfer(request, SIZE, refused, QUICK).run(lock)


@pytest.mark.parametrize(
    "faults",
    [
        {"drop": SIZE // 10, "times": 1},
        {"drop": SIZE * 99 // 100, "times": 1},
        {"drop": SIZE // 5},
        # At full speed a reset also loses megabytes that wait in the kernel.
        {"reset": SIZE // 2, "slow": SIZE, "times": 1},
        {"status": 503, "times": 3},
        {"status": 429, "times": 1},
        {"truncated": SIZE // 2, "times": 1},
    ],
)
def test_the_file_is_whole_at_the_end_and_nothing_came_twice(
    hub: Hub, content: Path, tmp_path: Path, lock: int, faults: dict[str, int]
) -> None:
    hub.content.faults.set({name: str(value) for name, value in faults.items()})
    fetch(request_for(hub, tmp_path), lock)
    assert (tmp_path / "partial").read_bytes() == content.read_bytes()
    assert hub.content.stats()["bytes"] <= SIZE * 1.02 + CHUNK


def test_a_stall_is_left_and_the_rest_fetched(
    hub: Hub, content: Path, tmp_path: Path, lock: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.content.faults.set({"stall": "30", "times": "1"})
    fetch(replace(request_for(hub, tmp_path), stall_seconds=1, stalled_rate=2**20), lock)
    assert (tmp_path / "partial").read_bytes() == content.read_bytes()
    assert "too slow" in capsys.readouterr().out


def test_what_an_earlier_process_left_is_not_fetched_again(
    hub: Hub, content: Path, tmp_path: Path, lock: int
) -> None:
    (tmp_path / "partial").write_bytes(content.read_bytes()[: SIZE * 9 // 10])
    fetch(request_for(hub, tmp_path), lock)
    assert (tmp_path / "partial").read_bytes() == content.read_bytes()
    assert hub.content.stats()["bytes"] <= SIZE // 10 + CHUNK


@pytest.mark.parametrize("before", [SIZE // 2, SIZE + 1])
def test_a_file_that_can_not_be_continued_is_fetched_anew(
    hub: Hub, content: Path, tmp_path: Path, lock: int, before: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    hub.content.faults.set({"norange": "1"})
    (tmp_path / "partial").write_bytes(bytes(before))
    fetch(request_for(hub, tmp_path), lock)
    assert (tmp_path / "partial").read_bytes() == content.read_bytes()
    assert capsys.readouterr().out.count("starting over") == 1


def test_a_server_without_range_that_always_drops_is_given_up(
    hub: Hub, tmp_path: Path, lock: int
) -> None:
    hub.content.faults.set({"norange": "1", "drop": str(SIZE // 2)})
    with pytest.raises(Stop, match="does not send parts of a file, and that again"):
        fetch(request_for(hub, tmp_path), lock)


@pytest.mark.parametrize("faults", [{"status": "503"}, {"drop": "1"}])
def test_tries_that_bring_nothing_end(
    hub: Hub, tmp_path: Path, lock: int, faults: dict[str, str]
) -> None:
    hub.content.faults.set(faults)
    with pytest.raises(Stop, match=r"4 tries in a row brought nothing, .* GiB are kept"):
        fetch(request_for(hub, tmp_path), lock)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_tried_again(hub: Hub, tmp_path: Path, lock: int, status: int) -> None:
    hub.content.faults.set({"status": str(status)})
    with pytest.raises(Stop, match=f"refused with {status}"):
        fetch(request_for(hub, tmp_path), lock)
    assert hub.content.stats()["requests"] == 1


def test_an_address_that_nobody_serves_is_one_line(tmp_path: Path, lock: int) -> None:
    request = curl.Request("http://127.0.0.1:9/file", None, str(tmp_path / "partial"))
    with pytest.raises(Stop, match=r"^127\.0\.0\.1: curl: \(7\)") as stop:
        fetch(request, lock)
    assert "\n" not in str(stop.value)


def test_a_folder_without_curl_says_so(
    hub: Hub, tmp_path: Path, lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Stop, match="install the package curl"):
        fetch(request_for(hub, tmp_path), lock)


def test_a_redirect_to_another_host_gets_no_token(
    hub: Hub, content: Path, tmp_path: Path, lock: int
) -> None:
    seen: list[str | None] = []

    class First(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(302)
            self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Second(First):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"0123456789")

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), each) for each in (First, Second)]
    servers[0].target = f"http://localhost:{servers[1].server_port}/signed?a=1"  # type: ignore[attr-defined]
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    request = curl.Request(
        f"http://127.0.0.1:{servers[0].server_port}/f", "hf_secret", str(tmp_path / "partial")
    )
    Transfer(request, 10, refused, QUICK).run(lock)
    for each in servers:
        each.shutdown()
        each.server_close()
    assert seen == ["Bearer hf_secret", None]
    assert (tmp_path / "partial").read_bytes() == b"0123456789"


def test_names_with_quotes_and_brackets_reach_curl_whole(
    hub: Hub, content: Path, tmp_path: Path, lock: int
) -> None:
    path = tmp_path / 'a "quoted" \\ [1-3] #1'
    fetch(replace(request_for(hub, tmp_path), path=str(path)), lock)
    assert path.stat().st_size == SIZE
    remove(str(path))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "9999"}, 120),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 50),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=12;t=55'}, 0),
    ],
)
def test_how_long_a_server_makes_us_wait(headers: dict[str, str], seconds: int) -> None:
    assert retry_after(headers, now=50) == seconds
