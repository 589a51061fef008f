"""Look at pages in a real browser as a reader would; runs on a made host, beside browser.py.

usage: camera.py FILE.html..., prints a line of JSON per view: what was measured, and where its
picture lies. A view is a page in light or dark at the width of a phone, tablet or desk, or on
paper.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from browser import PORT, Browser

# Name, width in CSS pixels, pixels of the device for one of them.
SIZES = (("phone", 390, 2), ("tablet", 820, 1), ("desk", 1280, 1))
LOOKS = ("light", "dark")
# CSS pixels; a picture for the docs shows so much of a page.
TALLEST = 1500
MEASURE = """
const wide = window.innerWidth;
const box = (element) => element.getBoundingClientRect();
const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
  || a.bottom <= b.top + 2 || b.bottom <= a.top + 2;
const letters = [...document.querySelectorAll("svg text")]
  .filter((each) => each.textContent.trim());
const covered = [], cut = [];
for (const svg of document.querySelectorAll("svg")) {
  const own = letters.filter((each) => svg.contains(each));
  for (const [place, one] of own.entries()) {
    const here = box(one), all = box(svg);
    if (here.left < all.left - 1 || here.right > all.right + 1
        || here.top < all.top - 1 || here.bottom > all.bottom + 1) cut.push(one.textContent);
    for (const other of own.slice(place + 1))
      if (!apart(here, box(other))) covered.push(one.textContent + " / " + other.textContent);
  }
}
const size = (each) => parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a;
const beside = [...document.querySelectorAll("main *:not(pre):not(pre *):not(svg *)")]
  .filter((each) => box(each).width && (box(each).right > wide + 1 || box(each).left < -1))
  .map((each) => each.tagName + " " + each.textContent.slice(0, 40));
return {
  overflow: document.documentElement.scrollWidth - wide,
  beside: beside.slice(0, 5), covered: covered.slice(0, 5), cut: cut.slice(0, 5),
  smallest: Math.min(...letters.map(size)),
  ground: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  requests: performance.getEntriesByType("resource").length,
  scripts: document.scripts.length, pwned: typeof window.pwned,
  height: document.documentElement.scrollHeight, svgs: document.querySelectorAll("svg").length,
};
"""


def tell(page: Browser, command: str, **parameters: Any) -> Any:
    """A command of the browser's own protocol."""
    return page.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})


def dress(page: Browser, width: int, scale: int, look: str, media: str = "screen") -> None:
    tell(page, "Emulation.setDeviceMetricsOverride", width=width, height=844,
         deviceScaleFactor=scale, mobile=width < 600)  # fmt: skip
    features = [{"name": "prefers-color-scheme", "value": look}]
    tell(page, "Emulation.setEmulatedMedia", media=media, features=features)


def picture(page: Browser, out: Path, width: int, height: int) -> None:
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
    taken = tell(
        page, "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
    )
    out.write_bytes(base64.b64decode(taken["data"]))


def views(page: Browser, file: Path) -> None:
    """Open a page in all its views."""
    page.call("POST", "/url", {"url": file.resolve().as_uri()})
    for name, width, scale in SIZES:
        for look in LOOKS:
            dress(page, width, scale, look)
            found = page.run(MEASURE)
            out = file.with_name(f"{file.stem}-{look}-{name}.png")
            picture(page, out, width, found["height"])
            said = {"page": file.stem, "look": look, "size": name, "picture": str(out), **found}
            print(json.dumps(said))
    dress(page, 794, 1, "dark", media="print")  # a sheet of A4 at 96 pixels an inch
    print(json.dumps({"page": file.stem, "look": "paper", "size": "a4", **page.run(MEASURE)}))


def main(*files: str) -> None:
    driver = subprocess.Popen(
        ["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(2)
        page = Browser()
        for file in files:
            views(page, Path(file))
        page.call("DELETE", "")
    finally:
        driver.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
