"""What `llamarig down` would take from a host, and what it says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from llamarig.cli import down, down_listing
from llamarig.errors import UserError
from llamarig.tasks.facts.accounts import Accounts, AccountState
from llamarig.tasks.facts.folders import MissingFolders
from llamarig.tasks.facts.leftovers import Leftover, Leftovers
from llamarig.tasks.facts.model_records import ModelRecords, RecordedModel
from llamarig.tasks.facts.packages import OwnPackages, Purged, RecordedPackages
from llamarig.tasks.operations import records
from llamarig.tasks.removal import Extent, Found, removal

HOME = "/data/huggingface"
FOLDER = f"{HOME}/hub/models--A--B"
BLOB = f"{FOLDER}/blobs/{'a' * 64}"

EVERYTHING = Found(
    leftovers=[
        Leftover("job", "llamarig-build-x.service", "active"),
        Leftover("service", "llama-server.service", "active"),
        Leftover("link", "/etc/systemd/system/llama-server.service"),
        Leftover("foreign", "/etc/systemd/system/llama-server.service.d", "somebody's"),
        Leftover("metrics", "/var/lib/node/llamarig.prom"),
        Leftover("apt", "/etc/apt/preferences.d/llamarig-cuda.pref"),
        Leftover("folder", "/opt/llamarig", size=10**9),
        Leftover("folder", "/etc/llamarig", size=4096),
        Leftover("partial", f"{HOME}/llamarig", size=0),
        Leftover("model", BLOB, size=2 * 10**9),
        Leftover("model", "/data/mine.gguf", size=3 * 10**9),
    ],
    models=[RecordedModel(BLOB, FOLDER), RecordedModel("/data/mine.gguf")],
    packages=OwnPackages((("git", 4 * 10**7), ("libc6-dev", 10**7)), frozenset()),
    removable=["git"],
    holds=["cuda-nvcc-12-8"],
    accounts=AccountState(
        frozenset({"user llamarig", "group llamarig", "group render"}),
        frozenset({"user llamarig", "group llamarig", "group render"}),
        frozenset({"group render"}),
    ),
    folders=[HOME],
    firewall=["nftables: table inet llamarig"],
    user="llamarig",
)


def names(items: list[Leftover]) -> set[str]:
    return {each.name for each in items}


def test_without_purge_only_the_service_and_its_access_go() -> None:
    found = removal(EVERYTHING, Extent.SERVICE)
    kinds = {"job", "service", "link", "firewall", "metrics"}
    assert {each.kind for each in found.goes} == kinds
    assert {BLOB, "/opt/llamarig", "/etc/llamarig", "git", "llamarig"} <= names(found.stays)


def test_a_purge_leaves_models_and_what_others_need() -> None:
    found = removal(EVERYTHING, Extent.PURGE)
    assert names(found.stays) == {
        "/etc/systemd/system/llama-server.service.d", BLOB, "/data/mine.gguf", "libc6-dev",
        "render",
    }  # fmt: skip
    assert {"git", "llamarig", "cuda-nvcc-12-8", HOME, f"{HOME}/llamarig"} <= names(found.goes)


def test_the_owners_own_model_never_goes() -> None:
    found = removal(EVERYTHING, Extent.MODEL)
    assert BLOB in names(found.goes)
    assert "/data/mine.gguf" in names(found.stays)


def test_a_user_that_nobody_wrote_down_stays_and_is_named() -> None:
    accounts = AccountState(frozenset({"user llamarig"}), frozenset(), frozenset())
    found = removal(
        Found([Leftover("folder", "/opt/llamarig", size=1)], accounts=accounts, user="llamarig"),
        Extent.PURGE,
    )
    (kept,) = found.stays
    assert (kept.kind, kept.name) == ("user", "llamarig")
    assert "does not say that llamarig made it" in kept.words


def test_on_a_host_without_anything_there_is_nothing() -> None:
    found = removal(Found(user="llamarig"), Extent.MODEL)
    assert (found.goes, found.stays) == ([], [])


PASSWD = """\
root:x:0:0:root:/root:/bin/bash
llamarig:x:998:997::/nonexistent:/usr/sbin/nologin
ada:x:1000:1000::/home/ada:/bin/bash
===
root:x:0:
llamarig:x:997:
render:x:105:ada
gpu:x:106:llamarig
===
user llamarig
group llamarig
group render
group gpu
group gone"""


def test_a_group_that_somebody_else_is_in_is_not_removed() -> None:
    found = Accounts().process(PASSWD.splitlines())
    assert found.removable == ["user llamarig", "group gpu", "group llamarig"]
    assert Accounts().process([]).removable == []


def test_an_accounts_primary_group_is_busy() -> None:
    found = Accounts().process(PASSWD.replace(":1000:1000:", ":1000:997:").splitlines())
    assert "group llamarig" in found.busy


def test_recorded_packages_that_dpkg_still_has() -> None:
    lines = ["git", "gone", "libgomp1", "old:i386", "rc", "===", "amd64",
             "git amd64 installed 40000", "libgomp1 amd64 installed 300", "old i386 installed 1",
             "rc all config-files 7", "bash amd64 installed 7000", "===", "bash",
             "==="]  # fmt: skip
    found = RecordedPackages().process(lines)
    assert found.names == ["git", "libgomp1", "old:i386", "rc"]
    assert dict(found.sizes)["git"] == 40000 * 1024
    assert (found.held, found.interrupted) == ({"bash"}, False)
    assert RecordedPackages().process([*lines, "0001"]).interrupted
    assert RecordedPackages().process([]) == OwnPackages()


def test_what_apt_would_do() -> None:
    said = ["Reading package lists...", "The following packages will be REMOVED:", "  git* nano*",
            "Purg git [1:2.39]", "Remv nano [7]", "Inst mawk (1.3 Debian [amd64])"]  # fmt: skip
    assert Purged().process(said) == {"git", "nano", "+mawk"}
    assert Purged().process(["=== failed"]) is None


def test_a_models_record_tells_its_repository() -> None:
    snapshot = f"{FOLDER}/snapshots/{'c' * 40}/x.gguf"
    lines = [
        f'{{"path": "{BLOB}", "snapshot": "{snapshot}", "source": "hub"}}',
        '{"path": "/data/mine.gguf", "source": "path", "snapshot": null}',
        "not json", '["a list"]', '{"path": 7}', '{"path": "relative"}',
    ]  # fmt: skip
    brought, own = ModelRecords().process(lines)
    assert (brought, brought.home) == (RecordedModel(BLOB, FOLDER), HOME)
    assert (own, own.home) == (RecordedModel("/data/mine.gguf"), None)


def test_leftovers_are_read_line_by_line() -> None:
    lines = ["folder\t/opt/llamarig\t12", "unit\t/etc/x\tactive", "noise", "model\t/a\tb\t1"]
    assert Leftovers().process(lines) == [
        Leftover("folder", "/opt/llamarig", size=12288),
        Leftover("unit", "/etc/x", "active"),
        Leftover("model", "/a\tb", size=1024),
    ]


def run(command: str) -> list[str]:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_listing_on_a_host(tmp_path: Path) -> None:
    """The real shell program, on a machine where llamarig may or may not be."""
    home = tmp_path / "hf home"
    (home / "llamarig").mkdir(parents=True)
    model = tmp_path / "model.gguf"
    model.write_bytes(bytes(8192))
    command = Leftovers().command(homes=[str(home)], models=[str(model), str(tmp_path / "none")])
    found = [each for each in Leftovers().process(run(command)) if str(tmp_path) in each.name]
    assert [(each.kind, each.name) for each in found] == [
        ("partial", f"{home}/llamarig"), ("model", str(model)),
    ]  # fmt: skip
    assert found[1].size == 8192


def test_missing_folders_and_those_above(tmp_path: Path) -> None:
    wanted = [str(tmp_path / "a b" / "c"), str(tmp_path / "a b" / "c" / "hub")]
    (tmp_path / "here").mkdir()
    command = MissingFolders().command(paths=[*wanted, str(tmp_path / "here")])
    assert MissingFolders().process(run(command)) == [str(tmp_path / "a b"), *wanted]


def test_what_is_written_down_is_kept_once(tmp_path: Path) -> None:
    record = tmp_path / "state" / "packages"
    for lines in (["git", "it's $HOME"], ["cmake", "git"], []):
        run(str(records.noted(str(record), lines)))
    assert record.read_text().splitlines() == ["cmake", "git", "it's $HOME"]
    assert list(record.parent.iterdir()) == [record]


def test_packages_are_written_down_as_apt_would_install_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program called apt-get that prints what the real one printed in a made host."""
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(
        "#!/bin/sh\ncat <<'END'\nReading package lists...\n"
        "Inst libhiredis0.14 (0.14.1-3 Debian:12.15/oldstable [amd64])\n"
        "Inst libc6 [2.36-9] (2.36-10 Debian:12.15/oldstable [amd64])\n"
        "Inst ccache (4.8 Debian:12.15/oldstable [amd64])\nConf ccache (4.8)\nEND\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}:/usr/bin:/bin")
    record = tmp_path / "packages"
    monkeypatch.setattr(records, "PACKAGES", str(record))
    run(str(records.packages_noted(["ccache"])))
    assert record.read_text().splitlines() == ["ccache", "libhiredis0.14"]


