"""A run that only looks asks a host each thing once.

The story reads what it needs where it needs it, so that each step sees what those before it have
done: generations five times, a release four times. Nothing is done in a look.
"""

from __future__ import annotations

from typing import Any

from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.host import Host


def once(host: Host) -> None:
    """Have every fact of the host that was asked for answered from memory from then on, as long as
    nothing is executed. host: itself, not pyinfra's name for whichever is the current one."""
    ask = host.get_fact
    known: list[tuple[Any, Any]] = []

    def get_fact(fact: Any, *args: Any, **words: Any) -> Any:
        if host.state.is_executing:
            return ask(fact, *args, **words)
        question = (fact, args, *_told(host, words))
        for asked, answer in known:
            if asked == question:
                return answer
        answer = ask(fact, *args, **words)
        known.append((question, answer))
        return answer

    host.get_fact = get_fact  # type: ignore[method-assign, assignment]


def _told(host: Host, words: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A fact's own words; and as whom and in which environment it is asked: by words beside those,
    else by those of the operation, of the step, or of the host."""
    operation: Any = host.current_op_global_arguments or {}
    own = {**operation, **words}
    how: Any = pop_global_arguments(host.state, host, own)[0]  # takes them out of `own`
    return own, {key: how[key] for key in CONNECTOR_ARGUMENT_KEYS}
