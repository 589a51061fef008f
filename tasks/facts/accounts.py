"""Users and groups of a host, and which of them llamarig made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from llamarig.paths import ACCOUNTS
from llamarig.tasks.facts.sections import MARK, split


@dataclass(frozen=True)
class User:
    """How a user logs in, or does not."""

    home: str
    shell: str


@dataclass(frozen=True)
class AccountState:
    """Each account is `user NAME` or `group NAME`. ours: those that llamarig made; busy: groups
    that a user who is not ours belongs to; users: each by its name."""

    there: frozenset[str] = field(default_factory=frozenset)
    ours: frozenset[str] = field(default_factory=frozenset)
    busy: frozenset[str] = field(default_factory=frozenset)
    users: Mapping[str, User] = field(default_factory=dict)

    @property
    def removable(self) -> list[str]:
        """What `down --purge` removes, users first."""
        found = (self.ours & self.there) - self.busy
        return sorted(found, key=lambda each: (each.startswith("group "), each))


class Accounts(FactBase[AccountState]):
    """Read from the account databases and from what llamarig wrote down."""

    @staticmethod
    def default() -> AccountState:
        return AccountState()

    def command(self) -> str:
        return (
            f"getent passwd; echo {MARK}; getent group; echo {MARK}; cat {ACCOUNTS} 2>/dev/null; "
            "true"
        )

    def process(self, output: list[str]) -> AccountState:
        sections = split(output)
        if len(sections) != 3:
            return AccountState()
        ours = frozenset(sections[2])
        users = [line.split(":") for line in sections[0] if line.count(":") >= 6]
        groups = [line.split(":") for line in sections[1] if line.count(":") >= 3]
        others = {each[0] for each in users if f"user {each[0]}" not in ours}
        primary = {each[3] for each in users if each[0] in others}
        busy = {
            f"group {name}"
            for name, _, number, members, *_ in groups
            if number in primary or others & set(members.split(","))
        }
        there = {f"user {each[0]}" for each in users} | {f"group {each[0]}" for each in groups}
        # Of two lines for one name the first counts, on the host as well.
        logins = {each[0]: User(each[5], each[6]) for each in reversed(users)}
        return AccountState(frozenset(there), ours, frozenset(busy), logins)
