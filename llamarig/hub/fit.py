"""What a model takes of a card's memory, reckoned from its header before it is downloaded.

An estimate on the safe side. llama.cpp's own reckoning on the host (onhost/memory.py) and the
loading itself decide; the formulas are those of llama.cpp b11434's source.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from llamarig.onhost.ggml_types import BY_NAME
from llamarig.onhost.gguf_header import Header

GIB = 2**30
# llama-server's defaults: tokens in one pass (-ub), type of the draft's own cache.
UBATCH = 512
DRAFT_TYPE = "f16"
F32, F16 = 4, 2
# llama.cpp pads a slot's context to a multiple of this.
PADDING = 256
# Rows of activations as wide as the model that a pass keeps. So many that llama-fit-params (CPU
# build, a header of the 27B's shape: embedding 5120, vocabulary 248,320) says less: 267 MiB of
# compute at 256 tokens, 543 at 8192, 583 at 49,152, where this says 323, 653 and 693, without the
# unpacked K and V. Its figures of KV and recurrent state are met to the MiB.
ROWS = 16
# qwen35's interval where the header gives none (llama.cpp src/models/qwen35.cpp).
INTERVAL = 4
SPARE = GIB
NAMES = {
    "weights": "weights", "kv": "KV cache", "draft_kv": "draft KV", "recurrent": "recurrent state",
    "compute": "compute", "spare": "spare",
}  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """Bytes on the card.

    weights: the file; its token embeddings stay in main memory and are counted all the same.
    kv: blocks with attention x KV heads x (key + value length) x bytes of an element x context.
    draft_kv: the same for the draft heads' blocks, in llama-server's f16.
    recurrent: state and convolution of the other blocks, f32, per slot; with MTP once more for
    each token that may be taken back (llama-memory-recurrent.cpp, n_rs_seq).
    compute: per llama_context (two with MTP) the logits, activations and mask of one pass of 512
    tokens, and a block's K and V as f16, which the CUDA kernels unpack (read, not measured).
    spare: 1 GiB for the driver's own, the CUDA context, a desktop.
    """

    weights: int
    kv: int
    draft_kv: int
    recurrent: int
    compute: int
    spare: int = SPARE

    @property
    def total(self) -> int:
        return sum(asdict(self).values())

    def describe(self) -> str:
        """The parts in one line, GiB."""
        parts = {name: getattr(self, name) / GIB for name in NAMES}
        named = " + ".join(f"{NAMES[name]} {size:.1f}" for name, size in parts.items())
        return f"{named} = {self.total / GIB:.1f} GiB"


def estimate(
    header: Header, size_bytes: int, *, context: int, cache_type_k: str, cache_type_v: str,
    parallel: int, mtp: bool, draft_n_max: int = 3,
) -> Estimate:  # fmt: skip
    """What a file of size_bytes with this header takes. The dimensions are those of every
    quantization of a model, so one header serves for all of a repository's.

    context: tokens of all slots together; parallel: slots; cache types as --cache-type-k has them;
    draft_n_max: tokens drafted at most, with mtp.
    """
    per_slot = _padded(context // parallel)
    tokens = per_slot * parallel
    trunk = header.block_count - header.nextn_predict_layers
    heads = range(trunk, header.block_count) if mtp else range(0)
    recurrent = [block for block in range(trunk) if _recurrent(header, block)]
    attention = [block for block in range(trunk) if block not in recurrent]
    snapshots = 1 + (draft_n_max if heads else 0)
    return Estimate(
        weights=size_bytes,
        kv=sum(_kv(header, block, tokens, cache_type_k, cache_type_v) for block in attention),
        draft_kv=sum(_kv(header, block, tokens, DRAFT_TYPE, DRAFT_TYPE) for block in heads),
        recurrent=len(recurrent) * _state(header) * parallel * snapshots,
        compute=_compute(header, tokens) * (2 if heads else 1),
    )


def context_cost(
    header: Header, context: int, *, cache_type_k: str, cache_type_v: str, parallel: int, mtp: bool
) -> int:
    """Bytes of K and V that a context takes, those of the draft heads included."""
    found = estimate(
        header, 0, context=context, cache_type_k=cache_type_k, cache_type_v=cache_type_v,
        parallel=parallel, mtp=mtp,
    )  # fmt: skip
    return found.kv + found.draft_kv


def _padded(tokens: int) -> int:
    return max(-(-tokens // PADDING), 1) * PADDING


def _recurrent(header: Header, block: int) -> bool:
    """Whether a block of the trunk keeps a state instead of a cache."""
    if block < len(header.recurrent_layers):
        return bool(header.recurrent_layers[block])
    if not header.ssm_state_size:
        return False
    if len(set(header.head_count_kv)) > 1:
        return _of_block(header.head_count_kv, block) == 0
    return (block + 1) % (header.full_attention_interval or INTERVAL) != 0


def _of_block(numbers: tuple[int, ...], block: int) -> int:
    """A block's number; arrays may leave out the draft heads, which are as the widest block."""
    return numbers[block] if block < len(numbers) else max(numbers, default=0)


def _widths(header: Header, block: int) -> tuple[int, int]:
    """Elements of K and of V that a token has in a block's cache."""
    heads = _of_block(header.head_count, block) or 1
    kv_heads = _of_block(header.head_count_kv, block) if header.head_count_kv else heads
    length = header.embedding_length // heads
    return kv_heads * (header.key_length or length), kv_heads * (header.value_length or length)


def _kv(header: Header, block: int, tokens: int, type_k: str, type_v: str) -> int:
    return sum(
        -(-width * tokens * BY_NAME[kind.upper()].size // BY_NAME[kind.upper()].block)
        for width, kind in zip(_widths(header, block), (type_k, type_v), strict=True)
    )


def _state(header: Header) -> int:
    """Bytes of a block's state and convolution for one sequence: n_embd_s and n_embd_r of
    llama-hparams.cpp."""
    state = header.ssm_state_size * header.ssm_inner_size
    channels = header.ssm_inner_size + 2 * header.ssm_group_count * header.ssm_state_size
    return F32 * (state + max(header.ssm_conv_kernel - 1, 0) * channels)


def _compute(header: Header, tokens: int) -> int:
    rows = min(UBATCH, tokens)
    logits_and_activations = header.vocabulary + ROWS * header.embedding_length
    widest = max((sum(_widths(header, block)) for block in range(header.block_count)), default=0)
    return rows * (logits_and_activations * F32 + tokens * F16) + widest * tokens * F16
