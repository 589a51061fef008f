"""What the toolchain step would run, per distribution and source: on a fresh host, and again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FileUploadCommand, FunctionCommand
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.context import ctx_host, ctx_state

from llamarig.cuda import table
from llamarig.tasks import (
    display_callback,
    fan_out,
    release_hosts,
    sharing,
    site,
    step,
    toolchain,
)
from llamarig.tasks.cuda import check, choice, nvidia, pypi, toolkit, upgrades
from llamarig.tasks.cuda.choice import Choice

SHA = "e" * 64
MACHINES = {
    "debian 12": ("bookworm", "glibc 2.36"),
    "debian 13": ("trixie", "glibc 2.41"),
    "ubuntu 22.04": ("jammy", "glibc 2.35"),
    "ubuntu 24.04": ("noble", "glibc 2.39"),
    "ubuntu 26.04": ("resolute", "glibc 2.43"),
}
DEB822 = """\
##PYINFRA_FILE /etc/apt/sources.list.d/debian.sources
Types: deb deb-src
URIs: http://deb.debian.org/debian
Suites: {0} {0}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: {0}-security
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

##PYINFRA_FILE /etc/apt/sources.list.d/tailscale.list
deb [signed-by=/usr/share/keyrings/tailscale.gpg] https://pkgs.tailscale.com/stable/debian {0} main
"""
ONE_LINE = """\
##PYINFRA_FILE /etc/apt/sources.list
deb http://archive.ubuntu.com/ubuntu {0} main restricted universe
deb http://archive.ubuntu.com/ubuntu {0}-updates main restricted universe
deb https://download.docker.com/linux/ubuntu {0} stable
"""
Commands = dict[str, list[str]]


def answers(name: str, **more: list[str]) -> dict[str, list[str]]:
    """What a host of `debian 12` answers; keys are parts of the commands that ask."""
    distribution, version = name.split()
    codename, glibc = MACHINES[name]
    sources = DEB822 if distribution == "debian" else ONE_LINE
    return {
        **more,
        "VERSION_CODENAME": [distribution, version, codename, "x86_64", "systemd", "8",
                             glibc, "6.8.0-45-generic", "65536000"],
        "##PYINFRA_FILE": sources.format(codename).splitlines(),
    }  # fmt: skip


@pytest.fixture
def planned() -> Callable[..., Commands]:
    """Plan the step on @fake hosts: operation -> the commands of one of them, which takes its
    release from another host where there is another."""

    def run(told: dict[str, list[str]], hosts: int = 1, **settings: object) -> Commands:
        asked = (site._settings, choice._current, step._refused)
        for known in (*asked, fan_out._things, release_hosts._kinds):
            known.clear()
        data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0, **settings}
        names = [f"@fake/gpu{number:02}" for number in range(1, hosts + 1)]
        inventory = Inventory(([(name, data) for name in names], {}))
        state = State(inventory, Config())
        with ctx_state.use(state):
            connect_all(state)
            display_callback.register(state)  # as preflight does
            add_deploy(state, toolchain.install)
            makers = {each.planned for each in fan_out._things.values()}
            host = inventory.get_host(next(name for name in names if name not in makers))
            found: Commands = {}
            for op in state.get_op_order():
                with ctx_host.use(host):
                    called = state.get_op_meta(op).names
                    commands = list(state.ops[host][op].command_generator())
                found[" ".join(called).removeprefix("Toolchain | ")] = [*map(_text, commands)]
        return found

    return run


def _text(command: Any) -> str:
    if isinstance(command, FileUploadCommand):
        source = command.src
        told = source if isinstance(source, str) else source.getvalue()
        return f"upload {command.dest}: {told if isinstance(told, str) else '(bytes)'}"
    if isinstance(command, FunctionCommand):
        return f"call {command.args}"
    return str(command)


def everything(found: Commands) -> str:
    return "\n".join(line for lines in found.values() for line in lines)


def packages(names: list[str]) -> list[str]:
    """dpkg's list."""
    return [f"ii  {name}  1.0  amd64  {name}" for name in names]


def kit(home: str, version: str) -> list[str]:
    return [f"{home}\t{home}\t{version}\t"]


