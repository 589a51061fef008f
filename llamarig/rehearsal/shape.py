"""What the small model can be asked to be."""

from __future__ import annotations

from dataclasses import dataclass

from llamarig.errors import UserError

HEADS = ("good", "bad", "none")
QTYPES = ("F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_0", "Q4_1")
# Rows are quantized in blocks of so many weights.
BLOCK = 32


@dataclass(frozen=True)
class Shape:
    """The model's dimensions. embd and ff are multiples of 256; every `interval`th of `layers` is
    full attention, the rest is delta net; the MTP block comes on top. heads: good, bad (drafts are
    always wrong) or none. acceptance: the share of words, 0 to 1, whose successor a good head
    knows; for the others it learned a wrong one, and all that it drafts after a wrong one is lost
    too. So the server's own figure, accepted of all drafted tokens, is lower: with n-max 3 near
    (a + a^2 + a^3) / 3."""

    layers: int = 96
    embd: int = 256
    ff: int = 1024
    interval: int = 4
    head_dim: int = 64
    state: int = 32
    context: int = 32768
    seed: int = 1
    heads: str = "good"
    acceptance: float = 1.0
    qtype: str = "Q4_0"

    def __post_init__(self) -> None:
        if self.heads not in HEADS:
            raise UserError(f"heads {self.heads!r}: one of {', '.join(HEADS)}")
        if self.qtype not in QTYPES:
            raise UserError(f"qtype {self.qtype!r}: one of {', '.join(QTYPES)}")
        if not 0 <= self.acceptance <= 1:
            raise UserError(f"acceptance {self.acceptance}: 0 to 1")
        if self.acceptance < 1 and self.heads != "good":
            raise UserError(f"acceptance {self.acceptance}: only good heads have a choice of it")
        if self.interval < 2:
            raise UserError("interval 1: llama-server aborts without a delta net layer")
        if self.embd % 256 or self.ff % 256 or self.head_dim % BLOCK or self.state % BLOCK:
            raise UserError("embd and ff are multiples of 256, head_dim and state of 32")

    @property
    def mtp_blocks(self) -> int:
        return 0 if self.heads == "none" else 1
