"""The metadata by which every piece of a file is judged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import libtorrent
import pytest

from llamarig.onhost import torrent
from llamarig.onhost.errors import Stop


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def made(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    return torrent.make(str(path), hashlib.sha256(content).hexdigest(), told)


@pytest.mark.parametrize("size", [1, torrent.SMALLEST_PIECE, 3 * torrent.SMALLEST_PIECE + 7])
def test_libtorrent_reads_it_as_we_meant_it(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    info = libtorrent.torrent_info(libtorrent.bdecode(made(tmp_path / "a", content[:size])))
    assert (info.total_size(), info.num_files(), info.priv()) == (size, 1, True)
    first = content[: min(size, torrent.SMALLEST_PIECE)]
    assert info.hash_for_piece(0) == hashlib.sha1(first).digest()


def test_equal_files_have_equal_metadata_whatever_they_are_called(tmp_path: Path) -> None:
    assert made(tmp_path / "a", b"same") == made(tmp_path / "b", b"same")


def test_other_bytes_than_were_verified_are_described_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"rotten")
    with pytest.raises(Stop, match="given to nobody"):
        torrent.make(str(path), "0" * 64, told)


@pytest.mark.parametrize(
    ("size", "length"),
    [(1, 2**18), (2**30, 2**18), (2**30 + 1, 2**19), (16_800_000_000, 2**22)],
)
def test_there_are_at_most_4096_pieces(size: int, length: int) -> None:
    assert torrent.piece_length(size) == length
