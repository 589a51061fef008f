"""How llama.cpp is built: cmake's options by backend, the release's name, the job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llamarig.settings import Settings
from llamarig.tasks.cuda.choice import Choice
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.facts.release import ReleaseState
from llamarig.tasks.llama_cpp import mismatch
from llamarig.tasks.llama_cpp_build import build_id, flags, record
from llamarig.tasks.llama_cpp_job import parallel, spec

COMMIT = "f1a25c0bd" + "0" * 31
PRESENT = Choice("present", "13.0", "/usr/local/cuda-13.0", "/usr/bin/g++-12", "it is there")
CUDA = Settings()
CPU = Settings(backend="cpu")
VULKAN = Settings(backend="vulkan")
GIB = 2**30


def machine(cores: int, memory_bytes: int) -> MachineState:
    found = MachineState("debian", "12", "bookworm", "x86_64", "systemd", cores)
    return replace(found, memory_bytes=memory_bytes)


def test_cuda_names_compiler_toolkit_and_host_compiler_together() -> None:
    options = flags(CUDA, COMMIT, PRESENT)
    for option in (
        "-DGGML_CUDA=ON",
        "-DCMAKE_CUDA_ARCHITECTURES=89",
        "-DCMAKE_CUDA_COMPILER=/usr/local/cuda-13.0/bin/nvcc",
        "-DCUDAToolkit_ROOT=/usr/local/cuda-13.0",
        "-DCMAKE_CUDA_HOST_COMPILER=/usr/bin/g++-12",
        "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined",
        "-DLLAMA_BUILD_NUMBER=11434",
        "-DLLAMA_BUILD_COMMIT=f1a25c0bd",
    ):
        assert option in options
    assert "-DCMAKE_CUDA_ARCHITECTURES=120-real" in flags(
        Settings(cuda_architecture=120, cuda_ptx=False), COMMIT, PRESENT
    )


def test_other_backends_say_nothing_of_cuda() -> None:
    assert [each for each in flags(VULKAN, COMMIT, None) if "CUDA" in each] == []
    assert "-DGGML_VULKAN=ON" in flags(VULKAN, COMMIT, None)
    assert [each for each in flags(CPU, COMMIT, None) if "GGML" in each] == []
    assert "-DCMAKE_INSTALL_RPATH=$ORIGIN" in flags(CPU, COMMIT, None)


def test_the_wheels_libraries_are_found_at_run_time() -> None:
    wheels = replace(PRESENT, source="pypi", home="/opt/llamarig/cuda/13.0")
    assert "-DCMAKE_INSTALL_RPATH=$ORIGIN;/opt/llamarig/cuda/13.0/lib" in flags(
        CUDA, COMMIT, wheels
    )


def test_a_release_is_named_by_what_it_is_built_from() -> None:
    this = build_id(CUDA, COMMIT, PRESENT)
    assert this.startswith("b11434-sm89-")
    assert build_id(VULKAN, COMMIT, None).startswith("b11434-vulkan-")
    # The name that this release has had from the beginning: nobody's host builds it again.
    assert build_id(CPU, COMMIT, None) == "b11434-cpu-c57096745c"
    others = [
        build_id(CUDA, "a" * 40, PRESENT),
        build_id(Settings(cuda_ptx=False), COMMIT, PRESENT),
        build_id(CUDA, COMMIT, replace(PRESENT, version="13.1")),
        build_id(CUDA, COMMIT, replace(PRESENT, home="/usr/local/cuda")),
        build_id(CUDA, COMMIT, replace(PRESENT, compiler="/usr/bin/g++-13")),
    ]
    assert len({this, *others}) == 6


def test_how_a_release_is_got_does_not_name_it() -> None:
    this = build_id(CUDA, COMMIT, PRESENT)
    assert build_id(CUDA, COMMIT, replace(PRESENT, source="nvidia", why="asked for")) == this
    for same in (Settings(ccache=False), Settings(build_jobs=3), Settings(cuda_source="nvidia")):
        assert build_id(same, COMMIT, PRESENT) == this
    assert build_id(Settings(draft_n_max=5), COMMIT, PRESENT) == this


@pytest.mark.parametrize(
    ("cores", "memory", "cuda", "cpu"),
    [(24, 64 * GIB, 24, 24), (32, 16 * GIB, 24, 32), (4, GIB // 2, 1, 4), (8, 0, 8, 8)],
)
def test_compilers_at_once_by_cores_and_memory(
    cores: int, memory: int, cuda: int, cpu: int
) -> None:
    assert parallel(CUDA, machine(cores, memory)) == cuda
    assert parallel(CPU, machine(cores, memory)) == cpu


def test_build_jobs_decides_and_an_unknown_machine_gets_one() -> None:
    assert parallel(Settings(build_jobs=7), machine(2, GIB)) == 7
    assert parallel(CUDA, None) == 1


def test_the_build_never_sees_the_operators_path() -> None:
    job = spec(CUDA, COMMIT, PRESENT, machine(8, 32 * GIB))
    for stage in job.stages:
        assert stage.env["PATH"] == "/usr/local/cuda-13.0/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        assert stage.argv[0].startswith("/")
        assert "CCACHE_DIR" in stage.env


def test_ccache_is_a_setting() -> None:
    off = spec(Settings(ccache=False), COMMIT, PRESENT, machine(8, 32 * GIB))
    on = spec(CUDA, COMMIT, PRESENT, machine(8, 32 * GIB))
    assert not [key for stage in off.stages for key in stage.env if key.startswith("CCACHE")]
    assert "-DGGML_CCACHE=OFF" in off.stages[1].argv
    assert "-DGGML_CCACHE=ON" in on.stages[1].argv
    assert off.name == on.name


def test_the_source_outlives_the_build() -> None:
    job = spec(CPU, COMMIT, None, machine(2, 4 * GIB))
    clean = job.stages[-1]
    assert clean.argv == ["/bin/rm", "-rf", f"/var/lib/llamarig/build/{job.name[6:]}/build"]
    source = job.stages[1].argv[job.stages[1].argv.index("-S") + 1]
    assert not source.startswith(clean.argv[-1])


def test_what_goes_in_is_recorded() -> None:
    found = record(CUDA, COMMIT, PRESENT)
    assert found["source"] == {
        "kind": "git", "tag": "b11434", "url": CUDA.llama_cpp_url, "commit": COMMIT,
    }  # fmt: skip
    assert found["flags"] == flags(CUDA, COMMIT, PRESENT)
    assert found["cuda"]["architecture"] == 89
    package = Settings(llama_cpp_source="pypi", llama_cpp_sha256="b" * 64, backend="cpu")
    assert record(package, "b" * 64, None)["source"]["sha256"] == "b" * 64
    assert record(package, "b" * 64, None)["cuda"] is None


def test_a_release_for_another_card_is_named_with_the_setting() -> None:
    made = ReleaseState("b1-sm89-x", 1, "cuda", (89,), {})
    assert mismatch(made, 89) is None
    assert mismatch(made, None) is None
    assert mismatch(replace(made, backend="vulkan", machine_code=()), 120) is None
    assert mismatch(made, 120) == (
        "cuda_architecture: release b1-sm89-x holds code for sm_89, the card is sm_120; "
        "set cuda_architecture = 120"
    )
