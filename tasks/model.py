"""The model: downloaded to the data disk by a detached job, verified, with MTP heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.operations import files

from llamarig import report
from llamarig.paths import HF_VENV, JOBS, MODELS
from llamarig.settings import Settings
from llamarig.tasks import site, toolchain
from llamarig.tasks.facts.model_file import ModelFile, ModelRecord
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

GIB = 2**30
# The hub's client on the host, as tried (facts: 2.4.0 with hf-xet 1.8.0).
HUB_CLIENT = "huggingface_hub==2.4.0"
VENV_SECONDS = 900

MAKE_VENV = """
test -e "$1/.ready-$2" && exit 0
/usr/bin/python3 -m venv --clear "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"
touch "$1/.ready-$2"
"""


@step("Model")
def begin() -> None:
    """Start the download, detached; it runs beside the build."""
    settings = site.settings()
    toolchain.packages(["ca-certificates", "python3", "python3-venv"], "Install Python")
    files.directory(name="Make HF_HOME", path=settings.hf_home, mode="755")
    download(name="Start the download", settings=settings)


@step("Model")
def await_() -> None:
    """Wait for the bytes; see that they are the right ones and that they hold MTP heads."""
    arrive(name="Verify the model", settings=site.settings())


def key(settings: Settings) -> str:
    """How llamarig.lock names the file."""
    return f"{settings.model_repo} {settings.model_file}"


def pins(settings: Settings) -> dict[str, str | int | None]:
    """What is known of the file before asking the hub: settings first, then the lock."""
    known = site.lockfile().get("models", key(settings))
    if settings.model_sha256 and settings.model_sha256 != known.get("sha256"):
        known = {}
    return {
        "revision": settings.model_revision or known.get("revision"),
        "sha256": settings.model_sha256 or known.get("sha256"),
        "size": known.get("size"),
    }


def _identity(settings: Settings) -> str:
    """Names the file's job and record. Not the endpoint: the same bytes come from any mirror."""
    pinned = settings.model_sha256 or settings.model_revision or ""
    text = f"{key(settings)} {pinned} {settings.hf_home}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def record_path(settings: Settings) -> str:
    return f"{MODELS}/{_identity(settings)}.json"


def record(settings: Settings) -> ModelRecord | None:
    """The verified file on the current host, if it is there and nobody touched it."""
    found = host.get_fact(ModelFile, record=record_path(settings))
    pinned = settings.model_sha256
    if found is None or not found.untouched or (pinned and pinned != found.sha256):
        return None
    return found


def spec(settings: Settings) -> jobs.Spec:
    """The download's job: the hub's client in a virtual environment, then the file."""
    name = f"fetch-{_identity(settings)}"
    config = f"{JOBS}/{name}/fetch.json"
    wanted = {
        "repo": settings.model_repo,
        "file": settings.model_file,
        **pins(settings),
        "hf_home": settings.hf_home,
        "endpoint": settings.hf_endpoint,
        "token_file": None,
        "result": record_path(settings),
        "min_free_bytes": int(settings.min_free_gib * GIB),
    }
    env = {"HOME": "/root", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    venv = ["/bin/sh", "-euc", MAKE_VENV, "sh", HF_VENV, HUB_CLIENT]
    fetch = [f"{HF_VENV}/bin/python", jobs.program(), "fetch", config]
    limit = settings.download_timeout_minutes * 60
    return jobs.Spec(
        name=name,
        title=f"download {settings.model_file}",
        unit="bytes",
        stages=[
            jobs.Stage("hub client", venv, VENV_SECONDS, env),
            jobs.Stage("download", fetch, limit, env),
        ],
        files={"fetch.json": json.dumps(wanted, indent=2)},
        nice=5,
    )


@operation()
def download(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start the download unless the verified file is there."""
    if record(settings) is not None:
        host.noop(f"{settings.model_file} is there, verified and untouched")
        return
    yield from jobs.start(spec(settings))


@operation()
def arrive(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Wait for the download, then judge what came."""
    if not state.is_executing:
        return
    found, reason = record(settings), None
    if found is None:
        reason = jobs.wait(spec(settings), settings.download_timeout_minutes * 60)
        found = record(settings) if reason is None else None
    if found is None:
        changed = f"model: {settings.model_file} changed right after it was verified"
        yield failure(reason or changed)
        return
    report.record(
        host.name,
        model={"file": settings.model_file, "sha256": found.sha256, "revision": found.revision},
    )
    if settings.spec_type != "none" and found.nextn_predict_layers == 0:
        yield failure(
            f"model_file: {settings.model_file} has no MTP heads (nextn_predict_layers is 0), "
            "so nothing can speed it up; choose a model with MTP heads"
        )
        return
    resolved = {"revision": found.revision, "sha256": found.sha256, "size": found.size}
    site.lockfile().put("models", key(settings), resolved)