def settled(name: str, chosen: Choice, installed: list[str]) -> dict[str, list[str]]:
    """What a host answers where everything was done."""
    ours = table.nvidia_packages(table.parse(chosen.version)) if "local" in chosen.home else []
    told = answers(
        name,
        **{
            "dpkg -l": packages([*toolchain.PACKAGES, chosen.compiler_package, *installed, *ours]),
            "cublas_v2.h": kit(chosen.home, chosen.version),
            "showhold": [*ours, "=== held", *ours],
            upgrades.UNATTENDED: upgrades.UNATTENDED_TEXT.splitlines(),
            check.stamp(chosen, 89): ["compiled"],
        },
    )
    return told


def changes(found: Commands) -> Commands:
    return {name: commands for name, commands in found.items() if commands}


NVIDIA = [
    ("debian 12", {"cuda_keyring_sha256": SHA}, "12.8", "12"),
    ("debian 13", {"cuda_keyring_sha256": SHA}, "13.0", "14"),
    ("ubuntu 22.04", {"cuda_keyring_sha256": SHA}, "12.8", "11"),
    ("ubuntu 24.04", {}, "12.8", "13"),
    ("ubuntu 26.04", {"cuda_keyring_sha256": SHA}, "13.3", "15"),
]


def test_hosts_of_a_site_get_what_giving_to_each_other_needs(
    planned: Callable[..., Commands],
) -> None:
    # Where the model comes from elsewhere it is the release alone that they share.
    own = {"cuda_source": "distro", "model_path": "/data/model.gguf", "model_sha256": SHA}
    alone, two = (planned(answers("debian 12"), hosts=number, **own) for number in (1, 2))
    assert sharing.PACKAGE not in everything(alone)
    assert sharing.PACKAGE in "\n".join(two["Install the compilers"])


TAKEN = [
    ("debian 12", "pypi", ["nvidia-cublas==13.1.0.3", "python3-pip"]),
    ("debian 12", "distro", ["libcudart11.0", "libcublas11"]),
    ("debian 13", "distro", ["libcudart12", "libcublas12"]),
    ("ubuntu 24.04", "nvidia", ["cuda-cudart-12-8", "libcublas-12-8"]),
]
DRIVER_THERE = ["loaded=580.65.06", "library=/l/libcuda.so.580.65.06", "cuda_library=yes"]
# What only building needs; a compile check is a job, and so is what PyPI gives.
TOOLS = {"g++", "cmake", "nvidia-cuda-toolkit", "cuda-nvcc-12-8", "nvidia-cuda-nvcc==13.0.88",
         "apt-mark", "cuda-check.sh"}  # fmt: skip


@pytest.mark.parametrize(("name", "source", "wanted"), TAKEN)
def test_a_host_that_takes_its_release_gets_libraries_alone(
    planned: Callable[..., Commands], name: str, source: str, wanted: list[str]
) -> None:
    told = answers(name, Features=["1" * 64])
    driver = {"/sys/module/nvidia/version": DRIVER_THERE}

    def words(more: dict[str, list[str]]) -> set[str]:
        found = planned({**told, **more}, hosts=2, cuda_source=source)
        return set(re.split(r'[\s",]+', everything(found)))

    assert set(wanted) <= words(driver)
    assert not TOOLS & words(driver)
    # Without the driver's library only the toolkit's stub lets the release say who it is.
    assert "g++" in words({})
    assert "cuda-check.sh" in words({})


@pytest.mark.parametrize(("name", "source", "wanted"), TAKEN)
def test_such_a_host_has_them_the_second_time(
    planned: Callable[..., Commands], name: str, source: str, wanted: list[str]
) -> None:
    there = [*toolchain.RUNNING, sharing.PACKAGE, *wanted, nvidia.KEYRING]
    told = answers(
        name, Features=["1" * 64],
        **{"/sys/module/nvidia/version": DRIVER_THERE, "dpkg -l": packages(there),
           "&& echo yes": ["yes"], upgrades.UNATTENDED: upgrades.UNATTENDED_TEXT.splitlines(),
           nvidia.PIN: nvidia.PIN_TEXT.splitlines()},
    )  # fmt: skip
    found = changes(planned(told, hosts=2, cuda_source=source))
    assert [each for each in found if not each.startswith("Open the archive")] == []


