"""Facts read what commands print; odd output is a FactProcessError and never anything else."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.paths import GENERATIONS
from llamarig.tasks.facts.cuda_libraries import MARK, CudaLibraries, LiveToolkit
from llamarig.tasks.facts.disk import Disk
from llamarig.tasks.facts.generation import Generations
from llamarig.tasks.facts.job import Job
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.own_address import OwnAddress
from llamarig.tasks.facts.port import Listener
from llamarig.tasks.facts.processor import Processor
from llamarig.tasks.facts.program import Program
from llamarig.tasks.facts.remote_tag import RemoteTag

ROOT = ["259:2 ext4 /", "1000", "nvme0n1 "]


def test_a_data_disk_is_another_disk() -> None:
    state = Disk().process(["8:1 ext4 /data", "5000", "sda ", *ROOT])
    assert not state.on_system_disk
    assert state.path.free == 5000


def test_another_partition_of_the_system_disk_is_the_system_disk() -> None:
    assert Disk().process(["259:3 ext4 /home", "5000", "nvme0n1 ", *ROOT]).on_system_disk
    assert Disk().process(ROOT + ROOT).on_system_disk


def test_a_network_file_system_has_no_disk() -> None:
    assert not Disk().process(["0:52 nfs4 /nas", "5000", "", *ROOT]).on_system_disk


@pytest.mark.parametrize("output", [[], ["x"], ["a b", "1", "", *ROOT]])
def test_disk_refuses_nonsense(output: list[str]) -> None:
    with pytest.raises(FactProcessError):
        Disk().process(output)


DEBIAN = ["debian", "12", "bookworm", "x86_64", "systemd", "8"]


def test_machine() -> None:
    machine = Machine().process([*DEBIAN, "glibc 2.36", "6.1.0-40-amd64", "24684092"])
    assert (machine.distribution, machine.cores) == ("debian", 8)
    assert (machine.glibc, machine.kernel) == ((2, 36), "6.1.0-40-amd64")
    assert machine.memory_bytes == 24684092 * 1024
    with pytest.raises(FactProcessError):
        Machine().process(["debian"])


def test_a_machine_may_keep_silent_about_its_library_and_memory() -> None:
    machine = Machine().process([*DEBIAN, "", "6.1.0", ""])
    assert (machine.glibc, machine.memory_bytes) == ((), 0)


def test_listener_names_program_and_unit() -> None:
    line = 'LISTEN 0 511 0.0.0.0:8080 0.0.0.0:* users:(("nginx",pid=77,fd=6))'
    (found,) = Listener().process([f"nginx.service\t{line}"])
    assert (found.program, found.pid, found.unit) == ("nginx", 77, "nginx.service")
    (hidden,) = Listener().process(["\tLISTEN 0 511 0.0.0.0:8080 0.0.0.0:*"])
    assert hidden.pid == 0


def status(state: str) -> str:
    return json.dumps({"state": state, "stage": "compile", "done": 12, "total": 224})


@pytest.mark.parametrize(
    ("output", "state"),
    [
        (["inactive"], "absent"),
        (["active"], "running"),
        (["active", status("running")], "running"),
        (["inactive", status("running")], "died"),
        (["inactive", status("failed")], "failed"),
        (["deactivating", status("failed")], "running"),
        (["failed", status("succeeded")], "succeeded"),
    ],
)
def test_job_is_judged_by_its_file_and_its_unit(output: list[str], state: str) -> None:
    assert Job().process(output).state == state


@pytest.mark.parametrize("text", ["[]", "nothing", "{}", '{"state": "failed", "tail": 3}'])
def test_a_jobs_file_that_is_none_of_ours_is_named(text: str) -> None:
    with pytest.raises(FactProcessError, match="status file can't be read"):
        Job().process(["inactive", text])


MANIFEST = {
    "digest": "a", "release": "b1", "proof_key": "k", "address": {"bind": "0.0.0.0", "port": 8080},
    "model": {"file": "m.gguf", "path": "/data/m.gguf", "sha256": "0" * 64},
}  # fmt: skip


def shown(number: int, manifest: str, proof: str) -> str:
    """As the fact's command prints a generation."""
    return f'{{"number": {number}, "manifest": {manifest} , "proof": {proof} }}'


