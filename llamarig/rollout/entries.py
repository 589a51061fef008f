"""What the run report says of a host, read and put together over the runs of a rollout."""

from __future__ import annotations

from typing import Any

from llamarig import report

Entry = dict[str, Any]
Hosts = dict[str, Entry]


def settled(entry: Entry) -> bool:
    """Whether a look found that the host serves what is asked for and that nothing is to be done.

    entry: of a dry run, which holds as `planned` what would change, and as `later` what only the
    run itself can tell.
    """
    planned = any(each["outcome"] == "planned" for each in entry["operations"])
    return bool(entry.get("settled")) and not (planned or entry.get("later") or report.sick(entry))


def merged(before: Entry, after: Entry) -> Entry:
    """A host's part over two runs: what changed in either, and what is known since the later."""
    did = [each for each in before["operations"] if each["outcome"] != "unchanged"]
    return {
        **before,
        **after,
        "changed": before["changed"] + after["changed"],
        "failed": before["failed"] + after["failed"],
        "operations": did + after["operations"],
        "problems": list(dict.fromkeys(before["problems"] + after["problems"])),
    }


def cause(entry: Entry) -> str:
    """Why a host got no further, in one line."""
    if entry["problems"]:
        return str(entry["problems"][0])
    failed = [each["name"] for each in entry["operations"] if each["outcome"] == "failed"]
    return f"{failed[0]}: failed, the lines above say why" if failed else "nothing is known of it"
