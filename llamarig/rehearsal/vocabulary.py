"""The small model's vocabulary, and the map "next token" that trunk and draft head both know.

Every text leads into a chain of whole words: the model introduces itself and then counts, over
and over. That is all it can say, and it says it token by token like any other model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

INTRODUCTION = "this synthetic model counts aloud so that speed can be measured on any machine :"
HIGHEST = 480
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# The vocabulary is a multiple of the quantization's block.
BLOCK = 32


@dataclass(frozen=True)
class Vocabulary:
    """tokens: their texts in GPT-2's byte alphabet; chain: ids of the words, first to last;
    successor: for every id the id that follows it."""

    tokens: list[str]
    normal: int
    chain: range
    specials: dict[str, int]
    successor: npt.NDArray[np.int64]


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in alphabet]
    return alphabet | {byte: chr(256 + place) for place, byte in enumerate(others)}


def build() -> Vocabulary:
    """256 bytes, the words of the chain, the special tokens, filled up to a whole block."""
    alphabet = _byte_alphabet()
    words = [f" {word}" for word in INTRODUCTION.split()]
    loop = 256 + len(words)  # after the last number comes 1 again
    words += [f" {number}" for number in range(1, HIGHEST)] + [".\n"]
    tokens = [alphabet[byte] for byte in range(256)]
    tokens += ["".join(alphabet[byte] for byte in word.encode()) for word in words]
    chain = range(256, len(tokens))
    specials = {name: len(tokens) + place for place, name in enumerate(SPECIALS)}
    normal = len(tokens)
    tokens += SPECIALS
    while len(tokens) % BLOCK:
        tokens.append(f"<|unused_{len(tokens)}|>")
    successor = np.full(len(tokens), chain.start)
    successor[chain.start : chain.stop - 1] = np.arange(chain.start + 1, chain.stop)
    successor[chain.stop - 1] = loop
    return Vocabulary(tokens, normal, chain, specials, successor)
