"""The dimensions and the kind of draft heads of the small model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The model's dimensions. embd and ff are multiples of 256; every `interval`th of `layers` is
    full attention, the rest is delta net; the MTP block comes on top. heads: good, bad (drafts are
    always wrong) or none. acceptance: chance that a draft is what the trunk samples at the recipe's
    temperature of 0.6, 0.5 to 0.95, or 1; the trunk then has a second choice, which the head,
    drafting greedily, never takes."""

    layers: int = 96
    embd: int = 256
    ff: int = 256
    interval: int = 4
    head_dim: int = 64
    state: int = 32
    context: int = 32768
    seed: int = 1
    heads: str = "good"
    acceptance: float = 1.0

    @property
    def mtp_blocks(self) -> int:
        return 0 if self.heads == "none" else 1
