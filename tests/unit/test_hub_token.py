"""The hub's token: where it comes from, and that no fault quotes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llamarig.hub import token
from llamarig.settings import Settings


def test_the_file_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(token.VARIABLE, "hf_environment")
    assert token.token(Settings()) == "hf_environment"
    file = tmp_path / "token"
    file.write_text("hf_file\n")
    file.chmod(0o600)
    assert token.token(Settings(hf_token_file=str(file))) == "hf_file"
    monkeypatch.setenv(token.TYPED, "hf_typed")
    assert token.token(Settings(hf_token_file=str(file))) == "hf_typed"
    monkeypatch.delenv(token.TYPED)
    monkeypatch.delenv(token.VARIABLE)
    assert token.token(Settings()) is None


@pytest.mark.parametrize("content", [b"", b"two words", b"hf_a\nhf_b", "hf_ä".encode(), b"\xff"])
def test_what_is_no_token_is_refused_without_being_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ValueError, match=r"^hf_token_file: .*one line of text") as said:
        token.token(Settings(hf_token_file=str(file)))
    assert "hf_a" not in str(said.value)
    assert "words" not in str(said.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: No such file"):
        token.token(Settings(hf_token_file=str(tmp_path / "nowhere")))


def test_a_file_for_all_to_read_or_no_file_at_all_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hf_file")
    file.chmod(0o644)
    with pytest.raises(ValueError, match="others can read this token; chmod 600 it"):
        token.token(Settings(hf_token_file=str(file)))
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ValueError, match="fifo: is no regular file"):
        token.token(Settings(hf_token_file=str(tmp_path / "fifo")))
