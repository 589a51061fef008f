"""The job runner: stages one after the other, with a status file that outlives everything.

The folder holds job.json (what to run, see the fields read here) and gets status.json. Output
goes to stdout, which is the journal when systemd runs this.
"""

from __future__ import annotations

import collections
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

from llamarig.onhost.files import read_json, write_json

PROGRESS = re.compile(r"^\[(\d+)/(\d+)\]")
REASON = "llamarig: "
TAIL_LINES = 30
# At most two writes a second, each with an fsync: enough to watch, nothing to wear a disk.
WRITE_SECONDS = 0.5
TICK_SECONDS = 0.5
GRACE_SECONDS = 10


class Status:
    """status.json: state, stage, rc, message, times (epoch seconds), done of total in unit, and
    of every stage that is over its name and its seconds."""

    def __init__(self, folder: str, job: dict[str, Any]) -> None:
        self._path = os.path.join(folder, "status.json")
        self._written, self._unwritten = 0.0, False
        self.tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        self.values: dict[str, Any] = {
            "id": job["id"], "title": job["title"], "unit": job["unit"], "state": "running",
            "stage": None, "rc": None, "message": None, "started": time.time(),
            "updated": time.time(), "finished": None, "done": None, "total": None, "stages": [],
        }  # fmt: skip

    def set(self, **values: Any) -> None:
        """Change and write at once."""
        self.values.update(values)
        self.values["updated"] = time.time()
        self._written, self._unwritten = time.monotonic(), False
        write_json(self._path, {**self.values, "tail": list(self.tail)})

    def line(self, text: str) -> None:
        """Take in a line of output; written a little later."""
        self.tail.append(text[:500])
        found = PROGRESS.match(text)
        if found:
            self.values.update(done=int(found[1]), total=int(found[2]))
        self._unwritten = True
        self.tick()

    def tick(self) -> None:
        """Write what came in, unless that was done a moment ago."""
        if self._unwritten and time.monotonic() - self._written > WRITE_SECONDS:
            self.set()


class Stage:
    """One running program of a job: its own process group, its output, its bounds."""

    def __init__(self, spec: dict[str, Any], status: Status, budget: int) -> None:
        self.spec, self.status, self.budget = spec, status, budget
        self.printed = 0
        self.reason = ""
        self.last = ""
        self._rest = b""

    def run(self) -> tuple[int, str]:
        """(exit status, one line that says why it is not 0). 124: too long, 125: too much."""
        try:
            child = subprocess.Popen(
                self.spec["argv"], cwd=self.spec.get("cwd"), env=self.spec["env"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return 127, f"{self.spec['name']}: {self.spec['argv'][0]}: {error.strerror}"
        try:
            problem = self._read(child)
        finally:
            _end(child)
        code = child.returncode
        if problem:
            return problem
        if code == 0:
            return 0, ""
        said = f": {self.last}" if self.last else ""
        return code if code > 0 else 128 - code, (
            self.reason or f"{self.spec['name']} failed with exit status {code}{said}"
        )

    def _read(self, child: subprocess.Popen[bytes]) -> tuple[int, str] | None:
        limit = float(self.spec["timeout_s"])
        deadline = time.monotonic() + limit
        assert child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while True:
                if time.monotonic() > deadline:
                    return 124, f"{self.spec['name']} ran longer than {limit:.0f} s"
                if not selector.select(TICK_SECONDS):
                    self.status.tick()
                    if child.poll() is not None:
                        return None  # a grandchild keeps the pipe open; the stage itself is over
                    continue
                chunk = os.read(child.stdout.fileno(), 65536)
                if not chunk:
                    return self._wait(child, deadline, limit)
                if not self._take(chunk):
                    return 125, f"{self.spec['name']} printed more than {self.budget} bytes"

    def _wait(
        self, child: subprocess.Popen[bytes], deadline: float, limit: float
    ) -> tuple[int, str] | None:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return 124, f"{self.spec['name']} ran longer than {limit:.0f} s"
        finally:
            if self._rest:
                self._line(self._rest)
                self._rest = b""
        return None

    def _take(self, chunk: bytes) -> bool:
        self.printed += len(chunk)
        if self.printed > self.budget:
            return False
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + chunk)
        for line in lines:
            self._line(line)
        self._rest = self._rest[-65536:]
        return True

    def _line(self, raw: bytes) -> None:
        text = raw.decode(errors="replace").rstrip()
        if not text:
            return
        print(text, flush=True)
        self.last = text[:300]
        if text.startswith(REASON):
            self.reason = text[len(REASON) :]
        self.status.line(text)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of a stage outlives it: its whole process group is asked, then killed."""
    for signum, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        try:
            os.killpg(child.pid, signum)
        except ProcessLookupError:
            break
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.05)
    child.wait()


def _stop(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(folder: str) -> int:
    """Run the job in `folder`; the exit status is that of the stage that failed."""
    job = read_json(os.path.join(folder, "job.json"))
    status = Status(folder, job)
    signal.signal(signal.SIGTERM, _stop)
    for spec in job["stages"]:
        status.set(stage=spec["name"], done=None, total=None)
        begun = time.monotonic()
        try:
            code, message = Stage(spec, status, job["output_limit_bytes"]).run()
        except KeyboardInterrupt:
            code, message = 143, f"{spec['name']} was stopped"
        seconds = round(time.monotonic() - begun, 1)
        status.values["stages"].append({"name": spec["name"], "seconds": seconds})
        if code:
            status.set(state="failed", rc=code, message=message, finished=time.time())
            print(f"llamarig: {message}", file=sys.stderr, flush=True)
            return code
    status.set(state="succeeded", rc=0, stage=None, finished=time.time())
    return 0
