"""Whether a host reaches the page that the hub keeps for a build of llama.cpp."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

from llamarig.onhost.hub_client import HUB

# Where llama.cpp's cmake looks; no setting leads it to a mirror.
BUCKET = f"{HUB}/buckets/ggml-org/llama-ui/resolve"
SECONDS = 30
# The digest beside the archive: small, and without it cmake takes nothing.
ASK = """
import re, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=15) as reply:
    found = reply.read(200).decode("ascii", "replace")
print("there" if re.match(r"[0-9a-fA-F]{64}\\b", found) else "something else")
"""


class HubWebUi(FactBase[bool]):
    """True where the host gets the digest of exactly this build's page."""

    @staticmethod
    def default() -> bool:
        return False

    def command(self, tag: str) -> str:
        url = f"{BUCKET}/{tag}/dist.tar.gz.sha256?download=true"
        asked = f"timeout {SECONDS} /usr/bin/python3 -c {shlex.quote(ASK)} {shlex.quote(url)}"
        return f"{asked} </dev/null 2>/dev/null || true"

    def process(self, output: list[str]) -> bool:
        return output[-1:] == ["there"]
