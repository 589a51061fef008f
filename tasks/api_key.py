"""The site's API key: one for all its hosts, made at the first deploy, kept on the hosts alone.

The hosts' copies are the truth. A new host gets the key from the others; a host with another key
is named and never overwritten. The key goes through pipes and stdin only: it is in no argument, no
environment, no fact, no report, and in nothing that pyinfra prints.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator

from gevent.lock import BoundedSemaphore
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.api_key import FORM, disagreement, no_key
from llamarig.display import say
from llamarig.paths import API_KEY, CONFIG
from llamarig.settings import Settings
from llamarig.tasks import others, part
from llamarig.tasks.facts.api_key import FIRST_LINE, OWNER, ApiKey
from llamarig.tasks.operations.outcome import failure, tell

# Hosts run at once: the first that asks asks for all of them.
_choosing = BoundedSemaphore(1)
_chosen: list[str] = []
_comparing = BoundedSemaphore(1)
_compared: list[str | None] = []
_planned: dict[str, str | None] = {}
_warned: set[str] = set()


@operation()
def agree(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Fail where hosts of the site have different keys, before anything is changed."""
    if not (state.is_executing or part.looks()):
        _warn(host.get_fact(ApiKey).digest)
        return
    # All runs of a rollout are for the same site: its look has compared the keys.
    line = _disagreement() if settings.keyed and not part.follows() else None
    if line and part.looks():
        tell(host, line)
    elif line:
        yield failure(line)
    else:
        host.noop("no host has another API key")


@operation()
def have(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """The host has the site's key, for root alone: its own, else the others', else a new one."""
    if not settings.keyed:
        host.noop("no API key is asked for here")
        return
    found = host.get_fact(ApiKey)
    if found.digest is not None:
        if found.private:
            host.noop("the host has its API key")
        else:
            yield StringCommand(f"chown {OWNER} {API_KEY} && chmod 600 {API_KEY}")
    elif state.is_executing:
        try:
            key = _site_key()
        except ValueError as error:
            yield failure(str(error))
            return
        yield written(key, API_KEY)
    else:
        yield StringCommand("true  # taken from another host, or made")


def generated() -> str:
    """A new key: 256 random bits in 43 characters that need no quoting."""
    return secrets.token_urlsafe(32)


def written(key: str, path: str) -> StringCommand:
    """The command that puts a key into a file below CONFIG: whole or not at all, root's alone."""
    partial = f"{CONFIG}/.api-key.partial"
    # A connection that ends early looks like the end of the key: so it is counted.
    size = len(key) + 1
    return StringCommand(
        f"umask 077; install -d -m 755 {CONFIG} && rm -f {partial} && cat >{partial} && "
        f'[ "$(wc -c <{partial})" -eq {size} ] && sync {partial} && '
        f"mv -T {partial} {path} && sync -f {CONFIG}",
        _stdin=[key],
    )


def _warn(digest: str | None) -> None:
    """A plan says what `up` would refuse, as far as the hosts of the plan show it."""
    _planned[host.name] = digest
    line = disagreement(_planned)
    if line and not _warned:
        _warned.add(line)
        say(host.name, f"warning: {line}")


def _disagreement() -> str | None:
    """The line for hosts of the site, of this run or not, that have different keys."""
    with _comparing:
        if not _compared:
            answers = others.ask(state.inventory, ApiKey().command())
            _compared.append(disagreement({name: _digest(of) for name, of in answers.items()}))
        return _compared[0]


def _digest(answer: list[str] | None) -> str | None:
    try:
        return ApiKey().process(answer or []).digest
    except FactProcessError:
        return None


def _site_key() -> str:
    """The key that the other hosts have; a new one if none has any. The same for all of this run.

    Raises:
        ValueError: the others have different keys, or what one of them has is no key.
    """
    with _choosing:
        if not _chosen:
            rest = [each for each in state.inventory if each.name != host.name]
            answers = others.ask(rest, FIRST_LINE)
            _name_unasked([name for name, answer in answers.items() if answer is None])
            keys = {name: "".join(answer) for name, answer in answers.items() if answer}
            _chosen.append(one_of(keys) or generated())
        return _chosen[0]


def one_of(keys: dict[str, str]) -> str | None:
    """The one key of hosts (name to key); None where there is none.

    Raises:
        ValueError: they differ, or one of them can't be sent in a request.
    """
    if line := disagreement(keys):
        raise ValueError(line)
    for name, key in keys.items():
        if not FORM.fullmatch(key):
            raise ValueError(no_key(name))
    return next(iter(keys.values()), None)


def _name_unasked(names: list[str]) -> None:
    if names:
        it = "it has" if len(names) == 1 else "they have"
        say(
            host.name,
            f"warning: {', '.join(sorted(names))} could not be asked for the site's API key; "
            f"if {it} another one, `llamarig status` will name it",
        )