@pytest.mark.parametrize(
    "proof",
    [
        "", "{", "5", "[]", '{"verdict": "pass", "speedup": "two"}',
        '{"verdict": "pass", "interval": [1]}', '{"verdict": "pass", "baseline_tps": "x"}',
        '{"verdict": "pass", "context": "x"}', '{"verdict": "pass", "samples": "x"}',
    ],
)  # fmt: skip
def test_a_damaged_proof_proves_nothing_and_hides_nobody(proof: str) -> None:
    sound = shown(2, json.dumps(MANIFEST), '{"verdict": "pass"}')
    lines = ["2 1", f"[{shown(1, json.dumps(MANIFEST), proof)},{sound}]"]
    state = Generations().process(lines)
    assert [each.proven for each in state.all] == [False, True]
    assert state.damaged == [
        "/opt/llamarig/generations/1/proof.json is damaged, so nothing proves it"
    ]


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"digest": "x"}'])
def test_a_damaged_manifest_keeps_its_number_and_hides_nobody(manifest: str) -> None:
    whole = shown(2, json.dumps(MANIFEST), '{"verdict": "pass"}')
    state = Generations().process(["2 -", f"[{whole},{shown(7, manifest, 'null')}]"])
    assert [each.number for each in state.all] == [2]
    assert state.next_number == 8
    assert "generations/7/manifest.json is damaged" in state.damaged[0]


LINKS = ["link 1/release /opt/llamarig/releases/b1", "link 1/model.gguf /data/m.gguf"]


@pytest.mark.parametrize(
    ("lines", "edited"),
    [
        ([], False),  # nobody looked
        (["file ab  1/recipe.json", *LINKS], False),
        (["file ac  1/recipe.json", *LINKS], True),
        (LINKS, True),
        (["file ab  1/recipe.json", LINKS[0], "link 1/model.gguf /data/other one.gguf"], True),
    ],
)
def test_a_generation_that_was_edited_is_no_candidate(lines: list[str], edited: bool) -> None:
    manifest = {**MANIFEST, "files": {"recipe.json": "ab"}}
    shown_too = f"[{shown(1, json.dumps(manifest), 'null')}]"
    state = Generations().process(["1 -", *lines, shown_too])
    assert [each.edited for each in state.all] == [edited]
    assert (state.candidate("a") is None) is edited
    assert state.live


def test_what_a_generation_is_made_of_is_shown_as_it_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "recipe.json").write_text("{}")
    (folder / "llama-server.service").write_text("[Service]\n")
    (folder / "release").symlink_to("/opt/llamarig/releases/b1")
    (folder / "model.gguf").symlink_to("/data/m.gguf")
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("recipe.json", "llama-server.service")
    }
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "files": files}))

    def read() -> bool:
        command = Generations().command().replace(GENERATIONS, str(tmp_path))
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, check=True
        )  # fmt: skip
        (found,) = Generations().process(done.stdout.splitlines()).all
        return found.edited

    assert not read()
    (folder / "llama-server.service").write_text("[Service]\nNice=5\n")
    assert read()


def test_generations_know_the_live_and_the_proven() -> None:
    found = [
        {"number": 1, "manifest": {**MANIFEST, "digest": "a"}, "proof": {"verdict": "pass"}},
        {"number": 2, "manifest": {**MANIFEST, "digest": "b"}, "proof": None},
        {"number": 3, "manifest": None, "proof": None},
    ]
    state = Generations().process(["1 -", json.dumps(found)])
    assert (state.previous, state.unfinished) == (None, False)
    assert Generations().process(["2 1 unfinished", json.dumps(found)]).unfinished
    assert Generations().process(["2 1", json.dumps(found)]).previous == 1
    assert state.live
    assert state.live.proven
    assert state.next_number == 4  # a folder is there, whatever it lacks
    assert "3/manifest.json is gone" in state.damaged[0]
    candidate = state.candidate("b")
    assert candidate
    assert not candidate.proven
    assert Generations().process(["- -", "[]"]).live is None
    with pytest.raises(FactProcessError):
        Generations().process(["x -", "[]"])


def test_live_server_names_its_generation_from_what_runs() -> None:
    state = LiveServer().process(
        [
            "ActiveState=active",
            "MainPID=12",
            "NRestarts=1",
            "ActiveEnterTimestamp=Mon",
            "Command=/opt/llamarig/generations/7/release/bin/llama-server -m x",
        ]
    )
    assert (state.generation, state.restarts, state.replaced) == (7, 1, False)
    assert LiveServer().process(["ActiveState=active", "Replaced=yes"]).replaced


