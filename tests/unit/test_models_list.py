"""`llamarig models list` as a user runs it, against a stand-in hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

REPO, DEFAULT, MANY = "someone/m-GGUF", "Jackrong/Qwopus3.6-27B-v2-MTP-GGUF", "someone/many"
TOKEN = "hf_secret_of_mine"
# The command alone, with the command line's way of ending.
SCRIPT = """
import sys
from llamarig.cli.models_list import list_models
from llamarig.errors import UserError
try:
    list_models(standalone_mode=False)
except UserError as error:
    sys.exit(f"llamarig: {error}")
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    heads, none, page = folder / "heads", folder / "none", folder / "page"
    model.make(heads, Shape(layers=4))
    model.make(none, Shape(layers=4, heads="none"))
    page.write_text("<html>" * 100)
    large = folder / "large"
    large.write_bytes(heads.read_bytes() + bytes(20 * 2**20))
    files = {
        "m-Q2_K.gguf": none, "m-Q4_K_M.gguf": heads, "m-Q8_0.gguf": large, "m-F16.gguf": page,
        "m-BF16-00001-of-00002.gguf": heads, "m-BF16-00002-of-00002.gguf": heads,
    }  # fmt: skip
    many = {f"{number:02}-Q4_0.gguf": heads for number in range(14)}
    repositories = {REPO: files, DEFAULT: {"d-Q4_K_M.gguf": heads}, MANY: many}
    with Hub(repositories, token=TOKEN) as running:
        yield running


def run(hub: Hub, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": "/nonexistent", **environment}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], env={**os.environ, **known}, text=True,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def test_the_table(hub: Hub) -> None:
    # The model takes 1068 MiB with 8192 tokens, 1 GiB of them to spare, and 1138 with 32768.
    done = run(hub, REPO, "--cards", "RTX 4090,24564;small,1100;none,1000")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "llamarig: model_file: m-F16.gguf: not a GGUF file\n"
    lines = done.stdout.splitlines()
    assert lines[0].split("  ")[0] == "file"
    assert lines[0].endswith("RTX 4090  small  none")
    cells = {line.split()[0]: line.split()[2:] for line in lines[1:-1]}
    assert cells["m-F16.gguf"] == ["F16", "?", "?", "?", "?"]
    assert cells["m-Q2_K.gguf"][:3] == ["Q2_K", "no", "49152"]
    assert cells["m-Q4_K_M.gguf"] == ["Q4_K_M", "yes", "49152", "16384", "no"]
    assert lines[-1].startswith("m-BF16-00001-of-00002.gguf: 2 files")


def test_json(hub: Hub) -> None:
    done = run(hub, REPO, "--json", "--context", "20000")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["repo"], found["revision"]) == (REPO, hub.content.commit(REPO))
    named = {each["name"]: each for each in found["files"]}
    assert named["m-Q8_0.gguf"]["mtp"] is True
    assert named["m-Q8_0.gguf"]["contexts"] == dict.fromkeys(["16 GB", "24 GB", "32 GB"], 49152)
    assert (named["m-F16.gguf"]["mtp"], named["m-F16.gguf"]["contexts"]) == (None, {})
    assert [each["parts"] for each in found["split"]] == [2]


def test_a_context_of_ones_own_is_the_least(hub: Hub) -> None:
    done = run(hub, REPO, "--json", "--context", "100000", "--cards", "a,24564")
    named = {each["name"]: each["contexts"] for each in json.loads(done.stdout)["files"]}
    assert named["m-Q4_K_M.gguf"] == {"a": 100000}


def test_many_files_take_twelve_headers(hub: Hub) -> None:
    hub.content.stats(reset=True)
    done = run(hub, MANY, "--json", "--cards", "a,24564")
    files = json.loads(done.stdout)["files"]
    assert [each["mtp"] for each in files].count(True) == 12
    assert [each["mtp"] for each in files].count(None) == 2
    assert {each["contexts"]["a"] for each in files} == {49152}
    # The listing is one more.
    assert hub.content.stats()["requests"] == 13


def test_the_default_repository(hub: Hub) -> None:
    done = run(hub, "--endpoint", hub.url, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "d-Q4_K_M.gguf" in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["no/such"], "model_repo: no/such not found at HUB (or private: give a token)"),
        (["nonsense"], "REPO: found 'nonsense', allowed: \"owner/name\""),
        ([REPO, "--revision", "v9"], f"model_revision: {REPO} has no revision v9; see HUB/"),
        ([REPO, "--cards", "big"], "--cards: found 'big', allowed: NAME,MIB such as RTX 4090,24"),
        ([REPO, "--endpoint", "hub"], "--endpoint: found 'hub', allowed: an http or https addr"),
        ([REPO, "--endpoint", "http://127.0.0.1:9"], "http://127.0.0.1:9: ConnectError: "),
    ],
)
def test_a_mistake_is_one_line(hub: Hub, words: list[str], line: str) -> None:
    done = run(hub, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"llamarig: {line.replace('HUB', hub.url)}")


def test_a_wrong_token_is_never_shown(hub: Hub) -> None:
    done = run(hub, REPO, HF_TOKEN="hf_wrong_one")
    assert done.returncode == 1
    assert done.stderr.startswith(f"llamarig: hf_token_file: {hub.url} refuses the token")
    assert "hf_wrong_one" not in done.stdout + done.stderr
