"""A BitTorrent-like swarm in steps of time: bytes flow like a fluid, pieces are whole or not there.
The docstring of fanout_simulation.py says what it assumes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

MIB = 1 << 20
AHEAD = MIB  # asked of a peer at a time, a piece at least
SLOT_S = 10.0  # after which a slot goes to another peer, where peers are more than slots
DETECT_S = 20.0  # until a silent death is noticed
STEPS = 12  # per piece at a slot's fair share of a link; a step is also how late news travel
PASSES = 3  # of sharing links; six move the result by less than another draw does
NEVER = float("inf")


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
    # A thousandth of a link isn't worth another pass.
    up, down, low = rates.copy(), rates.copy(), [rate / 1000 for rate in rates]
    for flow in flows:
        flow.rate = 0.0
    for _ in range(PASSES):
        flows = [f for f in flows if up[f.giver] > low[f.giver] and down[f.taker] > low[f.taker]]
        up_part = {host: up[host] / n for host, n in Counter(f.giver for f in flows).items()}
        down_part = {host: down[host] / n for host, n in Counter(f.taker for f in flows).items()}
        for flow in flows:
            more = min(up_part[flow.giver], down_part[flow.taker])
            flow.rate += more
            up[flow.giver] -= more
            down[flow.taker] -= more


class Swarm:
    """Hosts are numbers, 0 the giver; sets of pieces are masks, since ints are quick at them.

    slots: peers served at once; sliced: own slice first; late: seconds from one start to the next.
    """

    def __init__(self, size: float, rates: list[float], dead: int | None, draw: int, piece: int,
                 slots: int, sliced: bool, late: float = 0.0) -> None:  # fmt: skip
        self.rates, self.dead, self.late = rates.copy(), dead, late
        self.pieces, takers = -(-int(size) // piece), len(rates) - 1
        self.piece_size, self.ahead = size / self.pieces, max(1, AHEAD // piece)
        self.full = (1 << self.pieces) - 1
        self.slots, self.slot_s = min(slots, takers), SLOT_S if slots < takers else NEVER
        self.step = self.piece_size / (rates[0] / self.slots) / STEPS
        self.have, self.asked = [self.full] + [0] * takers, [0] * (takers + 1)  # asked: or had
        self.own = [sum(1 << piece for piece in range(host - 1, self.pieces, takers))
                    if host and sliced else 0 for host in range(takers + 1)]  # fmt: skip
        self.left: list[dict[int, float]] = [{} for _ in rates]  # bytes, of the pieces asked for
        self.holders = [1] * self.pieces
        self.held_by = [0, self.full] + [0] * takers  # pieces by their number of holders
        self.takers: list[set[int]] = [set() for _ in rates]
        self.flows: list[Flow] = []
        self.now, self.sent, self.died = 0.0, 0.0, NEVER  # sent: bytes, by the giver
        self.ends, self.rng = [0.0] + [NEVER] * takers, random.Random(draw)

    def run(self) -> list[float]:
        """When each host had all of it; NEVER for who died, or is slow and not there yet."""
        healthy = [h for h, r in enumerate(self.rates) if r == max(self.rates) and h != self.dead]
        while any(self.have[host] != self.full for host in healthy):
            self._offer()
            share(self.flows, self.rates)
            self.now += self.step
            self.flows = [flow for flow in self.flows if self._advance(flow)]
            self._die()
        return self.ends

    def _offer(self) -> None:
        """Free slots to peers that lack something, at random."""
        begun = [h for h, r in enumerate(self.rates) if r and self.now >= self.late * (h - 1)]
        needy = [host for host in begun if self.have[host] != self.full]
        for giver in begun:
            takers = self.takers[giver]
            tries = 2 * self.slots if self.have[giver] and len(takers) < self.slots else 0
            for taker in self.rng.sample(needy, min(tries, len(needy))):
                flow = Flow(giver, taker, self.now + self.slot_s, [])
                if len(takers) < self.slots and taker not in takers and self._ask(flow):
                    self.flows.append(flow)
                    takers.add(taker)

    def _ask(self, flow: Flow) -> bool:
        """Fill up what is asked for; False if that is nothing."""
        have, taker = self.have[flow.giver], flow.taker
        while len(flow.pieces) < self.ahead and (wanted := have & ~self.asked[taker]):
            best = wanted & self.own[taker] or next(m for p in self.held_by if (m := p & wanted))
            flow.pieces.append(self._any(best))
            self.asked[taker] |= 1 << flow.pieces[-1]
            self.left[taker].setdefault(flow.pieces[-1], self.piece_size)
        if not flow.pieces and self.asked[taker] == self.full and (m := have & ~self.have[taker]):
            flow.pieces.append(self._any(m))
        return bool(flow.pieces)

    def _any(self, pieces: int) -> int:
        beyond = pieces >> (start := self.rng.randrange(self.pieces))
        return start + (beyond & -beyond).bit_length() - 1 if beyond else pieces.bit_length() - 1

    def _advance(self, flow: Flow) -> bool:
        """Let a step's bytes flow; False if the slot is free then."""
        room, left = flow.rate * self.step, self.left[flow.taker]
        while flow.pieces:
            missing = left.get(flow.pieces[0], 0.0)  # 0 if the piece came from others
            used = min(room, missing)
            room -= used
            self.sent += used * (flow.giver == 0)
            if used < missing:
                left[flow.pieces[0]] -= used
                return True
            number = flow.pieces.pop(0)
            if left.pop(number, None) is not None:
                self._receive(flow.taker, number)
            if self.now < flow.until:
                self._ask(flow)
        self.takers[flow.giver].discard(flow.taker)
        return False

    def _receive(self, host: int, number: int) -> None:
        piece = 1 << number
        self.have[host] |= piece
        self.held_by[self.holders[number]] ^= piece
        self.holders[number] += 1
        self.held_by[self.holders[number]] |= piece
        self.ends[host] = self.now if self.have[host] == self.full else NEVER

    def _die(self) -> None:
        """With half of the pieces; its slots, and what was asked of it, hang until noticed."""
        gone = self.dead
        if gone and self.rates[gone] and 2 * self.have[gone].bit_count() >= self.pieces:
            self.rates[gone], self.died = 0.0, self.now
        if self.now >= self.died + DETECT_S:
            for flow in [flow for flow in self.flows if gone in (flow.giver, flow.taker)]:
                self.flows.remove(flow)
                self.takers[flow.giver].discard(flow.taker)
                self.asked[flow.taker] &= ~sum(1 << n for n in flow.pieces) | self.have[flow.taker]
