"""What a longer context costs, in figures that the user sees before a download."""

from __future__ import annotations

import pytest
from gguf_shapes import make

from llamarig.onhost.gguf_header import Header, read
from llamarig.settings import Settings
from llamarig.tasks.model_look import context_line


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Header:
    return read(str(make(tmp_path_factory.mktemp("cost") / "27b.gguf", vocabulary=1000)))


def test_the_default_context_is_not_worth_a_line(header: Header) -> None:
    assert context_line(Settings(), header) is None
    assert context_line(Settings(context=4096), header) is None


def test_a_longer_one_is_said_with_what_it_costs(header: Header) -> None:
    # 16 of 64 blocks have a cache: 4 KV heads of 256 for K and V, 34 bytes for 32 elements of
    # q8_0; the draft heads' block has f16. 49,152 tokens: 1632 + 192 MiB.
    assert context_line(Settings(context=49152), header) == (
        "context 49152: 1.8 GiB of K and V cache, 8192 would take 0.3 GiB"
    )


def test_it_counts_types_and_draft_heads(header: Header) -> None:
    wide = Settings(context=49152, cache_type_k="f16", cache_type_v="f16")
    assert "49152: 3.2 GiB" in str(context_line(wide, header))
    plain = Settings(context=49152, spec_type="none")
    assert "49152: 1.6 GiB" in str(context_line(plain, header))
