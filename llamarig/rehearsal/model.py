"""A small model whose MTP heads work, written on the spot: 26.6 MB, one second, always the same.

The trunk and the MTP head both compute the same map from a token to the next one (vocabulary.py).
Every block does the full matrix work of a real one and adds next to nothing to the residual. All
of it is run by llama.cpp as for any model: the head drafts, the trunk verifies, no flag fakes
anything. On a CPU the speedup comes from one pass over four tokens costing little more than a pass
over one, because with many thin layers the fixed cost of an operation dominates (2.06 to 2.39
times at n-max 3 over seven series on 2 cores).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

import gguf

from llamarig.rehearsal import tensors, vocabulary
from llamarig.rehearsal.shape import Shape
from llamarig.rehearsal.state import cache_root

ARCHITECTURE = "qwen35"
REPO = "llamarig/synthetic-mtp-GGUF"
FILES = {
    "good": "synthetic-mtp-Q8_0.gguf",
    "bad": "synthetic-mtp-bad-head-Q8_0.gguf",
    "none": "synthetic-mtp-no-head-Q8_0.gguf",
}
# Of the default shape with gguf 0.19 and numpy 2.4; the generator's bytes are part of the contract.
SHA256 = {
    "good": "ce5aacc381a92de3ac4dc6968399a5ae55577a2251bdcd9e240b058158f73446",
    "bad": "a6a9481c0cd0111220f61baa7574d940bc233feeedcd9a5882b850ce4ad9ceda",
    "none": "1b982084c958d40928772be0b404a411073a63917d4b21662a433855b1c83201",
}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make(path: Path, shape: Shape) -> None:
    """Write the GGUF at `path`."""
    words = vocabulary.build()
    writer = gguf.GGUFWriter(str(path), ARCHITECTURE)
    _metadata(writer, shape)
    _tokenizer(writer, words)
    tensors.write(writer, shape, words)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Keys that llama.cpp reads for qwen35; block_count counts the MTP block as well."""
    writer.add_name("synthetic-mtp")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_block_count(shape.layers + shape.mtp_blocks)
    if shape.mtp_blocks:
        writer.add_uint32(f"{ARCHITECTURE}.nextn_predict_layers", shape.mtp_blocks)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.embd)
    writer.add_feed_forward_length(shape.ff)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e7)
    writer.add_rope_dimension_count(shape.head_dim)
    section = shape.head_dim // 6
    sections = [shape.head_dim // 2 - 2 * section, section, section, 0]
    writer.add_array(f"{ARCHITECTURE}.rope.dimension_sections", sections)
    writer.add_uint32(f"{ARCHITECTURE}.full_attention_interval", shape.interval)
    writer.add_uint32(f"{ARCHITECTURE}.ssm.conv_kernel", tensors.CONVOLUTION)
    writer.add_uint32(f"{ARCHITECTURE}.ssm.inner_size", shape.state)
    writer.add_uint32(f"{ARCHITECTURE}.ssm.state_size", shape.state)
    writer.add_uint32(f"{ARCHITECTURE}.ssm.time_step_rank", 1)
    writer.add_uint32(f"{ARCHITECTURE}.ssm.group_count", 1)


def _tokenizer(writer: gguf.GGUFWriter, words: vocabulary.Vocabulary) -> None:
    special = set(words.specials.values())
    types = [
        gguf.TokenType.NORMAL if token < words.normal
        else gguf.TokenType.CONTROL if token in special
        else gguf.TokenType.UNUSED
        for token in range(len(words.tokens))
    ]  # fmt: skip
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(ARCHITECTURE)
    writer.add_token_list(words.tokens)
    writer.add_token_types(types)
    # The list must exist; this merge never fires in text.
    writer.add_token_merges([f"{words.tokens[0]} {words.tokens[1]}"])
    writer.add_eos_token_id(words.specials["<|im_end|>"])
    writer.add_pad_token_id(words.specials["<|endoftext|>"])
    writer.add_bos_token_id(words.specials["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(kind: str) -> Path:
    """The default model with `good`, `bad` or no heads (`none`) in the cache, made if missing.

    Raises:
        RuntimeError: its bytes are not those of every other machine.
    """
    place = cache_root() / "models" / FILES[kind]
    if place.exists() and sha256(place) == SHA256[kind]:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent)
    os.close(handle)
    path = Path(temporary)
    try:
        make(path, Shape(heads=kind))
        found = sha256(path)
        if found != SHA256[kind]:
            raise RuntimeError(f"{FILES[kind]} has sha256 {found}, expected {SHA256[kind]}")
        path.replace(place)
    finally:
        path.unlink(missing_ok=True)
    place.chmod(0o644)
    return place


def main() -> None:
    """`python -m llamarig.rehearsal.model OUT [--heads KIND] [--acceptance X]`."""
    parser = argparse.ArgumentParser(description="Write the small model with MTP heads.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--heads", choices=sorted(FILES), default="good")
    parser.add_argument("--acceptance", type=float, default=1.0, help="0.5 to 0.95, or 1")
    chosen = parser.parse_args()
    make(chosen.out, Shape(heads=chosen.heads, acceptance=chosen.acceptance))
    print(f"{chosen.out} {sha256(chosen.out)}")


if __name__ == "__main__":
    main()
