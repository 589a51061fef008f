"""The job that brings a model to a host, verifies all of its bytes and records it."""

from __future__ import annotations

import json

from llamarig.hub import token as hub_token
from llamarig.paths import CACHE, HF_VENV, JOBS
from llamarig.settings import Settings
from llamarig.tasks import giving, model_source, sharing
from llamarig.tasks.operations import jobs

GIB, MIB = 2**30, 2**20
# The hub's client on the host, as tried (facts: 2.4.0 with hf-xet 1.8.0).
HUB_CLIENT = "huggingface_hub==2.4.0"
VENV_SECONDS = 900
ENVIRONMENT = {
    "HOME": "/root",
    "XDG_CACHE_HOME": CACHE,
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
}

MAKE_VENV = """
test -e "$1/.ready-$2" && exit 0
/usr/bin/python3 -m venv --clear "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"
touch "$1/.ready-$2"
"""


def source(settings: Settings) -> str:
    """Where the bytes come from: `path`, `incoming` (copied by the controller) or `hub`."""
    if settings.model_path:
        return "path"
    return "incoming" if settings.model_from == "controller" else "hub"


def title(settings: Settings) -> str:
    verb = "download" if source(settings) == "hub" else "verify"
    return f"{verb} {model_source.name(settings)}"


def wanted(settings: Settings, token_file: str | None) -> dict[str, object]:
    """What the on-host program `fetch` is told."""
    limit = settings.download_limit_mib
    return {
        "repo": settings.model_repo,
        "file": settings.model_file,
        **model_source.pins(settings),
        "asked": settings.model_revision,
        "hf_home": settings.hf_home,
        "endpoint": settings.hf_endpoint,
        "token_file": token_file,
        "result": model_source.record_path(settings),
        "min_free_bytes": int(settings.min_free_gib * GIB),
        "source": source(settings),
        "path": settings.model_path,
        "xet": settings.hf_xet,
        "rate_limit": int(limit * MIB) if limit else None,
    }


def spec(settings: Settings) -> jobs.Spec:
    """The hub's client in a virtual environment, where the hub is asked; then the file.

    Raises:
        ValueError: hf_token_file holds no token.
    """
    name = f"fetch-{model_source.identity(settings)}"
    from_hub = source(settings) == "hub"
    token = hub_token.token(settings) if from_hub else None
    token_file = hub_token.path(name) if token else None
    python = f"{HF_VENV}/bin/python" if from_hub else "/usr/bin/python3"
    venv = ["/bin/sh", "-euc", MAKE_VENV, "sh", HF_VENV, HUB_CLIENT]
    fetch = [python, jobs.program(), "fetch", f"{JOBS}/{name}/fetch.json"]
    limit = settings.download_timeout_minutes * 60
    client = [jobs.Stage("hub client", venv, VENV_SECONDS, ENVIRONMENT)] if from_hub else []
    return jobs.Spec(
        name=name,
        title=title(settings),
        unit="bytes",
        stages=[*client, jobs.Stage("download", fetch, limit, ENVIRONMENT)],
        last_words=["/bin/rm", "-f", token_file] if token_file else [],
        files={"fetch.json": json.dumps(wanted(settings, token_file), indent=2)},
        private={token_file: token} if token_file and token else {},
        nice=5,
    )


def spec_from_hosts(settings: Settings, found: giving.Offer) -> jobs.Spec:
    """The file from hosts that have it, into the partial file; then judged as any other.

    What it is was pinned when the first host had it.
    """
    name = f"fetch-{model_source.identity(settings)}"
    place = model_source.place(settings)
    assert place is not None, "who has the file knows all of it"
    told = {**wanted(settings, None), "source": "hosts"}
    spare = int(settings.min_free_gib * GIB)
    limit = settings.download_timeout_minutes * 60
    program = ["/usr/bin/python3", jobs.program()]
    stages = [
        jobs.Stage(what, [*program, verb, f"{JOBS}/{name}/{verb}.json"], limit, ENVIRONMENT)
        for what, verb in (("copy", "take"), ("verify", "fetch"))
    ]
    return jobs.Spec(
        name=name,
        title=f"copy {model_source.name(settings)} from {', '.join(found.givers)}",
        unit="bytes",
        stages=stages,
        files={
            "fetch.json": json.dumps(told, indent=2),
            "take.json": sharing.take(found, settings, place.partial, spare),
        },
        nice=5,
    )
