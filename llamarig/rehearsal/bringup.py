"""Bringing a lab up: cleaning what a crash left, then booting what is wanted and does not run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llamarig.cache import locked
from llamarig.errors import UserError
from llamarig.rehearsal import cgroup, hosts, network, rootfs, snapshot
from llamarig.rehearsal.state import (
    OPERATORS,
    Host,
    State,
    cache_root,
    lab_folder,
    load,
    save,
)

Say = Callable[[str], None]


def begin(lab: str) -> State:
    """The lab's state; where there is none, that of a new lab with a subnet of its own."""
    found = load(lab_folder(lab))
    if found is not None:
        _refuse_if_taken(found)
        return found
    operators = rootfs.access()
    # Two labs that start at once must not choose the same subnet.
    with locked(cache_root() / "locks" / "subnet.lock", "choosing a subnet"):
        others = [load(path) for path in (cache_root() / "labs").glob("*")]
        taken = [other.subnet for other in others if other]
        network.down(lab)
        subnet = network.choose_subnet([*network.taken_subnets(), *taken])
        state = State(
            id=lab,
            subnet=subnet,
            gateway=network.address(subnet, 0),
            ssh_key=str(operators.key),
            known_hosts=str(lab_folder(lab) / "known_hosts"),
            sudo_password_file=str(operators.password_file),
        )
        save(lab_folder(lab), state)
    return state


def _refuse_if_taken(state: State) -> None:
    """A lab that was without power must not come back into a subnet that somebody took meanwhile:
    a lab of another cache, which the choice of subnets does not know of.

    Raises:
        UserError: the subnet is taken.
    """
    if network.is_up(state.id, state.subnet):
        return
    network.down(state.id)
    if network.overlaps(state.subnet, network.taken_subnets()):
        raise UserError(
            f"lab {state.id}: its subnet {state.subnet} is in use on this machine by now; "
            "remove the lab and start it anew: llamarig lab down"
        )


def clean(state: State, say: Say) -> None:
    """Take down what a crashed run left half: hosts that nobody knows or that do not run."""
    _clean_snapshots()
    whole = network.is_up(state.id, state.subnet)
    known = {host.name for host in state.hosts}
    traces = {path.name for path in (lab_folder(state.id) / "hosts").glob("*")}
    traces |= {name.removeprefix(f"llamarig-{state.id}-") for name in network.namespaces(state.id)}
    traces |= {path.name for group in cgroup.groups(state.id) for path in group.iterdir()
               if path.is_dir() and path.name.startswith("gpu")}  # fmt: skip
    for name in sorted(traces - {"sw"}):
        alive = hosts.running(state.id, name)
        if name in known and alive and whole:
            hosts.thaw(state.id, name)
            continue
        if alive or name not in known:
            say(f"{name}: cleaning up what an earlier run left")
        hosts.clear(state.id, name)
        if name not in known:
            rootfs.discard(lab_folder(state.id) / "hosts" / name)


def _clean_snapshots() -> None:
    with locked(cache_root() / "locks" / "snapshots.lock", "a snapshot"):
        snapshot.remove_abandoned()


def wanted(state: State, count: int, base: Path, source: str | None, data_size: str) -> list[Host]:
    """The hosts to boot: known ones without power, and new ones up to the count."""
    dead = [host for host in state.hosts if not hosts.running(state.id, host.name)]
    known = {host.name for host in state.hosts}
    new: list[Host] = []
    for number in range(1, count + 1):
        if (name := f"gpu{number:02d}") not in known:
            new.append(_new_host(state, name, base, source, data_size))
    return dead + new


def _new_host(state: State, name: str, base: Path, source: str | None, data_size: str) -> Host:
    host = Host(name, network.address(state.subnet, hosts.number(name)), dict(OPERATORS))
    if source is None:
        host.layers, host.data_size = [str(base)], data_size
    else:
        kept = snapshot.load(source)
        host.layers, host.data_size, host.snapshot = kept.layers, kept.data_size, source
        place = hosts.folder(state.id, name)
        place.mkdir(parents=True, exist_ok=True)
        snapshot.restore_disk(source, place)
    hosts.create(state, host)
    return host


def boot_all(state: State, wanted: list[Host], say: Say) -> None:
    """Boot hosts side by side; those that came up stay, whatever became of the others."""
    if not wanted:
        return
    known = {host.name for host in state.hosts}
    with ThreadPoolExecutor(len(wanted)) as pool:
        booting = {host.name: pool.submit(_boot, state, host, say) for host in wanted}
    failures = [error for boot in booting.values() if (error := boot.exception())]
    state.hosts += [
        host for host in wanted if host.name not in known and not booting[host.name].exception()
    ]
    state.hosts.sort(key=lambda host: host.name)
    save(lab_folder(state.id), state)
    hosts.refresh(state)
    if failures:
        raise failures[0]


def _boot(state: State, host: Host, say: Say) -> None:
    hosts.boot(state, host)
    if host.data_kind == "memory":
        say(f"{host.name}: no loop devices here, so /data is memory and dies with it")
        if host.snapshot:
            snapshot.restore_memory(host.snapshot, hosts.folder(state.id, host.name))