@pytest.mark.parametrize(("name", "own", "version", "gcc"), NVIDIA)
def test_nvidias_repository(
    planned: Callable[..., Commands], name: str, own: dict[str, str], version: str, gcc: str
) -> None:
    found = planned(answers(name), cuda_source="nvidia", **own)
    sha = own.get("cuda_keyring_sha256") or (
        "d2a6b11c096396d868758b86dab1823b25e14d70333f1dfa74da5ddaf6a06dba"
    )
    trusted = "\n".join(found["Trust NVIDIA's repository"])
    folder = name.replace(" ", "").replace(".", "")
    assert f"/repos/{folder}/x86_64/cuda-keyring_1.1-1_all.deb" in trusted
    assert sha in trusted
    assert "Pin-Priority: -1" in trusted
    (_, noted, installed) = found[f"Install CUDA {version} from NVIDIA"]
    dashed = version.replace(".", "-")
    names = [f"cuda-nvcc-{dashed}", f"cuda-cudart-dev-{dashed}", f"libcublas-dev-{dashed}"]
    names += [f"cccl-{dashed}"] if version == "13.3" else []
    assert installed.split()[-len(names) :] == names
    # Written down before it is installed, for `down --purge`.
    assert noted.split()[-len(names) - 1 :] == ["/var/lib/llamarig/packages", *names]
    assert f"/var/lib/llamarig/packages {nvidia.KEYRING}" in trusted
    assert f"g++-{gcc}" in everything({"": found["Install the compilers"]})
    assert f"apt-mark hold {' '.join(sorted(names))}" in found["Hold the CUDA packages"]
    # No driver: not as a package of its own, not by name.
    assert "cuda-drivers" not in everything({k: v for k, v in found.items() if "Trust" not in k})
    assert "Load NVIDIA's driver" not in found

    home = f"/usr/local/cuda-{version}"
    chosen = Choice("nvidia", version, home, f"/usr/bin/g++-{gcc}", "")
    assert chosen.compiler in everything(found)
    again = planned(settled(name, chosen, [nvidia.KEYRING]), cuda_source="nvidia", **own)
    assert changes(again) == {}
    # And with auto, which now finds the toolkit present: the same one, checked already.
    assert changes(planned(settled(name, chosen, [nvidia.KEYRING]), **own)) == {}


PYPI = [("debian 12", "12"), ("debian 13", "14"), ("ubuntu 22.04", "11"), ("ubuntu 24.04", "13")]


@pytest.mark.parametrize(("name", "gcc"), PYPI)
def test_pypis_wheels(planned: Callable[..., Commands], name: str, gcc: str) -> None:
    found = planned(answers(name), cuda_source="pypi")
    job = "\n".join(found["Install CUDA 13.0 from PyPI"])
    for wheel in table.wheels()[(13, 0)]:
        assert wheel in job
    assert "systemd-run" in job
    assert "/opt/llamarig/cuda/13.0.partial" in job
    assert "Trust NVIDIA's repository" not in found
    home = "/opt/llamarig/cuda/13.0/nvidia/cu13"
    checked = "\n".join(found["Compile a file with CUDA 13.0"])
    assert f'"{home}/bin/nvcc"' in checked
    assert f'"/usr/bin/g++-{gcc}"' in checked

    chosen = Choice("pypi", "13.0", home, f"/usr/bin/g++-{gcc}", "")
    assert changes(planned(settled(name, chosen, []), cuda_source="pypi")) == {}
    assert changes(planned(settled(name, chosen, []))) == {}


DISTRO = [("debian 12", "11.8", "11"), ("debian 13", "12.4", "13"), ("ubuntu 24.04", "12.0", "11"),
          ("ubuntu 26.04", "12.4", "13")]  # fmt: skip


