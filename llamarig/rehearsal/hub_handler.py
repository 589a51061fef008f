"""The stand-in hub's answers, request by request."""

from __future__ import annotations

import json
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from llamarig.rehearsal import hub_body
from llamarig.rehearsal.hub_content import INVALID
from llamarig.rehearsal.hub_faults import Asked

if TYPE_CHECKING:
    from llamarig.rehearsal.hub_content import Content, Files, Served

# Addresses below it are signed and need no token, as those of the real hub's content network.
SIGNED = "/_signed/"


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
        if path.startswith(SIGNED):
            return self._signed(path, query)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.content.invalid(token):
            return self._error(401, "", INVALID)
        if path.startswith("/api/models/"):
            return self._api(path.removeprefix("/api/models/"), token)
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

    @staticmethod
    def _listing(files: Files) -> list[dict[str, Any]]:
        return [
            {
                "type": "file", "path": name, "size": file.size, "oid": file.sha256[:40],
                "lfs": {
                    "oid": file.sha256, "sha256": file.sha256, "size": file.size,
                    "pointerSize": 134,
                },
            }
            for name, file in sorted(files.items())
        ]  # fmt: skip

    def _api(self, path: str, token: str) -> None:
        found = self._repository(path)
        if found is None:
            # The real hub does not tell a missing repository from a private one.
            return self._error(401, "RepoNotFound", "Repository not found")
        refused = self.content.refusal(found[0], token)
        if refused and refused.code == "RepoNotFound":  # what is in a gated one, all may see
            return self._error(refused.status, refused.code, refused.message)
        repository, rest = found
        verb, _, revision = rest.partition("/")
        named = revision.split("/")[0] if verb in ("revision", "tree", "paths-info") else "main"
        at = self.content.at(repository, named)
        if at is None:
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        commit, files = at
        listing = self._listing(files)
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
        if refused := self.content.refusal(repository, token):
            return self._error(refused.status, refused.code, refused.message)
        revision, _, name = rest.removeprefix("resolve/").partition("/")
        at = self.content.at(repository, revision)
        if at is None:
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        commit, files = at
        if name not in files:
            return self._error(404, "EntryNotFound", "Entry not found")
        if self.content.redirect_to:
            return self._redirect(f"{SIGNED}{repository}/resolve/{commit}/{name}", files[name])
        return self._send(files[name], commit)

    @staticmethod
    def _large(file: Served, commit: str) -> dict[str, str]:
        """The headers by which the client knows a large file."""
        return {
            "X-Repo-Commit": commit, "ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes",
            "X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size),
        }  # fmt: skip

    def _redirect(self, path: str, file: Served) -> None:
        """To the content network: this server's port by another name."""
        port = self.connection.getsockname()[1]
        query = f"X-Amz-Expires=3600&X-Amz-Signature={self.content.signature(path)}"
        place = f"http://{self.content.redirect_to}:{port}{urllib.parse.quote(path)}?{query}"
        commit = path.rpartition("/resolve/")[2].partition("/")[0]
        self._json(302, {}, {**self._large(file, commit), "Location": place})

    def _signed(self, path: str, query: dict[str, str]) -> None:
        if "Authorization" in self.headers:
            self.content.count("token leaked")
        if query.get("X-Amz-Signature") != self.content.signature(path):
            return self._json(403, {"error": "the address is not signed"})
        repository, rest = self._repository(path.removeprefix(SIGNED)) or ("", "")
        commit, _, name = rest.removeprefix("resolve/").partition("/")
        _, files = self.content.at(repository, commit) or ("", {})
        return self._send(files[name], commit)

    def _range(self, size: int) -> tuple[int, int] | None:
        """(first, last) byte that is asked for by Range; None: the whole file is."""
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes="):
            return None
        start, _, end = wanted.removeprefix("bytes=").partition("-")
        first = int(start) if start else size - int(end)
        return first, min(int(end), size - 1) if start and end else size - 1

    def _send(self, file: Served, commit: str) -> None:
        size = file.size
        asked = self._range(size)
        first, last = asked or (0, size - 1)
        faults = self.content.faults.take(Asked(self.command == "GET", first, last, size))
        if "status" in faults:
            wait = faults.get("retry_after")
            headers = {} if wait is None else {"Retry-After": str(wait)}
            return self._json(faults["status"], {"error": "told to fail"}, headers)
        if "norange" in faults:
            asked, first, last = None, 0, size - 1
        if first >= size:
            return self._json(416, {}, {"Content-Range": f"bytes */{size}"})
        count = min(last - first + 1, faults.get("truncated", size))
        self.send_response(200 if asked is None else 206)
        headers = {
            **self._large(file, commit),
            "Content-Type": "application/octet-stream", "Content-Length": str(count),
        }  # fmt: skip
        if asked is not None:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command == "GET":
            hub_body.send(self, file, first, count, faults)
        return None
