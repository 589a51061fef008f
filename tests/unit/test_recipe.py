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
    argv = recipe.arguments(Settings(metrics=False), server())
    assert argv == ["llama-server", "-m", "m.gguf", *shlex.split(WALKTHROUGH)]


def test_what_the_walkthrough_has_not_is_said_by_settings() -> None:
    plain = recipe.arguments(Settings(metrics=False), server())
    more = recipe.arguments(Settings(draft_p_min=0.5), server())
    assert [each for each in more if each not in plain] == [
        "--spec-draft-p-min", "0.5", "--metrics",
    ]  # fmt: skip
    baseline = recipe.arguments(Settings(draft_p_min=0.5), server(), mtp=False)
    assert "--spec-draft-p-min" not in baseline


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


def test_several_slots_go_with_mtp() -> None:
    argv = recipe.arguments(Settings(parallel=4), server())
    assert argv[argv.index("-np") + 1] == "4"
    assert "draft-mtp" in argv


TLS = {"cert": "/etc/ssl/lan.pem", "key": "/etc/ssl/private/lan.key"}


def test_key_and_certificate_are_credentials_and_in_no_argv() -> None:
    settings = Settings.model_validate({"tls": TLS})
    found = {each.flag: each.path for each in recipe.credentials(settings)}
    assert found == {
        "--api-key-file": "/etc/llamarig/api-key",
        "--ssl-cert-file": TLS["cert"],
        "--ssl-key-file": TLS["key"],
    }
    argv = recipe.arguments(settings, server())
    assert not [each for each in argv if "key" in each or "ssl" in each]


def test_nobody_needs_a_key_on_the_host_itself_or_where_none_is_wanted() -> None:
    assert recipe.credentials(Settings(bind="localhost")) == []
    assert recipe.credentials(Settings(bind="127.0.0.1")) == []
    assert recipe.credentials(Settings(api_key="none")) == []


def test_a_card_is_chosen_by_uuid_or_index() -> None:
    assert recipe.environment(Settings()) == {}
    assert recipe.environment(Settings(gpu=1))["CUDA_VISIBLE_DEVICES"] == "1"
