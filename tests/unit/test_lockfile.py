"""llamarig.lock keeps what was resolved first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from llamarig.errors import UserError
from llamarig.lockfile import MEND, Lockfile


def test_first_entry_wins(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    assert lock.get("models", "a") == {}
    assert lock.put("models", "a", {"sha256": "1"})
    assert not lock.put("models", "a", {"sha256": "2"})
    assert Lockfile(lock.path).get("models", "a") == {"sha256": "1"}


SIZE = "a whole number from 1 to 1125899906842624"
FILE = "expected a path inside the model repository that ends in .gguf, one whole file"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x: 1", "x: unknown, llamarig writes llama_cpp, models, choices, web_ui"),
        ("models: 5", "models: found a value of type int, expected a mapping"),
        ("models:", "models: found nothing, expected a mapping"),
        ("models: {a: 5}", "models: a: found a value of type int, expected a mapping"),
        ("models: {a: {x: 5}}", "models: a: x: unknown"),
        ("models: {a: {size: -1}}", f"models: a: size: found -1, expected {SIZE}"),
        ("models: {a: {size: 0}}", f"models: a: size: found 0, expected {SIZE}"),
        ("models: {a: {size: 1e5}}", f"models: a: size: found '1e5', expected {SIZE}"),
        ("models: {a: {size: '5'}}", f"models: a: size: found '5', expected {SIZE}"),
        ("models: {a: {size: true}}", f"models: a: size: found True, expected {SIZE}"),
        ("models: {a: {size:}}", f"models: a: size: found nothing, expected {SIZE}"),
        (
            f"models: {{a: {{size: 0x{'f' * 5000}}}}}",
            f"models: a: size: found a whole number of hundreds of digits, expected {SIZE}",
        ),
        (
            f"llama_cpp: {{a: {{commit: {'1' * 40}}}}}",
            f"llama_cpp: a: commit: found {'1' * 40}, expected text in quotes",
        ),
        (
            "models: {a: {sha256: 12}}",
            "models: a: sha256: found 12, expected text in quotes",
        ),
        (
            "models: {a: {revision: main}}",
            "models: a: revision: found 'main', expected 40 lower-case hexadecimal digits",
        ),
        ("choices: {a: {file: ../m.gguf}}", f"choices: a: file: found '../m.gguf', {FILE}"),
        (
            "choices: {a: {file: m-00001-of-00002.gguf}}",
            f"choices: a: file: found 'm-00001-of-00002.gguf', {FILE}",
        ),
        (
            r'choices: {"a\e[2J": {file: "m\e[2J.gguf"}}',
            rf"choices: 'a\x1b[2J': file: found 'm\x1b[2J.gguf', {FILE}",
        ),
        (
            "web_ui: {auto: {how: npm}}",
            'web_ui: auto: how: found \'npm\', expected "build", "hub" or "none"',
        ),
        (r'models: {a: {"\e": 1}}', r"models: a: '\x1b': unknown"),
        ("models: {a: {1: 2}}", "models: a: a key of type int: unknown"),
        ("models: {null: {}}", "models: found a key of type NoneType, expected text"),
        ("models: {5: {}}", "models: found a key of type int, expected text"),
        ("5: {}", "a key of type int: unknown, llamarig writes llama_cpp, models, choices, web_ui"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_a_fault_says_where_and_what(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text(text)
    assert Lockfile(path).faults() == [f"{path}: {fault}; {MEND}"]


def test_what_was_written_has_no_fault(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.put("models", "a b", {"revision": "0" * 40, "sha256": "0" * 64, "size": 5})
    lock.put("llama_cpp", "a b", {"commit": "0" * 40})
    lock.put("choices", "a auto", {"file": "m-Q4_K_M.gguf"})
    assert lock.faults() == []


def test_an_update_replaces_and_says_whether_it_did(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.put("models", "a b", {"size": 5})
    assert lock.replace("models", "a b", {"size": 6})
    assert not lock.replace("models", "a b", {"size": 6})
    lock.put("choices", "c", {"file": "m.gguf"})
    lock.forget("choices", "c")
    assert (lock.keys("models"), lock.keys("choices")) == (["a b"], [])


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text("a: [")
    with pytest.raises(UserError, match=r"llamarig\.lock"):
        Lockfile(path).get("models", "a")


@pytest.mark.parametrize(
    "text",
    [
        "models: !!bool x",
        "models: !!timestamp x",
        "models: !!int x",
        "models: !!binary 1",
        "models: 2001-99-99",
        f"models: {'9' * 5000}",
        "models: {[a]: 1}",
        "models: *a",
        "\0",
        "",
        "[1]",
    ],
)
def test_what_yaml_stumbles_over_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text(text)
    (line,) = Lockfile(path).faults()
    assert line.startswith(f"{path}: ")
    assert line.isprintable()


def test_a_damaged_section_is_never_a_traceback_nor_overwritten(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.path.write_text("models:")
    assert (lock.get("models", "a"), lock.keys("models")) == ({}, [])
    for change in (
        lambda: lock.put("models", "a", {"size": 1}),
        lambda: lock.forget("models", "a"),
    ):
        with pytest.raises(UserError, match="models: found nothing, expected a mapping"):
            change()
    assert lock.path.read_text() == "models:"


def test_keys_of_mixed_types_are_a_fault_and_sort(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.path.write_text("models: {b: {}, 5: {}, a: {}, null: {}}")
    assert len(lock.faults()) == 2
    assert lock.keys("models") == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "models: {}",
        "models: {a: {}}",
        "{models: &m {}, choices: *m}",
        "models: {a: &x {size: 5}, b: *x}",
        f"llama_cpp: {{a: {{commit: '{'1' * 40}'}}}}",
        r'models: {"\ud800\e": {size: 1}}',
        "choices: {a b: {file: 'Q4/m,x.gguf'}}",
    ],
)
def test_what_has_no_fault_can_be_read_and_written(tmp_path: Path, text: str) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.path.write_text(text)
    before = yaml.safe_load(text)
    assert lock.faults() == []
    assert lock.put("models", "new", {"size": 7})
    assert lock.replace("models", "new", {"size": 8})
    assert lock.faults() == []
    expected = {**before, "models": {**before.get("models", {}), "new": {"size": 8}}}
    assert yaml.safe_load(lock.path.read_text()) == expected


def test_a_fifo_and_a_folder_are_faults_at_once(tmp_path: Path) -> None:
    fifo, folder = tmp_path / "llamarig.lock", tmp_path / "folder"
    os.mkfifo(fifo)
    folder.mkdir()
    for path in (fifo, folder):
        assert Lockfile(path).faults() == [f"{path}: no regular file; {MEND}"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    shared, site = tmp_path / "shared", tmp_path / "site"
    shared.mkdir()
    site.mkdir()
    lock = Lockfile(site / "llamarig.lock")
    lock.path.symlink_to("../shared/the.lock")
    assert lock.faults() == []
    for size in (1, 2):
        lock.replace("models", "a", {"size": size})
        assert lock.path.is_symlink()
        assert Lockfile(shared / "the.lock").get("models", "a") == {"size": size}
    assert [each.name for each in shared.iterdir()] == ["the.lock"]


# A limit on the size of files cuts a write short as a full disk does.
FULL = """
import resource, sys
from pathlib import Path
from llamarig.errors import UserError
from llamarig.lockfile import Lockfile
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    Lockfile(Path(sys.argv[1])).put("models", "b", {"size": 6})
except UserError as error:
    print(error)
