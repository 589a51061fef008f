"""Headers by HTTP range, from a stand-in hub and from servers that do as they like."""

from __future__ import annotations

import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gguf_shapes import make

from llamarig.errors import UserError
from llamarig.hub import asking, catalogue, remote_header
from llamarig.onhost.gguf_header import read
from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

REPO = "someone/models-GGUF"
TOKEN = "hf_secret"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    small, cut, page = folder / "small.gguf", folder / "cut.gguf", folder / "page.gguf"
    model.make(small, Shape(layers=4))
    cut.write_bytes(small.read_bytes()[:9000])
    page.write_text("<html>" * 100_000)
    large = make(folder / "large.gguf", vocabulary=150_000, weights=48 * 2**20)
    endless = folder / "endless.gguf"
    # An array of 2**40 strings in a file of 100 MiB.
    counts = struct.pack("<IQQ", 3, 0, 1)
    endless.write_bytes(b"GGUF" + counts + struct.pack("<QcIIQ", 1, b"k", 9, 8, 2**40))
    with endless.open("r+b") as file:
        file.truncate(100 * 2**20)
    return {each.name: each for each in (small, cut, page, large, endless)}


@pytest.fixture
def hub(files: dict[str, Path]) -> Iterator[Hub]:
    with Hub({REPO: files}) as running:
        yield running


def address(hub: Hub, name: str) -> str:
    return catalogue.url(REPO, name, "main", hub.url)


def test_a_small_model_takes_one_request(hub: Hub, files: dict[str, Path]) -> None:
    found = remote_header.read(address(hub, "small.gguf"), None)
    assert found.header == read(str(files["small.gguf"]))
    assert (found.requests, found.bytes) == (1, 256 * 2**10)
    assert hub.content.stats()["requests"] == 1


def test_a_large_vocabulary_takes_a_few_doublings(hub: Hub, files: dict[str, Path]) -> None:
    found = remote_header.read(address(hub, "large.gguf"), None)
    assert found.header == read(str(files["large.gguf"]))
    assert (found.requests, found.bytes) == (6, 8 * 2**20)
    assert hub.content.stats()["bytes"] == 8 * 2**20


def test_a_server_without_ranges_is_hung_up_on(hub: Hub, files: dict[str, Path]) -> None:
    urllib.request.urlopen(f"{hub.url}/_faults?norange=1", timeout=10).close()
    found = remote_header.read(address(hub, "small.gguf"), None)
    assert found.header == read(str(files["small.gguf"]))
    found = remote_header.read(address(hub, "large.gguf"), None)
    assert (found.header.vocabulary, found.bytes) == (150_000, 8 * 2**20)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut.gguf", "the header is cut off"),
        ("page.gguf", "not a GGUF file"),
        ("endless.gguf", "more than 64 MiB"),
    ],
)
def test_what_is_no_header_is_one_line(hub: Hub, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        remote_header.read(address(hub, name), None)
    assert str(refused.value).startswith(f"model_file: {name}: ")
    assert hub.content.stats()["bytes"] <= 256 * 2**10


def test_a_refusal_is_one_line(hub: Hub) -> None:
    with pytest.raises(UserError, match=f"model_file: {REPO} has no file no.gguf; see {hub.url}"):
        remote_header.read(address(hub, "no.gguf"), None)


def test_no_answer_is_told_apart_and_shows_no_address(hub: Hub) -> None:
    urllib.request.urlopen(f"{hub.url}/_faults?status=503", timeout=10).close()
    with pytest.raises(asking.Unreachable) as busy:
        remote_header.read(address(hub, "small.gguf"), None)
    assert str(busy.value) == f"{hub.url} answers 503; run the same command again"
    with pytest.raises(asking.Unreachable, match="ConnectError"):
        remote_header.read(f"http://127.0.0.1:9/{REPO}/resolve/main/a.gguf", None)


def test_the_token_goes_to_its_own_host_alone(files: dict[str, Path]) -> None:
    with Hub({REPO: files}, token=TOKEN) as hub:
        with pytest.raises(UserError, match="token") as refused:
            remote_header.read(address(hub, "small.gguf"), "hf_wrong")
        assert "hf_wrong" not in str(refused.value)
        hub.content.redirect_to = "localhost"
        found = remote_header.read(address(hub, "small.gguf"), TOKEN)
        assert found.requests == 2
        assert found.header.block_count == 5
        assert "token leaked" not in hub.content.stats()


class Trickle(BaseHTTPRequestHandler):
    """Ignores ranges and sends zeros without an end."""

    def log_message(self, format: str, *args: object) -> None:
        """The test says what matters."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"GGUF\x03\0\0\0")
        try:
            while True:
                self.wfile.write(bytes(65536))
        except OSError:
            self.server.hung_up.set()  # type: ignore[attr-defined]


def test_a_body_without_an_end_is_not_waited_for() -> None:
    with serving(Trickle) as (url, server):
        found = remote_header.read(url, None)
        assert (found.header.tensor_count, found.bytes) == (0, 256 * 2**10)
        assert server.hung_up.wait(30)  # type: ignore[attr-defined]


class Slow(Trickle):
    """Sends a byte now and then."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"G")
                time.sleep(0.05)
        except OSError:
            return


def test_a_body_that_trickles_is_not_waited_for() -> None:
    with serving(Slow) as (url, _), pytest.raises(asking.Unreachable, match="took more than"):
        remote_header.read(url, None, limit=0.5)


class Elsewhere(Trickle):
    """Answers a range as the test says."""

    def do_GET(self) -> None:
        self.send_response(206)
        self.send_header("X-Linked-Size", "5000")
        self.send_header("Content-Length", "24")
        if said := self.server.said:  # type: ignore[attr-defined]
            self.send_header("Content-Range", said)
        self.end_headers()
        self.wfile.write(b"GGUF\x03" + bytes(19))


@pytest.mark.parametrize(
    ("said", "size", "right"),
    [
        ("bytes 0-23/5000", None, True),
        ("bytes 0-23/*", 5000, True),
        ("bytes 0-23/5000", 5000, True),
        ("bytes 500-523/5000", None, False),
        ("bytes 0-999999/5000", None, False),
        ("bytes 0-23/5001", None, False),
        ("bytes 0-23/5000", 6000, False),
        ("\x1b[31mno", None, False),
        ("", None, False),
    ],
)
def test_other_bytes_than_asked_for_are_one_line(said: str, size: int | None, right: bool) -> None:
    with serving(Elsewhere) as (url, server):
        server.said = said  # type: ignore[attr-defined]
        if right:
            assert remote_header.read(url, None, size=size).header.tensor_count == 0
            return
        with pytest.raises(UserError) as odd:
            remote_header.read(url, None, size=size)
    where = url.partition(f"/{REPO}")[0]
    line = f"hf_endpoint: {where} answers no bytes 0 to 262143 of a.gguf but others; is it a hub?"
    assert str(odd.value) == line


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """A model's address, and its server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.hung_up = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{REPO}/resolve/main/a.gguf", server
    finally:
        server.shutdown()
        server.server_close()
