"""One import identity, every folder packaged, and a wheel that holds what the checkout holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]


def test_tasks_has_one_name() -> None:
    script = (
        "import sys, llamarig.tasks.server, llamarig.templates;"
        "print([name for name in sys.modules if name in ('tasks', 'templates')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_folder_with_code_is_packaged() -> None:
    packaged = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = set()
    for top in ("llamarig", "tasks", "templates"):
        for init in (ROOT / top).rglob("__init__.py"):
            dotted = ".".join(init.parent.relative_to(ROOT).parts)
            found.add(dotted if top == "llamarig" else f"llamarig.{dotted}")
    assert packaged == found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # setuptools builds inside the tree, so it gets one of its own.
    left_out = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__")
    tree = shutil.copytree(ROOT, folder / "tree", ignore=left_out)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "-w",
            str(folder),
            str(tree),
        ],
        check=True,
        timeout=300,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_code_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for top, target in (("llamarig", "llamarig"), ("tasks", "llamarig/tasks"),
                        ("templates", "llamarig/templates")):  # fmt: skip
        for file in (ROOT / top).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"{target}/{file.relative_to(ROOT / top)}" in names


def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        "import llamarig, llamarig.tasks.server as server;"
        "from llamarig.onhost.bundle import build;"
        "print(llamarig.__file__, server.__file__, build()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count(str(tmp_path / "site")) == 2
