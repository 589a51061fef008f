"""What llama-fit-params says, from a program that answers as it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.onhost import memory

# The form as b11434 printed it without a card (`Host 0 25 16 `); devices as read in its source.
PRINTED = "CUDA0 16021 204 505 \nHost 409 0 24 \n"


def program(folder: Path, printed: str, status: int) -> list[str]:
    path = folder / "llama-fit-params"
    print_it = f"*--fit-print*) printf '%s' '{printed}';;"
    path.write_text(f'#!/bin/sh\ncase "$*" in {print_it} *) exit {status};; esac\n')
    path.chmod(0o755)
    return [str(path), "-m", "model.gguf"]


def test_the_parts_are_kept_for_every_device(tmp_path: Path) -> None:
    found, problem = memory.look(program(tmp_path, PRINTED, 0), {})
    assert found["CUDA0"] == {"weights": 16021, "context": 204, "compute": 505}
    assert found["Host"]["weights"] == 409
    assert problem is None


def test_what_does_not_fit_is_one_line_with_its_parts(tmp_path: Path) -> None:
    _, problem = memory.look(program(tmp_path, PRINTED, 1), {})
    assert problem is not None
    assert problem.startswith("context: by llama-fit-params the recipe does not fit")
    assert "CUDA0 weights 16021 MiB, context 204 MiB, compute 505 MiB" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("printed", ["", "error: invalid argument\n", "CUDA0 many 1 2\n"])
def test_a_program_that_says_nothing_stops_nobody(tmp_path: Path, printed: str) -> None:
    assert memory.look(program(tmp_path, printed, 1), {}) == ({}, None)


def test_no_program_stops_nobody(tmp_path: Path) -> None:
    assert memory.look([str(tmp_path / "absent")], {}) == ({}, None)
