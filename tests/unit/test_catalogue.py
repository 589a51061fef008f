"""What a repository offers, asked of a stand-in hub."""

from __future__ import annotations

import gzip
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from llamarig.errors import UserError
from llamarig.hub import asking, catalogue
from llamarig.hub.catalogue import GgufFile, SplitFile
from llamarig.rehearsal.hub import Hub

REPO, GATED, PRIVATE, BARE = "someone/m-GGUF", "someone/gated", "someone/private", "someone/bare"
TOKEN = "hf_secret_of_mine"
SIZES = {
    "m-MTP-Q4_K_M.gguf": 4000,
    "m-MTP-Q2_K.gguf": 2000,
    "split/m-F16-00001-of-00002.gguf": 3000,
    "split/m-F16-00002-of-00002.gguf": 1500,
    "mmproj-F16.gguf": 10,
    "m.imatrix.gguf": 10,
    "README.md": 10,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    files = {}
    for name, size in SIZES.items():
        files[name] = folder / name.replace("/", "_")
        files[name].write_bytes(bytes(size))
    repositories = {
        REPO: files, GATED: files, PRIVATE: files, BARE: {"README.md": files["README.md"]},
    }  # fmt: skip
    with Hub(repositories, gated=frozenset({GATED})) as running:
        running.content.private = frozenset({PRIVATE})
        running.content.tokens = {TOKEN: frozenset({GATED, PRIVATE})}
        yield running


def test_a_listing(hub: Hub) -> None:
    found = catalogue.listing(REPO, None, hub.url, None)
    assert (found.repo, found.revision) == (REPO, hub.content.commit(REPO))
    sha256 = {name: file.sha256 for name, file in hub.content.repositories[REPO].items()}
    assert found.files == (
        GgufFile("m-MTP-Q2_K.gguf", 2000, sha256["m-MTP-Q2_K.gguf"], "Q2_K"),
        GgufFile("m-MTP-Q4_K_M.gguf", 4000, sha256["m-MTP-Q4_K_M.gguf"], "Q4_K_M"),
    )
    assert found.split == (SplitFile("split/m-F16-00001-of-00002.gguf", 4500, 2, "F16", 2),)


def test_a_file_is_resolved_to_a_commit(hub: Hub) -> None:
    name, commit = "m-MTP-Q4_K_M.gguf", hub.content.commit(REPO)
    found = catalogue.resolve(REPO, name, None, hub.url + "/", None)
    assert (found.revision, found.size) == (commit, 4000)
    assert found.sha256 == hub.content.repositories[REPO][name].sha256
    assert found.url == f"{hub.url}/{REPO}/resolve/{commit}/{name}"


def test_a_token_opens_what_is_closed(hub: Hub) -> None:
    for repo in (GATED, PRIVATE):
        assert catalogue.resolve(repo, "m-MTP-Q2_K.gguf", "main", hub.url, TOKEN).size == 2000


@pytest.mark.parametrize(
    ("repo", "revision", "file", "token", "line"),
    [
        ("no/such", None, "", None, "model_repo: no/such not found at HUB (or private: give a tok"),
        (REPO, "v9", "", None, f"model_revision: {REPO} has no revision v9; see HUB/{REPO}"),
        (REPO, None, "", "hf_wrong", "hf_token_file: HUB refuses the token; see HUB/settings/"),
        (BARE, None, "", None, f"model_repo: {BARE} has no GGUF file; see HUB/{BARE}/tree/main"),
        (GATED, None, "a.gguf", None, f"model_repo: {GATED} is gated; accept its terms at HUB/"),
        (PRIVATE, None, "a.gguf", None, f"model_repo: {PRIVATE} not found at HUB (or private: "),
        (REPO, "v9", "a.gguf", None, f"model_revision: {REPO} has no revision v9; see HUB/{REPO}"),
        (REPO, None, "no.gguf", None, f"model_file: {REPO} has no file no.gguf; see HUB/{REPO}/"),
        (REPO, None, "a.gguf", "hf_wrong", "hf_token_file: HUB refuses the token; see HUB/setti"),
    ],
)
def test_a_refusal_is_one_line(
    hub: Hub, repo: str, revision: str | None, file: str, token: str | None, line: str
) -> None:
    ask = partial(catalogue.resolve, repo, file) if file else partial(catalogue.listing, repo)
    with pytest.raises(UserError) as refused:
        ask(revision, hub.url, token)
    assert str(refused.value).startswith(line.replace("HUB", hub.url))
    assert "\n" not in str(refused.value)
    assert "hf_wrong" not in str(refused.value)


def test_no_answer_is_told_apart(hub: Hub) -> None:
    with pytest.raises(asking.Unreachable, match=r"^http://127\.0\.0\.1:9: ConnectError: "):
        catalogue.listing(REPO, None, "http://127.0.0.1:9", None)
    urllib.request.urlopen(f"{hub.url}/_faults?status=503&times=1", timeout=10).close()
    with pytest.raises(asking.Unreachable, match="503"):
        catalogue.resolve(REPO, "m-MTP-Q2_K.gguf", None, hub.url, None)


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf", "Q4_K_M"),
        ("sub/model-IQ4_XS.gguf", "IQ4_XS"),
        ("model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-UD-IQ2_XXS.gguf", "UD-IQ2_XXS"),
        ("model.BF16.gguf", "BF16"),
        ("model-f16.gguf", "F16"),
        ("model-Q8_0-MTP.gguf", "Q8_0"),
        ("model-Q4_K_M_MTP.gguf", "Q4_K_M"),
        ("model-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("Qwen3.6-27B.gguf", ""),
    ],
)
def test_the_quantization_is_in_the_name(name: str, quant: str) -> None:
    assert catalogue.quant(name) == quant


