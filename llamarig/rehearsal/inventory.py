"""The running lab as a pyinfra inventory: `pyinfra llamarig.rehearsal.inventory.hosts deploy.py`.

Only data differs from a real site's inventory; nothing in tasks/ knows about rehearsals.
"""

from __future__ import annotations

import os
from typing import Any

from llamarig.errors import UserError
from llamarig.rehearsal import origin
from llamarig.rehearsal.state import OPERATORS, State, lab_folder, lab_id, load

HF_HOME = "/data/huggingface"
NEXT = "start one: llamarig lab up"


def operator() -> str:
    """Which account logs in: $LLAMARIG_OPERATOR, `ops` unless said otherwise."""
    name = os.environ.get("LLAMARIG_OPERATOR") or "ops"
    if name not in OPERATORS:
        raise UserError(f"LLAMARIG_OPERATOR={name}: one of {', '.join(OPERATORS)}, please")
    return name


def settings(state: State) -> dict[str, Any]:
    """What a rehearsal sets differently than a workstation with a card does."""
    if not state.services or not state.model:
        raise UserError("this lab runs without hub and model; give it both: llamarig lab up")
    model = state.model
    return {
        "backend": "cpu",
        "llama_cpp_url": state.services["git"],
        "llama_cpp_commit": origin.COMMIT,
        "hf_endpoint": state.services["hub"],
        "hf_home": HF_HOME,
        "model_repo": model["repo"],
        "model_file": model["file"],
        "model_sha256": model["sha256"],
    }


def connection(state: State, name: str, user: str) -> dict[str, Any]:
    """How pyinfra reaches one host; its key is known before the first login."""
    data: dict[str, Any] = {
        "ssh_hostname": state.host(name).address,
        "ssh_user": user,
        "ssh_key": state.ssh_key,
        "ssh_known_hosts_file": state.known_hosts,
        "ssh_strict_host_key_checking": "yes",
    }
    if OPERATORS[user] != OPERATORS["ops"]:
        data["sudo_password_file"] = state.sudo_password_file
    return data


def running() -> State:
    """The state of the lab of this folder, or of $LLAMARIG_LAB."""
    state = load(lab_folder(lab_id(os.environ.get("LLAMARIG_LAB"))))
    if state is None or not state.hosts:
        raise UserError(f"no rehearsal lab is running here; {NEXT}")
    return state


def hosts() -> list[tuple[str, dict[str, Any]]]:
    """Every host of the running lab, with what it takes to reach and deploy it."""
    state, user = running(), operator()
    data = settings(state)
    return [(host.name, {**connection(state, host.name, user), **data}) for host in state.hosts]
