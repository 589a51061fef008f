"""Chat with llama.cpp's page in a real browser, as a person would; runs on a made host.

usage: browser.py URL OUT.png MESSAGE, and on stdin the API key, or nothing. Prints the answer.
Drives Debian's chromium through its chromedriver, with the standard library alone.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

PORT = 9515
PATIENCE = 90.0
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1100,760", "--hide-scrollbars",
]  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER = "\ue007"
# The page keeps its settings here; the small model would count until its context is full.
SHORT = """
const config = JSON.parse(localStorage.getItem("LlamaUi.config") || "{}");
localStorage.setItem("LlamaUi.config", JSON.stringify({...config, max_tokens: 40}));
"""
ANSWER = '[aria-label="Assistant message with actions"]'
INPUT = 'textarea, [contenteditable="true"]'


class Browser:
    """A session of chromedriver."""

    def __init__(self) -> None:
        options = {"args": FLAGS}
        asked = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.base = f"http://127.0.0.1:{PORT}"
        self.base += "/session/" + self.call("POST", "/session", asked)["sessionId"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def find(self, how: str, what: str) -> str | None:
        found = self.call("POST", "/elements", {"using": how, "value": what})
        return str(found[0][ELEMENT]) if found else None

    def text(self, what: str) -> str:
        found = self.find("css selector", what)
        return str(self.call("GET", f"/element/{found}/text")) if found else ""

    def type(self, element: str, keys: str) -> None:
        self.call("POST", f"/element/{element}/value", {"text": keys})

    def run(self, script: str) -> Any:
        return self.call("POST", "/execute/sync", {"script": script, "args": []})


def until(true: Callable[[], Any], what: str) -> Any:
    """What `true` gives as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.3)
    raise SystemExit(f"not seen within {PATIENCE:.0f} s: {what}")


def chat(page: Browser, url: str, key: str, message: str) -> str:
    """The answer to a message; the key is typed in where the page asks for it."""
    page.call("POST", "/url", {"url": url})
    page.run(SHORT)
    page.call("POST", "/url", {"url": url})
    if key:
        button = "//button[contains(., 'Enter API Key')]"
        shown = until(lambda: page.find("xpath", button), "the question for the API key")
        page.call("POST", f"/element/{shown}/click", {})
        field = until(lambda: page.find("css selector", "#api-key-input"), "the key's field")
        page.type(field, key + ENTER)
    place = until(lambda: page.find("css selector", INPUT), "the place for a message")
    page.type(place, message + ENTER)
    until(lambda: page.text(ANSWER).strip(), "an answer")
    before = ""
    while (now := page.text(ANSWER)) != before:
        before = now
        time.sleep(3)
    return now.strip()


def main(url: str, out: str, message: str) -> None:
    key = sys.stdin.read().strip()
    driver = subprocess.Popen(
        ["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(2)
        page = Browser()
        try:
            print(chat(page, url, key, message))
        finally:
            with open(out, "wb") as file:
                file.write(base64.b64decode(page.call("GET", "/screenshot")))
            page.call("DELETE", "")
    finally:
        driver.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
