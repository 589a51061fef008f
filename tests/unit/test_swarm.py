"""Givers and takers on this machine's loopback, with real libtorrent."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.onhost.bundle import build

SIZE = 3 * 2**20 + 5
GIVER, ROTTEN, ONE, TWO, NOBODY = (f"127.0.7.{number}" for number in range(1, 6))
LIMIT_SECONDS = 60


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(7).randbytes(SIZE)


class Hosts:
    """Programs as hosts run them, each with a loopback address of its own."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.folder, self.content = folder, content
        self.program = folder / "onhost.pyz"
        self.program.write_bytes(build()[1])
        self.port = 20000 + os.getpid() % 20000
        self.running: list[subprocess.Popen[str]] = []

    def start(self, verb: str, name: str, own: str, peers: list[str], **more: Any) -> Any:
        told = self.folder / f"{name}.json"
        config = {"address": own, "port": self.port, "peers": peers, "rate_limit": None, **more}
        told.write_text(json.dumps(config))
        child = subprocess.Popen(
            [sys.executable, str(self.program), verb, str(told)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.running.append(child)
        return child

    def give(
        self, name: str, own: str, peers: list[str], idle: float = 20, rate: int | None = None
    ) -> Any:
        """A giver that has read its file, with the metadata beside it."""
        file, metadata = self.folder / name, self.folder / f"{name}.torrent"
        file.write_bytes(self.content)
        digest = hashlib.sha256(self.content).hexdigest()
        child = self.start("share", name, own, peers, file=str(file), sha256=digest,
                           torrent=str(metadata), idle_seconds=idle,
                           patience_seconds=idle, rate_limit=rate)  # fmt: skip
        until(metadata.exists)
        return child

    def take(self, name: str, own: str, peers: list[str], **more: Any) -> Any:
        metadata = base64.b64encode((self.folder / "good.torrent").read_bytes()).decode()
        told = {"torrent": metadata, "target": str(self.folder / name), "slice": [0, 1],
                "spare_bytes": 0, "stall_seconds": 15, "linger_seconds": 1, **more}  # fmt: skip
        return self.start("take", name, own, peers, **told)

    def whole(self, name: str) -> bool:
        return (self.folder / name).read_bytes() == self.content


@pytest.fixture
def hosts(tmp_path: Path, content: bytes) -> Iterator[Hosts]:
    made = Hosts(tmp_path, content)
    yield made
    for child in made.running:
        child.kill()
        child.communicate()


def until(happened: Any) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def over(child: Any) -> tuple[int, str]:
    output, _ = child.communicate(timeout=LIMIT_SECONDS)
    return child.returncode, output


def test_two_takers_get_it_and_the_giver_ends_by_itself(hosts: Hosts) -> None:
    # Slow enough that the takers know each other. Nobody waits for long: all leave when all are
    # complete.
    giver = hosts.give("good", GIVER, [ONE, TWO], idle=1000, rate=SIZE // 2)
    first = hosts.take("one", ONE, [GIVER, TWO], slice=[0, 2], linger_seconds=1000)
    second = hosts.take("two", TWO, [GIVER, ONE], slice=[1, 2], linger_seconds=1000)
    assert [over(each)[0] for each in (first, second, giver)] == [0, 0, 0]
    assert hosts.whole("one")
    assert hosts.whole("two")
    assert not (hosts.folder / "one.lan").exists()


def test_a_giver_whose_file_rotted_since_it_was_read_spoils_nothing(hosts: Hosts) -> None:
    hosts.give("good", GIVER, [ONE])
    hosts.give("bad", ROTTEN, [ONE])
    rotten = bytearray(hosts.content)
    rotten[: SIZE // 2] = bytes(SIZE // 2)
    with (hosts.folder / "bad").open("r+b") as file:  # the same inode: it is being given
        file.write(rotten)
    assert over(hosts.take("one", ONE, [ROTTEN, GIVER]))[0] == 0
    assert hosts.whole("one")


def test_a_host_that_was_not_named_gets_nothing(hosts: Hosts) -> None:
    hosts.give("good", GIVER, [ONE])
    code, output = over(hosts.take("five", NOBODY, [GIVER], stall_seconds=3))
    assert code == 1
    assert "llamarig: fan_out: nothing came from the other hosts for 3 s" in output
    assert not (hosts.folder / "five").exists()


def test_a_giver_that_nobody_comes_to_stops_listening(hosts: Hosts) -> None:
    assert over(hosts.give("good", GIVER, [ONE], idle=1))[0] == 0


def test_a_taker_goes_on_with_what_is_there(hosts: Hosts) -> None:
    hosts.give("good", GIVER, [ONE])
    half = bytes(SIZE // 2)
    (hosts.folder / "one.lan").write_bytes(half + hosts.content[SIZE // 2 :])
    child = hosts.take("one", ONE, [GIVER])
    code, output = over(child)
    assert code == 0, output
    assert hosts.whole("one")


def test_what_is_there_is_not_asked_for_again(hosts: Hosts) -> None:
    giver = hosts.give("good", GIVER, [ONE])
    giver.kill()
    (hosts.folder / "one.lan").write_bytes(hosts.content)
    assert over(hosts.take("one", ONE, [GIVER]))[0] == 0  # with nobody there
    assert hosts.whole("one")


def test_a_taker_that_the_giver_waits_for_is_killed_and_another_is_served(hosts: Hosts) -> None:
    hosts.give("good", GIVER, [ONE, TWO])
    dying = hosts.take("one", ONE, [GIVER, TWO])
    threading.Timer(0.5, dying.kill).start()
    assert over(hosts.take("two", TWO, [GIVER, ONE], slice=[1, 2]))[0] == 0
    assert hosts.whole("two")


def test_no_room_is_said_before_anything_is_written(hosts: Hosts) -> None:
    hosts.give("good", GIVER, [ONE])
    code, output = over(hosts.take("one", ONE, [GIVER], spare_bytes=2**60))
    assert code == 1
    assert "GiB needed on the disk of" in output
    assert not (hosts.folder / "one.lan").exists()


def test_metadata_that_are_none_are_refused_in_one_line(hosts: Hosts) -> None:
    (hosts.folder / "good.torrent").write_bytes(b"no torrent")
    code, output = over(hosts.take("one", ONE, [GIVER]))
    assert (code, output.count("\n")) == (1, 1)
    assert "the file's metadata can't be read" in output
