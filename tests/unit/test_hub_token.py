"""The hub's token: where it comes from, and that no fault quotes it."""

from __future__ import annotations

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
    assert token.token(Settings(hf_token_file=str(file))) == "hf_file"
    monkeypatch.delenv(token.VARIABLE)
    assert token.token(Settings()) is None


@pytest.mark.parametrize("content", [b"", b"two words", b"hf_a\nhf_b", "hf_ä".encode(), b"\xff"])
def test_what_is_no_token_is_refused_without_being_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^hf_token_file: .*one line of text") as said:
        token.token(Settings(hf_token_file=str(file)))
    assert "hf_a" not in str(said.value)
    assert "words" not in str(said.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: No such file"):
        token.token(Settings(hf_token_file=str(tmp_path / "nowhere")))