COMMIT, DIGEST = "a" * 40, "b" * 64


class Liar(BaseHTTPRequestHandler):
    """Answers what the test says; a body without an end is sent until the other side hangs up."""

    def log_message(self, format: str, *args: object) -> None:
        """The test says what matters."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        status, headers, body, pause = self.server.said  # type: ignore[attr-defined]
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        try:
            if headers or pause is None:
                self.end_headers()
            else:
                self.flush_headers()
            while self.command == "GET" or pause:
                self.wfile.write(body)
                if pause is None:
                    return
                time.sleep(pause)
        except OSError:
            return


@contextmanager
def liar(
    body: bytes = b"", headers: dict[str, str] | None = None, *, status: int = 200,
    pause: float | None = None,
) -> Iterator[str]:  # fmt: skip
    """Its address. pause: seconds between repetitions of the body without an end; without headers
    it repeats in place of them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.daemon_threads = True
    server.said = status, headers or {}, body, pause  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def sibling(name: str, size: Any = 5, sha256: Any = DIGEST) -> dict[str, Any]:
    return {"rfilename": name, "size": size, "lfs": {"sha256": sha256}}


def listed(*siblings: Any, commit: Any = COMMIT) -> bytes:
    return json.dumps({"sha": commit, "siblings": siblings}).encode()


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (b"<html>hello</html>", "listing of a repository"),
        (b"null", "listing of a repository"),
        (b"[1, 2]", "listing of a repository"),
        (b"[" * 200_000, "listing of a repository"),
        (gzip.compress(listed()), "listing of a repository"),
        (b'{"sha": "x"}', "listing of a repository"),
        (listed("a.gguf"), "listing of a repository"),
        (listed({"rfilename": 5, "size": 5}), "listing of a repository"),
        (b'{"sha": "", "siblings": [{"rfilename": "", "size": ' + b"9" * 5000, "listing of a rep"),
        (listed(commit=None), "commit of o/m"),
        (listed(commit="../../etc"), "commit of o/m"),
        (listed(commit=COMMIT + "\n"), "commit of o/m"),
        (listed(sibling("a.gguf", None)), "size of a.gguf"),
        (listed(sibling("a.gguf", -5)), "size of a.gguf"),
        (listed(sibling("a.gguf", True)), "size of a.gguf"),
        (listed(sibling("a.gguf", 10**400)), "size of a.gguf"),
        (listed(sibling("a.gguf", 1e308)), "size of a.gguf"),
        (listed(sibling("a.gguf", 5, "../" * 21 + "x")), "sha256 of a.gguf"),
        (listed({"rfilename": "a.gguf", "size": 5, "lfs": "x"}), "sha256 of a.gguf"),
    ],
)
def test_what_is_no_listing_is_one_line(body: bytes, missing: str) -> None:
    with liar(body) as url, pytest.raises(UserError) as odd:
        catalogue.listing("o/m", None, url, None)
    assert str(odd.value).startswith(f"hf_endpoint: {url} answers no {missing}")
    assert str(odd.value).endswith("; is it a hub?")


def test_names_that_model_file_does_not_take_are_left_out() -> None:
    bad = [
        "\x1b[31mred", "a\nllamarig: forged", "a\x9b31m", "a\u202egguf", "a\ud800", "a b", "a\0b",
        "../../root/x", "/etc/x", "n" * 251, "a/" + "n" * 300 + "/a", "",
    ]  # fmt: skip
    part = "-00001-of-00002"
    names = [f"{name}{end}.gguf" for name in bad for end in ("", part)]
    good = ["ok-Q8_0.gguf", f"m-F16{part}.gguf"]
    with liar(listed(*map(sibling, [*names, *good]), sibling("empty.gguf", 0))) as url:
        found = catalogue.listing("o/m", None, url, None)
    assert [each.name for each in found.files] == good[:1]
    assert [(each.name, each.parts, each.of) for each in found.split] == [(good[1], 1, 2)]
    with liar(listed(*map(sibling, names))) as url, pytest.raises(UserError) as refused:
        catalogue.listing("o/m", None, url, None)
    line = f"model_repo: o/m has no GGUF file that model_file could name; see {url}/o/m/tree/main"
    assert str(refused.value) == line


