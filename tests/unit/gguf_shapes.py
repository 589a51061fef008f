"""A header of the 27B's shape, made with the gguf package; its weights are not there."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

NAME = "qwen35"
EMBEDDING, FEED_FORWARD, HEADS, KV_HEADS, LENGTH = 5120, 17408, 24, 4, 256
INNER, STATE, RANK, GROUPS = 6144, 128, 48, 16
LAYERS, INTERVAL = 64, 4


class Shape:
    """Writes tensors as rows of the table, without data."""

    def __init__(self, path: Path) -> None:
        self.writer = gguf.GGUFWriter(str(path), NAME)

    def tensor(self, name: str, *dimensions: int, kind: Type = Type.Q4_K) -> None:
        """dimensions as ggml has them: the row's length first."""
        block, size = gguf.GGML_QUANT_SIZES[kind]
        elements = int(np.prod(dimensions))
        shape = list(reversed(dimensions))
        shape[-1] = shape[-1] // block * size
        form: np.dtype[np.generic] = np.dtype("uint8")
        if kind == Type.F32:
            shape[-1], form = dimensions[0], np.dtype("float32")
        self.writer.add_tensor_info(name, shape, form, elements // block * size, raw_dtype=kind)

    def vector(self, name: str, length: int) -> None:
        self.tensor(name, length, kind=Type.F32)


def make(path: Path, *, vocabulary: int, per_layer: bool = False, weights: int = 0) -> Path:
    """Write the header: 64 blocks and one of draft heads, 866 tensors, `vocabulary` tokens and as
    many merges; per_layer: KV heads as an array; then `weights` bytes of nothing."""
    shape = Shape(path)
    _values(shape.writer, vocabulary, per_layer)
    shape.tensor("token_embd.weight", EMBEDDING, vocabulary)
    shape.tensor("output.weight", EMBEDDING, vocabulary, kind=Type.Q6_K)
    shape.vector("output_norm.weight", EMBEDDING)
    for number in range(LAYERS + 1):
        _block(shape, f"blk.{number}", number)
    shape.writer.write_header_to_file()
    shape.writer.write_kv_data_to_file()
    shape.writer.write_ti_data_to_file()
    shape.writer.close()
    with path.open("r+b") as file:
        file.truncate(file.seek(0, 2) + weights)
    return path


def _values(writer: gguf.GGUFWriter, vocabulary: int, per_layer: bool) -> None:
    writer.add_name("27B")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_block_count(LAYERS + 1)
    writer.add_uint32(f"{NAME}.nextn_predict_layers", 1)
    writer.add_context_length(262144)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    kv_heads = [KV_HEADS if number % 4 == 3 else 0 for number in range(LAYERS)] + [KV_HEADS]
    writer.add_head_count_kv(kv_heads if per_layer else KV_HEADS)
    writer.add_key_length(LENGTH)
    writer.add_value_length(LENGTH)
    writer.add_array(f"{NAME}.rope.dimension_sections", [11, 11, 10, 0])
    if not per_layer:
        writer.add_uint32(f"{NAME}.full_attention_interval", INTERVAL)
    for key, value in (
        ("conv_kernel", 4), ("inner_size", INNER), ("state_size", STATE),
        ("time_step_rank", RANK), ("group_count", GROUPS),
    ):  # fmt: skip
        writer.add_uint32(f"{NAME}.ssm.{key}", value)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{number}" for number in range(vocabulary)])
    writer.add_token_types([1] * vocabulary)
    writer.add_token_merges([f"tok en{number}" for number in range(vocabulary)])


def _block(shape: Shape, block: str, number: int) -> None:
    shape.vector(f"{block}.attn_norm.weight", EMBEDDING)
    shape.vector(f"{block}.post_attention_norm.weight", EMBEDDING)
    if number == LAYERS or (number + 1) % INTERVAL == 0:
        shape.tensor(f"{block}.attn_q.weight", EMBEDDING, 2 * HEADS * LENGTH)
        shape.tensor(f"{block}.attn_k.weight", EMBEDDING, KV_HEADS * LENGTH)
        shape.tensor(f"{block}.attn_v.weight", EMBEDDING, KV_HEADS * LENGTH)
        shape.tensor(f"{block}.attn_output.weight", HEADS * LENGTH, EMBEDDING)
        shape.vector(f"{block}.attn_q_norm.weight", LENGTH)
        shape.vector(f"{block}.attn_k_norm.weight", LENGTH)
    else:
        channels = INNER + 2 * GROUPS * STATE
        shape.tensor(f"{block}.attn_qkv.weight", EMBEDDING, channels)
        shape.tensor(f"{block}.attn_gate.weight", EMBEDDING, INNER)
        shape.tensor(f"{block}.ssm_conv1d.weight", 4, channels, kind=Type.F32)
        shape.vector(f"{block}.ssm_dt.bias", RANK)
        shape.vector(f"{block}.ssm_a", RANK)
        shape.tensor(f"{block}.ssm_beta.weight", EMBEDDING, RANK)
        shape.tensor(f"{block}.ssm_alpha.weight", EMBEDDING, RANK)
        shape.vector(f"{block}.ssm_norm.weight", STATE)
        shape.tensor(f"{block}.ssm_out.weight", INNER, EMBEDDING)
    shape.tensor(f"{block}.ffn_gate.weight", EMBEDDING, FEED_FORWARD)
    shape.tensor(f"{block}.ffn_up.weight", EMBEDDING, FEED_FORWARD)
    shape.tensor(f"{block}.ffn_down.weight", FEED_FORWARD, EMBEDDING)
    if number == LAYERS:
        shape.tensor(f"{block}.nextn.eh_proj.weight", 2 * EMBEDDING, EMBEDDING)
        for name in ("enorm", "hnorm", "shared_head_norm"):
            shape.vector(f"{block}.nextn.{name}.weight", EMBEDDING)
