"""What `llamarig down` would run on a host, in which order, and that an empty one is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FunctionCommand
from pyinfra.api.connect import connect_all
from pyinfra.context import ctx_host, ctx_state

from llamarig.tasks import display_callback, down, site, step
from llamarig.tasks.removal import Extent

Commands = dict[str, list[str]]
HOME = "/data/huggingface"
FOLDER = f"{HOME}/hub/models--A--B"
BLOB = f"{FOLDER}/blobs/{'a' * 64}"

# Keys are parts of the commands that ask.
DEPLOYED: dict[str, list[str]] = {
    "models/*.json": [
        f'{{"path": "{BLOB}", "source": "hub", "snapshot": "{FOLDER}/snapshots/{"c" * 40}/x.gguf"}}'
    ],
    # The script that lists everything.
    "usage: ROOT LIVE-UNIT": [
        "job\tllamarig-prove-2.service\tactive",
        "service\tllama-server.service\tinactive",
        "link\t/etc/systemd/system/llama-server.service\t",
        "unit\t/etc/systemd/system/llamarig-gpu.service\tactive",
        "foreign\t/etc/systemd/system/llama-server.service.d\tsomebody's",
        "apt\t/etc/apt/preferences.d/llamarig-cuda.pref\t",
        "folder\t/opt/llamarig\t100",
        "folder\t/var/lib/llamarig\t10",
        f"partial\t{HOME}/llamarig\t0",
        f"model\t{BLOB}\t100",
    ],
    "dpkg-query": ["git", "libc6-dev", "===", "amd64", "git amd64 installed 1",
                   "libc6-dev amd64 installed 1", "===", "cuda-nvcc-12-8", "==="],
    "purge -- git libc6-dev": ["Purg git [1]", "Purg libc6-dev [1]", "Purg theirs [1]"],
    "purge -- git": ["Purg git [1]"],
    "purge -- libc6-dev": ["Purg libc6-dev [1]", "Purg theirs [1]"],
    "purge --": ["Reading package lists..."],
    "=== held": ["cuda-nvcc-12-8", "=== held", "cuda-nvcc-12-8"],
    "getent passwd; echo": ["root:x:0:0::/root:/bin/sh", "llamarig:x:998:997::/none:/bin/false",
                            "===", "llamarig:x:997:", "===", "user llamarig", "group llamarig"],
    "/var/lib/llamarig/folders": [HOME, "/data", f"{HOME}/hub"],
    "nft list table": ["table", "enabled"],
    "sha256sum -- ": ["metrics /var/lib/node/llamarig.prom", "enabled"],
}  # fmt: skip


@pytest.fixture
def planned() -> Callable[..., Commands]:
    """Plan the story on a @fake host: operation -> the commands that it would run."""

    def run(extent: Extent, told: dict[str, list[str]]) -> Commands:
        for known in (site._settings, step._refused):
            known.clear()
        data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0}
        state = State(Inventory(([("@fake/gpu01", data)], {})), Config())
        with ctx_state.use(state):
            connect_all(state)
            display_callback.register(state)  # as `begin` does
            host = state.inventory.get_host("@fake/gpu01")
            with ctx_host.use(host):
                down.stop(extent)
            found: Commands = {}
            for op in state.get_op_order():
                with ctx_host.use(host):
                    names = " ".join(state.get_op_meta(op).names).removeprefix("Down | ")
                    commands = list(state.ops[host][op].command_generator())
                assert not any(isinstance(each, FunctionCommand) for each in commands)
                found[names] = [str(each) for each in commands]
        return found

    return run


def test_down_stops_and_takes_the_access_away_alone(planned: Callable[..., Commands]) -> None:
    found = planned(Extent.SERVICE, DEPLOYED)
    stopped = found["Stop the service and its jobs"]
    # A proof's last words start the server: it is stopped after the job, though it did not run.
    assert [each.split()[-1] for each in stopped] == [
        "llamarig-prove-2.service", "llama-server.service",
    ]  # fmt: skip
    units = "\n".join(found["Remove the units"])
    assert "disable --now -- llamarig-gpu.service" in units
    assert "/etc/systemd/system/llama-server.service " in units
    assert "llama-server.service.d" not in units
    assert "delete table inet llamarig" in "\n".join(found["Remove the firewall's rules"])
    assert "rm -f /var/lib/node/llamarig.prom" in found["Remove the check by the timer"]
    assert set(found) == {"Stop the service and its jobs", "Remove the firewall's rules",
                          "Remove the check by the timer", "Remove the units",
                          "See that it is gone"}  # fmt: skip


def test_a_purge_takes_the_rest_and_the_records_last(planned: Callable[..., Commands]) -> None:
    found = planned(Extent.PURGE, DEPLOYED)
    assert list(found)[4:] == [
        "Take back what apt was told", "Remove the packages", "Remove the accounts",
        "Remove the folders", "See that it is gone",
    ]  # fmt: skip
    told = found["Take back what apt was told"]
    assert told == ["apt-mark unhold cuda-nvcc-12-8",
                    "rm -rf -- /etc/apt/preferences.d/llamarig-cuda.pref"]  # fmt: skip
    purge = found["Remove the packages"][-1]
    assert purge.endswith("purge -- git")  # theirs needs libc6-dev
    assert "AutomaticRemove=false" in purge
    assert [each.split()[-2] for each in found["Remove the accounts"]] == ["llamarig;"] * 2
    folders = found["Remove the folders"]
    assert [each.split()[-1] for each in folders[:2]] == ["/opt/llamarig", f"{HOME}/llamarig"]
    assert ["rmdir" in each for each in folders[2:5]] == [True] * 3
    assert f"-d {HOME}/hub ]" in folders[2]
    assert folders[5].endswith(" /var/lib/llamarig")
    assert folders[6:] == ["rm -rf -- /run/lock/llamarig.lock"]
    assert BLOB not in "\n".join(line for lines in found.values() for line in lines)


def test_models_go_when_asked_for_while_the_records_name_them(
    planned: Callable[..., Commands],
) -> None:
    found = planned(Extent.MODEL, DEPLOYED)
    (removed,) = found["Remove the models"]
    assert f"rm -f {BLOB}" in removed
    names = list(found)
    assert names.index("Remove the models") < names.index("Remove the folders")


@pytest.mark.parametrize("extent", list(Extent))
def test_an_empty_host_is_left_alone(planned: Callable[..., Commands], extent: Extent) -> None:
    assert not any(planned(extent, {}).values())
