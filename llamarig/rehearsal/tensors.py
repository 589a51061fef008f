"""The small model's weights.

Every token of the chain has a random code of +-1 (nearly orthogonal to all others), embeddings are
codes, and the output matrix answers a token's code with its successor. Each block's last
projection is noise of size NOISE, so that the residual stays what it was, while every other matrix
is as large and as random as a real one and costs what a real one costs.
"""

from __future__ import annotations

import gguf
import numpy as np
import numpy.typing as npt

from llamarig.rehearsal.shape import Shape
from llamarig.rehearsal.vocabulary import Vocabulary

Matrix = npt.NDArray[np.float32]
Successors = npt.NDArray[np.int64]

CONVOLUTION = 4
# Logit of the next token; all others stay around GAIN / sqrt(embd).
GAIN = 24.0
NOISE = 0.002


class Weights:
    """Adds tensors to the file, drawing from one seeded stream in a fixed order."""

    def __init__(self, writer: gguf.GGUFWriter, shape: Shape) -> None:
        self.writer, self.random = writer, np.random.default_rng(shape.seed)
        self.type = gguf.GGMLQuantizationType[shape.qtype]

    def vector(self, name: str, values: npt.NDArray[np.floating]) -> None:
        self.writer.add_tensor(name, np.ascontiguousarray(values, np.float32))

    def matrix(self, name: str, values: Matrix) -> None:
        quantized = gguf.quants.quantize(np.ascontiguousarray(values, np.float32), self.type)
        self.writer.add_tensor(name, quantized, raw_dtype=self.type)

    def drawn(self, name: str, rows: int, columns: int, size: float | None = None) -> None:
        """A random matrix; numpy's (rows, columns) is ggml's {columns, rows}."""
        scale = columns**-0.5 if size is None else size
        self.matrix(name, self.random.standard_normal((rows, columns), np.float32) * scale)


def write(writer: gguf.GGUFWriter, shape: Shape, words: Vocabulary) -> None:
    """All tensors of the model."""
    weights = Weights(writer, shape)
    codes = _embeddings(weights, shape, words)
    for number in range(shape.layers + shape.mtp_blocks):
        block, mtp = f"blk.{number}", number >= shape.layers
        weights.vector(f"{block}.attn_norm.weight", np.ones(shape.embd))
        weights.vector(f"{block}.post_attention_norm.weight", np.ones(shape.embd))
        if mtp or (number + 1) % shape.interval == 0:
            _attention(weights, block, shape)
        else:
            _delta_net(weights, block, shape)
        _feed_forward(weights, block, shape)
        if mtp:
            _mtp(weights, block, shape)
            if shape.acceptance < 1:
                own = _answers(codes, words, learned(words, shape))
                weights.matrix(f"{block}.nextn.shared_head_head.weight", own)


def _embeddings(weights: Weights, shape: Shape, words: Vocabulary) -> Matrix:
    """Bytes and specials share one code, the entry to the chain; returns the codes."""
    signs = np.array([-1, 1], np.float32)
    codes = np.tile(weights.random.choice(signs, shape.embd), (len(words.tokens), 1))
    chain = np.array(words.chain)
    codes[chain] = weights.random.choice(signs, (len(chain), shape.embd))
    weights.matrix("token_embd.weight", codes)
    weights.matrix("output.weight", _answers(codes, words, words.successor))
    weights.vector("output_norm.weight", np.ones(shape.embd))
    return codes


def _answers(codes: Matrix, words: Vocabulary, successor: Successors) -> Matrix:
    """The matrix that answers a token's code with its successor."""
    output = np.zeros_like(codes)
    sources = np.append(np.array(words.chain), 0)  # token 0 stands for every entry token
    np.add.at(output, successor[sources], codes[sources] * (GAIN / codes.shape[1]))
    return output


def learned(words: Vocabulary, shape: Shape) -> Successors:
    """The successors as a head with a lower acceptance learned them: a share of the words, drawn
    from the seed, leads to the word after the next one."""
    chain = np.array(words.chain)
    share = round(len(chain) * (1 - shape.acceptance))
    # A stream of its own, so that all other weights are those of the head that knows everything.
    mistaken = np.random.default_rng([shape.seed, 1]).permutation(chain)[:share]
    successors = words.successor.copy()
    successors[mistaken] = words.successor[words.successor[mistaken]]
    return successors


def _feed_forward(weights: Weights, block: str, shape: Shape) -> None:
    weights.drawn(f"{block}.ffn_gate.weight", shape.ff, shape.embd)
    weights.drawn(f"{block}.ffn_up.weight", shape.ff, shape.embd)
    weights.drawn(f"{block}.ffn_down.weight", shape.embd, shape.ff, NOISE)


def _attention(weights: Weights, block: str, shape: Shape) -> None:
    """Full attention; attn_q holds the query and its sigmoid gate."""
    weights.drawn(f"{block}.attn_q.weight", 2 * shape.head_dim, shape.embd)
    weights.drawn(f"{block}.attn_k.weight", shape.head_dim, shape.embd)
    weights.drawn(f"{block}.attn_v.weight", shape.head_dim, shape.embd)
    weights.drawn(f"{block}.attn_output.weight", shape.embd, shape.head_dim, NOISE)
    weights.vector(f"{block}.attn_q_norm.weight", np.ones(shape.head_dim))
    weights.vector(f"{block}.attn_k_norm.weight", np.ones(shape.head_dim))


def _delta_net(weights: Weights, block: str, shape: Shape) -> None:
    inner = shape.state
    weights.drawn(f"{block}.attn_qkv.weight", 3 * inner, shape.embd)
    weights.drawn(f"{block}.attn_gate.weight", inner, shape.embd)
    convolution = weights.random.standard_normal((3 * inner, CONVOLUTION)) * 0.5
    weights.vector(f"{block}.ssm_conv1d.weight", convolution)
    weights.vector(f"{block}.ssm_dt.bias", np.zeros(1))
    weights.vector(f"{block}.ssm_a", -np.exp(weights.random.uniform(0, 1, 1)))
    weights.drawn(f"{block}.ssm_beta.weight", 1, shape.embd)
    weights.drawn(f"{block}.ssm_alpha.weight", 1, shape.embd)
    weights.vector(f"{block}.ssm_norm.weight", np.ones(inner))
    weights.drawn(f"{block}.ssm_out.weight", shape.embd, inner, NOISE)


def _mtp(weights: Weights, block: str, shape: Shape) -> None:
    """The head sees (embedding, hidden) and keeps the embedding, which is the token's code. A bad
    head shifts it by one place, which is the code of no token."""
    identity = np.eye(shape.embd, dtype=np.float32)
    keep = np.zeros((shape.embd, 2 * shape.embd), np.float32)
    keep[:, : shape.embd] = np.roll(identity, 1, axis=0) if shape.heads == "bad" else identity
    weights.matrix(f"{block}.nextn.eh_proj.weight", keep)
    for name in ("enorm", "hnorm", "shared_head_norm"):
        weights.vector(f"{block}.nextn.{name}.weight", np.ones(shape.embd))
