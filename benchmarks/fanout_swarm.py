"""A BitTorrent-like swarm in steps of time: bytes flow like a fluid, pieces are whole or not there.

What it assumes is in the docstring of fanout_simulation.py, which prints it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

MIB = 1 << 20
SLOT_S = 10.0  # after which a slot goes to another peer
DETECT_S = 20.0  # until a silent death is noticed
STEPS = 12  # per piece at a slot's fair share of a link; a step is also how late news travel
PASSES = 3  # of sharing links; six move the result by less than another draw does
NEVER = float("inf")


@dataclass(frozen=True)
class Rules:
    """start_s: until bytes flow; slots: peers that a host serves at once; ahead: bytes that it asks
    a peer for at a time, a piece at least; product: llamarig's own slices and libtorrent's end."""

    start_s: float
    slots: int
    ahead: int = 0
    product: bool = False


@dataclass(slots=True)
class Flow:
    """One upload slot in use. pieces: asked for, the first one flows."""

    giver: int
    taker: int
    until: float
    pieces: list[int]
    rate: float = 0.0


def share(flows: list[Flow], rates: list[float]) -> None:
    """Each link to its flows in equal parts; what a flow can't take, because its other end is
    full, goes to the others, as TCP does it."""
    up, down = rates.copy(), rates.copy()
    # A thousandth of a link isn't worth another look.
    least = [rate / 1000 for rate in rates]
    for flow in flows:
        flow.rate = 0.0
    growing = flows
    for _ in range(PASSES):
        growing = [f for f in growing if up[f.giver] > least[f.giver]
                   and down[f.taker] > least[f.taker]]  # fmt: skip
        givers, takers = [0] * len(rates), [0] * len(rates)
        for flow in growing:
            givers[flow.giver] += 1
            takers[flow.taker] += 1
        more_up = [free / max(count, 1) for free, count in zip(up, givers, strict=True)]
        more_down = [free / max(count, 1) for free, count in zip(down, takers, strict=True)]
        for flow in growing:
            more = min(more_up[flow.giver], more_down[flow.taker])
            flow.rate += more
            up[flow.giver] -= more
            down[flow.taker] -= more


class Swarm:
    """Hosts are numbers, 0 the giver; sets of pieces are masks, since ints are quick at them."""

    def __init__(
        self, size: float, rates: list[float], dead: int | None, piece: int, rules: Rules, draw: int
    ) -> None:
        hosts = len(rates)
        self.rates, self.dead, self.product = rates.copy(), dead, rules.product
        self.pieces = -(-int(size) // piece)
        self.piece_size = size / self.pieces
        self.full = (1 << self.pieces) - 1
        self.slots, self.ahead = min(rules.slots, hosts - 1), max(1, rules.ahead // piece)
        self.step = self.piece_size / (rates[0] / self.slots) / STEPS
        self.have = [self.full] + [0] * (hosts - 1)
        self.asked = [0] * hosts  # or had: what a host need not ask for
        self.own = [0] * hosts
        for piece in range(self.pieces if self.product else 0):
            self.own[1 + piece % (hosts - 1)] |= 1 << piece
        self.left: list[dict[int, float]] = [{} for _ in rates]  # bytes of the pieces asked for
        self.holders = [1] * self.pieces
        self.held_by = [0, self.full] + [0] * hosts  # pieces by their number of holders
        self.takers: list[set[int]] = [set() for _ in rates]
        self.flows: list[Flow] = []
        self.now, self.died, self.sent = 0.0, NEVER, 0.0  # sent: by the giver
        self.ends = [0.0] + [NEVER] * (hosts - 1)
        self.rng = random.Random(draw)

    def run(self) -> list[float]:
        """When each host had all of it; NEVER for who died."""
        usual = max(self.rates)
        healthy = [h for h, rate in enumerate(self.rates) if rate == usual and h != self.dead]
        while any(self.have[host] != self.full for host in healthy):
            self._offer()
            share(self.flows, self.rates)
            self.now += self.step
            self.flows = [flow for flow in self.flows if self._advance(flow)]
            self._die()
        for host, have in enumerate(self.have):
            # Only a slow one is left, and everybody serves it: its own link decides.
            if have != self.full and host != self.dead:
                missing = self.pieces - have.bit_count()
                self.ends[host] = self.now + missing * self.piece_size / self.rates[host]
        return self.ends

    def _offer(self) -> None:
        """Free slots to peers that lack something, at random."""
        alive = [host for host, rate in enumerate(self.rates) if rate]
        sought = self.have if self.product else self.asked
        until = self.now + SLOT_S if self.slots < len(self.rates) - 1 else NEVER
        needy = [host for host in alive if sought[host] != self.full]
        for giver in alive:
            takers = self.takers[giver]
            if not self.have[giver] or len(takers) >= self.slots:
                continue
            for taker in self.rng.sample(needy, min(2 * self.slots, len(needy))):
                if len(takers) < self.slots and taker != giver and taker not in takers:
                    flow = Flow(giver, taker, until, [])
                    if self._ask(flow):
                        self.flows.append(flow)
                        takers.add(taker)

    def _ask(self, flow: Flow) -> bool:
        """Fill up what is asked for; False if that is nothing."""
        have, taker = self.have[flow.giver], flow.taker
        while len(flow.pieces) < self.ahead and (wanted := have & ~self.asked[taker]):
            rarest = wanted & self.own[taker] or next(m for h in self.held_by if (m := h & wanted))
            number = self._any(rarest)
            self.asked[taker] |= 1 << number
            self.left[taker].setdefault(number, self.piece_size)
            flow.pieces.append(number)
        if self.product and not flow.pieces and (missing := have & ~self.have[taker]):
            flow.pieces.append(self._any(missing))
        return bool(flow.pieces)

    def _any(self, pieces: int) -> int:
        start = self.rng.randrange(self.pieces)
        beyond = pieces >> start
        found = (beyond & -beyond) << start if beyond else pieces & -pieces
        return found.bit_length() - 1

    def _advance(self, flow: Flow) -> bool:
        """Let a step's bytes flow; False if the slot is free then."""
        room, left = flow.rate * self.step, self.left[flow.taker]
        while flow.pieces:
            number = flow.pieces[0]
            missing = left.get(number, 0.0)  # 0 if it came from others
            used = min(room, missing)
            room -= used
            if flow.giver == 0:
                self.sent += used
            if used < missing:
                left[number] = missing - used
                return True
            del flow.pieces[0]
            if missing:
                self._receive(flow.taker, number)
            if self.now < flow.until:
                self._ask(flow)
        self.takers[flow.giver].discard(flow.taker)
        return False

    def _receive(self, host: int, number: int) -> None:
        piece = 1 << number
        del self.left[host][number]
        self.have[host] |= piece
        self.held_by[self.holders[number]] ^= piece
        self.holders[number] += 1
        self.held_by[self.holders[number]] |= piece
        if self.have[host] == self.full:
            self.ends[host] = self.now

    def _die(self) -> None:
        """With half of the pieces; its slots, and what was asked of it, hang until noticed."""
        if self.dead is None:
            return
        if self.rates[self.dead] and 2 * self.have[self.dead].bit_count() >= self.pieces:
            self.rates[self.dead], self.died = 0.0, self.now
        if self.now >= self.died + DETECT_S:
            for flow in [f for f in self.flows if self.dead in (f.giver, f.taker)]:
                self.flows.remove(flow)
                self.takers[flow.giver].discard(flow.taker)
                for number in flow.pieces:
                    self.asked[flow.taker] &= ~(1 << number) | self.have[flow.taker]
