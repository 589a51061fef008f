"""The model's other ways to a host, on a made one: the file, the copy, and its tidying up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import model
from llamarig.rehearsal.state import OPERATORS

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
OWN = "/data/own/model.gguf"


def record(on_host: OnHost) -> str:
    return on_host("cat /var/lib/llamarig/models/*.json 2>/dev/null; true")


def test_the_model_comes_alone_and_twice_is_once(site: Any, on_host: OnHost) -> None:
    first = site.run("models get")
    assert first.code == 0, first.output
    assert "verified" in first.output
    assert first.host()["model"]["sha256"] == model.SHA256["good"]
    again = site.run("models get")
    assert again.code == 0, again.output
    assert "nothing to do" in again.output
    assert (again.host()["changed"], again.host()["failed"]) == (0, 0)
    assert on_host("ls /opt/llamarig/releases 2>/dev/null; true") == ""


def test_the_hubs_own_client_takes_it_offline(site: Any, on_host: OnHost) -> None:
    path = on_host(
        "HF_HOME=/data/huggingface HF_HUB_OFFLINE=1 /opt/llamarig/hf/bin/hf download --quiet "
        f"{model.REPO} {model.FILES['good']}"
    )
    assert on_host(f"sha256sum {path}").split()[0] == model.SHA256["good"]


def test_every_byte_is_read_again_and_a_damaged_file_is_brought_anew(
    site: Any, on_host: OnHost
) -> None:
    right = site.run("models verify")
    assert right.code == 0, right.output
    assert right.host()["verified"]["verdict"] == "right"
    blob = f"/data/huggingface/hub/models--*/blobs/{model.SHA256['good']}"
    # Same size, same time: only its bytes tell.
    on_host(
        f"f=$(echo {blob}); touch -r $f /root/time; "
        "printf x | dd of=$f bs=1 seek=40000000 conv=notrunc status=none; touch -r /root/time $f"
    )
    wrong = site.run("models verify")
    assert wrong.code == 1, wrong.output
    (problem,) = wrong.host()["problems"]
    assert "its record says" in problem
    mended = site.run("models get")
    assert mended.code == 0, mended.output
    assert on_host(f"sha256sum {blob}").split()[0] == model.SHA256["good"]


def test_a_file_on_the_host_is_used_where_it_lies(site: Any, on_host: OnHost) -> None:
    on_host(
        "mkdir -p /data/own && chmod 755 /data/own && cp -L "
        f"/data/huggingface/hub/models--*/blobs/{model.SHA256['good']} {OWN} && chmod 640 {OWN}"
    )
    closed = site.run("models get", model_path=OWN, model_sha256=None)
    assert closed.code == 1, closed.output
    assert f"chmod o+r {OWN}" in closed.output
    on_host(f"chmod 644 {OWN}")
    before = on_host(f"stat -c '%i %Y %U' {OWN}")
    for changed in (True, False):
        ran = site.run("models get", model_path=OWN, model_sha256=None)
        assert ran.code == 0, ran.output
        assert ran.host()["model"]["path"] == OWN
        assert bool(ran.host()["changed"]) is changed
    assert on_host(f"stat -c '%i %Y %U' {OWN}") == before


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_copy_from_this_machine_needs_no_way_out(
    site: Any, on_host: OnHost, tmp_path: Path, operator: str
) -> None:
    on_host("rm -rf /data/huggingface /var/lib/llamarig/models")
    own = tmp_path / "mine.gguf"
    own.write_bytes(model.cached("good").read_bytes())
    changes = {
        "model_from": "controller", "model_local_file": str(own), "model_sha256": None,
        "hf_endpoint": "http://127.0.0.1:9",
    }  # fmt: skip
    first = site.run("models get", operator, **changes)
    assert first.code == 0, first.output
    assert first.host()["model"]["sha256"] == model.SHA256["good"]
    assert on_host("stat -c '%U %a' /data/huggingface/hub/models--*/blobs/*") == "root 644"
    assert on_host("ls /data/huggingface/llamarig").split() == [
        f"{model.SHA256['good']}.partial.lock"
    ]
    again = site.run("models get", operator, **changes)
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


def test_a_choice_that_is_left_to_us_is_held_and_made_once(site: Any, on_host: OnHost) -> None:
    on_host("rm -rf /data/huggingface /var/lib/llamarig/models")
    (site.folder / "llamarig.lock").unlink(missing_ok=True)
    auto = {"model_quant": "auto", "model_file": ..., "model_sha256": ...}
    first = site.run("models get", **auto)
    assert first.code == 0, first.output
    chosen = first.host()["model_choice"]["file"]
    assert first.host()["model"]["file"] == chosen
    lock = (site.folder / "llamarig.lock").read_text()
    assert f"file: {chosen}" in lock
    # The same without the hub: what was chosen, and what it is, is known.
    again = site.run("models get", **auto, hf_endpoint="http://127.0.0.1:9")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert "model_choice" not in again.host()
    assert (site.folder / "llamarig.lock").read_text() == lock


def test_what_nothing_needs_is_shown_then_removed(site: Any, on_host: OnHost) -> None:
    assert site.run("models get").code == 0
    old = f"/data/huggingface/hub/models--{model.REPO.replace('/', '--')}/blobs/{'0' * 64}"
    on_host(f"cp /etc/hostname {old}")
    shown = site.run("models prune")
    assert shown.code == 0, shown.output
    assert [each["path"] for each in shown.host()["prune"]["files"]] == [old]
    assert on_host(f"test -e {old}; echo $?") == "0"
    removed = site.run("models prune --yes")
    assert removed.code == 0, removed.output
    assert on_host(f"test -e {old}; echo $?") == "1"
    assert site.run("models prune --yes").host()["changed"] == 0
    assert site.run("models verify").code == 0  # what the settings name is still there