HEADERS = {"X-Repo-Commit": COMMIT, "X-Linked-ETag": f'"{DIGEST}"', "X-Linked-Size": "5"}


def test_a_commit_that_is_asked_for_is_the_one_answered() -> None:
    other = "c" * 40
    line = f"answers no commit {other} of o/m but {COMMIT}; is it a hub"
    with liar(listed(sibling("a.gguf")), HEADERS) as url:
        assert catalogue.listing("o/m", COMMIT, url, None).revision == COMMIT
        assert catalogue.resolve("o/m", "a.gguf", COMMIT, url, None).size == 5
        with pytest.raises(UserError, match=line):
            catalogue.listing("o/m", other, url, None)
        with pytest.raises(UserError, match=line):
            catalogue.resolve("o/m", "a.gguf", other, url, None)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"X-Repo-Commit": "../../../etc"}, "hf_endpoint: HUB answers no commit of o/m; is it a "),
        ({"X-Repo-Commit": ""}, "hf_endpoint: HUB answers no commit of o/m; is it a hub?"),
        ({"X-Linked-ETag": '"' + "../" * 21 + 'x"'}, "model_file: the hub gives no sha256 for a.g"),
        ({"X-Linked-ETag": f'"{DIGEST.upper()}"'}, "model_file: the hub gives no sha256 for a.g"),
        ({"X-Linked-Size": "-5"}, "hf_endpoint: HUB answers no size of a.gguf; is it a hub?"),
        ({"X-Linked-Size": "9" * 30}, "hf_endpoint: HUB answers no size of a.gguf; is it a hub?"),
        ({"X-Linked-Size": "abc"}, "hf_endpoint: HUB answers no size of a.gguf; is it a hub?"),
        ({"X-Linked-Size": "9" * 5000}, "hf_endpoint: HUB answers no size of a.gguf"),
    ],
)
def test_what_is_no_file_is_one_line(changes: dict[str, str], line: str) -> None:
    with liar(headers=HEADERS | changes) as url, pytest.raises(UserError) as odd:
        catalogue.resolve("o/m", "a.gguf", None, url, None)
    assert str(odd.value).startswith(line.replace("HUB", url))


@pytest.mark.parametrize("status", [403, 404, 418])
def test_a_refused_listing_names_the_repository_and_nothing_steers_a_terminal(status: int) -> None:
    evil = {"X-Error-Message": "bad \x1b[31mRED\x1b]0;x\x07 \x9b31m"}
    with liar(headers=evil, status=status) as url:
        with pytest.raises(UserError) as refused:
            catalogue.listing("o/m", None, url, None)
        assert str(refused.value).startswith(f"model_repo: {url} answers {status} for o/m (bad ")
        assert str(refused.value).endswith(f"; see {url}/o/m")
        assert str(refused.value).isprintable()
        with pytest.raises(UserError) as refused:
            catalogue.resolve("o/m", "a.gguf", None, url, None)
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("status", [204, 302, 304])
def test_a_status_that_is_no_answer_is_one_line(status: int) -> None:
    with liar(status=status) as url, pytest.raises(UserError, match="answers no listing of a rep"):
        catalogue.listing("o/m", None, url, None)


def test_a_listing_without_an_end_is_hung_up_on() -> None:
    with liar(b" " * 2**20, {"X": "1"}, pause=0) as url, pytest.raises(UserError) as odd:
        catalogue.listing("o/m", None, url, None)
    assert str(odd.value).endswith("answers no listing of at most 32 MiB; is it a hub?")


def test_a_packed_listing_is_not_unpacked() -> None:
    bomb = gzip.compress(b"[" + b" " * (64 * 2**20))
    with liar(bomb, {"Content-Encoding": "gzip"}) as url, pytest.raises(UserError) as odd:
        catalogue.listing("o/m", None, url, None)
    assert str(odd.value).endswith("answers no listing of a repository; is it a hub?")


@pytest.mark.parametrize("headers", [{"X": "1"}, {}])
def test_an_answer_that_trickles_is_not_waited_for(headers: dict[str, str]) -> None:
    """Byte by byte in its body, and in its head."""
    with liar(b"x", headers, pause=0.05) as url:
        with pytest.raises(asking.Unreachable) as slow:
            catalogue.listing("o/m", None, url, None, limit=0.5)
        line = f"{url} took more than 0.5 s to answer; run the same command again"
        assert str(slow.value) == line
        if not headers:
            with pytest.raises(asking.Unreachable, match=r"took more than 0\.5 s"):
                catalogue.resolve("o/m", "a.gguf", None, url, None, limit=0.5)
