"""What deploy.py would do to hosts, without any host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Planner = Callable[..., Any]
CPU: dict[str, object] = {"backend": "cpu", "llama_cpp_commit": "a" * 40, "model_sha256": "b" * 64}


def test_a_fresh_host_gets_the_whole_story_in_order(plan: Planner) -> None:
    found = plan({"gpu01": CPU})
    assert found.code == 0, found.output
    changing = [name.split(" | ")[0] for name, hosts in found.operations.items() if hosts]
    steps = list(dict.fromkeys(changing))
    assert steps == ["Model", "Toolchain", "llama.cpp", "Server", "Proof", "Switch"]


def test_one_sick_host_is_refused_and_the_other_is_not(plan: Planner) -> None:
    fedora = ["fedora", "43", "", "x86_64", "systemd", "8", "glibc 2.42", "6.17", "65841234"]
    answers = {"VERSION_CODENAME": fedora}
    found = plan({"gpu01": CPU, "gpu02": {**CPU, "answers": answers}})
    refusal = (
        "distribution: fedora found, Debian or Ubuntu needed; install one of them, or leave this "
        "host out"
    )
    assert found.report["hosts"]["@fake/gpu02"]["problems"] == [refusal]
    assert found.report["hosts"]["@fake/gpu01"]["problems"] == []
    builds = [hosts for name, hosts in found.operations.items() if "Build the release" in name]
    assert builds == [["@fake/gpu01"]]


def test_all_bad_settings_of_all_hosts_are_named_before_anything(plan: Planner) -> None:
    found = plan({"gpu01": {**CPU, "port": 99999}, "gpu02": {**CPU, "contxt": 1}})
    assert found.code != 0
    assert "port: found 99999" in found.output
    assert "contxt: unknown key" in found.output
    assert "Traceback" not in found.output
    assert not any(found.operations.values())


def test_the_system_disk_is_refused_unless_allowed(plan: Planner) -> None:
    same = {"place()": ["259:2 ext4 /", "99999999999", "nvme0n1 "] * 2}
    (problem,) = plan({"gpu01": {**CPU, "answers": same}}).report["hosts"]["@fake/gpu01"][
        "problems"
    ]
    assert "hf_home: /data/huggingface lies on the system disk" in problem
    allowed = plan({"gpu01": {**CPU, "answers": same, "allow_system_disk": True}})
    assert allowed.report["hosts"]["@fake/gpu01"]["problems"] == []


def test_an_occupied_port_is_named_with_its_owner(plan: Planner) -> None:
    line = 'nginx.service\tLISTEN 0 511 *:8080 *:* users:(("nginx",pid=77,fd=6))'
    found = plan({"gpu01": {**CPU, "answers": {"ss -Hltnp": [line]}}})
    (problem,) = found.report["hosts"]["@fake/gpu01"]["problems"]
    assert "8080 is taken by nginx (pid 77)" in problem


@pytest.mark.parametrize(
    ("account", "changes"),
    [
        ("llamarig:x:998:997::/nonexistent:/usr/sbin/nologin", False),
        ("llamarig:x:998:997::/home/llamarig:/usr/sbin/nologin", True),
        ("llamarig:x:998:997::/nonexistent:/bin/bash", True),
        ("llama:x:998:997::/nonexistent:/usr/sbin/nologin", True),
    ],
)
def test_the_services_user_is_left_alone_only_as_it_is_to_be(
    plan: Planner, account: str, changes: bool
) -> None:
    accounts = ["root:x:0:0::/root:/bin/sh", account, "===", "llamarig:x:997:", "==="]
    found = plan({"gpu01": {**CPU, "answers": {"getent passwd; echo": accounts}}})
    assert bool(found.operations["Server | Make the service's user"]) is changes


def test_plain_pyinfra_lists_what_it_would_do(plan: Planner) -> None:
    found = plan({"gpu01": CPU}, words=("--dry",))
    assert "Detected changes" in found.output
    assert "Switch | Serve the proven generation" in found.output


def test_a_corrupt_lock_stops_plain_pyinfra_before_anything(plan: Planner, tmp_path: Path) -> None:
    (tmp_path / "llamarig.lock").write_text("models: {a b: {sha256: 12}}\n")
    found = plan({"gpu01": CPU})
    assert found.code != 0
    assert "llamarig.lock: models: a b: sha256: found 12" in found.output
    assert "Traceback" not in found.output


def test_a_story_without_preflight_is_refused_before_anything(
    plan: Planner, tmp_path: Path
) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text("from llamarig.tasks import server\n\nserver.switch()\n")
    found = plan({"gpu01": CPU}, deploy=deploy)
    assert found.code != 0
    assert "preflight.check() is to come first" in found.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "a password is one line"),
        (b"\xff\xfe\0", "a password is one line"),
        (b"hunter2\nhunter3\n", "a password is one line"),
    ],
)
def test_a_password_file_that_holds_none_refuses_the_host_untried(
    plan: Planner, tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    asks = {"echo missing": ["ops", "1000", "asks"]}
    found = plan({"gpu01": {**CPU, "sudo_password_file": str(file), "answers": asks}})
    (problem,) = found.report["hosts"]["@fake/gpu01"]["problems"]
    assert problem.startswith(f"sudo_password_file: {file}: {words}")
    assert "Traceback" not in found.output
    assert "hunter" not in found.output
