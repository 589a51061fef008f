"""A lab: made hosts on a network of their own. What tests, `rehearse` and `lab` work with."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llamarig.cache import locked
from llamarig.errors import UserError
from llamarig.rehearsal import (
    bringup,
    cgroup,
    disk,
    firewall,
    forwarding,
    hosts,
    machine,
    network,
    rootfs,
)
from llamarig.rehearsal import snapshot as snapshots
from llamarig.rehearsal.bringup import Say
from llamarig.rehearsal.leftovers import leftovers
from llamarig.rehearsal.state import (
    State,
    cache_root,
    lab_folder,
    lab_id,
    load,
    save,
)

MOST_HOSTS = 200
SSH_TIMEOUT = 600.0


def _silent(line: str) -> None:
    """Say nothing."""


class Lab:
    """The lab of a checkout (or of a name); nothing is started by making this object."""

    def __init__(self, name: str | None = None, say: Say = _silent) -> None:
        self.id = lab_id(name)
        self.folder = lab_folder(self.id)
        self._lock = cache_root() / "locks" / f"lab-{self.id}.lock"
        self.say = say

    @property
    def state(self) -> State:
        """What runs, as state.json has it."""
        found = load(self.folder)
        if found is None:
            raise UserError("no lab is running here; start one: llamarig lab up")
        return found

    def up(
        self,
        count: int = 1,
        snapshot: str | None = None,
        data_size: str = disk.DEFAULT_SIZE,
        services: bool = False,
        agreed: Callable[[str], bool] = lambda question: False,
        release: str | None = None,
    ) -> State:
        """Bring the lab to `count` running hosts; those that run are left alone.

        New hosts are of `release`, a codename of the machine's distribution; None: of its own.
        """
        if not 1 <= count <= MOST_HOSTS:
            raise UserError(f"{count} hosts: 1 to {MOST_HOSTS}, please")
        if release and snapshot:
            raise UserError("--release: a snapshot has its release already; leave one of them out")
        disk.parse_size(data_size)
        if snapshot is not None:
            snapshots.load(snapshot)
        here = machine.inspect()
        machine.provide(agreed, self.say)
        with self._locked():
            base = rootfs.ensure(here, self.say, release)
            state = bringup.begin(self.id)
            bringup.clean(state, self.say)
            network.up(self.id, state.subnet)
            firewall.up(self.id, state.subnet)
            forwarding.acquire(self.id)
            for obstacle in firewall.obstacles(self.id, state.subnet):
                self.say(obstacle)
            wanted = bringup.wanted(state, count, base, snapshot, data_size)
            bringup.boot_all(state, wanted, self.say)
            if services:
                self._start_services(state)
        return state

    def _start_services(self, state: State) -> None:
        from llamarig.rehearsal import services

        self.say("starting the stand-in hub and the git origin (made once)")
        # From here on there may be something to stop, however far the start comes.
        state.services = state.services or {}
        save(self.folder, state)
        started: dict[str, Any] = dict(services.start(self.folder, state.gateway))
        state.model = started.pop("model", state.model)
        state.services = {name: str(url) for name, url in started.items()}
        save(self.folder, state)

    def down(self) -> None:
        """Remove the lab, and prove that nothing of it is left."""
        machine.require_root()
        if not self._lock.exists() and not leftovers(self.id):
            return  # no lab of that name was ever started: a lock would be all there is of it
        with self._locked():
            self._stop_services()
            cgroup.kill(self.id)
            names = [path.name for path in (self.folder / "hosts").glob("*")]
            for name in names:
                hosts.clear(self.id, name)
            network.down(self.id)
            firewall.down(self.id)
            forwarding.release(self.id)
            cgroup.remove(self.id)
            if self.folder.exists():
                rootfs.discard(self.folder)
            if left := leftovers(self.id):
                raise UserError(f"lab {self.id} is down, but left: {'; '.join(left)}")

    def _stop_services(self) -> None:
        try:
            state = load(self.folder)
            if state is None or state.services is None:
                return
        except UserError:  # unreadable: whether there are any, nobody can say
            pass
        from llamarig.rehearsal import services

        services.stop(self.folder)

    def snapshot(self, host: str, name: str, replace: bool = False) -> Path:
        """Keep a host, running or without power, for new hosts to start from."""
        machine.require_root()
        with self._locked():
            state = self.state
            with locked(cache_root() / "locks" / "snapshots.lock", "a snapshot"):
                return snapshots.take(state, state.host(host), name, replace)

    def ssh(
        self, host: str, command: str, user: str = "ops", sudo: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a host; with sudo as root, the password given where asked."""
        state = self.state
        given = None
        if sudo and user == "opspw":
            given = Path(state.sudo_password_file).read_text()
            command = f"sudo -S -p '' sh -c {shlex.quote(command)}"
        elif sudo:
            command = f"sudo -n sh -c {shlex.quote(command)}"
        return subprocess.run(
            hosts.ssh_argv(state, state.host(host), user, [command]),
            input=given or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SSH_TIMEOUT,
            check=False,
        )

    def unplug(self, host: str) -> None:
        """Pull the host's network cable."""
        with self._with(host):
            network.plug(self.id, host, False)

    def plug(self, host: str) -> None:
        """Put the host's network cable back."""
        with self._with(host):
            network.plug(self.id, host, True)

    def shape(self, host: str, rate: str | None) -> None:
        """Bound the speed of the host's link, each way: `200mbit`; None: as fast as it goes."""
        with self._with(host):
            network.shape(self.id, host, rate)

    def kill(self, host: str) -> None:
        """Cut the host's power."""
        with self._with(host):
            hosts.pull_plug(self.id, host)

    def restart(self, host: str) -> None:
        """Give a host its power back: it boots from the disks that it had."""
        with self._with(host) as state:
            hosts.boot(state, state.host(host))

    @contextmanager
    def _with(self, host: str) -> Iterator[State]:
        machine.require_root()
        with self._locked():
            state = self.state
            state.host(host)
            yield state

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._lock, f"lab {self.id}"):
            yield
