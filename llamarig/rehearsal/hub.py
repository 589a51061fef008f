"""A stand-in for the model hub that the hub's real client accepts.

It speaks what the client needs for single files and listings: HEAD and GET on /resolve/ with the
headers of large files, Range, redirects to signed addresses, the tree and revision APIs, bearer
tokens, gated and private repositories, branches that move. It counts requests and bytes of files
(`/_stats`) and shows faults on request (`/_faults?…`, hub_faults.py).
"""

from __future__ import annotations

import argparse
import threading
import urllib.parse
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from llamarig.rehearsal.hub_content import Content, Served
from llamarig.rehearsal.hub_handler import Handler

# How soon the server notices that it shall stop.
POLL_SECONDS = 0.05


class Server(ThreadingHTTPServer):
    """The HTTP server with its content."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], content: Content) -> None:
        self.content = content
        super().__init__(address, Handler)


class Hub:
    """The hub in this process: `with Hub({repo: {file: path}}) as hub: hub.url`.

    bind: the address it listens on. The rest is as in hub_content.Content.
    """

    def __init__(
        self,
        repositories: dict[str, dict[str, Path]],
        token: str | None = None,
        gated: frozenset[str] = frozenset(),
        *,
        bind: str = "127.0.0.1",
        private: frozenset[str] = frozenset(),
        tokens: dict[str, frozenset[str]] | None = None,
        redirect_to: str | None = None,
    ) -> None:
        served = {
            name: {file: Served(path) for file, path in files.items()}
            for name, files in repositories.items()
        }
        self.content = Content(
            served, token, gated, private=private, tokens=tokens, redirect_to=redirect_to
        )
        self._bind = bind
        self._server = Server((bind, 0), self.content)

    @property
    def url(self) -> str:
        return f"http://{self._bind}:{self._server.server_address[1]}"

    def __enter__(self) -> Hub:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    """`python -m llamarig.rehearsal.hub --bind ADDRESS --port N REPO:NAME=PATH …`."""
    parser = argparse.ArgumentParser(description="Serve files as a model hub does.")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", help="said in the process list: the lab it belongs to")
    parser.add_argument("files", nargs="+", metavar="REPO:NAME=PATH")
    chosen = parser.parse_args()
    repositories: dict[str, dict[str, Served]] = {}
    for each in chosen.files:
        place, path = each.split("=", 1)
        repository, name = place.split(":", 1)
        repositories.setdefault(repository, {})[name] = Served(Path(path))
    server = Server((chosen.bind, chosen.port), Content(repositories))
    host, port = server.server_address[:2]
    print(f"serving at http://{urllib.parse.unquote(str(host))}:{port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
