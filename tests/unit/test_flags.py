"""The recipe's flags against the text of a real build's --help, and of builds that changed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig import recipe
from llamarig.flags import known, missing
from llamarig.settings import Settings
from llamarig.tasks.recipe_flags import every_flag

HELP = (Path(__file__).parents[1] / "recorded" / "help-b11434.txt").read_text()


def argv(**changes: object) -> list[str]:
    settings = Settings(**changes)  # type: ignore[arg-type]
    return recipe.arguments(settings, recipe.Server("llama-server", "m.gguf", "0.0.0.0", 8080))


def without(name: str) -> str:
    """The help of a build that lost a flag."""
    lines = [line for line in HELP.splitlines() if not line.startswith(f"{name} ")]
    assert len(lines) == len(HELP.splitlines()) - 1
    return "\n".join(lines)


def test_the_whole_recipe_is_known_to_the_build() -> None:
    assert missing(argv(), HELP) == []
    assert missing(argv(threads=4, jinja=False, spec_type="none"), HELP) == []


def test_what_only_the_live_server_gets_is_checked_before_the_proof() -> None:
    whole = every_flag(Settings(tls={"cert": "/etc/c.pem", "key": "/etc/k.pem"}))
    assert missing(whole, HELP) == []
    for flag in ("--api-key-file", "--ssl-cert-file", "--ssl-key-file", "-lv"):
        assert flag in whole
    assert missing(whole, without("--ssl-cert-file")) == [
        "--ssl-cert-file: this build has no such flag; leave it out"
    ]
    assert "--api-key-file" not in every_flag(Settings(bind="localhost"))


def test_every_entry_is_read() -> None:
    flags = known(HELP)
    assert len(flags) > 250
    assert flags["--flash-attn"] is flags["-fa"]
    assert (flags["--jinja"].hint, flags["--ctx-size"].hint) == ("", "N")
    assert "draft-mtp" in (flags["--spec-type"].values or ())
    assert "q8_0" in (flags["--cache-type-k"].values or ())
    # Prose that begins with a dash, or lists values of something else, is no flag.
    assert not [name for name in flags if " " in name]


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (["--draft-max", "3"], "--draft-max: this build has it no more; use --spec-draft-n-max"),
        (["--draft-min", "1"], "--draft-min: this build has it no more; use --spec-draft-n-min"),
        (
            ["-no-cnv"],
            "-no-cnv: this build has no such flag; it is llama-cli's, leave it out",
        ),
        (
            ["--no-conversation"],
            "--no-conversation: this build has no such flag; it is llama-cli's, leave it out",
        ),
        (["--no-mmap"], "--no-mmap: this build has it no more; use --load-mode none"),
        (["--mlock"], "--mlock: this build has it no more; use --load-mode mlock"),
        (["--nonsense", "-1"], "--nonsense: this build has no such flag; leave it out"),
        (
            ["--spec-type", "mtp"],
            "--spec-type mtp: this build has no such value; use draft-mtp",
        ),
    ],
)
def test_what_is_gone_is_named_with_its_successor(extra: list[str], line: str) -> None:
    assert missing([*argv(), *extra], HELP) == [line]


def test_a_binary_that_refuses_a_flag_it_lists_is_quoted() -> None:
    (line,) = missing(["--spec-ngram-size-m", "1"], HELP)
    assert line.startswith("--spec-ngram-size-m: this build has it no more; use the respective")


def test_values_are_no_flags() -> None:
    assert missing(["--top-k", "-1", "--chat-template", "--draft-max"], HELP) == []
    assert missing(["--cache_type_k", "q8_0", "--spec-type", "draft-mtp,none"], HELP) == []
    (line,) = missing(["--cache-type-v", "q9_9"], HELP)
    assert line.startswith("--cache-type-v q9_9: this build has no such value; use one of f32, ")


def test_a_build_that_lost_a_flag_of_the_recipe() -> None:
    assert missing(argv(), without("--min-p")) == [
        "--min-p: this build has no such flag; leave it out"
    ]


def test_a_binary_that_printed_nothing_knows_nothing() -> None:
    assert missing(argv(), "") == ["the binary's --help lists no flags at all"]