def entry(**more: Any) -> dict[str, Any]:
    return {"changed": 1, "unchanged": 0, "failed": 0, "operations": [], "problems": [], **more}


def item(kind: str, name: str, words: str = "", size: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "name": name, "words": words, "size": size}


def test_packages_are_counted_and_the_rest_is_named() -> None:
    said = down_listing.lines([
        item("package", "git", size=10**7), item("link", "/etc/x"), item("package", "g++", size=0),
        item("package", "libc6-dev", "something else needs it", 10**6),
    ])  # fmt: skip
    assert said == [
        "/etc/x", "2 package(s), 0.01 GB: git g++",
        "1 package(s) (something else needs it), 0.00 GB: libc6-dev",
    ]  # fmt: skip


def test_a_hosts_last_line() -> None:
    goes = [item("folder", "/opt/llamarig", size=2 * 10**9)]
    told = {"extent": "purge", "removed": True, "goes": goes, "stays": []}
    assert down_listing.outcome(entry(down=told)) == "nothing of llamarig is left, freed 2.00 GB"
    kept = {**told, "stays": [item("model", "/m"), item("package", "git")]}
    assert "what stays is listed above (model, package)" in down_listing.outcome(entry(down=kept))
    assert "lines above" in down_listing.outcome(entry(down={**told, "removed": False}))
    assert "lines above" in down_listing.outcome(entry(down=told, failed=1))


@pytest.mark.parametrize(
    ("patterns", "everyone", "line"),
    [
        ((), False, "no host named; "),
        (("gpu01",), True, "--all: names every host already"),
        (("gpu9", "gpu01", "gpux"), False, "gpu9, gpux: no host and no group of "),
    ],
)
def test_who_is_meant_is_said_plainly(
    tmp_path: Path, patterns: tuple[str, ...], everyone: bool, line: str
) -> None:
    inventory = tmp_path / "inventory.py"
    inventory.write_text('hosts = [("gpu01", {}), ("gpu02", {})]\n')
    with pytest.raises(UserError, match=line.replace("(", r"\(")) as raised:
        down._chosen(inventory, patterns, everyone)
    assert "\n" not in str(raised.value)


def test_a_host_by_name_pattern_or_group(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.py"
    inventory.write_text('gpus = [("gpu01", {}), ("gpu02", {})]\n')
    for each in ("gpu01", "gpu*", "gpus"):
        assert down._chosen(inventory, (each,), False) == (each,)
    assert down._chosen(inventory, (), True) == ()
