"""A stand-in for the model hub that the hub's real client accepts.

It speaks what the client needs for single files and listings: HEAD and GET on /resolve/ with the
headers of large files, Range, the tree and revision APIs, bearer tokens, gated repositories. It
counts requests and bytes (`/_stats`) and shows faults on request (`/_faults?…`, hub_faults.py).
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


class Server(ThreadingHTTPServer):
    """The HTTP server with its content."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], content: Content) -> None:
        self.content = content
        super().__init__(address, Handler)


class Hub:
    """The hub in this process: `with Hub({repo: {file: path}}) as hub: hub.url`."""

    def __init__(
        self,
        repositories: dict[str, dict[str, Path]],
        token: str | None = None,
        gated: frozenset[str] = frozenset(),
    ) -> None:
        served = {
            name: {file: Served(path) for file, path in files.items()}
            for name, files in repositories.items()
        }
        self.content = Content(served, token, gated)
        self._server = Server(("127.0.0.1", 0), self.content)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
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
