"""A handful of llama.cpp's CUDA kernels, compiled on a made host by the toolkit of PyPI's wheels:
the same toolchain, source and flags as the whole build of `make test-cuda`, in a minute."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from llamarig.rehearsal import origin
from llamarig.rehearsal.lab import Lab
from llamarig.settings import Settings
from llamarig.tasks.cuda.choice import Choice
from llamarig.tasks.llama_cpp_build import flags
from llamarig.tasks.llama_cpp_job import environment

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]

STORY = """
from llamarig.tasks import preflight, toolchain

preflight.check_for_build()
toolchain.install()
"""
CUDA: dict[str, Any] = {"backend": "cuda", "cuda_source": "pypi", "cuda_ptx": False}
KERNELS = ("acc", "argmax", "scale", "softcap", "norm")
TREE = "/var/tmp/kernels"


def compile_(on_host: OnHost, chosen: Choice, architecture: int) -> None:
    """Configure llama.cpp as the build's job does and compile the kernels."""
    settings = Settings.model_validate({**CUDA, "cuda_architecture": architecture})
    seen = environment(settings, TREE, chosen)
    clean = " ".join(f"{name}={shlex.quote(value)}" for name, value in seen.items())
    options = shlex.join(flags(settings, origin.COMMIT, chosen))
    objects = " ".join(
        f"ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/{each}.cu.o" for each in KERNELS
    )
    on_host(f"env -i {clean} /usr/bin/cmake -S {TREE}/source -B {TREE}/{architecture} {options}")
    on_host(f"env -i {clean} /usr/bin/ninja -C {TREE}/{architecture} {objects}")


def architectures(on_host: OnHost, tree: str) -> set[int]:
    """The machine code in the compiled kernels, as a release's manifest is told of it."""
    program = (
        "import glob, sys; from llamarig.onhost.fatbinary import architectures; print(*{"
        "each for path in glob.glob(sys.argv[1]) for each in architectures(path, '').machine_code})"
    )
    objects = f"{TREE}/{tree}/ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/*.cu.o"
    found = on_host(
        "PYTHONPATH=$(ls /opt/llamarig/lib/onhost-*.pyz) "
        f"python3 -c {shlex.quote(program)} {shlex.quote(objects)}"
    )
    return {int(each) for each in found.split()}


def test_kernels_are_compiled_for_the_architecture_that_is_set(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    (site.folder / "deploy.py").write_text(STORY)
    first = site.run("up", **CUDA)
    assert first.host()["failed"] == 0, first.output
    chosen = Choice(**first.host()["cuda"])
    assert chosen.source == "pypi"
    again = site.run("up", **CUDA)
    assert (again.host()["changed"], again.host()["failed"]) == (0, 0), again.output
    later = Choice(**again.host()["cuda"])
    assert (later.version, later.home, later.compiler) == (
        chosen.version, chosen.home, chosen.compiler,
    )  # fmt: skip
    git = lab.state.services
    assert git is not None
    on_host(f"git clone -q --depth 1 --branch {origin.TAG} {git['git']} {TREE}/source")
    compile_(on_host, chosen, 89)
    assert architectures(on_host, "89") == {89}
    compile_(on_host, chosen, 120)
    assert architectures(on_host, "120") == {120}
