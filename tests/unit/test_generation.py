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
    return generation.render(settings, number, release, MODEL, "f" * 64)


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


def test_percent_and_dollar_reach_the_server_as_they_are() -> None:
    unit = render(extra_args=["--alias", "100% $HOME"]).files["llama-server.service"]
    assert "'100%% $$HOME'" in unit


def test_archive_holds_files_and_links_and_is_deterministic() -> None:
    rendered = render()
    assert rendered.archive() == render().archive()
    with tarfile.open(fileobj=io.BytesIO(rendered.archive())) as tar:
        assert tar.getmember("model.gguf").linkname == MODEL
        assert tar.getmember("manifest.json").isfile()
