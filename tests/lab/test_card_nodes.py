"""A boot whose card is late: the server waits for its nodes, and never starts without them.

The nodes are plain files that the host makes in /dev: what a card has behind them, and systemd's
list of devices, are not in here.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from made import made_lab

from llamarig.rehearsal.lab import Lab
from llamarig.settings import Settings
from llamarig.tasks import generation
from llamarig.tasks.cuda import nodes

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
LIVE = "llama-server.service"
NODES = "/dev/nvidiactl /dev/nvidia-uvm /dev/nvidia0"
SERVER = "#!/bin/sh\necho serving\nexec sleep 100000\n"
# The card is there 15 s after the boot began: later than anything but a boot waits for it.
LATE = f"""[Service]
Type=simple
ExecStart=/bin/sh -c "sleep 15; touch {NODES}; chmod 666 {NODES}"
[Install]
WantedBy=basic.target
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host with the unit of a CUDA generation, and a program in the place of llama-server."""
    settings = Settings(api_key="none", hf_home="/var/lib/hf")
    rendered = generation.render(settings, 1, "b1", "/var/lib/m.gguf", "f" * 64, systemd=252)
    waiting = nodes.unit(settings)
    assert waiting
    with made_lab("nodes", 1) as made:
        as_root(made, "useradd --system llamarig; mkdir -p /var/lib/hf")
        put(made, f"/etc/systemd/system/{LIVE}", rendered.files[LIVE])
        put(made, nodes.PATH, waiting)
        put(made, nodes.SCRIPT, nodes.script())
        put(made, "/opt/llamarig/generations/1/release/bin/llama-server", SERVER)
        put(made, "/etc/systemd/system/late.service", LATE)
        as_root(
            made,
            f"chmod 755 /opt/llamarig/generations/1/release/bin/*; systemctl enable {LIVE} late",
        )
        as_root(made, "sync")
        yield made


def as_root(lab: Lab, command: str) -> str:
    done = lab.ssh("gpu01", command, sudo=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def put(lab: Lab, path: str, text: str) -> None:
    as_root(lab, f"mkdir -p {os.path.dirname(path)}")
    program = f"open({path!r}, 'wb').write(bytes.fromhex('{text.encode().hex()}'))"
    as_root(lab, f'python3 -c "{program}"')


def shown(lab: Lab, unit: str, name: str) -> str:
    return as_root(lab, f"systemctl show {unit} -p {name} --value")


def log(lab: Lab, unit: str) -> str:
    return as_root(lab, f"journalctl -b -o cat -u {unit}")


def test_without_nodes_it_does_not_start_and_says_why(lab: Lab) -> None:
    started = time.monotonic()
    done = lab.ssh("gpu01", f"systemctl start {LIVE}", sudo=True)
    assert done.returncode != 0
    # A host that is up is not kept waiting for two minutes.
    assert time.monotonic() - started < 60
    assert "no card: after 10 s can't open /dev/nvidiactl /dev/nvidia-uvm" in log(lab, nodes.UNIT)
    assert "cannot open /dev/nvidiactl" in log(lab, LIVE)
    assert "serving" not in log(lab, LIVE)
    as_root(lab, f"systemctl stop {LIVE}; systemctl reset-failed")


def test_a_boot_waits_for_them(lab: Lab) -> None:
    lab.kill("gpu01")
    lab.restart("gpu01")
    for _ in range(60):
        if shown(lab, LIVE, "ActiveState") == "active":
            break
        time.sleep(1)
    assert "serving" in log(lab, LIVE)
    # At its first attempt: it was waited for, not restarted.
    assert shown(lab, LIVE, "NRestarts") == "0"
    assert "cannot open" not in log(lab, LIVE)
    assert "no card" not in log(lab, nodes.UNIT)
    waited = json.loads(as_root(lab, f"journalctl -b -o json -u {LIVE} --grep serving | head -1"))
    boot = float(as_root(lab, "systemctl show -p UserspaceTimestampMonotonic --value")) / 1e6
    assert float(waited["__MONOTONIC_TIMESTAMP"]) / 1e6 - boot > 14


def test_a_node_that_its_user_may_not_open_is_refused(lab: Lab) -> None:
    as_root(lab, "chmod 600 /dev/nvidia-uvm")
    done = lab.ssh("gpu01", f"systemctl restart {LIVE}", sudo=True)
    assert done.returncode != 0
    assert "cannot open /dev/nvidia-uvm" in log(lab, LIVE)
    as_root(lab, f"systemctl stop {LIVE}; systemctl reset-failed; chmod 666 /dev/nvidia-uvm")
    as_root(lab, f"systemctl start {LIVE}")


def test_nodes_that_go_do_not_stop_what_serves(lab: Lab) -> None:
    before = shown(lab, LIVE, "MainPID")
    as_root(lab, "rm /dev/nvidia-uvm")
    assert lab.ssh("gpu01", f"systemctl start {nodes.UNIT}", sudo=True).returncode != 0
    assert shown(lab, LIVE, "ActiveState") == "active"
    assert shown(lab, LIVE, "MainPID") == before