def test_program_version_and_shim() -> None:
    assert Program().process(["0", "cmake version 3.25.1"]).version == (3, 25, 1)
    shim = Program().process(["126", "No version is set for command cmake"])
    assert (shim.runs, shim.version) == (False, ())


def test_remote_tag_takes_the_peeled_commit() -> None:
    lines = [f"{'a' * 40}\trefs/tags/b1", f"{'b' * 40}\trefs/tags/b1^{{}}"]
    assert RemoteTag().process(lines) == "b" * 40
    with pytest.raises(FactProcessError):
        RemoteTag().process(["fatal: nothing"])


def test_remote_tag_is_none_where_there_is_no_git(tmp_path: Path) -> None:
    (tmp_path / "timeout").symlink_to("/usr/bin/timeout")
    command = RemoteTag().command("https://example.org/x.git", "b1")
    done = subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"git" in done.stderr


@pytest.mark.parametrize(
    ("output", "address"),
    [
        (["10.0.0.1 50022 10.0.0.7 22"], "10.0.0.7"),
        (["fd00::1 50022 fd00::7 22"], "fd00::7"),
        ([""], None),  # pyinfra's @local, or a console
        (["127.0.0.1 50022 127.0.0.1 2222"], None),  # a tunnel
        (["::1 50022 :: 22"], None),
    ],
)
def test_own_address_is_the_hosts_end(output: list[str], address: str | None) -> None:
    assert OwnAddress().process(output) == address


def test_own_address_refuses_what_is_none() -> None:
    with pytest.raises(FactProcessError, match="names no address"):
        OwnAddress().process(["10.0.0.1 50022 gpu01;reboot 22"])


def test_processor_is_one_digest_whatever_the_order(tmp_path: Path) -> None:
    found = []
    for number, line in enumerate(("flags\t\t: avx2 fma sse2", "flags\t\t: sse2 fma avx2")):
        cpuinfo = tmp_path / str(number)
        cpuinfo.write_text(f"processor\t: 0\n{line}\n{line}\n")
        command = Processor().command().replace("/proc/cpuinfo", str(cpuinfo))
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        found.append(Processor().process(done.stdout.splitlines()))
    assert found[0] == found[1]
    assert found[0] != hashlib.sha256(b"").hexdigest()


def test_processor_refuses_nonsense() -> None:
    with pytest.raises(FactProcessError):
        Processor().process(["sed: can't read /proc/cpuinfo"])


def test_cuda_libraries_are_there_when_all_of_them_are(tmp_path: Path) -> None:
    def there() -> bool:
        command = CudaLibraries().command(home=str(tmp_path))
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return CudaLibraries().process(done.stdout.splitlines())

    folder = tmp_path / "targets/x86_64-linux/lib"
    assert not there()
    folder.mkdir(parents=True)
    for name in ("libcudart", "libcublas", "libcublasLt"):
        assert not there()
        (folder / f"{name}.so.13").touch()
    assert there()


HOME = "/usr/local/cuda-12.8"
WITH_CUDA = json.dumps({"id": "b1", "cuda": {"version": "12.8", "home": HOME}}, indent=2)


@pytest.mark.parametrize(
    ("manifest", "homes", "found"),
    [
        (WITH_CUDA, [HOME, "/usr"], ((12, 8), HOME)),
        (WITH_CUDA, ["/usr"], None),  # they are gone
        (WITH_CUDA[:-20], [HOME], None),
        ('{"cuda": null}', [HOME], None),
        ("[]", [HOME], None),
        ("", [], None),
        (WITH_CUDA.replace("12.8", "latest"), ["/usr/local/cuda-latest"], None),
    ],
)
def test_the_live_toolkit(manifest: str, homes: list[str], found: object) -> None:
    assert LiveToolkit().process([*manifest.splitlines(), "", MARK, *homes]) == found


def test_the_live_toolkit_on_a_host_with_nothing() -> None:
    done = subprocess.run(
        ["sh", "-c", LiveToolkit().command()], capture_output=True, text=True, check=True
    )
    assert MARK in done.stdout.splitlines()
    assert LiveToolkit().process(done.stdout.splitlines()) is None
