"""The site's API key: how it is written, what a host says of it, and who has another one."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig import secret_report
from llamarig.api_key import FORM, disagreement, groups
from llamarig.cli import key as cli
from llamarig.paths import CONFIG
from llamarig.tasks import api_key
from llamarig.tasks.facts.api_key import FIRST_LINE, NOTHING, ApiKey, KeyState, RunningKey


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def on(folder: Path, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a host's command with CONFIG somewhere else."""
    return subprocess.run(
        ["sh", "-c", command.replace(CONFIG, str(folder))],
        input=given, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_a_new_key_fits_into_a_header_and_is_another_every_time() -> None:
    first, second = api_key.generated(), api_key.generated()
    assert FORM.fullmatch(first)
    assert len(first) == 43
    assert first != second


def test_a_key_is_written_for_root_alone_and_is_in_no_command(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    command = api_key.written("a-key", f"{CONFIG}/api-key")
    assert "a-key" not in command.get_raw_value().replace("api-key", "")
    assert on(folder, command.get_raw_value(), "a-key\n").returncode == 0
    assert (folder / "api-key").read_text() == "a-key\n"
    assert (folder / "api-key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o755
    assert os.listdir(folder) == ["api-key"]


def test_a_key_that_came_only_half_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "api-key").write_text("old\n")
    command = api_key.written("a-key", f"{CONFIG}/api-key").get_raw_value()
    assert on(tmp_path, command, "a-k").returncode != 0
    assert (tmp_path / "api-key").read_text() == "old\n"


def test_a_partial_file_that_anybody_reads_does_not_become_the_key(tmp_path: Path) -> None:
    (tmp_path / ".api-key.partial").write_text("left by somebody")
    (tmp_path / ".api-key.partial").chmod(0o644)
    on(tmp_path, api_key.written("a-key", f"{CONFIG}/api-key").get_raw_value(), "a-key\n")
    assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["a-key", "a-key\n", "  a-key\t\r\nsecond\n"])
def test_a_host_tells_the_digest_of_the_first_line_and_never_the_key(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "api-key").write_text(text)
    (tmp_path / "api-key").chmod(0o640)
    said = on(tmp_path, ApiKey().command()).stdout
    found = ApiKey().process(said.splitlines())
    assert found.digest == digest("a-key")
    assert found.mode == "640"
    assert not found.private
    assert "a-key" not in said
    assert on(tmp_path, FIRST_LINE).stdout == "a-key"


@pytest.mark.parametrize("text", [None, "", "\n", "  \nsecond\n"])
def test_where_nothing_is_there_is_no_key(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "api-key").write_text(text)
    said = on(tmp_path, ApiKey().command()).stdout.splitlines()
    assert ApiKey().process(said).digest is None


def test_something_else_in_the_files_place_is_no_host_without_a_key(tmp_path: Path) -> None:
    (tmp_path / "api-key").mkdir()
    said = on(tmp_path, ApiKey().command()).stdout.splitlines()
    with pytest.raises(FactProcessError, match="is no file"):
        ApiKey().process(said)


def test_a_server_without_a_copy_of_a_key_runs_with_none(tmp_path: Path) -> None:
    assert RunningKey().process(on(tmp_path, RunningKey().command()).stdout.splitlines()) is None
    assert RunningKey().process([NOTHING]) is None
    assert RunningKey().process(["ab"]) == "ab"


def test_a_private_key_is_roots_and_600() -> None:
    assert ApiKey().process(["root:root 600", "ab"]) == KeyState("ab", "root:root", "600")
    assert KeyState("ab", "root:root", "600").private
    assert not KeyState("ab", "ops:ops", "600").private
    with pytest.raises(FactProcessError):
        ApiKey().process(["stat: no such program"])


def test_hosts_that_agree_are_not_spoken_of() -> None:
    assert disagreement({}) is None
    assert disagreement({"gpu01": None, "gpu02": None}) is None
    assert disagreement({"gpu01": "a", "gpu02": None, "gpu03": "a"}) is None


def test_a_disagreement_names_the_larger_group_first() -> None:
    assert groups({"b": "2", "a": "1", "c": "2", "d": None}) == [["b", "c"], ["a"]]
    assert disagreement({"gpu03": "a", "gpu02": "b", "gpu01": "b"}) == (
        "api_key: gpu01, gpu02 have one key, gpu03 another; "
        "llamarig key rotate INVENTORY gives all of them a new one"
    )
    line = disagreement({"gpu03": "c", "gpu02": "b", "gpu01": "a"})
    assert line is not None
    assert line.startswith("api_key: gpu01 has one key, gpu02 another, gpu03 another; ")


def test_the_others_key_is_taken_if_they_have_one_and_the_same() -> None:
    assert api_key.one_of({}) is None
    assert api_key.one_of({"gpu02": "k", "gpu03": "k"}) == "k"
    with pytest.raises(ValueError, match="gpu02 has one key, gpu03 another"):
        api_key.one_of({"gpu02": "k", "gpu03": "l"})
    with pytest.raises(ValueError, match="of gpu02 holds something else") as error:
        api_key.one_of({"gpu02": "not a key"})
    assert "not a key" not in str(error.value)


def test_a_secret_goes_once_and_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    assert secret_report.take(path) is None
    monkeypatch.delenv(secret_report.VARIABLE, raising=False)
    assert not secret_report.wanted()
    monkeypatch.setenv(secret_report.VARIABLE, str(path))
    assert secret_report.wanted()
    secret_report.put("a-key")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        secret_report.put("another")
    assert secret_report.take(path) == "a-key"
    assert not path.exists()


@pytest.mark.parametrize(
    ("hosts", "line"),
    [
        ({"a": {"key_digest": None}, "b": {"key_digest": None}}, "no host of this site has a key"),
        ({"a": {"key_digest": "1"}, "b": {"key_digest": "2"}}, "api_key: a has one key, b another"),
        ({"a": {"key_digest": "1"}, "b": {}}, "could not be read, the lines above"),
        ({"a": {}}, "could not be read, the lines above"),
    ],
)
def test_why_there_is_no_key_to_show(hosts: dict[str, dict[str, object]], line: str) -> None:
    assert line in cli.missing(hosts)


def test_how_many_have_the_new_key() -> None:
    assert cli.all_of(1) == "the host has"
    assert cli.all_of(3) == "all 3 hosts have"
