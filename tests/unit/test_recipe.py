"""The recipe must be the walkthrough's, and the baseline the same without speculation."""

from __future__ import annotations

import shlex

from llamarig import recipe
from llamarig.settings import Settings

WALKTHROUGH = (
    "-ngl 99 -c 8192 -fa on --spec-type draft-mtp --spec-draft-n-max 3 -np 1 --jinja "
    "--cache-type-k q8_0 --cache-type-v q8_0 --temp 0.6 --top-p 0.95 --top-k 20 --min-p 0.0 "
    "--host 0.0.0.0 --port 8080"
)


def server(host: str = "0.0.0.0", port: int = 8080) -> recipe.Server:
    return recipe.Server("llama-server", "m.gguf", host, port)


def test_defaults_are_the_walkthrough() -> None:
    argv = recipe.arguments(Settings(), server())
    assert argv == ["llama-server", "-m", "m.gguf", *shlex.split(WALKTHROUGH)]


def test_baseline_differs_in_speculation_alone() -> None:
    mtp = recipe.arguments(Settings(), server())
    baseline = recipe.arguments(Settings(), server(), mtp=False)
    assert [each for each in mtp if each not in baseline] == [
        "--spec-type", "draft-mtp", "--spec-draft-n-max", "3",
    ]  # fmt: skip
    assert [each for each in baseline if each not in mtp] == []


def test_without_speculation_both_arms_are_one() -> None:
    settings = Settings(spec_type="none")
    assert recipe.arguments(settings, server()) == recipe.arguments(settings, server(), mtp=False)


def test_a_card_is_chosen_by_uuid_or_index() -> None:
    assert recipe.environment(Settings()) == {}
    assert recipe.environment(Settings(gpu=1))["CUDA_VISIBLE_DEVICES"] == "1"
