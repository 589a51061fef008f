"""From a measured fan-out to a big one: how long one file takes from a seed to N hosts, simulated.

It assumes, for every method:
- one switch that blocks nothing; every link is full duplex and equally fast both ways
- a link carries its rate times a goodput: 94 % on Ethernet; 95.6 % in the lab, whose shaper counts
  neither preamble nor gap; no TCP slow start, no loss; flows share a link fairly
- disks, CPUs and the hashing of pieces are never slower than the link
- set-up is a constant fitted to the measured run to one host: 0.1 s for a stream or a hop of a
  chain's start, 1.5 s for a swarm to find itself (aria2's)
- one sha256 of the whole file per host when it has all of it, at 1 GB/s where counted (column
  "+ sha256"); a tree does it before it passes the file on
- the slow host has a tenth of the rate both ways; the dead one vanishes without a word when it has
  half of the file and never comes back; silence is noticed after 20 s
- "times the floor": the last healthy host's time over bytes / line rate, without sha256

single source: N streams from the seed, all begun at once.
chain: each hop writes to disk and passes on from there, 256 KiB at a time, so who is ahead of a
  slow or dead host isn't held up (with plain nc and tee they are).
tree: whole files; a host that has it, or whose taker was found dead, serves the next in line, one
  at a time and not knowing who is slow.
swarm: pieces of 4 MiB (in the lab also of 256 KiB, llamarig's size for such a file), from one peer
  each, passed on only when whole; every host knows all others and how rare each piece is, and asks
  for the rarest, any of the equally rare (so the first are random), not knowing what others have
  asked for; K peers are served at once, chosen at random, for 10 s at most; no tit for tat, no
  endgame; news take up to a twelfth of a piece's time; who is done goes on serving.
"""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Callable
from functools import partial

from fanout_swarm import DETECT_S, MIB, Swarm

# (bytes, goodput in bytes/s per host with the seed first, who dies, draw) to the hosts' ends.
Method = Callable[[float, list[float], int | None, int], list[float]]

NEVER = float("inf")
STREAM_S, SWARM_S = 0.1, 1.5
HOP = MIB / 4
SHA256 = 1e9
SLOWER = 10
DRAWS = 5
SLOTS = (4, 8, 100)  # 4: aria2's 3 and an optimistic one; 100: llamarig's, all to all
LAB_SIZE, LAB_LINK, LAB_GOODPUT = 256 * MIB, 200e6 / 8, 0.956
SIZE, LINK, GOODPUT = 16.8e9, 1e9 / 8, 0.94


def single_source(size: float, rates: list[float], dead: int | None, draw: int) -> list[float]:
    hosts = len(rates) - 1
    # So the slow host takes no longer than the others, and leaves them nothing either.
    assert min(rates) >= rates[0] / hosts, "a slow host's link is wider than its part of the seed's"
    end = STREAM_S + size * (hosts if dead is None else hosts - 0.5) / rates[0]
    return [NEVER if host == dead else end for host in range(hosts + 1)]


def chain(size: float, rates: list[float], dead: int | None, draw: int) -> list[float]:
    rate, start, ends = rates[0], STREAM_S, [0.0]
    for host in range(1, len(rates)):
        rate = min(rate, rates[host])
        ends.append(NEVER if dead is not None and host >= dead else start + size / rate)
        start += HOP / rate
    return ends


def tree(
    size: float, rates: list[float], dead: int | None, draw: int, per_byte: float = 0.0
) -> list[float]:
    """per_byte: seconds that a host spends on each byte before it passes the file on."""
    free, ends = [(0.0, 0)], [0.0]
    for host in range(1, len(rates)):
        now, giver = heapq.heappop(free)
        took = STREAM_S + size / min(rates[giver], rates[host])
        if host == dead:
            ends.append(NEVER)
            heapq.heappush(free, (now + took / 2 + DETECT_S, giver))
            continue
        ends.append(now + took + size * per_byte)
        heapq.heappush(free, (now + took, giver))
        heapq.heappush(free, (ends[host], host))
    return ends


