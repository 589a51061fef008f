"""Which generation serves, by asking the server itself as a client of the LAN would."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from llamarig.rehearsal.lab import Lab

PORT = 8080
_GENERATION = re.compile(r"/generations/(\d+)/")


def key(lab: Lab, host: str = "gpu01") -> str:
    """The host's API key, empty where it has none."""
    return lab.ssh(host, "cat /etc/llamarig/api-key 2>/dev/null; true", sudo=True).stdout.strip()


def request(lab: Lab, path: str, body: Any = None, *, host: str = "gpu01", port: int = PORT) -> Any:
    """The JSON that the server answers; with the site's key.

    Raises:
        OSError: it does not answer, or with an error.
    """
    address = lab.state.host(host).address
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key(lab, host)}"}
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"http://{address}:{port}{path}", data, headers)
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return json.load(reply)


def ask(lab: Lab, host: str = "gpu01", port: int = PORT) -> dict[str, Any]:
    """One answer to a chat, with its timings."""
    body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 32}
    found: dict[str, Any] = request(lab, "/v1/chat/completions", body, host=host, port=port)
    return found


def generation(lab: Lab, host: str = "gpu01", port: int = PORT, seconds: float = 60) -> int:
    """The generation whose model answers, waiting while a server loads; it must answer a chat."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            path = str(request(lab, "/props", host=host, port=port)["model_path"])
            found = _GENERATION.search(path)
            assert found, path
            assert "counts" in json.dumps(ask(lab, host, port)) or ask(lab, host, port)["choices"]
            return int(found[1])
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def silent(lab: Lab, host: str = "gpu01", port: int = PORT) -> bool:
    """Whether nothing answers at the port."""
    try:
        request(lab, "/health", host=host, port=port)
    except urllib.error.HTTPError:
        return False
    except OSError:
        return True
    return False


def unharmed(lab: Lab, on_host: Callable[[str], str], before: int) -> None:
    """The generation from before answers, its unit is active, and no candidate is left."""
    assert generation(lab) == before
    assert on_host("systemctl is-active llama-server") == "active"
    assert on_host("ls /run/systemd/system | grep -c candidate || true") == "0"


def candidate_begun(on_host: Callable[[str], str], seconds: float) -> None:
    """Wait until a candidate runs, and nothing serves any more."""
    deadline = time.monotonic() + seconds
    while on_host("ls /run/systemd/system | grep -c candidate || true") == "0":
        assert time.monotonic() < deadline
        time.sleep(0.2)