@pytest.mark.parametrize(("name", "version", "gcc"), DISTRO)
def test_the_distributions_package(
    planned: Callable[..., Commands], name: str, version: str, gcc: str
) -> None:
    distribution = name.split()[0]
    asked: dict[str, object] = {"cuda_source": "distro"}
    found = planned(answers(name), **asked)
    opened = "\n".join(next(found[each] for each in found if each.startswith("Open the archive")))
    codename = MACHINES[name][0]
    if distribution == "debian":
        assert "/etc/apt/sources.list.d/llamarig-non-free.sources" in opened
        assert f"Suites: {codename}-security\nComponents: non-free\n" in opened
        assert f"Suites: {codename}\nComponents: contrib non-free\nSigned-By: " in opened
        assert "tailscale" not in opened
    else:
        assert "/etc/apt/sources.list.d/llamarig-non-free.list" in opened
        assert f"deb http://archive.ubuntu.com/ubuntu {codename} multiverse\n" in opened
        assert "docker" not in opened
    title = f"{distribution.capitalize()} {name.split()[1]}"
    (_, noted, installed) = found[f"Install CUDA {version} from {title}"]
    assert "--no-install-recommends" in installed
    assert installed.endswith("nvidia-cuda-toolkit")
    assert noted.endswith("/var/lib/llamarig/packages nvidia-cuda-toolkit")
    assert f"g++-{gcc}" in everything({"": found["Install the compilers"]})

    chosen = Choice("distro", version, "/usr", f"/usr/bin/g++-{gcc}", "")
    told = settled(name, chosen, [toolkit.DISTRO_TOOLKIT])
    ours, text = opened.split("upload ", 1)[1].split(": ", 1)
    lines = text.rsplit("\nchmod", 1)[0].splitlines()
    told["##PYINFRA_FILE"] = [*told["##PYINFRA_FILE"], f"##PYINFRA_FILE {ours}", *lines]
    told = {ours: lines, **told}
    again = planned({**told, "##PYINFRA_FILE": told["##PYINFRA_FILE"]}, **asked)
    assert changes(again) == {}
    assert changes(planned(told)) == {}


def test_ubuntu_22_04s_own_is_too_old(planned: Callable[..., Commands]) -> None:
    found = planned(answers("ubuntu 22.04"), cuda_source="distro")
    assert list(found) == ["Leave the host alone"]


@pytest.mark.parametrize("name", list(MACHINES))
def test_a_present_toolkit_is_checked_and_nothing_else(
    planned: Callable[..., Commands], name: str
) -> None:
    told = answers(name, **{"cublas_v2.h": kit("/opt/cuda", "13.3")})
    found = changes(planned(told, cuda_source="present", cuda_home="/opt/cuda"))
    assert [each for each in found if "Install CUDA" in each or "Trust" in each] == []
    assert '"/opt/cuda/bin/nvcc"' in "\n".join(found["Compile a file with CUDA 13.3"])


def test_no_keyring_is_trusted_unseen(planned: Callable[..., Commands]) -> None:
    found = planned(answers("debian 12"), cuda_source="nvidia")
    assert list(found) == ["Leave the host alone"]
    assert step.refused("@fake/gpu01")[0].startswith("cuda_keyring_sha256: ")


def test_auto_asks_the_host_for_nvidias_repository(planned: Callable[..., Commands]) -> None:
    reached = planned(answers("ubuntu 24.04", **{"curl -fsSI": ["reached"]}))
    assert "Install CUDA 12.8 from NVIDIA" in reached
    silent = planned(answers("ubuntu 24.04"))
    assert "Install CUDA 13.0 from PyPI" in silent


def test_holds_are_let_go_of_when_unwanted(planned: Callable[..., Commands]) -> None:
    chosen = Choice("nvidia", "12.8", "/usr/local/cuda-12.8", "/usr/bin/g++-13", "")
    told = settled("ubuntu 24.04", chosen, [nvidia.KEYRING])
    found = changes(planned(told, hold_cuda_packages=False))
    assert set(found) == {
        "Hold the CUDA packages",
        "Keep unattended-upgrades from NVIDIA's packages",
    }
    assert found["Hold the CUDA packages"][0].startswith("apt-mark unhold cuda-cudart-dev-12-8")


