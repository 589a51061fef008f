"""A new release whose llama-server is broken, planted on a host as if it had been built there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llamarig.rehearsal import inventory, sources
from llamarig.rehearsal.lab import Lab
from llamarig.settings import Settings
from llamarig.tasks.llama_cpp_build import build_id

# Another source gives the release another name; nothing is compiled, the folder is there.
CHANGES: dict[str, Any] = {
    "llama_cpp_source": "pypi",
    "llama_cpp_commit": None,
    "llama_cpp_sha256": sources.SHA256,
    "web_ui": "none",
}
_ASKED = 'case "$*" in *--version*|*--help*) exec "$0.real" "$@";; esac\n'
CRASHES = f"#!/bin/sh\n{_ASKED}echo 'boom: the new binary gives up' >&2\nexit 139\n"
NEVER_HEALTHY = f"#!/bin/sh\n{_ASKED}exec sleep 100000\n"
GARBAGE = f"""#!/bin/sh
{_ASKED}exec /usr/bin/python3 - "$@" <<'EOF'
import http.server, json, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
timings = {{"predicted_per_second": 9e9, "predicted_n": 9, "draft_n": 9, "draft_n_accepted": 9}}
reply = {{"choices": [{{"message": {{"content": "/" * 200}}}}], "timings": timings}}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
EOF
"""


def plant(lab: Lab, on_host: Callable[[str], str], program: str) -> dict[str, Any]:
    """Put it there; the settings that ask for it."""
    data = {**inventory.settings(lab.state), **CHANGES}
    name = build_id(Settings.model_validate(data), sources.SHA256, None)
    folder = f"/opt/llamarig/releases/{name}"
    on_host(
        f"rm -rf {folder} && cp -a $(readlink -f /opt/llamarig/current/release) {folder} && "
        f'sed -i \'s/"id": ".*"/"id": "{name}"/\' {folder}/release.json && '
        f"cd {folder}/bin && mv llama-server llama-server.real && cat >llama-server <<'END'\n"
        f"{program}END\nchmod 755 {folder}/bin/llama-server"
    )
    return CHANGES
