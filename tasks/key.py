"""The site's API key as stories of their own: `llamarig key show` and `llamarig key rotate`.

A new key is first written beside the old one on all hosts, and only when all have it does it take
the old one's place, host by host. A rotation that ended anywhere is finished by another one.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, report, secret_report
from llamarig.api_key import FORM, disagreement, no_key
from llamarig.paths import API_KEY, CONFIG, LIVE_UNIT
from llamarig.tasks import api_key, live, site
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.api_key import FIRST_LINE, ApiKey
from llamarig.tasks.facts.generation import Generations
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.operations import host_lock, refusal
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refused, step

NEW = f"{API_KEY}.new"

_digests: dict[str, str | None] = {}
_new: list[str] = []


def show() -> None:
    """Compare the hosts' keys; if they agree, hand it to the command. Changes nothing, no lock."""
    _look()
    _hand_over()


def rotate() -> None:
    """A new key on all hosts of the inventory, or on none."""
    _begin()
    _replace()


@step("Key")
def _look() -> None:
    arrive()
    if refused(host.name):
        return
    # The step's own arguments were fixed before sudo was arranged, so sudo is said here.
    found = host.get_fact(ApiKey, _sudo=bool(host.data.get("_sudo")))
    _digests[host.name] = found.digest
    report.record(host.name, key_digest=found.digest)


@step("Key")
def _hand_over() -> None:
    hand_over(name="Hand the key over")


@operation()
def hand_over() -> Generator[PyinfraCommand, None, None]:
    """Read the key on one host, if all hosts have the same."""
    having = sorted(name for name, digest in _digests.items() if digest is not None)
    if not state.is_executing or disagreement(_digests) or having[:1] != [host.name]:
        return
    if not secret_report.wanted():
        yield failure("nobody would get the key: `llamarig key show` does")
        return
    try:
        ok, lines = connection.run(host, FIRST_LINE, sudo=bool(host.data.get("_sudo")))
    except ConnectionError as error:
        yield failure(f"the connection was lost ({error})")
        return
    if not ok or len(lines) != 1:
        yield failure(f"{API_KEY} can't be read")
        return
    if not FORM.fullmatch(lines[0]):
        yield failure(no_key(host.name))
        return
    secret_report.put(lines[0])


@step("Preflight")
def _begin() -> None:
    settings = arrive()
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


@step("Key")
def _replace() -> None:
    everybody(name="Reach all hosts of the site")
    write_beside(name="Write the new key beside the old one")
    everybody(name="Have the new key on all hosts")
    seconds = site.settings().load_timeout_seconds
    put_in_place(name="Put the new key in place", wait_seconds=seconds, _serial=True)


@operation()
def everybody() -> Generator[PyinfraCommand, None, None]:
    """Fail, on every host, unless all hosts of the inventory have come this far."""
    missing = sorted(each.name for each in state.inventory if each not in state.active_hosts)
    if state.is_executing and missing:
        yield failure(_left_out(missing))


def _left_out(missing: list[str]) -> str:
    them = "it" if len(missing) == 1 else "them"
    return (
        f"{', '.join(missing)} can't take part and would keep the old key, so no host gets a new "
        f"one; mend {them}, or take {them} out of the inventory, then run it again"
    )


@operation()
def write_beside() -> Generator[PyinfraCommand, None, None]:
    """The new key, the same for all hosts, where nothing reads it yet."""
    if not _new:
        _new.append(api_key.generated())
    yield api_key.written(_new[0], NEW)


@operation()
def put_in_place(wait_seconds: int) -> Generator[PyinfraCommand, None, None]:
    """Give the new key its name, and have a server that asks for a key read it.
    wait_seconds: how long that one may load."""
    current = host.get_fact(Generations).live
    keyed = current is not None and bool(current.manifest.get("keyed"))
    serves = keyed and host.get_fact(LiveServer).active == "active"
    # One command: the host ends it even if the link is cut, and a boot reads the new key anyway.
    stop = f" && {{ {live.STOP_CHECK}; true; }}"
    restart = f"{stop} && systemctl try-restart {LIVE_UNIT}" if keyed else ""
    yield StringCommand(f"mv -T {NEW} {API_KEY} && sync -f {CONFIG}{restart}")
    if not state.is_executing:
        return
    report.record(host.name, key_rotated=True)
    if current is None or not serves:
        return
    if silent := live.unanswered(current.manifest["address"], wait_seconds):
        yield failure(silent)