DRIVER = [
    ("debian 12", {}, ["linux-headers-6.8.0-45-generic", "linux-headers-amd64", "nvidia-driver",
                       "nvidia-smi"]),
    ("ubuntu 24.04", {}, ["linux-headers-6.8.0-45-generic", "nvidia-driver-580-server"]),
    ("ubuntu 24.04", {"cuda_architecture": 120},
     ["linux-headers-6.8.0-45-generic", "nvidia-driver-580-server-open"]),
    ("ubuntu 24.04", {"cuda_source": "nvidia"},
     ["linux-headers-6.8.0-45-generic", "cuda-drivers"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "own", "names"), DRIVER)
def test_the_driver_is_installed_only_when_asked_for_and_none_is_loaded(
    planned: Callable[..., Commands], name: str, own: dict[str, object], names: list[str]
) -> None:
    assert "Install NVIDIA's driver" not in planned(answers(name), **own)
    found = planned(answers(name), driver="install", **own)
    assert found["Install NVIDIA's driver"][-1].split()[-len(names) :] == names
    assert found["Load NVIDIA's driver"] == ["/sbin/modprobe nvidia"]
    if own.get("cuda_source") == "nvidia":
        assert "Pin-Priority" not in everything(found)
    loaded = answers(name, **{"/sys/module/nvidia/version": ["loaded=580.65.06"]})
    assert "Install NVIDIA's driver" not in planned(loaded, driver="install", **own)


def test_debians_driver_needs_its_firmware(planned: Callable[..., Commands]) -> None:
    found = planned(answers("debian 12"), driver="install")
    opened = everything(found)
    assert "Suites: bookworm\nComponents: contrib non-free non-free-firmware\n" in opened


def test_the_cards_limits_come_and_go(planned: Callable[..., Commands]) -> None:
    found = planned(answers("debian 12"), gpu_power_limit=350, gpu_persistence_mode=True, gpu=1)[
        "Set the card's limits"
    ]
    assert (
        "ExecStart=/usr/bin/nvidia-smi -i 1 -pm 1\nExecStart=/usr/bin/nvidia-smi -i 1 -pl 350"
        in (found[0])
    )
    unit = found[0].split(": ", 1)[1].splitlines()
    there = answers("debian 12", **{"/etc/systemd/system/llamarig-gpu.service": unit})
    again = planned(there, gpu_power_limit=350, gpu_persistence_mode=True, gpu=1)
    assert again["Set the card's limits"] == []
    gone = planned(there)["Set the card's limits"]
    assert "disable --now" in gone[0]
    assert planned(answers("debian 12"))["Set the card's limits"] == []


def test_other_backends_know_nothing_of_cuda(planned: Callable[..., Commands]) -> None:
    cpu = planned(answers("debian 12"), backend="cpu")
    assert set(cpu) == {"Install the compilers", "Check the tools"}
    assert "g++-12" not in everything(cpu)
    vulkan = planned(answers("debian 13"), backend="vulkan")
    for name in toolchain.VULKAN_PACKAGES:
        assert name in everything(vulkan).split()


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_wheels_become_a_toolkit(tmp_path: Path) -> None:
    partial, folder = tmp_path / "13.0.partial", tmp_path / "13.0"
    home = partial / "nvidia" / "cu13"
    (home / "bin").mkdir(parents=True)
    (home / "lib").mkdir()
    for name in ("libcudart.so.13", "libcublasLt.so.13"):
        (home / "lib" / name).touch()
    nvcc = home / "bin" / "nvcc"
    nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 13.0, V13.0.88'\n")
    nvcc.chmod(0o755)
    symbols = " ".join(table.driver_symbols())

    def ran(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = files("llamarig.templates").joinpath(name).read_text()
        return subprocess.run(
            ["/bin/sh", "-euc", script, "sh", str(partial), *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    wrong = ran("cuda-layout.sh", "13.3", symbols)
    assert wrong.returncode == 1
    assert wrong.stdout.startswith("llamarig: ")
    done = ran("cuda-layout.sh", "13.0", symbols)
    assert done.returncode == 0, done.stderr
    (folder / "nvidia").mkdir(parents=True)  # what was there before
    (folder / "nvidia" / "older").touch()
    (tmp_path / "13.0.old" / "nvidia").mkdir(parents=True)  # a cut left it
    placed = ran("cuda-place.sh", str(folder))
    assert placed.returncode == 0, placed.stderr
    lib = folder / "nvidia" / "cu13" / "lib64"
    assert (lib / "libcudart.so").readlink() == Path("libcudart.so.13")
    assert (lib / "libcublasLt.so").exists()
    stub = (lib / "stubs" / "libcuda.so").read_bytes()
    assert b"libcuda.so.1" in stub
    assert b"cuMemGetAllocationGranularity" in stub
    assert [each.name for each in tmp_path.iterdir()] == ["13.0"]
    assert [each.name for each in (folder / "nvidia").iterdir()] == ["cu13"]


def test_the_wheels_job_is_what_a_host_can_read() -> None:
    document = json.loads(pypi.spec("13.0").document())
    names = ["clean", "wheels", "layout", "place", "tidy"]
    assert [each["name"] for each in document["stages"]] == names
    fewer = json.loads(pypi.libraries("13.0").document())
    assert [each["name"] for each in fewer["stages"]] == [n for n in names if n != "layout"]
    assert document["stages"][1]["env"]["TMPDIR"] == "/opt/llamarig/cuda/13.0.tmp"
