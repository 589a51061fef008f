"""The official client streams a chat from another host of the LAN, with the site's key."""

from __future__ import annotations

import os
from typing import Any

import pytest
import serving

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
FROM_DEPLOYED = True
CLIENT = """
import sys
from openai import AuthenticationError, OpenAI

def said(key):
    client = OpenAI(base_url="http://{address}:8080/v1", api_key=key)
    stream = client.chat.completions.create(
        model="any", messages=[{{"role": "user", "content": "Count."}}], max_tokens=48, stream=True
    )
    return [piece.choices[0].delta.content or "" for piece in stream if piece.choices]

pieces = said(sys.stdin.readline().strip())
print(len(pieces), "".join(pieces))
try:
    said("wrong")
except AuthenticationError as error:
    print(error.status_code)
"""


def test_the_official_client_streams_from_another_host(site: Any, lab: Lab) -> None:
    lab.up(2, services=True)
    ran = site.run("up --limit gpu01")
    assert ran.code == 0, ran.output

    def on_other(command: str) -> str:
        done = lab.ssh("gpu02", command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    on_other("apt-get update -q && apt-get install -y -q python3-venv")
    on_other("python3 -m venv /opt/client && /opt/client/bin/pip install -q openai")
    text = CLIENT.format(address=lab.state.host("gpu01").address)
    on_other(f"cat >/opt/client.py <<'END'\n{text}END")
    key = serving.key(lab)
    assert key
    # The key goes through a pipe of the shell's own printf, which starts no process.
    first, second = on_other(
        f"printf '%s\\n' {key} | /opt/client/bin/python /opt/client.py"
    ).splitlines()
    count, words = first.split(" ", 1)
    assert int(count) > 5  # it came in pieces
    assert "count" in words
    assert second == "401"
