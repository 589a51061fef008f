"""The copy from this machine: resumable over a real SFTP server, hashed once, never the wrong file.

The server is paramiko's own on loopback, in a thread; it can cut the link or have a full disk.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from llamarig import hashes, sftp
from llamarig.errors import UserError
from llamarig.rehearsal.model import Shape, make
from llamarig.settings import Settings
from llamarig.tasks import model_copy, model_local
from llamarig.tasks.facts.model_partial import ModelPartial, PartialState

MIB = 2**20
SIZE = 6 * MIB + 12345
PINS: dict[str, Any] = {"revision": None, "sha256": None, "size": None}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def silent(done: int, total: int) -> None:
    """No progress is shown."""


class Faults:
    """cut: bytes after which the link is cut; full: bytes after which the disk is full."""

    def __init__(self) -> None:
        self.cut: int | None = None
        self.full: int | None = None
        self.written = 0
        self.transport: Any = None


class Door(paramiko.ServerInterface):
    """Lets everybody in."""

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "none"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class Handle(paramiko.SFTPHandle):
    """A file that is written as OpenSSH's server does: appended, whatever the offset."""

    def __init__(self, flags: int, file: Any, faults: Faults) -> None:
        super().__init__(flags)
        self.file, self.faults = file, faults

    def write(self, offset: int, data: bytes) -> int:
        if self.faults.cut is not None and self.faults.written >= self.faults.cut:
            self.faults.transport.sock.close()
            return paramiko.SFTP_FAILURE
        if self.faults.full is not None and self.faults.written >= self.faults.full:
            return paramiko.SFTP_FAILURE
        self.file.write(data)
        self.faults.written += len(data)
        return paramiko.SFTP_OK

    def close(self) -> None:
        self.file.close()


