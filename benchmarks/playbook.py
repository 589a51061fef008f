"""converged.yml against made hosts: an Ansible of its own, and what the playbook is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cost import Run, as_root, measured
from fleet import REPO, Fleet

from llamarig import paths
from llamarig.errors import UserError
from llamarig.rehearsal.inventory import settings as rehearsed
from llamarig.rehearsal.shell import run
from llamarig.settings import Settings
from llamarig.tasks import model, model_source, toolchain
from llamarig.tasks.facts.workstation import OperatorSections, RootSections, arguments

# The newest that runs on Python 3.11, as llamarig does.
ANSIBLE = "ansible-core==2.19.14"
VENV = REPO / "build" / ANSIBLE.replace("==", "-")
PLAYBOOK = Path(__file__).with_name("converged.yml")
RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+)", re.MULTILINE)
# Without ours it asks each host where its Python is: round trips that it need not have.
SETTINGS = {
    "ANSIBLE_PIPELINING": "1",
    "ANSIBLE_FORKS": "6",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    "ANSIBLE_NOCOLOR": "1",
}


def install() -> None:
    """Have Ansible in a virtual environment that nothing else uses."""
    if (VENV / "bin/ansible-playbook").exists():
        return
    run(sys.executable, "-m", "venv", str(VENV))
    run(str(VENV / "bin/pip"), "install", "--quiet", ANSIBLE, timeout=600)


class Playbook:
    """converged.yml with an inventory of the fleet's hosts."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.variables = fleet.folder / "expected.json"
        self.variables.write_text(json.dumps(expected(fleet)))

    def inventory(self, count: int) -> Path:
        """The first hosts, reached as llamarig reaches them."""
        state = self.fleet.lab.state
        hosts = {
            host.name: {
                "ansible_host": host.address,
                "ansible_user": "ops",
                "ansible_ssh_private_key_file": state.ssh_key,
                "ansible_ssh_common_args": "-F /dev/null -o IdentitiesOnly=yes "
                f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={state.known_hosts}",
            }
            for host in state.hosts[:count]
        }
        path = self.fleet.folder / f"first{count}.json"
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        return path

    def run(self, count: int) -> Run:
        """The playbook, which must change nothing on any host."""
        argv = [str(VENV / "bin/ansible-playbook"), "-i", str(self.inventory(count))]
        argv += ["-e", f"@{self.variables}", str(PLAYBOOK)]
        # Connections that an earlier run left open would spare this one its logins.
        with tempfile.TemporaryDirectory(prefix="cp-") as folder:
            own = {"ANSIBLE_HOME": folder, "ANSIBLE_SSH_CONTROL_PATH_DIR": folder}
            try:
                done = measured(
                    self.fleet.lab, self.fleet.names(count), argv,
                    {**os.environ, **SETTINGS, **own}, self.fleet.folder,
                )  # fmt: skip
            finally:
                _close(Path(folder))
        changed = {name: int(number) for name, _, number in RECAP.findall(done.output)}
        if changed != dict.fromkeys(self.fleet.names(count), 0):
            raise UserError(f"the playbook changes or loses hosts: {done.output[-3000:].strip()}")
        return done


def _close(folder: Path) -> None:
    """End the connections that ssh keeps open for a next run."""
    for socket in folder.iterdir():
        if socket.is_socket():
            subprocess.run(
                ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"],
                capture_output=True, check=False, timeout=10,
            )  # fmt: skip


def expected(fleet: Fleet) -> dict[str, Any]:
    """What the playbook is to find, read from the first host after its deploy."""
    settings = Settings.model_validate(rehearsed(fleet.lab.state))
    generation = as_root(fleet.lab, "gpu01", f"readlink -f {paths.CURRENT}")
    files = f"cd {generation} && sha256sum *.service recipe.json manifest.json"
    manifest = json.loads(as_root(fleet.lab, "gpu01", f"cat {generation}/manifest.json"))
    asked = arguments(settings)
    return {
        "doctor_root": RootSections().command(asked),
        "doctor_operator": OperatorSections().command(asked),
        "packages_download": model.PACKAGES["hub"],
        "packages_build": toolchain.PACKAGES,
        "hf_home": settings.hf_home,
        "model_record": model_source.record_path(settings),
        "release": f"{paths.RELEASES}/{manifest['release']}",
        "service_user": settings.service_user,
        "generation": generation,
        "current": as_root(fleet.lab, "gpu01", f"readlink {paths.CURRENT}"),
        "files": as_root(fleet.lab, "gpu01", files),
        "unit": as_root(fleet.lab, "gpu01", f"cat {generation}/llama-server.service") + "\n",
        "port": settings.port,
    }
