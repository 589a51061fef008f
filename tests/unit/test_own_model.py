"""The fact about a file named by model_path, asked of files of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.onhost import local_file
from llamarig.onhost.errors import Stop
from llamarig.tasks.facts.own_model import OwnModel


def fault(path: Path | str) -> str | None:
    command = OwnModel().command(str(path))
    # The limit only ends a run that would never end.
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return OwnModel().process(done.stdout.splitlines())


def words(path: Path) -> str:
    """What the job says of it."""
    with pytest.raises(Stop) as stop:
        local_file._look(str(path))
    return str(stop.value)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others can reach; those of pytest they can't."""
    path = Path(tempfile.mkdtemp()).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def gguf(path: Path, content: bytes = b"GGUF\3\0\0\0") -> Path:
    path.write_bytes(content)
    path.chmod(0o644)
    return path


def test_a_file_that_can_be_served_has_no_fault(folder: Path) -> None:
    (folder / "link.gguf").symlink_to(gguf(folder / "it's $(a) m.gguf"))
    assert fault(folder / "it's $(a) m.gguf") is None
    assert fault(folder / "link.gguf") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"GG", "the header is cut off; the file is incomplete"),
        (b"<html>", "not a GGUF file"),
        (b"\0\0\0\0", "not a GGUF file"),
        (b"\n\n", "not a GGUF file"),
    ],
)
def test_first_bytes_tell_what_is_no_gguf(folder: Path, content: bytes, said: str) -> None:
    assert fault(gguf(folder / "m.gguf", content)) == f"model_path: m.gguf: {said}"


def test_what_is_no_file_is_said_in_the_words_of_the_job(folder: Path) -> None:
    file = gguf(folder / "m.gguf")
    os.mkfifo(folder / "fifo")
    (folder / "broken").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "to-fifo").symlink_to("fifo")
    names = ("none", "broken", "loop", "fifo", "to-fifo", "", "m.gguf/x", "y" * 300)
    for path in (folder / name for name in names):
        assert fault(path) == words(path)
    assert fault(folder / "none") == f"model_path: there is no file {folder}/none on this host"
    assert fault(file / "x") == f"model_path: {file}/x: Not a directory"


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o000, 0o1751])
def test_a_file_that_others_can_not_read(folder: Path, mode: int) -> None:
    file = gguf(folder / "m.gguf")
    file.chmod(mode)
    mend = f"chmod o+r {file}"
    assert fault(file) == f"model_path: the server's user can't read {file}; run: {mend}"
    assert fault(file) == words(file)


@pytest.mark.parametrize("name", ["closed", "a b", "it's\\n"])
def test_a_folder_that_others_can_not_search(folder: Path, name: str) -> None:
    closed = folder / name
    closed.mkdir()
    file = gguf(closed / "m.gguf")
    (folder / "link.gguf").symlink_to(file)
    closed.chmod(0o754)
    for path in (file, folder / "link.gguf"):
        assert fault(path) == words(path)
        assert str(fault(path)).endswith(f"; run: chmod o+x {closed}")


def test_a_line_end_in_a_folder_behind_a_link_forges_no_line(folder: Path) -> None:
    closed = folder / "a\n"
    closed.mkdir()
    (folder / "link.gguf").symlink_to(gguf(closed / "m.gguf"))
    assert fault(folder / "link.gguf") is None
    closed.chmod(0o700)
    assert fault(folder / "link.gguf") == words(folder / "link.gguf").replace("\n", "\ufffd")


@pytest.mark.parametrize(
    "output",
    [[], ["/m"], ["/m", "fine"], ["/m", "error"], ["/m", "closed"], ["/m", "magic", "xx"]],
)
def test_what_is_not_from_the_script_is_refused(output: list[str]) -> None:
    with pytest.raises(FactProcessError, match="model_path"):
        OwnModel().process(output)
