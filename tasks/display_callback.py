"""Our display of a run: hooked into pyinfra, so that plain pyinfra shows the same."""

from __future__ import annotations

import logging

from pyinfra import logger
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State

from llamarig import report
from llamarig.display import ClearFirst, say
from llamarig.tasks import dropped, step


class Display(BaseStateCallback):
    """One line per operation that changed or failed; the rest is counted."""

    @staticmethod
    def operation_start(state: State, op_hash: str) -> None:
        _quiet()
        at = [each.name for each in state.active_hosts if op_hash in state.ops[each]]
        report.step(step.title(state, op_hash).split(" | ")[0], at)

    @staticmethod
    def operation_end(state: State, op_hash: str) -> None:
        title = step.title(state, op_hash)
        outcomes: dict[str, str] = {}
        for host in state.inventory.iter_activated_hosts():
            if op_hash not in state.ops[host]:
                continue
            meta = state.ops[host][op_hash].operation_meta
            if not meta.is_complete() or not meta.did_succeed():
                continue
            changed = meta.did_change()
            outcomes[host.name] = "changed" if changed else "unchanged"
            if changed:
                say(host.name, f"changed: {title}")
        report.operation(title, outcomes)

    @staticmethod
    def operation_host_error(
        state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        title = step.title(state, op_hash)
        report.operation(title, {host.name: "failed"})
        say(host.name, f"failed: {title}")

    @staticmethod
    def host_disconnect(state: State, host: Host) -> None:
        """Plain pyinfra's own results are INFO, which we quiet: this line stands in."""
        entry = report.host(host.name)
        if entry["operations"] and not report.wanted():
            say(host.name, report.outcome(entry))


def _quiet() -> None:
    """pyinfra announces every operation and every "No changes"; ours says what changed. Plain
    pyinfra lists what it is about to do before the first operation, which is left to it."""
    logger.setLevel(logging.WARNING)


def registered(state: State) -> bool:
    """Whether preflight, or another step that comes first, has begun this run."""
    return any(isinstance(handler, Display) for handler in state.callback_handlers)


def register(state: State) -> None:
    """Show and report a run our way; called for every host, done once."""
    if registered(state):
        return
    state.add_callback_handler(Display())
    dropped.watch(state)
    hosts = [each for each in state.inventory if state.is_host_in_limit(each)]
    report.begin([each.name for each in hosts])
    for each in hosts:
        if each in state.failed_hosts and not report.host(each.name)["problems"]:
            report.unreachable(each.name, "could not connect")
    if report.wanted():
        _quiet()
    for handler in logging.getLogger("pyinfra").handlers:
        handler.addFilter(ClearFirst())
