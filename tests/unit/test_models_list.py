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
CROWD = "someone/crowd"
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
        "m-F32-00001-of-00003.gguf": large, "m-F32-00003-of-00003.gguf": large,
    }  # fmt: skip
    many = {f"{number:02}-Q4_0.gguf": heads for number in range(14)}
    repositories = {REPO: files, DEFAULT: {"d-Q4_K_M.gguf": heads}, MANY: many}
    repositories[CROWD] = {f"{number:03}-Q4_0.gguf": heads for number in range(205)}
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
    cells = {line.split()[0]: line.split()[2:] for line in lines[1:-2]}
    assert cells["m-F16.gguf"] == ["F16", "?", "?", "?", "?"]
    assert cells["m-Q2_K.gguf"][:3] == ["Q2_K", "no", "32768"]
    assert cells["m-Q4_K_M.gguf"] == ["Q4_K_M", "yes", "32768", "16384", "no"]
    assert lines[-2].startswith("m-BF16-00001-of-00002.gguf: 2 files, ")
    assert lines[-1].startswith("m-F32-00001-of-00003.gguf: 2 of 3 files, ")


def test_json(hub: Hub) -> None:
    done = run(hub, REPO, "--json", "--context", "20000")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["repo"], found["revision"]) == (REPO, hub.content.commit(REPO))
    named = {each["name"]: each for each in found["files"]}
    assert named["m-Q8_0.gguf"]["mtp"] is True
    assert named["m-Q8_0.gguf"]["contexts"] == dict.fromkeys(["16 GB", "24 GB", "32 GB"], 32768)
    assert (named["m-F16.gguf"]["mtp"], named["m-F16.gguf"]["contexts"]) == (None, {})
    assert [each["parts"] for each in found["split"]] == [2, 2]
    assert found["more"] == 0


@pytest.mark.parametrize(
    ("context", "cards", "room"),
    [
        ("20000", "a,24564", 32768),
        ("32768", "a,24564", 32768),
        ("32769", "a,24564", None),  # the model was trained for 32768 tokens
        ("20000", "a,1000", None),  # does not fit
    ],
)
def test_a_context_of_ones_own_is_the_least(
    hub: Hub, context: str, cards: str, room: int | None
) -> None:
    done = run(hub, DEFAULT, "--json", "--context", context, "--cards", cards)
    assert [each["contexts"] for each in json.loads(done.stdout)["files"]] == [{"a": room}]
    done = run(hub, DEFAULT, "--context", context, "--cards", cards)
    assert done.stdout.splitlines()[1].split()[-1] == str(room or "no")


def test_of_very_many_files_the_smallest_are_shown(hub: Hub) -> None:
    done = run(hub, CROWD, "--cards", "a,24564")
    lines = done.stdout.splitlines()
    assert len(lines) == 202
    assert lines[-1] == "and 5 more; see the repository's page"
    found = json.loads(run(hub, CROWD, "--json").stdout)
    assert (len(found["files"]), found["more"]) == (200, 5)


def test_many_files_take_twelve_headers(hub: Hub) -> None:
    hub.content.stats(reset=True)
    done = run(hub, MANY, "--json", "--cards", "a,24564")
    files = json.loads(done.stdout)["files"]
    assert [each["mtp"] for each in files].count(True) == 12
    assert [each["mtp"] for each in files].count(None) == 2
    assert {each["contexts"]["a"] for each in files} == {32768}
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
        ([REPO, "--endpoint", "hub"], "--endpoint: allowed: an http or https address without"),
        ([REPO, "--endpoint", "http://me:pass/word@hub"], "--endpoint: allowed: an http or https"),
        ([REPO, "--cards", "a," + "9" * 5000], "--cards: found 'a,999"),
        ([REPO, "--cards", "a,2147483649"], "--cards: found 'a,2147483649', allowed: NAME,MIB suc"),
        ([REPO, "--cards", "a,1;a,2"], "--cards: 'a' is there twice; give each card its own name"),
        ([REPO, "--endpoint", "http://127.0.0.1:9"], "http://127.0.0.1:9: ConnectError: "),
    ],
)
def test_a_mistake_is_one_line(hub: Hub, words: list[str], line: str) -> None:
    done = run(hub, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"llamarig: {line.replace('HUB', hub.url)}")
    assert "word@" not in done.stderr
    assert len(done.stderr) < 400


def test_no_password_of_an_endpoint_in_the_environment_is_shown(hub: Hub) -> None:
    done = run(hub, REPO, HF_ENDPOINT="http://me:password@hub")
    assert done.stderr.startswith("llamarig: --endpoint: allowed: an http or https address")
    assert "password@" not in done.stdout + done.stderr


def test_the_name_of_a_card_steers_no_terminal(hub: Hub) -> None:
    done = run(hub, REPO, "--cards", "a\x1b[31m\u202e,24564")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("a\ufffd[31m\ufffd")


def test_a_wrong_token_is_never_shown(hub: Hub) -> None:
    done = run(hub, REPO, HF_TOKEN="hf_wrong_one")
    assert done.returncode == 1
    assert done.stderr.startswith(f"llamarig: hf_token_file: {hub.url} refuses the token")
    assert "hf_wrong_one" not in done.stdout + done.stderr
