"""Rounds: every arm is asked all prompts once, there in one order and back in the other.

Two rounds are A B, B A: what drifts with time (heat, a neighbour) hits both arms alike. No request
can switch speculation off, so an arm is a process of its own, one at a time: two models do not fit
on one card. It stays loaded between neighbouring rounds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from llamarig.onhost import arm, residency, text, watch
from llamarig.onhost.errors import Stop
from llamarig.onhost.exchange import Answer
from llamarig.onhost.sample import Taken

NOT_PASSED, UNDECIDED = 3, 5
# A desktop's programs compute on the card too, but hold less of its memory than this.
COMPUTE_MIB = 1024


def tagged(prompt: str, number: int) -> str:
    """A prompt's text in a round: no two requests of a server share a beginning that a cache
    could know, and both arms get the same."""
    return f"(Question {number}) {prompt}"


class Rounds:
    """Measures arms by rounds and keeps what it saw: samples, residency of each arm's weights,
    digests of its greedy answers, seconds it took to load. Used as a context, it stops its server.

    config: arms {name: unit file}, prompts [{id, class, text}], tokens, warmup, warmup_tokens,
    backend, gpu_layers, gpu, port, load_timeout_s, request_timeout_s.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.samples: list[Taken] = []
        self.residency: dict[str, Any] = {}
        self.greedy: dict[str, set[str]] = {}
        self.load_seconds: dict[str, list[float]] = {}
        # Answers that are planned, for `[k/total]`; whoever plans may change it at any time.
        self.planned = 0
        self._server: arm.Arm | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *_: object) -> None:
        self._unload()

    def measure(self, number: int, arms: Sequence[str]) -> list[Taken]:
        """The samples of one round; its number counts from 1, and is the seed.

        Raises:
            Stop: a server does not load, its weights are not on the card, or it answers garbage.
        """
        order = list(arms) if number % 2 else list(reversed(arms))
        taken = [each for name in order for each in self._ask_all(self.loaded(name), number)]
        return taken

    def greedy_equal(self) -> bool | None:
        """Whether all arms gave the same greedy answer; None where fewer than two were asked."""
        if len(self.greedy) < 2:
            return None
        return len(set().union(*self.greedy.values())) == 1

    def loaded(self, name: str) -> arm.Arm:
        """The arm's server, loaded to where it belongs and warmed up."""
        if self._server and self._server.name == name:
            return self._server
        self._unload()
        config = self.config
        begun = time.monotonic()
        server = self._stack.enter_context(arm.running(name, config["arms"][name], config))
        self.load_seconds.setdefault(name, []).append(round(time.monotonic() - begun, 2))
        # First, since a fallback to the CPU would take minutes to answer.
        backend, layers = config["backend"], config["gpu_layers"]
        self.residency[name], problem = residency.look(server.unit, server.pid, backend, layers)
        if problem:
            raise Stop(problem, NOT_PASSED)
        if other := shared(self.residency[name]):
            raise Stop(other, UNDECIDED)
        answer = server.ask(config["warmup"], config["warmup_tokens"], greedy=True)
        self.greedy.setdefault(name, set()).add(answer.digest)
        self._server = server
        return server

    def _unload(self) -> None:
        self._server = None
        self._stack.close()

    def _ask_all(self, server: arm.Arm, number: int) -> Iterator[Taken]:
        for prompt in self.config["prompts"]:
            with watch.throttling(self.config["backend"], self.config.get("gpu")) as throttled:
                answer = ask(server, tagged(prompt["text"], number), self.config["tokens"], number)
            one = Taken(
                arm=server.name, round=number, prompt=prompt["id"], kind=prompt["class"],
                tps=answer.tps, predicted_n=answer.predicted_n, draft_n=answer.draft_n,
                draft_n_accepted=answer.draft_n_accepted, prompt_n=answer.prompt_n,
                prompt_tps=answer.prompt_tps, foreign=answer.foreign,
                pressure=answer.pressure,
                throttled=sorted(throttled), digest=answer.digest,
            )  # fmt: skip
            self.samples.append(one)
            self._say(one)
            yield one

    def _say(self, one: Taken) -> None:
        loud = f", disturbed ({', '.join(one.disturbed)})" if one.disturbed else ""
        done, planned = len(self.samples), max(self.planned, len(self.samples))
        print(
            f"[{done}/{planned}] round {one.round} {one.arm}: {one.prompt} {one.tps:.1f} t/s{loud}",
            flush=True,
        )


def shared(residency: dict[str, Any]) -> str | None:
    """One line where another program computes on the server's card."""
    for each in (residency.get("nvidia_smi") or {}).get("others") or []:
        if (each["mib"] or 0) >= COMPUTE_MIB:
            return (
                f"gpu: {each['name']} (pid {each['pid']}) computes on the card and holds "
                f"{each['mib']:.0f} MiB of it; stop it and run it again"
            )
    return None


def ask(server: arm.Arm, prompt: str, tokens: int, seed: int) -> Answer:
    """An answer that is text.

    Raises:
        Stop: it is not; no speed makes up for that.
    """
    answer = server.ask(prompt, tokens, seed=seed)
    if wrong := text.garbage(answer.text):
        raise Stop(f"the {server.name} server answers garbage: {wrong}", NOT_PASSED)
    return answer
