"""A lab: made hosts on a network of their own. What tests, `rehearse` and `lab` work with."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal import (
    cgroup,
    disk,
    forwarding,
    hosts,
    machine,
    network,
    rootfs,
    snapshot,
)
from llamarig.rehearsal.leftovers import leftovers
from llamarig.rehearsal.state import (
    OPERATORS,
    Host,
    State,
    cache_root,
    lab_folder,
    lab_id,
    load,
    locked,
    save,
)

MOST_HOSTS = 200
SSH_TIMEOUT = 600.0
Say = Callable[[str], None]


def _silent(line: str) -> None:
    """Say nothing."""


class Lab:
    """The lab of a checkout (or of a name); nothing is started by making this object."""

    def __init__(self, name: str | None = None, say: Say = _silent) -> None:
        self.id = lab_id(name)
        self.folder = lab_folder(self.id)
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
    ) -> State:
        """Bring the lab to `count` running hosts; those that run are left alone."""
        if not 1 <= count <= MOST_HOSTS:
            raise UserError(f"{count} hosts: 1 to {MOST_HOSTS}, please")
        disk.parse_size(data_size)
        machine.require_root()
        machine.provide(agreed, self.say)
        here = machine.inspect()
        with self._locked():
            base = rootfs.ensure(here, self.say)
            state = self._begin()
            self._clean(state)
            self._clean_snapshots()
            network.up(self.id, state.subnet)
            forwarding.acquire(self.id)
            for obstacle in network.obstacles(self.id, state.subnet):
                self.say(obstacle)
            self._boot_all(state, self._wanted(state, count, base, snapshot, data_size))
            if services:
                self._start_services(state)
        return state

    def _begin(self) -> State:
        found = load(self.folder)
        if found is not None:
            return found
        operators = rootfs.access()
        # Two labs that start at once must not choose the same subnet.
        with locked(cache_root() / "locks" / "subnet.lock", "choosing a subnet"):
            others = [load(path) for path in (cache_root() / "labs").glob("*")]
            taken = [other.subnet for other in others if other]
            network.down(self.id)
            subnet = network.choose_subnet([*network.taken_subnets(), *taken])
            state = State(
                id=self.id,
                subnet=subnet,
                gateway=network.address(subnet, 0),
                ssh_key=str(operators.key),
                known_hosts=str(self.folder / "known_hosts"),
                sudo_password_file=str(operators.password_file),
            )
            save(self.folder, state)
        return state

    def _clean(self, state: State) -> None:
        """Take down what a crashed run left half: hosts that nobody knows or that do not run."""
        whole = network.is_up(self.id, state.subnet)
        known = {host.name for host in state.hosts}
        traces = {path.name for path in (self.folder / "hosts").glob("*")}
        traces |= {
            name.removeprefix(f"llamarig-{self.id}-") for name in network.namespaces(self.id)
        }
        traces |= {path.name for group in cgroup.groups(self.id) for path in group.iterdir()
                   if path.is_dir() and path.name.startswith("gpu")}  # fmt: skip
        for name in sorted(traces - {"sw"}):
            alive = hosts.running(self.id, name)
            if name in known and alive and whole:
                hosts.thaw(self.id, name)
                continue
            if alive or name not in known:
                self.say(f"{name}: cleaning up what an earlier run left")
            hosts.clear(self.id, name)
            if name not in known:
                rootfs.discard(self.folder / "hosts" / name)

    def _clean_snapshots(self) -> None:
        with locked(cache_root() / "locks" / "snapshots.lock", "a snapshot"):
            snapshot.remove_abandoned()

    def _wanted(
        self, state: State, count: int, base: Path, source: str | None, data_size: str
    ) -> list[Host]:
        """The hosts to boot: known ones without power, and new ones up to the count."""
        dead = [host for host in state.hosts if not hosts.running(self.id, host.name)]
        known = {host.name for host in state.hosts}
        new: list[Host] = []
        for number in range(1, count + 1):
            if (name := f"gpu{number:02d}") not in known:
                new.append(self._new_host(state, name, base, source, data_size))
        return dead + new

    def _new_host(
        self, state: State, name: str, base: Path, source: str | None, data_size: str
    ) -> Host:
        host = Host(name, network.address(state.subnet, hosts.number(name)), dict(OPERATORS))
        if source is None:
            host.layers, host.data_size = [str(base)], data_size
        else:
            kept = snapshot.load(source)
            host.layers, host.data_size, host.snapshot = kept.layers, kept.data_size, source
            place = hosts.folder(self.id, name)
            place.mkdir(parents=True, exist_ok=True)
            snapshot.restore_disk(source, place)
        hosts.create(state, host)
        return host

    def _boot_all(self, state: State, wanted: list[Host]) -> None:
        if not wanted:
            return
        known = {host.name for host in state.hosts}
        with ThreadPoolExecutor(len(wanted)) as pool:
            booting = {host.name: pool.submit(self._boot, state, host) for host in wanted}
        failures = [error for boot in booting.values() if (error := boot.exception())]
        state.hosts += [
            host for host in wanted if host.name not in known and not booting[host.name].exception()
        ]
        state.hosts.sort(key=lambda host: host.name)
        save(self.folder, state)
        hosts.refresh(state)
        if failures:
            raise failures[0]

    def _boot(self, state: State, host: Host) -> None:
        hosts.boot(state, host)
        if host.data_kind == "memory":
            self.say(f"{host.name}: no loop devices here, so /data is memory and dies with it")
            if host.snapshot:
                snapshot.restore_memory(host.snapshot, hosts.folder(self.id, host.name))

    def _start_services(self, state: State) -> None:
        from llamarig.rehearsal import services

        # From here on there may be something to stop, however far the start comes.
        state.services = state.services or {}
        save(self.folder, state)
        started = dict(services.start(self.folder, state.gateway))
        state.model = started.pop("model", state.model)
        state.services = {name: str(url) for name, url in started.items()}
        save(self.folder, state)

    def down(self) -> None:
        """Remove the lab, and prove that nothing of it is left."""
        machine.require_root()
        with self._locked():
            self._stop_services()
            cgroup.kill(self.id)
            names = [path.name for path in (self.folder / "hosts").glob("*")]
            for name in names:
                hosts.clear(self.id, name)
            network.down(self.id)
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
        with self._locked():
            state = self.state
            with locked(cache_root() / "locks" / "snapshots.lock", "a snapshot"):
                return snapshot.take(state, state.host(host), name, replace)

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
        with locked(cache_root() / "locks" / f"lab-{self.id}.lock", f"lab {self.id}"):
            yield
