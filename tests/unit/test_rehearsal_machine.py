"""What a machine has, lacks and passes on to hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.errors import UserError
from llamarig.rehearsal import (
    apt,
    cgroup,
    disk,
    leftovers,
    machine,
    mounts,
    rootfs,
    shell,
    trust,
)
from llamarig.rehearsal.lab import Lab

SOURCES = """Types: deb
# a comment
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://example.org/node
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
"""
LIST = """
# deb http://old.example.org/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/site.gpg] http://site.example.org/debian bookworm main
deb-src http://site.example.org/debian bookworm main
deb https://example.org/docker bookworm stable
"""


def test_missing_programs_become_packages() -> None:
    assert machine.packages_for(["ssh", "ssh-keygen", "systemd-nspawn"]) == [
        "openssh-client",
        "systemd-container",
    ]
    assert machine.packages_for(["nft", "losetup"]) == ["mount", "nftables"]
    assert machine.packages_for([]) == []


def test_missing_is_what_no_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "ADMIN_PATHS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(machine.missing_programs()) == set(machine.PROGRAMS)
    (tmp_path / "nft").write_text("#!/bin/sh\n")
    (tmp_path / "nft").chmod(0o755)
    assert "nft" not in machine.missing_programs()


def test_nothing_is_installed_without_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "ADMIN_PATHS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(UserError, match=r"apt-get install .*mmdebstrap"):
        machine.provide(no, asked.append)
    assert len(asked) == 1
    assert "systemd-container" in asked[0]


def test_os_release_is_read_quoted_or_not() -> None:
    read = machine.parse_os_release("ID=ubuntu\nVERSION_CODENAME=\"noble\"\nNAME='U'\n")
    assert read == {"ID": "ubuntu", "VERSION_CODENAME": "noble", "NAME": "U"}


def test_cgroup_layouts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="control groups"):
        cgroup.layout(tmp_path)
    for name in ("systemd", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert cgroup.trees(tmp_path) == [tmp_path / "systemd", tmp_path / "unified"]
    (tmp_path / "unified" / "cgroup.procs").unlink()
    assert cgroup.trees(tmp_path) == [tmp_path / "systemd"]
    (tmp_path / "cgroup.controllers").touch()
    assert cgroup.trees(tmp_path) == [tmp_path]


def test_only_the_own_release_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(LIST)
    (tmp_path / "sources.list.d/debian.sources").write_text(SOURCES)
    (tmp_path / "sources.list.d/off.list.disabled").write_text(LIST)
    found = apt.sources("bookworm", tmp_path)
    assert [source.get("URIs") for source in found] == [
        "http://site.example.org/debian",
        "http://deb.debian.org/debian",
    ]
    assert found[0].get("Signed-By") == "/etc/apt/keyrings/site.gpg"
    assert "Suites: bookworm bookworm-updates\n" in found[1].render()
    with pytest.raises(UserError, match="trixie"):
        apt.sources("trixie", tmp_path)


def test_another_release_comes_from_the_same_archives_with_the_same_key(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://one.example.org/debian-security bookworm-security main\n"
        "deb http://one.example.org/debian bookworm main non-free-firmware\n"
    )
    (tmp_path / "sources.list.d").mkdir()
    text = SOURCES.replace("bookworm-updates", "bookworm-updates bookwormish stable")
    (tmp_path / "sources.list.d/debian.sources").write_text(text)
    found = apt.sources("bookworm", tmp_path, wanted="trixie")
    assert [source.get("Suites") for source in found] == [
        "trixie-security",
        "trixie",
        "trixie trixie-updates",
    ]
    assert found[1].get("Components") == "main non-free-firmware"
    assert found[2].get("Signed-By") == "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert apt.sources("bookworm", tmp_path, wanted="bookworm") == apt.sources("bookworm", tmp_path)


def test_a_root_file_system_that_fails_says_why_in_one_line() -> None:
    unsigned = "Err:1 http://x trixie InRelease\n  NO_PUBKEY 6ED0E7B82643E131\nE: not signed.\n"
    assert "upgrade the package debian-archive-keyring" in rootfs.why_not("trixie", unsigned)
    unknown = "I: automatically chosen\nE: The repository 'http://x foo' has no Release file.\nlast"
    assert rootfs.why_not("foo", unknown) == (
        "mmdebstrap made no foo root file system: "
        "E: The repository 'http://x foo' has no Release file."
    )
    assert rootfs.why_not("foo", "").endswith("it printed nothing")


def test_a_release_is_a_codename_and_not_a_snapshots() -> None:
    here = machine.Machine("debian", "bookworm", False, "v2")
    for wrong in ("13", "../x", "Trixie", "a b"):
        with pytest.raises(UserError, match="codename"):
            rootfs.ensure(here, print, wrong)
    with pytest.raises(UserError, match="a snapshot has its release already"):
        Lab("ab").up(1, snapshot="base", release="trixie")


def test_a_key_inside_a_source_stays_whole() -> None:
    text = (
        "Types: deb\nURIs: http://x/\nSuites: s\nComponents: main\n"
        "Signed-By:\n -----BEGIN\n .\n abc\n -----END\n"
    )
    (source,) = apt.parse_deb822(text)
    assert source.render().endswith("Signed-By: \n -----BEGIN\n .\n abc\n -----END\n")


def test_apt_options_that_reach_archives_are_passed_on() -> None:
    dump = "\n".join(
        [
            'APT::Architecture "amd64";',
            'Acquire "";',
            'Acquire::http::Proxy "http://proxy:3128";',
            'Acquire::http::Proxy-Auto-Detect "/usr/bin/find-proxy";',
            'Acquire::Check-Valid-Until "false";',
            'Acquire::IndexTargets::deb::Packages "";',
            'Acquire::IndexTargets::deb::DEP-11::MetaKey "$(COMPONENT)";',
        ]
    )
    assert apt.options(dump) == [
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::Check-Valid-Until "false";',
    ]


def _pem(body: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"


def test_only_what_a_host_lacks_is_added_to_its_trust() -> None:
    machine_bundle = f"# site\n{_pem('AAAA')}\n{_pem('BBBB')}\n"
    assert trust.extra_certificates(machine_bundle, _pem("AAAA") + "\n") == [_pem("BBBB")]


def test_pip_reaches_indexes_but_not_folders_of_the_machine() -> None:
    files = ["[global]\nindex-url = https://one.example/simple\nfind-links = /opt/wheels\n"
             "extra-index-url = file:///opt/simple https://two.example/simple\n"]  # fmt: skip
    text = trust.pip_configuration(files, {"PIP_INDEX_URL": "https://env.example/simple"})
    assert "index-url = https://env.example/simple\n" in text
    assert "extra-index-url = https://two.example/simple\n" in text
    assert "/opt" not in text


def test_sizes_of_disks() -> None:
    assert disk.parse_size("12G") == 12 * 2**30
    assert disk.parse_size("64m") == 64 * 2**20
    for wrong in ("12", "0G", "-1G", "4M", "1.5G", "G", ""):
        with pytest.raises(UserError, match="--data-size"):
            disk.parse_size(wrong)


def test_mounts_under_a_folder_come_innermost_first() -> None:
    table = "\n".join(
        f"1 2 0:1 / {point} rw - ext4 /dev/x rw"
        for point in ("/", "/c/labs/ab/h/root", "/c/labs/ab/h/root/in\\040ner", "/c/labs/abc/x")
    )
    assert mounts.under(Path("/c/labs/ab"), table) == [
        "/c/labs/ab/h/root/in ner",
        "/c/labs/ab/h/root",
    ]


def test_we_are_no_leftover_of_our_own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path))
    assert leftovers.strangers("ab") == []
