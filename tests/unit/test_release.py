"""A new release: the architectures in it, its manifest, and the shell stages around them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.onhost.bundle import build as build_bundle
from llamarig.onhost.fatbinary import Architectures, architectures
from llamarig.onhost.release import compilers, refusal
from llamarig.tasks import llama_cpp_job
from llamarig.tasks.facts.release import Release, ReleaseHelp
from llamarig.tasks.llama_cpp_job import PACK

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "recorded" / "release"
TEMPLATES = ROOT / "templates"
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# What a build of b11434 printed.
VERSION = (
    "version: 0.6.0-dev (build 11434, commit f1a25c0bd)\nbuilt with GNU 12.2.0 for Linux x86_64"
)


def shell(template: str, *arguments: object, after: str = "") -> subprocess.CompletedProcess[str]:
    """Run a stage as the job does; after: a script of functions that it calls."""
    text = "".join((TEMPLATES / each).read_text() for each in (after, template) if each)
    return subprocess.run(
        ["/bin/sh", "-euc", text, template, *map(str, arguments)],
        env={**PATH, "HOME": "/nonexistent"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "code", "ptx"),
    [("89.fatbin", [89], [89]), ("89-real.fatbin", [89], []), ("89-120a.fatbin", [89, 120], [89])],
)
def test_architectures_are_read_from_the_headers(
    tmp_path: Path, file: str, code: list[int], ptx: list[int]
) -> None:
    # Inside a library, after something that only looks like the magic number.
    library = tmp_path / "libggml-cuda.so"
    false = b"\x50\xed\x55\xba\x01\x00\x10\x00" + b"\xff" * 40
    library.write_bytes(b"\x7fELF" + false + (RECORDED / file).read_bytes() + b"\0" * 9)
    found = architectures(str(library), "/nonexistent")
    assert found == Architectures(code, ptx, "fat binary headers")


def test_the_toolkits_own_cuobjdump_is_asked_first(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "cuobjdump"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "ELF file    1: libggml-cuda.1.sm_120a.cubin"\n')
    tool.chmod(0o755)
    found = architectures(str(RECORDED / "89.fatbin"), str(tmp_path))
    assert (found.machine_code, found.read_with) == ([120], "cuobjdump")
    # One that can't read the file is not believed.
    tool.write_text("#!/bin/sh\nexit 1\n")
    found = architectures(str(RECORDED / "89.fatbin"), str(tmp_path))
    assert (found.machine_code, found.read_with) == ([89], "fat binary headers")


def test_a_library_without_the_architecture_is_refused() -> None:
    assert refusal(89, Architectures([86, 89], [], "cuobjdump")) is None
    assert refusal(120, Architectures([89], [120], "cuobjdump")) == (
        "cuda_architecture: libggml-cuda.so holds code for sm_89, not for sm_120 "
        "(found by cuobjdump)"
    )
    assert "no card at all" in str(refusal(89, Architectures([], [], "cuobjdump")))


def tree(folder: Path, fatbin: str | None = "89.fatbin", version: str = VERSION) -> Path:
    """A build tree as cmake leaves it, with a stand-in for the server."""
    (folder / "bin").mkdir(parents=True)
    for name in ("llama-server", "llama-bench", "llama-cli", "llama-fit-params"):
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\necho '{version}' >&2\necho '-m, --model FNAME    file'\n")
        program.chmod(0o755)
    (folder / "bin" / "libggml.so").touch()
    if fatbin:
        shutil.copy(RECORDED / fatbin, folder / "bin" / "libggml-cuda.so")
    (folder / "CMakeFiles" / "3.25.1").mkdir(parents=True)
    for each in RECORDED.glob("*.cmake"):
        shutil.copy(each, folder / "CMakeFiles" / "3.25.1")
    return folder


def test_compilers_are_what_cmake_found(tmp_path: Path) -> None:
    assert compilers(str(tree(tmp_path / "build"))) == {
        "C": {"path": "/usr/bin/cc", "id": "GNU", "version": "12.2.0"},
        "CXX": {"path": "/usr/bin/c++", "id": "GNU", "version": "12.2.0"},
        "CUDA": {"path": "/usr/local/cuda-13.0/bin/nvcc", "id": "NVIDIA", "version": "13.0.88"},
    }


class Job:
    """A build's job up to its install stage."""

    def __init__(self, folder: Path, cuda: dict[str, Any] | None) -> None:
        name, content = build_bundle()
        self.program, self.config = folder / name, folder / "release.json"
        self.release = folder / "releases" / "b11434-x"
        self.program.write_bytes(content)
        told = {"id": "b11434-x", "build_number": 11434, "backend": "cuda", "cuda": cuda}
        self.config.write_text(json.dumps(told))
        stages = [{"name": "compile", "seconds": 1642.5}]
        (folder / "status.json").write_text(json.dumps({"stages": stages}))

    def install(
        self, built: Path, home: str = "", page: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return shell(
            "install-release.sh", built, self.release, 11434, home, self.program, self.config,
            page, PACK, after="release-version.sh",
        )  # fmt: skip

    def pack(self) -> tuple[Path, str]:
        """The release as one file, as a holder's job makes it, and the sha256 it was noted with."""
        archive = self.release.parent / "b11434-x.tar"
        packing = llama_cpp_job.packing("b11434-x", str(archive)).argv[:-1]
        subprocess.run([*packing, str(self.release)], check=True)
        return archive, (self.release / "release.sha256").read_text().strip()


def cuda(architecture: int) -> dict[str, Any]:
    return {
        "version": "13.0", "home": "/nonexistent", "host_compiler": "/usr/bin/gcc",
        "architecture": architecture,
    }  # fmt: skip


def test_a_release_is_installed_with_its_manifest(tmp_path: Path) -> None:
    job = Job(tmp_path, cuda(89))
    done = job.install(tree(tmp_path / "build"), "/nonexistent")
    assert done.returncode == 0, done.stdout
    found = Release().process((job.release / "release.json").read_text().splitlines())
    assert (found.id, found.backend, found.machine_code) == ("b11434-x", "cuda", (89,))
    manifest = found.document
    assert manifest["cuda"]["ptx"] == [89]
    assert manifest["version"] == VERSION.splitlines()
    assert manifest["seconds"] == {"compile": 1642.5}
    assert manifest["compilers"]["CUDA"]["version"] == "13.0.88"
    assert manifest["compilers"]["CUDA host"]["version"][0].isdigit()
    assert (job.release / "help.txt").read_text() == "-m, --model FNAME    file\n"
    assert not job.release.with_suffix(".partial").exists()


@pytest.fixture
def given(tmp_path: Path) -> Job:
    """A host that built a release."""
    job = Job(tmp_path, None)
    assert job.install(tree(tmp_path / "build", None)).returncode == 0
    return job


def take(archive: Path, sha256: str, release: Path) -> subprocess.CompletedProcess[str]:
    return shell("take-release.sh", archive, sha256, release, 11434, "", after="release-version.sh")


def test_a_release_that_was_taken_can_be_given_on(given: Job, tmp_path: Path) -> None:
    archive, sha256 = given.pack()
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == sha256
    taken = tmp_path / "taken" / "b11434-x"
    done = take(archive, sha256, taken)
    assert done.returncode == 0, done.stdout
    assert (taken / "release.json").read_text() == (given.release / "release.json").read_text()
    given.release = taken
    again, noted = given.pack()
    assert hashlib.sha256(again.read_bytes()).hexdigest() == noted == sha256


@pytest.mark.parametrize(
    ("what", "line"),
    [("rot", "does not have sha256"), ("id", "is another release than b11434-y")],
)
def test_a_release_that_is_not_the_one_never_gets_its_name(
    given: Job, tmp_path: Path, what: str, line: str
) -> None:
    archive, sha256 = given.pack()
    taken = tmp_path / "taken" / ("b11434-y" if what == "id" else "b11434-x")
    if what == "rot":
        content = bytearray(archive.read_bytes())
        content[600] ^= 1
        archive.write_bytes(content)
    done = take(archive, sha256, taken)
    assert done.returncode == 1
    assert line in done.stdout
    assert not taken.exists()


def test_a_release_for_another_architecture_never_gets_its_name(tmp_path: Path) -> None:
    job = Job(tmp_path, cuda(120))
    done = job.install(tree(tmp_path / "build"), "/nonexistent")
    assert done.returncode == 1
    assert done.stdout.startswith("llamarig: cuda_architecture: libggml-cuda.so holds code for")
    assert len(done.stdout.splitlines()) == 1
    assert not job.release.exists()


def test_a_release_of_another_version_never_gets_its_name(tmp_path: Path) -> None:
    job = Job(tmp_path, None)
    done = job.install(tree(tmp_path / "build", None, "version: 1 (f1a25c0)"))
    assert done.returncode == 1
    assert "llamarig: the new llama-server does not say it is version 11434" in done.stdout
    assert not job.release.exists()


def test_a_release_without_cuda_has_no_architectures(tmp_path: Path) -> None:
    job = Job(tmp_path, None)
    done = job.install(tree(tmp_path / "build", None))
    assert done.returncode == 0, done.stdout
    assert json.loads((job.release / "release.json").read_text())["cuda"] is None


def test_what_an_earlier_llamarig_recorded_can_be_read() -> None:
    found = Release().process(['{"id": "b1-cpu-a", "build_number": 1, "version": []}'])
    assert (found.backend, found.machine_code) == ("cpu", ())
    with pytest.raises(FactProcessError):
        Release().process(["[]"])
    assert ReleaseHelp().process(["a", "", "b"]) == "a\n\nb"


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A git repository with the tag b1 and its commit."""
    folder = tmp_path / "origin"
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / "CMakeLists.txt").write_text("# llama.cpp\n")
    for words in (["add", "."], ["commit", "--quiet", "-m", "one"], ["tag", "b1"]):
        subprocess.run([*git, *words], check=True)
    done = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )  # fmt: skip
    return folder, done.stdout.strip()


def test_the_source_stays_and_is_for_people_too(
    tmp_path: Path, repository: tuple[Path, str]
) -> None:
    origin, commit = repository
    source = tmp_path / "build" / "source"
    arguments = (source, f"file://{origin}", "b1", commit)
    assert shell("source-git.sh", *arguments).returncode == 0
    assert (source / ".tool-versions").read_text() == "cmake system\n"
    shutil.rmtree(origin)  # found verified: nothing is fetched again
    (source / ".tool-versions").write_text("cmake 3.30.1\n")
    assert shell("source-git.sh", *arguments).returncode == 0
    assert (source / ".tool-versions").read_text() == "cmake 3.30.1\n"


@pytest.mark.parametrize("file", ["CMakeLists.txt", "new.cu"])
def test_a_source_that_somebody_changed_is_not_what_was_pinned(
    tmp_path: Path, repository: tuple[Path, str], file: str
) -> None:
    origin, commit = repository
    source = tmp_path / "source"
    arguments = (source, f"file://{origin}", "b1", commit)
    assert shell("source-git.sh", *arguments).returncode == 0
    (source / file).write_text("# changed\n")
    done = shell("source-git.sh", *arguments)
    assert done.returncode == 1
    assert done.stdout.startswith(f"llamarig: llama_cpp_commit: {source} was changed by hand")
    assert (source / file).read_text() == "# changed\n"


def test_a_source_from_a_package_is_verified_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text("# llama.cpp\n")
    sums = subprocess.run(
        ["sha256sum", "./CMakeLists.txt"], cwd=source, check=True, capture_output=True, text=True
    )  # fmt: skip
    (source / ".verified-abc").write_text(sums.stdout)
    assert shell("source-pypi.sh", source, "11434", "abc").returncode == 0
    (source / "CMakeLists.txt").write_text("# changed\n")
    done = shell("source-pypi.sh", source, "11434", "abc")
    assert done.returncode == 1
    assert done.stdout.startswith(f"llamarig: llama_cpp_sha256: {source} was changed by hand")


def test_the_program_runs_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.onhost", "release"], capture_output=True, check=False
    )  # fmt: skip
    assert done.returncode == 2
