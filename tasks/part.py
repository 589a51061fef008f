"""A run that is part of a rollout: how far it goes, and what the rollout has behind it.

`llamarig up` of several hosts is several runs of one story (llamarig/rollout/). They are told,
besides the hosts' own data: `_until` look (with --dry: is there anything to do?) or stage (prove
and switch wait for the host's wave); `_after` look, in every run that follows it.
"""

from __future__ import annotations

from pyinfra.context import host

UNTIL, AFTER = "_until", "_after"
LOOK, STAGE = "look", "stage"


def looks() -> bool:
    """Whether this run only looks for something to do; a server that hangs is something."""
    return str(host.data.get(UNTIL)) == LOOK


def stages_only() -> bool:
    """Whether nothing is to be measured or made live in this run."""
    return str(host.data.get(UNTIL)) == STAGE


def follows() -> bool:
    """Whether the rollout's look came before: it has said what is to be warned of, and compared
    the API keys of all hosts of the site."""
    return str(host.data.get(AFTER)) == LOOK
