"""The small model's keys: what llama.cpp must know before it reads a weight."""

from __future__ import annotations

import gguf

from llamarig.rehearsal import tensors
from llamarig.rehearsal.shape import Shape
from llamarig.rehearsal.vocabulary import Vocabulary

ARCHITECTURE = "qwen35"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def architecture(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Keys that llama.cpp reads for qwen35; block_count counts the MTP block as well."""
    writer.add_name("synthetic-mtp")
    prefix = "ALL" if shape.qtype == "F32" else "MOSTLY"
    writer.add_file_type(gguf.LlamaFileType[f"{prefix}_{shape.qtype}"])
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


def tokenizer(writer: gguf.GGUFWriter, words: Vocabulary) -> None:
    """Words, special tokens and a chat template."""
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
