"""The pieces of a switch that need no systemd: links, history, health, text, pruning."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamarig.cli import rollback as rollback_cli
from llamarig.onhost import history, listening, switch, text
from llamarig.tasks.facts.generation import Generation, GenerationState
from llamarig.tasks.generation_prune import surplus
from llamarig.tasks.rollback import TO


def test_links_name_generations_and_anything_else_names_none(tmp_path: Path) -> None:
    os.symlink("generations/12", tmp_path / "current")
    os.symlink("elsewhere", tmp_path / "previous")
    assert switch.named(str(tmp_path), "current") == 12
    assert switch.named(str(tmp_path), "previous") is None
    assert switch.named(str(tmp_path), "nothing") is None


def test_history_adds_a_line_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.jsonl"
    history.append(str(path), generation=1, result="live")
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["generation"] == 1
    assert json.loads(line)["when"] > 0
    path.write_text("{}\n" * (2 * history.MOST_LINES))
    history.append(str(path), generation=2)
    lines = path.read_text().splitlines()
    assert len(lines) == history.MOST_LINES
    assert json.loads(lines[-1])["generation"] == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", "5", '{"to": 2}'])
def test_a_damaged_transaction_stops_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "transaction.json"
    path.write_text(text)
    switch.settle({"root": str(tmp_path), "transaction": str(path)})
    assert not path.exists()


def test_a_history_that_can_not_be_written_undoes_no_switch(tmp_path: Path) -> None:
    path, log = tmp_path / "transaction.json", tmp_path / "history.jsonl"
    log.mkdir()
    path.write_text("{}")
    config = {"history": str(log), "who": "me", "action": "up", "settings": "x"}
    found = {"to": 2, "from": 1, "stopped": None}
    switch._over({**config, "transaction": str(path)}, found, "live", "")
    assert not path.exists()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ({"bind": "0.0.0.0", "port": 8080}, "http://127.0.0.1:8080/health"),
        ({"bind": "::", "port": 8080, "scheme": "https"}, "https://[::1]:8080/health"),
        ({"bind": "fd00::7", "port": 1024, "scheme": "http"}, "http://[fd00::7]:1024/health"),
        ({"bind": "10.0.0.7", "port": 8080, "scheme": "http"}, "http://10.0.0.7:8080/health"),
    ],
)
def test_the_host_reaches_itself_at_what_it_listens_on(
    address: dict[str, object], found: str
) -> None:
    assert listening.url(address, "/health") == found


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_health_is_asked_past_any_proxy_and_the_port_has_an_owner(
    server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    port = server.server_address[1]
    address = {"bind": "127.0.0.1", "port": port}
    assert listening.status(address) == 200
    assert listening.status(address, "/other") == 503
    assert listening.status({"bind": "127.0.0.1", "port": 9}) == 0
    assert listening.owns_port(os.getpid(), port)
    assert not listening.owns_port(1, port)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("one two three four five six seven", False),
        ("ok", False),
        ("////////////////////////////////", True),
        ("ab ab ab ab ab ab ab ab ab ab ab ab", True),
        ("   \n", True),
        ("\ufffd\ufffd\ufffdx", True),
        ("no no no", False),
    ],
)
def test_garbage_is_told_from_text(said: str, wrong: bool) -> None:
    assert (text.garbage(said) is not None) is wrong


def state(numbers: list[int], current: int | None, previous: int | None) -> GenerationState:
    every = [Generation(each, f"d{each}", {"release": f"r{each}"}, None) for each in numbers]
    return GenerationState(current, previous, False, every)


def test_pruning_spares_the_live_the_previous_and_the_newest_three() -> None:
    gone = surplus(state([1, 2, 3, 4, 5, 6, 7, 8], current=8, previous=2))
    assert [each.number for each in gone] == [1, 3, 4]
    assert surplus(state([1, 2, 3, 4, 5], current=1, previous=None)) == [
        each for each in state([2], None, None).all
    ]
    assert surplus(state([], None, None)) == []


def test_the_command_and_its_story_name_the_number_alike() -> None:
    assert rollback_cli.TO == TO