def swarm(
    size: float, rates: list[float], dead: int | None, draw: int, *, slots: int, piece: int
) -> list[float]:
    return [SWARM_S + end for end in Swarm(size, rates, dead, slots, piece, draw).run()]


METHODS: dict[str, Method] = {"single source": single_source, "chain": chain, "tree": tree}
SWARMS: dict[str, Method] = {
    f"swarm, K = {slots}": partial(swarm, slots=slots, piece=4 * MIB) for slots in SLOTS
}
SMALL: dict[str, Method] = {
    f"swarm, K = {slots}, 256 KiB": partial(swarm, slots=slots, piece=MIB // 4) for slots in SLOTS
}


def lasts(method: Method, size: float, rates: list[float], draws: int) -> list[float]:
    """The last host's end, sorted; only a swarm's draws differ."""
    return sorted(max(method(size, rates, None, draw)) for draw in range(draws))


def validate() -> None:
    floor = LAB_SIZE / LAB_LINK
    print(
        f"\n## 256 MiB at 200 Mbit/s, times the floor of {floor:.2f} s (range of {DRAWS} draws)\n"
    )
    print("| method | 1 host | 2 | 4 | 6 |\n|---|---|---|---|---|")
    for name, method in {**METHODS, **SWARMS, **SMALL}.items():
        cells = []
        for hosts in (1, 2, 4, 6):
            ends = lasts(method, LAB_SIZE, [LAB_LINK * LAB_GOODPUT] * (hosts + 1), DRAWS)
            span = f" ({ends[0] / floor:.2f}-{ends[-1] / floor:.2f})" if ends[0] < ends[-1] else ""
            cells.append(f"{statistics.median(ends) / floor:.2f}{span}")
        print(f"| {name} | {' | '.join(cells)} |")


def hurt(method: Method, hosts: int, usual: float, place: int, dies: bool) -> str:
    """What becomes of the healthy hosts when the one at this place in line is slow or dies."""
    rates = [LINK * GOODPUT] * (hosts + 1)
    rates[place] /= 1 if dies else SLOWER
    ends = method(SIZE, rates, place if dies else None, 0)
    healthy = [end for host, end in enumerate(ends) if host not in (0, place)]
    had = [end for end in healthy if end < NEVER]
    if not had:
        return "all never"
    prompt = sum(end <= 1.1 * usual for end in healthy)
    never = f", {len(healthy) - len(had)} never" if len(had) < len(healthy) else ""
    return f"{prompt} of {len(healthy)} on time, last at {max(had) * LINK / SIZE:.2f}{never}"


def extrapolate() -> None:
    floor = SIZE / LINK
    print(f"\n## 16.8 GB at 1 Gbit/s; the floor is {floor:.1f} s\n")
    print(f"Undisturbed swarms of 10: the median of {DRAWS} draws; other swarms: one draw.")
    print("On time: at most a tenth later than the last host is without the slow or dead one.\n")
    print("| method | N | s | + sha256 | times the floor | one slow host: healthy | one dead |")
    print("|---|---|---|---|---|---|---|")
    for name, method in {**METHODS, **SWARMS}.items():
        for hosts in (10, 100):
            rates = [LINK * GOODPUT] * (hosts + 1)
            end = statistics.median(lasts(method, SIZE, rates, DRAWS if hosts <= 10 else 1))
            hashed = end + SIZE / SHA256
            if method is tree:
                hashed = max(tree(SIZE, rates, None, 0, 1 / SHA256))
            # Who is first in line matters most; a swarm and a single source have no line.
            places = {"middle: ": hosts // 2, "first: ": 1} if method in (chain, tree) else {"": 1}
            slow, dead = (
                "; ".join(at + hurt(method, hosts, end, places[at], dies) for at in places)
                for dies in (False, True)
            )
            print(
                f"| {name} | {hosts} | {end:.0f} | {hashed:.0f} | {end / floor:.2f} "
                f"| {slow} | {dead} |",
                flush=True,
            )


if __name__ == "__main__":
    print(__doc__)
    validate()
    extrapolate()