class Files(paramiko.SFTPServerInterface):
    """Plain files of this machine."""

    def __init__(self, server: Any, faults: Faults, *more: Any) -> None:
        super().__init__(server, *more)
        self.faults = faults

    def stat(self, path: str) -> Any:
        return self.lstat(path)

    def lstat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(os.lstat(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def chattr(self, path: str, attr: Any) -> int:
        os.truncate(path, attr.st_size)
        return paramiko.SFTP_OK

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            file = os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return Handle(flags, file, self.faults)


@contextmanager
def session(faults: Faults | None = None) -> Iterator[paramiko.SFTPClient]:
    """An SFTP session with a server of its own."""
    faults = faults or Faults()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        faults.transport = transport
        transport.add_server_key(paramiko.ECDSAKey.generate())
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files, faults)
        transport.start_server(server=Door())

    threading.Thread(target=serve, daemon=True).start()
    client = paramiko.Transport(("127.0.0.1", listener.getsockname()[1]))
    try:
        client.connect(username="somebody")
        client.auth_none("somebody")
        yield client.open_sftp_client()  # type: ignore[attr-defined]
    finally:
        client.close()
        listener.close()
        if faults.transport is not None:
            faults.transport.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("here") / "model.gguf"
    path.write_bytes((hashlib.sha256(b"copy").digest() * (SIZE // 32 + 1))[:SIZE])
    return path


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    make(path, Shape(layers=2))
    return path


def test_a_whole_file_arrives_with_its_progress(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with session() as open_:
        sent = sftp.append(open_, source, str(tmp_path / "there"), lambda *far: seen.append(far))
    assert sent == SIZE
    assert (tmp_path / "there").read_bytes() == source.read_bytes()
    assert seen[-1] == (SIZE, SIZE)


def test_a_cut_link_keeps_what_arrived_and_the_next_try_goes_on(
    source: Path, tmp_path: Path
) -> None:
    there, faults = tmp_path / "there", Faults()
    faults.cut = 3 * MIB
    with session(faults) as open_, pytest.raises(sftp.Broken, match="the connection was lost"):
        sftp.append(open_, source, str(there), silent)
    kept = there.stat().st_size
    assert kept >= 3 * MIB
    with session() as open_:
        assert sftp.append(open_, source, str(there), silent) == SIZE - kept
    assert there.read_bytes() == source.read_bytes()
    with session() as open_:
        assert sftp.append(open_, source, str(there), silent) == 0


def test_a_full_disk_is_told_though_its_answers_are_dropped(source: Path, tmp_path: Path) -> None:
    faults = Faults()
    faults.full = 2 * MIB
    with session(faults) as open_, pytest.raises(sftp.Broken) as broken:
        sftp.append(open_, source, str(tmp_path / "there"), silent)
    line = model_copy._broken(source, broken.value)
    assert "\n" not in line
    assert broken.value.done == (tmp_path / "there").stat().st_size < SIZE


def test_the_last_piece_refused_is_told_by_the_size(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 1000)
    faults = Faults()
    faults.full = 0
    with session(faults) as open_, pytest.raises(sftp.Broken, match="0 of 1000 bytes arrived"):
        sftp.append(open_, tmp_path / "small", str(tmp_path / "there"), silent)


def test_a_longer_file_there_is_begun_anew(source: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"x" * (SIZE + 1))
    with session() as open_:
        assert sftp.append(open_, source, str(tmp_path / "there"), silent) == SIZE
    assert (tmp_path / "there").read_bytes() == source.read_bytes()


def test_what_is_no_file_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with session() as open_:
        for name, words in (("link", "no regular file"), ("no/folder", "No such file")):
            with pytest.raises(sftp.Broken, match=words):
                sftp.append(open_, source, str(tmp_path / name), silent)
        with pytest.raises(sftp.Broken, match="nowhere: No such file"):
            sftp.append(open_, tmp_path / "nowhere", str(tmp_path / "there"), silent)
    assert (tmp_path / "secret").read_text() == "mine"


@as_root
def test_root_takes_the_file_over_also_after_a_cut(tmp_path: Path) -> None:
    folder = tmp_path / "llamarig" / "incoming-1"
    file, partial = folder / "model.gguf", tmp_path / "llamarig" / "1.partial"
    begin = model_copy.opened(str(folder), str(file), "nobody")
    subprocess.run(["sh", "-c", begin], check=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    file.write_bytes(b"model")
    subprocess.run(["sh", "-c", begin], check=True)
    assert file.stat().st_uid == folder.stat().st_uid != 0
    end = model_copy.taken_over(str(folder), str(file), str(partial))
    subprocess.run(["sh", "-c", end], check=True)
    assert (partial.read_bytes(), partial.stat().st_uid) == (b"model", 0)
    assert not folder.exists()
    subprocess.run(["sh", "-c", begin], check=True)
    file.symlink_to("/etc/passwd")
    assert subprocess.run(["sh", "-c", end], check=False).returncode != 0
    assert partial.read_bytes() == b"model"


def test_the_host_tells_what_it_has(tmp_path: Path) -> None:
    paths = [tmp_path / each for each in ("the blob", "suspect", "partial", "incoming")]
    paths[0].write_bytes(b"x" * 10)
    paths[3].write_bytes(b"x" * 5000)
    lan = tmp_path / "partial.lan"
    lan.write_bytes(b"x" * 9000)
    command = ModelPartial().command(*map(str, paths))
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    found = ModelPartial().process(told.stdout.splitlines())
    blocks = paths[3].stat().st_blocks + lan.stat().st_blocks
    assert found == PartialState(10, 0, 5000, blocks * 512)


def test_a_file_is_hashed_once_until_it_is_touched(source: Path, tmp_path: Path) -> None:
    stamps, read = tmp_path / "cache" / "hashes.json", []
    file = tmp_path / "model"
    file.write_bytes(source.read_bytes())

    def sha256() -> str:
        return hashes.sha256(file, lambda done, total: read.append(done), stamps)

    assert sha256() == sha256() == hashlib.sha256(source.read_bytes()).hexdigest()
    assert read[-1] == SIZE
    assert len(read) == 2
    with file.open("r+b") as changed:
        changed.write(b"!")
    assert sha256() == hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(read) == 4


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "\x00"])
def test_stamps_that_cannot_be_read_cost_a_hash(tmp_path: Path, content: str) -> None:
    (tmp_path / "stamps").write_text(content)
    (tmp_path / "model").write_bytes(b"1")
    found = hashes.sha256(tmp_path / "model", silent, tmp_path / "stamps")
    assert found == hashlib.sha256(b"1").hexdigest()


def test_the_hub_cache_of_this_machine_has_the_file(gguf: Path, tmp_path: Path) -> None:
    settings = Settings(model_from="controller", model_repo="a/b", model_file="m.gguf")
    with pytest.raises(UserError, match=r"`hf download a/b m\.gguf`, or set model_local_file"):
        model_local.local_file(settings, None, tmp_path)
    commit, repository = "c" * 40, tmp_path / "models--a--b"
    snapshot = repository / "snapshots" / commit / "m.gguf"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(gguf)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for revision in (None, "main", commit):
        assert model_local.local_file(settings, revision, tmp_path) == snapshot
    with pytest.raises(UserError, match="--revision v2`"):
        model_local.local_file(settings, "v2", tmp_path)
    assert model_local.pinned(settings, snapshot, PINS, "e" * 64)["revision"] == commit


def test_the_file_named_is_the_file(gguf: Path) -> None:
    settings = Settings(model_from="controller", model_local_file=str(gguf))
    assert model_local.local_file(settings, None) == gguf
    what = model_local.pinned(settings, gguf, PINS, "e" * 64)
    assert what == {
        "revision": "e" * 40, "sha256": "e" * 64, "size": gguf.stat().st_size, "mtp_layers": 1,
    }  # fmt: skip
    pinned = model_local.pinned(settings, gguf, {**PINS, "revision": "d" * 40}, "e" * 64)
    assert pinned["revision"] == "d" * 40


def test_another_file_than_the_pinned_one_is_refused(gguf: Path) -> None:
    settings = Settings(model_from="controller", model_local_file=str(gguf))
    with pytest.raises(UserError, match=r"llamarig\.lock holds ffff"):
        model_local.pinned(settings, gguf, {**PINS, "sha256": "f" * 64}, "e" * 64)


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "No such file"), ("", "is no regular file"), ("text", "GGUF")]
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "text").write_text("no model")
    settings = Settings(model_from="controller", model_local_file=str(tmp_path / name))
    with pytest.raises(UserError, match=words) as fault:
        model_local.pinned(settings, model_local.local_file(settings, None), PINS, "e" * 64)
    assert str(fault.value).startswith("model_local_file: ")
    assert "\n" not in str(fault.value)


def test_a_blob_that_was_found_wrong_does_not_count(tmp_path: Path) -> None:
    paths = [tmp_path / each for each in ("blob", "suspect", "partial", "incoming")]
    paths[0].write_bytes(b"x" * 10)
    paths[1].touch()
    told = subprocess.run(
        ["sh", "-c", ModelPartial().command(*map(str, paths))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ModelPartial().process(told.stdout.splitlines()).blob == 0
