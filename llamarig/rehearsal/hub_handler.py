"""The stand-in hub's answers, request by request."""

from __future__ import annotations

import json
import socket
import struct
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamarig.rehearsal.hub_content import Content, Served

CHUNK = 256 * 1024


class Handler(BaseHTTPRequestHandler):
    """One connection. Errors carry the headers by which the client tells them apart."""

    protocol_version = "HTTP/1.1"

    @property
    def content(self) -> Content:
        found: Content = self.server.content  # type: ignore[attr-defined]
        return found

    def log_message(self, format: str, *args: Any) -> None:
        """The counters are the log."""

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._route()

    def _route(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(parts.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        if path == "/_stats":
            return self._json(200, self.content.stats(reset="reset" in query))
        if path == "/_faults":
            return self._set_faults(query)
        self.content.count("requests")
        self.content.count(f"{self.command} {path}")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.content.token and token != self.content.token:
            return self._error(401, "", "Invalid credentials in Authorization header")
        if path.startswith("/api/models/"):
            return self._api(path.removeprefix("/api/models/"))
        return self._resolve(path, token)

    def _set_faults(self, query: dict[str, str]) -> None:
        try:
            self.content.faults.set(query)
        except ValueError as error:
            return self._json(400, {"error": str(error)})
        return self._json(200, self.content.faults.values)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._json(status, {"error": message}, headers)

    def _repository(self, path: str) -> tuple[str, str] | None:
        """(repository, rest of the path), where the repository is one of ours."""
        for name in self.content.repositories:
            if path == name or path.startswith(f"{name}/"):
                return name, path[len(name) :].strip("/")
        return None

    def _listing(self, repository: str) -> list[dict[str, Any]]:
        return [
            {
                "type": "file", "path": name, "size": file.size, "oid": file.sha256[:40],
                "lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134},
            }
            for name, file in sorted(self.content.repositories[repository].items())
        ]  # fmt: skip

    def _api(self, path: str) -> None:
        found = self._repository(path)
        if found is None:
            # The real hub does not tell a missing repository from a private one.
            return self._error(401, "RepoNotFound", "Repository not found")
        repository, rest = found
        commit = self.content.commit(repository)
        verb, _, revision = rest.partition("/")
        if verb in ("revision", "tree") and revision.split("/")[0] not in ("main", commit):
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        listing = self._listing(repository)
        if verb in ("", "revision"):
            siblings = [{"rfilename": each["path"], **each} for each in listing]
            return self._json(
                200,
                {
                    "id": repository, "modelId": repository, "sha": commit, "private": False,
                    "gated": repository in self.content.gated, "disabled": False, "tags": [],
                    "downloads": 0, "likes": 0, "siblings": siblings,
                },
            )  # fmt: skip
        if verb in ("tree", "paths-info"):
            return self._json(200, listing)
        if verb == "refs":
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": commit}
            return self._json(200, {"branches": [main], "tags": [], "converts": []})
        return self._error(404, "EntryNotFound", "no such page")

    def _resolve(self, path: str, token: str) -> None:
        found = self._repository(path.lstrip("/"))
        if found is None or not found[1].startswith("resolve/"):
            return self._error(401, "RepoNotFound", "Repository not found")
        repository, rest = found
        if repository in self.content.gated and not token.startswith("hf_"):
            message = f"Access to model {repository} is restricted"
            return self._error(403 if token else 401, "GatedRepo", message)
        revision, _, name = rest.removeprefix("resolve/").partition("/")
        commit = self.content.commit(repository)
        if revision not in ("main", commit):
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = self.content.repositories[repository].get(name)
        if file is None:
            return self._error(404, "EntryNotFound", "Entry not found")
        faults = self.content.faults.take()
        if "status" in faults:
            return self._json(faults["status"], {"error": "told to fail"})
        return self._send(file, commit, faults)

    def _send(self, file: Served, commit: str, faults: dict[str, int]) -> None:
        size = file.size
        first, last, partial = 0, size - 1, False
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and "norange" not in faults:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first = int(start) if start else size - int(end)
            last = min(int(end), last) if start and end else last
            partial = True
            if first >= size:
                return self._json(416, {}, {"Content-Range": f"bytes */{size}"})
        count = min(last - first + 1, faults.get("truncated", size))
        self.send_response(206 if partial else 200)
        headers = {
            "X-Repo-Commit": commit, "ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes",
            "X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(size),
            "Content-Type": "application/octet-stream", "Content-Length": str(count),
        }  # fmt: skip
        if partial:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command == "GET":
            self._body_of(file, first, count, faults)
        return None

    def _body_of(self, file: Served, first: int, count: int, faults: dict[str, int]) -> None:
        cut = faults.get("drop", faults.get("reset"))
        sent = 0
        with file.path.open("rb") as source:
            source.seek(first)
            try:
                while sent < count:
                    chunk = bytearray(source.read(min(CHUNK, count - sent)))
                    place = faults.get("corrupt", -1) - first - sent
                    if 0 <= place < len(chunk):
                        chunk[place] ^= 1
                    if cut is not None and sent + len(chunk) > cut:
                        self.wfile.write(chunk[: max(0, cut - sent)])
                        return self._hang_up(hard="reset" in faults)
                    self.wfile.write(chunk)
                    sent += len(chunk)
                    self.content.count("bytes", len(chunk))
                    if faults.get("slow"):
                        time.sleep(len(chunk) / faults["slow"])
                    if faults.get("stall") and sent == len(chunk):
                        time.sleep(faults["stall"])
            except (BrokenPipeError, ConnectionResetError):
                self.content.count("client gone")
                self.close_connection = True
        return None

    def _hang_up(self, *, hard: bool) -> None:
        self.content.count("dropped")
        self.wfile.flush()
        if hard:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
