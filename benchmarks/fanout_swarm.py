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


@dataclass(slots=True)
class Flow:
    """One upload slot in use. piece: a mask with that piece's bit."""

    giver: int
    taker: int
    until: float
    piece: int
    left: float
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
        growing = [
            flow
            for flow in growing
            if up[flow.giver] > least[flow.giver] and down[flow.taker] > least[flow.taker]
        ]
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
    """Hosts are numbers, 0 the seed; sets of pieces are masks, since ints are quick at them."""

    def __init__(
        self, size: float, rates: list[float], dead: int | None, slots: int, piece: int, draw: int
    ) -> None:
        hosts = len(rates)
        self.pieces = -(-int(size) // piece)
        self.piece_size = size / self.pieces
        self.full = (1 << self.pieces) - 1
        self.rates, self.dead = rates.copy(), dead
        self.slots = min(slots, hosts - 1)
        self.step = self.piece_size / (rates[0] / self.slots) / STEPS
        self.have = [self.full] + [0] * (hosts - 1)
        self.asked = [0] * hosts  # or had: what a host need not ask for
        self.holders = [1] * self.pieces
        self.held_by = [0, self.full] + [0] * hosts  # pieces by their number of holders
        self.takers: list[set[int]] = [set() for _ in rates]
        self.flows: list[Flow] = []
        self.now, self.died = 0.0, float("inf")
        self.ends = [0.0] + [float("inf")] * (hosts - 1)
        self.rng = random.Random(draw)

    def run(self) -> list[float]:
        """When each host had all of it; inf for who died."""
        usual = max(self.rates)
        healthy = [h for h, rate in enumerate(self.rates) if rate == usual and h != self.dead]
        while any(self.have[host] != self.full for host in healthy):
            self._offer()
            share(self.flows, self.rates)
            self.now += self.step
            self._advance()
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
        needy = [host for host in alive if self.asked[host] != self.full]
        for giver in alive:
            takers = self.takers[giver]
            if not self.have[giver] or len(takers) >= self.slots:
                continue
            for taker in self.rng.sample(needy, min(2 * self.slots, len(needy))):
                if len(takers) < self.slots and taker != giver and taker not in takers:
                    piece = self._ask(giver, taker)
                    if piece:
                        flow = Flow(giver, taker, self.now + SLOT_S, piece, self.piece_size)
                        self.flows.append(flow)
                        takers.add(taker)

    def _ask(self, giver: int, taker: int) -> int:
        """The rarest piece that taker lacks and giver has, any one of the equally rare; or 0."""
        wanted = self.have[giver] & ~self.asked[taker]
        if not wanted:
            return 0
        rarest = next(hit for mask in self.held_by if (hit := mask & wanted))
        start = self.rng.randrange(self.pieces)
        beyond = rarest >> start
        piece = (beyond & -beyond) << start if beyond else rarest & -rarest
        self.asked[taker] |= piece
        return piece

    def _advance(self) -> None:
        kept = []
        for flow in self.flows:
            flow.left -= flow.rate * self.step
            while flow.left <= 0 and flow.piece:
                self._receive(flow.taker, flow.piece)
                over = self.now >= flow.until
                flow.piece = 0 if over else self._ask(flow.giver, flow.taker)
                # What flowed beyond the last piece counts for the next one.
                flow.left += self.piece_size
            if flow.piece:
                kept.append(flow)
            else:
                self.takers[flow.giver].discard(flow.taker)
        self.flows = kept

    def _receive(self, host: int, piece: int) -> None:
        self.have[host] |= piece
        number = piece.bit_length() - 1
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
                self.asked[flow.taker] &= ~flow.piece
