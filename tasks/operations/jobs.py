"""Detached jobs: long work that outlives the connection, started once and joined by every run.

A job is a transient systemd unit `llamarig-<name>` that runs the on-host program `job`. Its exit
status is read from the job's own status file, because a unit that is collected forgets it.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field

import gevent
from pyinfra.api.command import FileUploadCommand, PyinfraCommand, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, display
from llamarig.onhost.bundle import build as build_bundle
from llamarig.paths import JOBS, LIB
from llamarig.tasks.facts.job import Job, JobState, command, parse
from llamarig.tasks.operations.outcome import failure

POLL_SECONDS = 1.0
OUTPUT_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Stage:
    """One program of a job, run in exactly this environment."""

    name: str
    argv: list[str]
    timeout_s: int
    env: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None


@dataclass(frozen=True)
class Spec:
    """A job: its name (`build-<id>`), what people read, the unit of its progress, its stages.

    last_words: an argv that systemd runs when the job ends, however it ends.
    files: further files of the job's folder, name to content.
    last_words_s: seconds that they may take.
    instead_of: kinds of job, besides its own, that can't run beside it and are stopped.
    private: secrets, path on the host to content: root's alone, and in no command line or log.
    """

    name: str
    title: str
    unit: str
    stages: list[Stage]
    last_words: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict, repr=False)
    nice: int = 0
    last_words_s: int = 30
    instead_of: tuple[str, ...] = ()

    @property
    def whole_s(self) -> int:
        """Seconds after which it is over, last words included, with a minute to spare."""
        return sum(each.timeout_s for each in self.stages) + self.last_words_s + 60

    def document(self) -> str:
        stages = [asdict(each) for each in self.stages]
        return json.dumps(
            {
                "id": self.name,
                "title": self.title,
                "unit": self.unit,
                "output_limit_bytes": OUTPUT_LIMIT,
                "stages": stages,
            },
            indent=2,
        )


def program() -> str:
    """The path on the host of the on-host programs that belong to this llamarig."""
    return f"{LIB}/{build_bundle()[0]}"


def _unit_command(spec: Spec) -> str:
    """systemd-run's line. A unit of this name that failed before is forgotten first."""
    unit = f"llamarig-{spec.name}.service"
    limit = sum(stage.timeout_s for stage in spec.stages) + 120
    argv = ["systemd-run", "--quiet", "--collect", f"--unit={unit}"]
    argv += [f"--description={spec.title}", f"--property=RuntimeMaxSec={limit}"]
    argv += [f"--property=Nice={spec.nice}", f"--property=TimeoutStopSec={spec.last_words_s}"]
    if spec.last_words:
        argv.append(f"--property=ExecStopPost={shlex.join(spec.last_words)}")
    argv += ["/usr/bin/python3", program(), "job", f"{JOBS}/{spec.name}"]
    return f"systemctl reset-failed {unit} 2>/dev/null; {shlex.join(argv)}"


def launch(spec: Spec) -> Generator[PyinfraCommand, None, None]:
    """The commands that start a job: programs, folder, files, unit."""
    folder = f"{JOBS}/{spec.name}"
    kinds = [f"'llamarig-{kind}-*'" for kind in (spec.name.split("-", 1)[0], *spec.instead_of)]
    name, content = build_bundle()
    # Two jobs of a kind would fight for the same cores and folders: the settings changed, so the
    # older one is of no use any more.
    yield StringCommand(
        f"systemctl list-units --plain --no-legend {' '.join(kinds)} | awk '{{print $1}}' | "
        "xargs -r systemctl stop"
    )
    yield StringCommand(
        f"install -d -m 755 {LIB} {JOBS} && rm -rf {folder} && install -d -m 755 {folder}"
    )
    yield FileUploadCommand(io.BytesIO(content), f"{LIB}/{name}")
    for file, text in {**spec.files, "job.json": spec.document()}.items():
        yield FileUploadCommand(io.StringIO(text), f"{folder}/{file}")
    for path, secret in spec.private.items():
        where = shlex.quote(path)
        put = f"umask 077; mkdir -p {shlex.quote(os.path.dirname(path))} && cat > {where}"
        yield StringCommand(put, _stdin=[secret])
    yield StringCommand(_unit_command(spec))


def start(spec: Spec) -> Generator[PyinfraCommand, None, None]:
    """Start a job, or join it where it runs already (part of an operation)."""
    if host.get_fact(Job, job=spec.name).state == "running":
        display.say(host.name, f"{spec.title}: already running on the host, joined")
        return
    yield from launch(spec)


def poll(on: Host, name: str) -> JobState:
    _, lines = connection.run(on, command(name))
    return parse(lines)


def follow(on: Host, spec: Spec, timeout_s: float) -> JobState:
    """Watch a job until it is over, showing its progress.

    Raises:
        ConnectionError: the link is gone; the job goes on without us.
        TimeoutError: it ran longer than `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            now = poll(on, spec.name)
            if now.over:
                return now
            display.progress(
                on.name, spec.title, now.stage or "starting", now.done, now.total, now.unit
            )
            gevent.sleep(POLL_SECONDS)
    finally:
        display.over(on.name)
    raise TimeoutError(f"longer than {timeout_s / 60:.0f} minutes")


def wait(spec: Spec, timeout_s: float) -> str | None:
    """Wait for a job that runs; None if it succeeded, else one line that says why not."""
    journal = f"journalctl -u llamarig-{spec.name} on the host shows all of it"
    try:
        ended = follow(host, spec, timeout_s)
    except ConnectionError as error:
        return (
            f"{spec.title}: the connection was lost ({error}); it goes on there, "
            "run the same command again to join it"
        )
    except (TimeoutError, FactProcessError) as error:
        return f"{spec.title}: {error}; {journal}"
    if ended.state == "succeeded":
        return None
    if ended.state == "died":
        return f"{spec.title}: it was killed; run the same command again; {journal}"
    if ended.state == "absent":
        return f"{spec.title}: the host has no such job; run the same command again"
    return f"{spec.title}: {ended.message}; {journal}"


def forget_others(spec: Spec) -> StringCommand:
    """A command that removes the folders of earlier jobs of the same kind."""
    kind = spec.name.split("-", 1)[0]
    return StringCommand(
        f"find {JOBS} -mindepth 1 -maxdepth 1 -name '{kind}-*' ! -name {spec.name} "
        "-exec rm -rf {} +"
    )


@operation()
def job(spec: Spec, timeout_s: float) -> Generator[PyinfraCommand, None, None]:
    """Start or join a job and wait until it is over."""
    yield from start(spec)
    if state.is_executing and (reason := wait(spec, timeout_s)):
        yield failure(reason)
