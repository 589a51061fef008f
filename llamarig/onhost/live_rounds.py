"""Rounds of the live server alone, each request only while nobody is served."""

from __future__ import annotations

import time
from typing import Any

from llamarig.onhost import slots, text, watch
from llamarig.onhost.errors import Stop
from llamarig.onhost.live_server import Live
from llamarig.onhost.rounds import NOT_PASSED, tagged
from llamarig.onhost.sample import Taken

ARM = "mtp"


class BusyError(Exception):
    """Users were served all the time that there was to wait."""


class LiveRounds:
    """config: prompts [{id, class, text}], warmup, warmup_tokens, backend, gpu, rounds, patience_s
    (how long to wait for users in all). tokens: of an answer, as in the proof."""

    def __init__(self, config: dict[str, Any], server: Live, tokens: int) -> None:
        self.config, self.server, self.tokens = config, server, tokens
        self.samples: list[Taken] = []
        self.patience = float(config["patience_s"])

    def warm_up(self) -> None:
        """A first answer that does not count: an idle card has low clocks.

        Raises:
            BusyError: there was no moment for it.
        """
        self._free()
        self.server.ask(self.config["warmup"], self.config["warmup_tokens"], greedy=True)

    def measure(self, number: int) -> None:
        """One round, all prompts once; its number counts from 1, and is the seed. Its samples
        count only as a whole.

        Raises:
            BusyError: users came between.
            Stop: the server ended, or answers garbage.
        """
        prompts = self.config["prompts"]
        taken = []
        for place, prompt in enumerate(prompts, start=1):
            one = self._take(prompt, number)
            taken.append(one)
            loud = f", disturbed ({', '.join(one.disturbed)})" if one.disturbed else ""
            done = (number - 1) * len(prompts) + place
            planned = max(number, self.config["rounds"]) * len(prompts)
            print(
                f"[{done}/{planned}] round {number}: {one.prompt} {one.tps:.1f} t/s{loud}",
                flush=True,
            )
        self.samples += taken

    def _take(self, prompt: dict[str, str], number: int) -> Taken:
        before = self._free()
        with watch.throttling(self.config["backend"], self.config.get("gpu")) as throttled:
            answer = self.server.ask(tagged(prompt["text"], number), self.tokens, seed=number)
        own = answer.prompt_n + answer.predicted_n
        beside = slots.of_others(before, self.server.slots(), own)
        if wrong := text.garbage(answer.text):
            raise Stop(f"the live server answers garbage: {wrong}", NOT_PASSED)
        return Taken(
            arm=ARM, round=number, prompt=prompt["id"], kind=prompt["class"], tps=answer.tps,
            predicted_n=answer.predicted_n, draft_n=answer.draft_n,
            draft_n_accepted=answer.draft_n_accepted, prompt_n=answer.prompt_n,
            prompt_tps=answer.prompt_tps, foreign=answer.foreign, pressure=answer.pressure,
            throttled=sorted(throttled), others=beside, digest=answer.digest,
        )  # fmt: skip

    def _free(self) -> list[slots.Slot]:
        begun = time.monotonic()
        found = self.server.idle(self.patience)
        self.patience = max(0.0, self.patience - (time.monotonic() - begun))
        if found is None:
            raise BusyError(
                f"busy: users were served; {self.config['patience_s']:.0f} s of waiting in all "
                "were not enough"
            )
        return found
