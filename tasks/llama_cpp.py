"""llama.cpp: source at a pinned commit, built into a release named by what it was built from."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Generator
from importlib.resources import files as package_files

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.paths import BUILD, CCACHE, RELEASES
from llamarig.settings import Settings
from llamarig.tasks import site, toolchain
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.release import Release
from llamarig.tasks.facts.remote_tag import RemoteTag
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

TARGETS = ["llama-server", "llama-bench", "llama-cli"]
SOURCE_SECONDS = 1800
CONFIGURE_SECONDS = 600
INSTALL_SECONDS = 120


@step("llama.cpp")
def build() -> None:
    """Build the release, or find it built."""
    release(name="Build the release", settings=site.settings())


def number(settings: Settings) -> str:
    """b11434 -> 11434: a shallow clone can't count commits and would report version 1."""
    return settings.llama_cpp_tag.lstrip("b")


def origin(settings: Settings) -> str | None:
    """What pins the source: a commit, or the source package's sha256. None: not known yet.

    Order: the settings, llamarig.lock, and for a tag that nobody resolved yet the repository
    itself, as the host sees it; that answer is trusted on first use and written down.
    """
    if settings.llama_cpp_source == "pypi":
        return settings.llama_cpp_sha256
    if settings.llama_cpp_commit:
        return settings.llama_cpp_commit
    entry = f"{settings.llama_cpp_url} {settings.llama_cpp_tag}"
    known = site.lockfile().get("llama_cpp", entry).get("commit")
    if known:
        return str(known)
    if not state.is_executing:
        return None
    found: str | None = host.get_fact(
        RemoteTag, url=settings.llama_cpp_url, tag=settings.llama_cpp_tag
    )
    if found:
        site.lockfile().put("llama_cpp", entry, {"commit": found})
    return found


def flags(settings: Settings, commit: str) -> list[str]:
    """cmake's options. The libraries lie beside the binary, hence the run path."""
    common = [
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_INSTALL_RPATH=$ORIGIN",
        "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
        f"-DLLAMA_BUILD_NUMBER={number(settings)}",
        f"-DLLAMA_BUILD_COMMIT={commit[:9]}",
        "-DLLAMA_BUILD_TESTS=OFF",
        # The web UI would be fetched from the hub while building.
        "-DLLAMA_USE_PREBUILT_UI=OFF",
    ]
    if settings.backend == "cpu":
        return common
    return [
        *common,
        "-DGGML_CUDA=ON",
        # "native" would need the card while building and a later cmake.
        f"-DCMAKE_CUDA_ARCHITECTURES={settings.cuda_architecture}",
        f"-DCMAKE_CUDA_COMPILER={settings.cuda_home}/bin/nvcc",
        f"-DCUDAToolkit_ROOT={settings.cuda_home}",
    ]


def build_id(settings: Settings, commit: str) -> str:
    """`b11434-cpu-1a2b3c4d5e`: tag, backend, and a digest over everything that goes in."""
    kind = "cpu" if settings.backend == "cpu" else f"sm{settings.cuda_architecture}"
    what = json.dumps([settings.llama_cpp_source, commit, flags(settings, commit)])
    digest = hashlib.sha256(what.encode()).hexdigest()[:10]
    return f"{settings.llama_cpp_tag}-{kind}-{digest}"


def spec(settings: Settings, commit: str, cores: int) -> jobs.Spec:
    """The build's job: source, configure, compile, install."""
    this = build_id(settings, commit)
    folder = f"{BUILD}/{this}"
    source, tree = f"{folder}/source", f"{folder}/build"
    env = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": f"{settings.cuda_home}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CCACHE_DIR": CCACHE,
        # The folder is named by the build; objects that are the same in two builds are shared.
        "CCACHE_BASEDIR": folder,
        "CCACHE_NOHASHDIR": "true",
    }

    def script(name: str, *arguments: str) -> list[str]:
        text = package_files("llamarig.templates").joinpath(name).read_text()
        return ["/bin/sh", "-euc", text, name, *arguments]

    if settings.llama_cpp_source == "git":
        fetch = script(
            "source-git.sh", source, settings.llama_cpp_url, settings.llama_cpp_tag, commit
        )
    else:
        fetch = script("source-pypi.sh", source, number(settings), commit)
    configure = [toolchain.CMAKE, "-S", source, "-B", tree, *flags(settings, commit)]
    parallel = str(settings.build_jobs or cores)
    compile_ = [toolchain.CMAKE, "--build", tree, "--parallel", parallel, "--target", *TARGETS]
    install = script("install-release.sh", tree, f"{RELEASES}/{this}", this, number(settings))
    return jobs.Spec(
        name=f"build-{this}",
        title=f"build {this}",
        unit="steps",
        stages=[
            jobs.Stage("source", fetch, SOURCE_SECONDS, env),
            jobs.Stage("configure", configure, CONFIGURE_SECONDS, env),
            jobs.Stage("compile", compile_, settings.build_timeout_minutes * 60, env),
            jobs.Stage("install", install, INSTALL_SECONDS, env),
            jobs.Stage("clean", ["/bin/rm", "-rf", folder], INSTALL_SECONDS, env),
        ],
        nice=10,
    )


@operation()
def release(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the release; build it in a detached job where it is missing."""
    commit = origin(settings)
    if commit is None:
        if state.is_executing:
            yield failure(
                f"llama_cpp_tag: {settings.llama_cpp_tag} not found at {settings.llama_cpp_url}, "
                "or the host can't reach it; give llama_cpp_commit, or another llama_cpp_url"
            )
        else:
            yield from _announce(settings)
        return
    this = build_id(settings, commit)
    if state.is_executing:
        report.record(host.name, release=this)
    if host.get_fact(Release, build_id=this) is not None:
        host.noop(f"release {this} is there")
        return
    machine = host.get_fact(Machine)
    job = spec(settings, commit, machine.cores if machine else 1)
    yield from jobs.start(job)
    limit = settings.build_timeout_minutes * 60
    if state.is_executing and (reason := jobs.wait(job, limit)):
        yield failure(reason)


def _announce(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Only in a plan: the commit is resolved when the deploy runs."""
    yield StringCommand(f"git ls-remote {shlex.quote(settings.llama_cpp_url)}")
