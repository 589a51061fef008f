"""The distribution's own CUDA package on a made host, up to a compiled file: part of
make test-cuda (1.65 GB to download, 5.65 GB installed on Debian 12)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.cuda,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
STORY = """
from llamarig.tasks import preflight, toolchain

preflight.check_for_build()
toolchain.install()
"""
DISTRO: dict[str, Any] = {"backend": "cuda", "cuda_source": "distro"}


def test_the_distributions_toolkit_compiles_a_file_and_its_sources_are_left_alone(
    site: Any, on_host: OnHost
) -> None:
    (site.folder / "deploy.py").write_text(STORY)
    own = "find /etc/apt -name '*.list' -o -name '*.sources' | grep -v llamarig | xargs sha256sum"
    before = on_host(own)
    ran = site.run("up", **DISTRO)
    assert ran.host()["failed"] == 0, ran.output
    assert ran.host()["cuda"]["source"] == "distro"
    assert on_host(own) == before
    again = site.run("up", **DISTRO)
    assert (again.host()["changed"], again.host()["failed"]) == (0, 0), again.output
    chosen = ran.host()["cuda"]
    (stamp,) = on_host("cat /var/lib/llamarig/cuda-checked-*").splitlines()
    assert stamp == f"/usr/bin/nvcc {chosen['compiler']} sm_89"
