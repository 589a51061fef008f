"""Rendering a generation: the digest decides whether anything is to be done."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from llamarig.settings import Settings
from llamarig.tasks import generation

MODEL = "/data/huggingface/hub/blobs/abc"


def render(number: int = 1, release: str = "b1-cpu-0", **values: object) -> generation.Rendered:
    settings = Settings.model_validate({"backend": "cpu", **values})
    return generation.render(settings, number, release, MODEL, "f" * 64, systemd=252)


def test_digest_does_not_depend_on_the_number() -> None:
    assert render(1).digest == render(2).digest
    assert "generations/2/" in render(2).files["llama-server.service"]


@pytest.mark.parametrize(
    "change", [{"port": 8081}, {"draft_n_max": 2}, {"release": "b2-cpu-0"}, {"gpu": 0}]
)
def test_digest_changes_with_what_is_served(change: dict[str, object]) -> None:
    assert render(**change).digest != render().digest  # type: ignore[arg-type]


def test_a_proof_is_kept_when_only_the_address_changes() -> None:
    def key(rendered: generation.Rendered) -> str:
        return str(json.loads(rendered.files["manifest.json"])["proof_key"])

    assert key(render(port=8081)) == key(render())
    assert key(render(draft_n_max=2)) != key(render())


def test_candidates_listen_on_loopback_and_never_restart() -> None:
    files = render(bind="0.0.0.0").files
    for name in ("candidate-mtp.service", "candidate-baseline.service"):
        assert "--host 127.0.0.1 --port 18080" in files[name]
        assert "Restart=no" in files[name]
    assert "--host 0.0.0.0 --port 8080" in files["llama-server.service"]
    assert "--spec-type draft-mtp" in files["candidate-mtp.service"]
    assert "--spec-type" not in files["candidate-baseline.service"]


@pytest.mark.parametrize("backend", ["cuda", "vulkan"])
def test_candidates_say_where_their_weights_lie_and_both_arms_alike(backend: str) -> None:
    files = render(backend=backend, extra_args=["-lv", "2"]).files
    for name in ("candidate-mtp.service", "candidate-baseline.service"):
        (line,) = [each for each in files[name].splitlines() if each.startswith("ExecStart=")]
        assert line.endswith(" -lv 4")  # the last one counts
        assert "LogRateLimitIntervalSec=0\n" in files[name]
    assert "-lv 4" not in files["llama-server.service"]
    assert "LogRateLimitIntervalSec=0\n" not in files["llama-server.service"]


def test_without_a_card_a_candidate_is_started_as_what_serves() -> None:
    assert all("-lv" not in text for text in render(backend="cpu").files.values())


def test_a_watched_candidate_does_not_change_what_a_proof_rests_on() -> None:
    for backend in ("cpu", "cuda", "vulkan"):
        assert "-lv" not in render(backend=backend).files["recipe.json"]


def test_vulkan_has_its_own_way_to_choose_a_device() -> None:
    unit = render(backend="vulkan", gpu=0).files["llama-server.service"]
    assert "Environment=GGML_VK_VISIBLE_DEVICES=0\n" in unit
    assert "CUDA" not in "".join(line for line in unit.splitlines() if "Environment" in line)
    assert "Environment=" not in render(backend="vulkan").files["llama-server.service"]


def test_percent_and_dollar_reach_the_server_as_they_are() -> None:
    unit = render(extra_args=["--alias", "100% $HOME"]).files["llama-server.service"]
    assert ' "100%% $$HOME" ' in unit


TLS = {"cert": "/etc/ssl/lan.pem", "key": "/etc/ssl/private/lan.key"}


def test_only_what_serves_gets_key_and_certificate() -> None:
    files = render(tls=TLS).files
    live = files["llama-server.service"]
    (start,) = [each for each in live.splitlines() if each.startswith("ExecStart=")]
    for name, path, flag in (
        ("key", "/etc/llamarig/api-key", "--api-key-file"),
        ("tls-cert", TLS["cert"], "--ssl-cert-file"),
        ("tls-key", TLS["key"], "--ssl-key-file"),
    ):
        assert f"\nLoadCredential={name}:{path}\n" in live
        # For systemd to complete: neither quoted nor doubled.
        assert f" {flag} ${{CREDENTIALS_DIRECTORY}}/{name}" in start
    for name in ("candidate-mtp.service", "candidate-baseline.service"):
        assert "CREDENTIALS_DIRECTORY" not in files[name]
        assert "LoadCredential" not in files[name]


def test_neither_key_nor_certificate_changes_what_a_proof_rests_on() -> None:
    plain, other = (render(**each).files for each in ({"api_key": "none"}, {"tls": TLS}))
    assert plain["recipe.json"] == other["recipe.json"]
    assert plain["candidate-mtp.service"] == other["candidate-mtp.service"]


def test_no_argument_leaves_its_place() -> None:
    """Settings refuse the last two; the unit must not depend on it."""
    args = ["two words", "it's", 'say "x"', "\\", ";", "100% $HOME ${A}", "a\nUser=root", "\x01"]
    settings = Settings(backend="cpu").model_copy(update={"extra_args": args})
    unit = generation.render(settings, 1, "b1", MODEL, "f" * 64, systemd=252).files[
        "llama-server.service"
    ]
    words = [
        '"two words"', '"it\'s"', r'"say \"x\""', r'"\\"', '";"', '"100%% $$HOME $${A}"',
        r'"a\nUser=root"', r'"\x01"',
    ]  # fmt: skip
    assert f" {' '.join(words)} --host " in unit
    assert "\nUser=root" not in unit


def test_a_newer_systemd_makes_another_generation_and_keeps_the_proof() -> None:
    settings = Settings(backend="cpu")
    old, new = (
        generation.render(settings, 1, "b1", MODEL, "f" * 64, systemd=each) for each in (252, 255)
    )
    assert old.digest != new.digest
    assert (
        json.loads(old.files["manifest.json"])["proof_key"]
        == (json.loads(new.files["manifest.json"])["proof_key"])
    )


def test_archive_holds_files_and_links_and_is_deterministic() -> None:
    rendered = render()
    assert rendered.archive() == render().archive()
    with tarfile.open(fileobj=io.BytesIO(rendered.archive())) as tar:
        assert tar.getmember("model.gguf").linkname == MODEL
        assert tar.getmember("manifest.json").isfile()
