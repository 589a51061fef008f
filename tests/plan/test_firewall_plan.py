"""What stage and switch would do to a firewall, on @fake hosts with canned answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FileUploadCommand
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy, deploy
from pyinfra.context import ctx_host, ctx_state

from llamarig.tasks import display_callback, firewall, nftables, site
from llamarig.tasks.facts.firewall import FILE, UNIT_PATH

NETWORK = "192.168.7.0/24"
COMMENT = "comment=6c6c616d61726967"
ACTIVE = ["installed", "Status: active", "Default: deny (incoming), allow (outgoing)"]
Commands = dict[str, list[str]]
Planned = Callable[..., Commands]


@deploy("Story")
def story() -> None:
    settings = site.settings()
    firewall.admit(name="Stage", settings=settings, also_live=True)
    firewall.admit(name="Switch", settings=settings, also_live=False)


@deploy("Story")
def rolled_back() -> None:
    firewall.admit(name="Roll back", settings=site.settings(), also_live=True, ports=(9001,))


@deploy("Story")
def removed() -> None:
    firewall.gone(name="Remove")


def ufw(*rules: str, first: list[str] = ACTIVE) -> dict[str, list[str]]:
    return {"ufw status": [*first, *(f"### tuple ### {rule}" for rule in rules)]}


def rule(source: str, port: int, comment: str = COMMENT) -> str:
    return f"allow tcp {port} 0.0.0.0/0 any {source} in {comment}".strip()


def live(port: int) -> dict[str, list[str]]:
    manifest = {
        "digest": "d", "release": "r1", "proof_key": "k",
        "model": {"file": "m.gguf", "path": "/data/m.gguf", "sha256": "b" * 64},
        "address": {"bind": "0.0.0.0", "port": port, "scheme": "http"},
    }  # fmt: skip
    found = {"number": 1, "manifest": manifest, "proof": None}
    return {"readlink /opt/llamarig/current": ["1 -", json.dumps([found])]}


def table(*ports: int) -> dict[str, list[str]]:
    """A host that has our table, for these ports and NETWORK."""
    return {
        "nft list table": ["table", "unchanged", "enabled"],
        f"head -c 65536 {FILE}": nftables.table([NETWORK], ports).splitlines(),
        UNIT_PATH: nftables.unit().splitlines(),
    }


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """operation -> its commands: while planning, or as at the time when they run."""

    def run(
        told: dict[str, list[str]],
        steps: Callable[[], Any] = story,
        executing: bool = True,
        **settings: object,
    ) -> Commands:
        site._settings.clear()
        firewall._planned.clear()
        told = {"readlink /opt/llamarig/current": ["- -", "[]"], **told}
        data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0, **settings}
        inventory = Inventory(([("@fake/gpu01", data)], {}))
        state = State(inventory, Config())
        with ctx_state.use(state):
            connect_all(state)
            display_callback.register(state)  # as preflight does
            add_deploy(state, steps)
            state.is_executing = executing
            host = inventory.get_host("@fake/gpu01")
            found: Commands = {}
            for op in state.get_op_order():
                with ctx_host.use(host):
                    name = " ".join(state.get_op_meta(op).names).removeprefix("Story | ")
                    commands = [*state.ops[host][op].command_generator()]
                if commands:
                    assert name not in found
                    found[name] = [*map(_text, commands)]
        return found

    return run


def _text(command: Any) -> str:
    if isinstance(command, FileUploadCommand):
        return f"upload {command.dest}: {command.src.getvalue()}"  # type: ignore[union-attr]
    return str(command)


def ports(commands: list[str]) -> set[str]:
    """The ports of an uploaded table."""
    text = next(line for line in commands if line.startswith(f"upload {FILE}.new"))
    return {line.split("{ ")[1].split(" }")[0] for line in text.splitlines() if "dport {" in line}


def test_a_host_without_a_firewall_gets_a_table(planned: Planned) -> None:
    found = planned({}, allow_from=[NETWORK])
    assert found["Install nftables"][-1].endswith("nftables")
    assert list(found) == ["Install nftables", "Stage", "Switch"]
    staged = found["Stage"]
    assert ports(staged) == {"8080"}
    assert f"ip saddr {{ {NETWORK} }} accept" in "\n".join(staged)
    assert any(f"nft -c -f {FILE}.new" in line for line in staged), "checked before it counts"
    assert "systemctl enable llamarig-firewall.service" in staged
    assert staged[-1].startswith("systemctl restart llamarig-firewall.service")
    assert not any("ufw" in line for line in staged)


def test_a_plan_names_what_the_switch_would_add_and_no_more(planned: Planned) -> None:
    assert "Switch" not in planned({}, executing=False, allow_from=[NETWORK])
    moved = planned(live(9000), executing=False, allow_from=[NETWORK])
    assert moved["Switch"] == ["true  # port 9000 is let go of after the switch"]


def test_the_second_run_changes_nothing(planned: Planned) -> None:
    packages = {"dpkg -l": ["ii  nftables  1.0.6  amd64  x"]}
    assert planned({**table(8080), **packages, **live(8080)}, allow_from=[NETWORK]) == {}
    done = ufw(rule(NETWORK, 8080))
    assert planned({**done, **live(8080)}, allow_from=[NETWORK]) == {}
    assert planned({}) == {}


def test_the_live_port_stays_closed_until_the_switch(planned: Planned) -> None:
    found = planned({**table(9000), **live(9000)}, allow_from=[NETWORK])
    assert ports(found["Stage"]) == {"8080, 9000"}
    assert ports(found["Switch"]) == {"8080"}
    found = planned({**ufw(rule(NETWORK, 9000)), **live(9000)}, allow_from=[NETWORK])
    add = f"/usr/sbin/ufw allow from {NETWORK} to any port 8080 proto tcp comment 'llamarig'"
    let_go = f"/usr/sbin/ufw delete allow from {NETWORK} to any port 9000 proto tcp"
    assert found == {"Stage": [add], "Switch": [add, let_go]}


def test_a_rollback_counts_the_port_it_returns_to(planned: Planned) -> None:
    found = planned({**table(8080), **live(9000)}, rolled_back, allow_from=[NETWORK])
    assert ports(found["Roll back"]) == {"8080, 9000, 9001"}


@pytest.mark.parametrize("comment", ["", "comment=6d79207468696e67"])
def test_others_rules_are_left_alone(planned: Planned, comment: str) -> None:
    others = ufw(rule(NETWORK, 8080, comment), rule("10.0.0.0/8", 8080, comment))
    assert planned(others, allow_from=[NETWORK]) == {}
    assert planned(others) == {}
    assert planned(others, removed) == {}


@pytest.mark.parametrize(
    "flaw",
    [
        {"nft list table": ["enabled"]},  # flushed by hand
        {"nft list table": ["table", "enabled"]},  # changed by hand
        {"nft list table": ["table", "unchanged"]},  # not loaded at boot
        {f"head -c 65536 {FILE}": ["table inet llamarig"]},
        {UNIT_PATH: ["[Unit]"]},
    ],
)
def test_what_was_changed_by_hand_is_mended(planned: Planned, flaw: dict[str, list[str]]) -> None:
    assert "Stage" in planned({**table(8080), **flaw, **live(8080)}, allow_from=[NETWORK])


def test_only_one_of_the_two_places_stays(planned: Planned) -> None:
    enabled = planned({**table(8080), **ufw(), **live(8080)}, allow_from=[NETWORK])
    assert "Install nftables" not in enabled
    first, *rest = enabled["Stage"]
    assert first.startswith(f"/usr/sbin/ufw allow from {NETWORK} to any port 8080")
    assert "/usr/sbin/nft delete table inet llamarig" in rest
    asleep = ufw(rule(NETWORK, 8080), first=["installed", "Status: inactive"])
    disabled = planned({**asleep, **live(8080)}, allow_from=[NETWORK])["Stage"]
    assert ports(disabled) == {"8080"}
    assert disabled[-1] == f"/usr/sbin/ufw delete allow from {NETWORK} to any port 8080 proto tcp"


@pytest.mark.parametrize("told", [table(8080), ufw(rule(NETWORK, 8080))])
def test_without_allow_from_rules_go_with_the_switch(
    planned: Planned, told: dict[str, list[str]]
) -> None:
    found = planned({**told, **live(8080)})
    assert list(found) == ["Switch"]
    assert "delete" in " ".join(found["Switch"])


def test_removal_takes_all_that_is_ours(planned: Planned) -> None:
    both = {**table(8080), **ufw(rule(NETWORK, 8080), rule("10.0.0.0/8", 22, ""))}
    told = "\n".join(planned(both, removed)["Remove"])
    for part in ("disable --now", UNIT_PATH, f"{FILE}", "nft delete table inet llamarig"):
        assert part in told
    assert told.count("ufw delete") == 1
    assert planned({}, removed) == {}
