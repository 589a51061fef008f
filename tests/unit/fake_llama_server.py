"""The other side of a live measurement: answers as llama-server b11434 does, at a chosen speed."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Fake:
    """tps: decode speed of the answers; key: asked for unless empty; slots: 0 for a server that
    does not tell of them; busy: looks at /slots during which a user is served, None for ever; come:
    after so many answers of ours users come for good; neighbour: another user's request in the
    second slot during each of ours; health: the status of /health; text: of every answer."""

    tps: float = 90.0
    key: str = ""
    slots: int = 1
    busy: int | None = 0
    come: int = 1000
    neighbour: bool = False
    health: int = 200
    text: str = "It is {seed} of one and half a dozen of another, in words."
    asked: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[int | None] = field(default_factory=list)
    looks: int = 0
    port: int = 0

    @property
    def address(self) -> dict[str, Any]:
        return {"bind": "127.0.0.1", "port": self.port, "scheme": "http"}

    def list_slots(self) -> list[dict[str, Any]]:
        self.looks += 1
        serving = self.busy is None or self.looks <= self.busy or len(self.asked) >= self.come
        found = []
        for number in range(self.slots):
            each: dict[str, Any] = {"id": number, "n_ctx": 8192, "speculative": True}
            each["is_processing"] = serving and number == 0
            if self.tasks[number] is not None:
                each |= {"id_task": self.tasks[number], "n_prompt_tokens": 150, "params": {}}
            found.append(each)
        return found

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        tokens = body["max_tokens"]
        self.tasks[0] = 2 * len(self.asked)
        if self.neighbour:
            self.tasks[1] = 2 * len(self.asked) + 1
        # A little apart, as real figures are.
        tps = self.tps * (1 + 0.01 * (len(self.asked) % 3 - 1))
        return {
            "choices": [{"message": {"content": self.text.format(**body)}}],
            "timings": {
                "prompt_n": 20, "prompt_per_second": 500.0, "predicted_n": tokens,
                "predicted_per_second": tps, "draft_n": tokens, "draft_n_accepted": tokens * 2 // 3,
            },
        }  # fmt: skip


@contextmanager
def running(fake: Fake, certificate: Path | None = None) -> Iterator[Fake]:
    """Serve on loopback; certificate: a PEM file with its key, for https."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self.send_response(fake.health)
                self.end_headers()
                return
            known = self.path == "/slots" and fake.slots > 0
            self._reply(fake.list_slots() if known else None)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            self._reply(fake.answer(body) if self.path == "/v1/chat/completions" else None)

        def _reply(self, document: Any) -> None:
            allowed = not fake.key or self.headers["Authorization"] == f"Bearer {fake.key}"
            self.send_response((200 if document is not None else 501) if allowed else 401)
            self.end_headers()
            self.wfile.write(json.dumps(document if allowed else {"error": "no"}).encode())

        def log_message(self, *words: object) -> None:
            pass

    fake.tasks = [None] * fake.slots
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        fake.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield fake
        server.shutdown()
