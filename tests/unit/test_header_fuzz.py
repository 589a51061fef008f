"""Whatever is in a header: a Header or one line, and never more memory than a header takes."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from gguf_shapes import make

from llamarig.onhost.gguf_header import Header, parse
from llamarig.rehearsal import model
from llamarig.rehearsal.shape import Shape

# Values that lengths, counts and types break at.
NASTY = [0, 1, 0x7F, 0x80, 0xFF]
WIDTHS = [1, 1, 4, 8]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "small.gguf"
    model.make(path, Shape(layers=4))
    content = path.read_bytes()
    return content[: parse(content).header_bytes + 64]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "large.gguf"
    return make(path, vocabulary=150_000, per_layer=True).read_bytes()


def outcome(content: bytes) -> str:
    """read or refused; anything but a ValueError of one line fails the test."""
    try:
        found: Header | str = parse(content)
    except ValueError as error:
        found = str(error)
    if isinstance(found, Header):
        return "read"
    return "refused" if found.isprintable() else f"refused with {found!r}"


def mutated(content: bytes, source: random.Random, places: range) -> bytes:
    """One to four places changed: to nasty values, or to anything."""
    changed = bytearray(content)
    for _ in range(source.randint(1, 4)):
        at, width = source.choice(places), source.choice(WIDTHS)
        value = source.choice(NASTY) if source.random() < 0.7 else source.randrange(256)
        changed[at : at + width] = bytes([value]) * width
    return bytes(changed)


def test_mutations_of_a_small_header(small: bytes) -> None:
    source = random.Random(1)
    outcomes = [outcome(mutated(small, source, range(len(small)))) for _ in range(400)]
    # Near the beginning are the counts and the keys, where most can go wrong.
    outcomes += [outcome(mutated(small, source, range(1500))) for _ in range(600)]
    assert set(outcomes) == {"read", "refused"}


def test_truncations_of_a_small_header(small: bytes) -> None:
    source = random.Random(2)
    end = parse(small).header_bytes
    for length in source.sample(range(end), 300):
        assert outcome(small[:length]) == "refused"
    assert outcome(small[:end]) == "read"


def test_mutations_of_a_large_header(large: bytes) -> None:
    found = parse(large)
    assert (found.block_count, found.tensor_count, found.vocabulary) == (65, 866, 150_000)
    source = random.Random(3)
    table = range(len(large) - 50_000, len(large) - 8)
    outcomes = [outcome(mutated(large, source, range(1200))) for _ in range(10)]
    outcomes += [outcome(mutated(large, source, table)) for _ in range(10)]
    assert set(outcomes) == {"read", "refused"}


def test_memory_is_bounded(large: bytes) -> None:
    """The vocabulary of 150,000 alone would be 8 MB of objects."""
    tracemalloc.start()
    try:
        parse(large)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
