"""Whatever settings are valid, systemd takes the units that they make: hundreds of random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from test_service_unit import LIVE, MTP, root, verify

from llamarig.settings import Settings
from llamarig.tasks import generation

UNITS, BATCH = 300, 100
PATHS = st.from_regex(r"(/[A-Za-z0-9._+@=,-]{1,12}){1,4}", fullmatch=True)
# Printable text of every kind, and of the kind that systemd reads as something else.
ARGUMENTS = st.one_of(
    st.text(st.characters(categories=["L", "N", "P", "S", "Mn"]), min_size=1, max_size=20),
    st.text(st.sampled_from(" '\"\\%${};#=~`!|&<>*?[]ab"), min_size=1, max_size=20),
    st.sampled_from([";", "\\", "%n", "$HOME", "${A}", "--metrics", "-", "@x", "#", "\\;", "%"]),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "backend": st.sampled_from(["cuda", "vulkan", "cpu"]),
    "gpu": st.one_of(st.none(), st.integers(0, 63)),
    "context": st.integers(256, 49152), "parallel": st.integers(1, 64),
    "temperature": st.floats(0, 5), "top_p": st.floats(0, 1), "min_p": st.floats(0, 1),
    "threads": st.one_of(st.none(), st.integers(1, 1024)), "jinja": st.booleans(),
    "spec_type": st.sampled_from(["draft-mtp", "none"]), "draft_n_max": st.integers(1, 16),
    "port": st.integers(1024, 65535), "hf_home": PATHS,
    "bind": st.one_of(st.sampled_from(["lan", "localhost"]), st.ip_addresses().map(str)),
    "api_key": st.sampled_from(["site", "none"]),
    "tls": st.one_of(st.none(), st.fixed_dictionaries({"cert": PATHS, "key": PATHS})),
    "model_path": st.one_of(st.none(), PATHS),
    "service_user": st.from_regex(r"[a-z_][a-z0-9_-]{0,31}", fullmatch=True),
}  # fmt: skip
ALWAYS = {"extra_args": st.lists(ARGUMENTS, max_size=5)}


def made(count: int) -> list[Settings]:
    """So many random settings that are valid."""
    found: list[Settings] = []

    @given(st.fixed_dictionaries(ALWAYS, optional=VALUES))
    @settings(
        max_examples=2 * count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def collect(values: dict[str, object]) -> None:
        if len(found) < count:
            try:
                found.append(Settings.model_validate(values))
            except ValidationError:
                return

    collect()
    return found


@pytest.fixture(scope="module")
def units() -> list[dict[str, str]]:
    """Batches of units by name, live ones and candidates."""
    chosen = made(UNITS)
    assert len(chosen) == UNITS
    assert sum(bool(each.extra_args) for each in chosen) > UNITS / 2
    batches = []
    for first in range(0, UNITS, BATCH):
        batch = {}
        for number, one in enumerate(chosen[first : first + BATCH], first):
            path = one.model_path or "/data/m.gguf"
            rendered = generation.render(one, 1, "b1", path, "f" * 64, systemd=252)
            batch[f"live-{number}.service"] = rendered.files[LIVE]
            batch[f"candidate-{number}.service"] = rendered.files[MTP]
        batches.append(batch)
    return batches


def test_systemd_takes_them_all(tmp_path: Path, units: list[dict[str, str]]) -> None:
    for number, batch in enumerate(units):
        done = verify(root(tmp_path / str(number), batch), *batch)
        assert (done.returncode, done.stderr) == (0, "")


def test_one_line_a_setting(units: list[dict[str, str]]) -> None:
    """No value makes a line of its own: the settings of a unit are those of the template."""
    for batch in units:
        for unit in batch.values():
            users = [line for line in unit.splitlines() if line.startswith("User=")]
            starts = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
            assert (len(users), len(starts)) == (1, 1)
            assert unit.count("\n") == len(unit.splitlines())


def test_a_unit_that_systemd_refuses_would_be_seen(
    tmp_path: Path, units: list[dict[str, str]]
) -> None:
    batch = dict(units[0])
    batch["live-7.service"] = batch["live-7.service"].replace("ExecStart=", 'ExecStart="')
    done = verify(root(tmp_path, batch), *batch)
    assert done.returncode != 0
    assert "live-7.service" in done.stderr
