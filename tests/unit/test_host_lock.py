"""A lock that a run of this machine left behind is waited for, any other is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from llamarig.tasks.operations.host_lock import left_behind


def test_only_a_run_of_this_machine_that_ended_left_its_lock_behind() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = socket.gethostname()
    assert left_behind({"machine": here, "pid": ended.pid})
    assert not left_behind({"machine": here, "pid": os.getpid()})
    assert not left_behind({"machine": f"not-{here}", "pid": ended.pid})
    assert not left_behind({})
