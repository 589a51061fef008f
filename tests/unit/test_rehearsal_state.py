"""The lab's state, its id, its lock and its known_hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llamarig import cache
from llamarig.errors import UserError
from llamarig.rehearsal import disk, hosts, inventory, lab, state


def _state(**more: object) -> state.State:
    base: dict[str, object] = {
        "id": "abc123",
        "subnet": "10.77.0.0/24",
        "gateway": "10.77.0.1",
        "ssh_key": "/cache/id_ed25519",
        "known_hosts": "/cache/labs/abc123/known_hosts",
        "sudo_password_file": "/cache/sudo_password",
        "hosts": [
            state.Host("gpu01", "10.77.0.11", layers=["/cache/rootfs"]),
            state.Host("gpu02", "10.77.0.12", snapshot="deployed", data_size="64M"),
        ],
        "services": {"hub": "http://10.77.0.1:1", "git": "git://10.77.0.1:2/llama.cpp"},
        "model": {"repo": "a/b", "file": "b.gguf", "sha256": "0" * 64},
    }
    return state.State(**{**base, **more})  # type: ignore[arg-type]


def test_a_saved_state_is_loaded_as_it_was(tmp_path: Path) -> None:
    state.save(tmp_path / "lab", _state())
    assert state.load(tmp_path / "lab") == _state()
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["state.json"]


def test_the_file_is_what_others_read(tmp_path: Path) -> None:
    state.save(tmp_path, _state())
    raw = json.loads((tmp_path / "state.json").read_text())
    assert raw["hosts"][0]["name"] == "gpu01"
    assert raw["hosts"][0]["users"] == {
        "ops": "passwordless sudo",
        "opspw": "sudo asks for a password",
    }
    assert raw["services"]["git"] == "git://10.77.0.1:2/llama.cpp"


def test_no_lab_is_no_state(tmp_path: Path) -> None:
    assert state.load(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hosts": 3}', '{"hosts": [], "new": 1}'])
def test_a_broken_state_names_the_way_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(UserError, match="lab down"):
        state.load(tmp_path)


def test_private_files_are_private(tmp_path: Path) -> None:
    state.write_atomically(tmp_path / "secret", "x", 0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_two_checkouts_have_two_labs(tmp_path: Path) -> None:
    one, other = state.lab_id(None, tmp_path / "a"), state.lab_id(None, tmp_path / "b")
    assert one != other
    assert state.LAB_ID.fullmatch(one)
    assert state.lab_id(None, tmp_path / "a") == one
    assert state.lab_id("mine") == "mine"


@pytest.mark.parametrize("name", ["", "Big", "a-b", "a/b", "..", "elevenchars"])
def test_names_that_do_not_fit_an_interface_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        state.lab_id(name)


def test_a_folder_that_is_gone_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UserError, match="--name"):
        state.lab_id(None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("size", ["1000000T", "16T", "7M", "1", "-1G"])
def test_disks_that_cannot_be_made_are_refused(size: str) -> None:
    with pytest.raises(UserError, match="--data-size"):
        disk.parse_size(size)
    assert disk.parse_size("15T") == 15 * 2**40


def test_what_a_disk_cannot_have_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.img: no file of 8M: No such file"):
        disk.create(tmp_path / "none", "8M")


def test_a_lab_that_never_was_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    lab.Lab("neverwas").down()
    assert list(tmp_path.rglob("*")) == []


def test_a_snapshot_is_for_root_and_from_is_looked_up_whatever_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    with pytest.raises(UserError, match="no snapshot nope"):
        lab.Lab("neverwas").up(1, "nope")
    with pytest.raises(UserError, match="needs root"):
        lab.Lab("neverwas").snapshot("gpu01", "x")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["../x", ".making-x", "", "A", "a b"])
def test_snapshot_names_stay_in_their_folder(name: str) -> None:
    with pytest.raises(UserError, match="snapshot name"):
        state.snapshot_name(name)


def test_a_cache_that_overlayfs_cannot_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", "/tmp/a:b")
    with pytest.raises(UserError, match="colon"):
        state.cache_root()


def test_a_held_lock_is_waited_for_and_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        cache.locked(path, "lab a"),
        pytest.raises(UserError, match="busy with lab a"),
        cache.locked(path, "lab a", patience=0.2),
    ):
        pass
    with cache.locked(path, "lab a", patience=0.2):
        pass


def test_an_unknown_host_is_answered_with_the_known() -> None:
    with pytest.raises(UserError, match=r"gpu09.*gpu01, gpu02"):
        _state().host("gpu09")


def test_hosts_know_each_other_and_the_controller() -> None:
    text = hosts.hosts_file(_state(), "gpu02")
    assert "10.77.0.11 gpu01\n" in text
    assert "10.77.0.1 controller\n" in text
    assert "127.0.1.1 gpu02\n" in text
    assert "10.77.0.12" not in text


def test_known_hosts_hold_the_keys_that_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path))
    for name in ("gpu01", "gpu02"):
        place = hosts.folder("abc123", name)
        place.mkdir(parents=True)
        (place / "ssh_host_ed25519_key.pub").write_text(f"ssh-ed25519 KEY{name} root@{name}\n")
    assert hosts.known_hosts(_state()).splitlines() == [
        "gpu01,10.77.0.11 ssh-ed25519 KEYgpu01",
        "gpu02,10.77.0.12 ssh-ed25519 KEYgpu02",
    ]


def test_a_loopback_resolver_is_replaced_by_what_is_behind_it(tmp_path: Path) -> None:
    own, behind = tmp_path / "resolv.conf", tmp_path / "behind"
    behind.write_text("nameserver 192.0.2.53\n")
    own.write_text("nameserver 127.0.0.53\n")
    assert hosts.resolver(own, behind) == "nameserver 192.0.2.53\n"
    own.write_text("nameserver 198.51.100.1\n")
    assert hosts.resolver(own, behind) == "nameserver 198.51.100.1\n"


def test_the_inventory_is_the_running_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path))
    monkeypatch.setenv("LLAMARIG_LAB", "abc123")
    monkeypatch.delenv("LLAMARIG_OPERATOR", raising=False)
    with pytest.raises(UserError, match="llamarig lab up"):
        inventory.hosts()
    state.save(state.lab_folder("abc123"), _state())
    (name, data), _ = inventory.hosts()
    assert name == "gpu01"
    assert data["ssh_hostname"] == "10.77.0.11"
    assert data["ssh_user"] == "ops"
    assert data["ssh_strict_host_key_checking"] == "yes"
    assert data["hf_endpoint"] == "http://10.77.0.1:1"
    assert data["model_file"] == "b.gguf"
    assert "sudo_password_file" not in data
    monkeypatch.setenv("LLAMARIG_OPERATOR", "opspw")
    assert inventory.hosts()[0][1]["sudo_password_file"] == "/cache/sudo_password"
    monkeypatch.setenv("LLAMARIG_OPERATOR", "root")
    with pytest.raises(UserError, match="ops, opspw"):
        inventory.hosts()


def test_a_lab_without_services_is_no_inventory() -> None:
    with pytest.raises(UserError, match="llamarig lab up"):
        inventory.settings(_state(services=None))