"""


def test_a_write_that_fails_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.put("models", "a", {"size": 5})
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(lock.path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{lock.path}: can't be written (File too large)\n"
    assert list(tmp_path.iterdir()) == [lock.path]
    assert (lock.get("models", "a"), lock.get("models", "b")) == ({"size": 5}, {})


def test_a_folder_that_is_missing_is_one_line(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "none" / "llamarig.lock")
    with pytest.raises(UserError, match=r"llamarig\.lock: can't be locked \(No such file"):
        lock.put("models", "a", {"size": 5})


def test_two_entries_in_a_row_also_where_gevent_closes_files_later(tmp_path: Path) -> None:
    """pyinfra runs us under gevent, which may close a descriptor only when its loop goes on."""
    script = f"""
from gevent import monkey
monkey.patch_all()
import gevent
from pathlib import Path
from llamarig.lockfile import Lockfile

def write():
    lock = Lockfile(Path({str(tmp_path / "llamarig.lock")!r}))
    lock.put("choices", "a auto", {{"file": "m.gguf"}})
    lock.put("models", "a b", {{"size": 3}})

gevent.spawn(write).get()
"""
    subprocess.run([sys.executable, "-c", script], timeout=20, check=True)
    assert Lockfile(tmp_path / "llamarig.lock").get("models", "a b") == {"size": 3}
