"""256 MiB from one made host to 1, 2, 4 and 6 others, every link 200 Mbit/s each way, by every way.

    sudo .venv/bin/python benchmarks/fanout.py [--runs 3] [--hosts 1,2,4,6] [--ways swarm,chain]

Prints a line for every run, then a table of medians in seconds and in times the floor: the file's
bytes over one link's speed. Every copy's sha256 is checked, outside of the measured time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from ways import GIVER, PAYLOAD, WAYS, Hosts

from llamarig.errors import UserError
from llamarig.rehearsal.lab import Lab

RATE_MBIT = 200
SIZE = 256 * 2**20
FLOOR = SIZE / (RATE_MBIT / 8 * 1e6)
# nc is the chain's.
PACKAGES = "python3-libtorrent netcat-openbsd"


def prepare(fleet: Hosts, sizes: list[int]) -> None:
    """Programs on all hosts, the payload on the first, then slow links."""
    names = [GIVER, *fleet.takers(max(sizes))]
    for name in names:
        fleet.on(
            name, f"apt-get update -q && apt-get install -y -q --no-install-recommends {PACKAGES}"
        )
    fleet.on(GIVER, f"mkdir -p /data/x && head -c {SIZE} /dev/urandom >{PAYLOAD}")
    fleet.sum = fleet.on(GIVER, f"sha256sum {PAYLOAD}").split()[0]
    for name in names:
        fleet.program(name)
        fleet.lab.shape(name, f"{RATE_MBIT}mbit")


def measure(fleet: Hosts, way: str, count: int) -> float:
    """Seconds until the last of `count` hosts has all of it."""
    takers = fleet.takers(count)
    for name in takers:
        fleet.on(name, f"rm -rf {PAYLOAD}* && mkdir -p /data/x && sync")
    seconds = WAYS[way](fleet, takers)
    for name in takers:
        if fleet.on(name, f"sha256sum {PAYLOAD}").split()[0] != fleet.sum:
            raise UserError(f"{way}: {name} has other bytes")
    load = os.getloadavg()[0]
    print(f"{way:7} {count} hosts {seconds:6.1f} s {seconds / FLOOR:5.2f} x floor, load {load:.1f}",
          flush=True)  # fmt: skip
    return seconds


def table(found: dict[str, dict[int, list[float]]], sizes: list[int]) -> str:
    """The medians as Markdown: seconds (times the floor; smallest to largest)."""
    lines = ["| way | " + " | ".join(f"{size} hosts" for size in sizes) + " |",
             "|---" * (len(sizes) + 1) + "|"]  # fmt: skip
    for way, of in found.items():
        cells = []
        for size in sizes:
            middle = statistics.median(of[size])
            cells.append(f"{middle:.1f} ({middle / FLOOR:.2f}x; {min(of[size]):.1f} to "
                         f"{max(of[size]):.1f})")  # fmt: skip
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hosts", default="1,2,4,6")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    asked = parser.parse_args()
    sizes = [int(each) for each in asked.hosts.split(",")]
    lab = Lab("fanout")
    try:
        lab.up(max(sizes) + 1, agreed=lambda question: True, data_size="2G")
        fleet = Hosts(lab)
        prepare(fleet, sizes)
        found: dict[str, dict[int, list[float]]] = {}
        for _ in range(asked.runs):
            for way in asked.ways.split(","):
                for size in sizes:
                    found.setdefault(way, {}).setdefault(size, []).append(measure(fleet, way, size))
        print(table(found, sizes))
    except (UserError, subprocess.TimeoutExpired) as error:
        sys.exit(f"fanout: {error}")
    finally:
        if not asked.keep:
            lab.down()


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    print(f"{time.monotonic() - begun:.0f} s in all")
