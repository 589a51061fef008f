"""What a repository offers, asked of a stand-in hub."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from functools import partial

import pytest

from llamarig.errors import UserError
from llamarig.hub import catalogue
from llamarig.hub.catalogue import GgufFile, SplitFile
from llamarig.rehearsal.hub import Hub

REPO, GATED, PRIVATE, BARE = "someone/m-GGUF", "someone/gated", "someone/private", "someone/bare"
TOKEN = "hf_secret_of_mine"
SIZES = {
    "m-MTP-Q4_K_M.gguf": 4000,
    "m-MTP-Q2_K.gguf": 2000,
    "split/m-F16-00001-of-00002.gguf": 3000,
    "split/m-F16-00002-of-00002.gguf": 1500,
    "mmproj-F16.gguf": 10,
    "m.imatrix.gguf": 10,
    "README.md": 10,
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    files = {}
    for name, size in SIZES.items():
        files[name] = folder / name.replace("/", "_")
        files[name].write_bytes(bytes(size))
    repositories = {
        REPO: files, GATED: files, PRIVATE: files, BARE: {"README.md": files["README.md"]},
    }  # fmt: skip
    with Hub(repositories, gated=frozenset({GATED})) as running:
        running.content.private = frozenset({PRIVATE})
        running.content.tokens = {TOKEN: frozenset({GATED, PRIVATE})}
        yield running


def test_a_listing(hub: Hub) -> None:
    found = catalogue.listing(REPO, None, hub.url, None)
    assert (found.repo, found.revision) == (REPO, hub.content.commit(REPO))
    sha256 = {name: file.sha256 for name, file in hub.content.repositories[REPO].items()}
    assert found.files == (
        GgufFile("m-MTP-Q2_K.gguf", 2000, sha256["m-MTP-Q2_K.gguf"], "Q2_K"),
        GgufFile("m-MTP-Q4_K_M.gguf", 4000, sha256["m-MTP-Q4_K_M.gguf"], "Q4_K_M"),
    )
    assert found.split == (SplitFile("split/m-F16-00001-of-00002.gguf", 4500, 2, "F16"),)


def test_a_file_is_resolved_to_a_commit(hub: Hub) -> None:
    name, commit = "m-MTP-Q4_K_M.gguf", hub.content.commit(REPO)
    found = catalogue.resolve(REPO, name, None, hub.url + "/", None)
    assert (found.revision, found.size) == (commit, 4000)
    assert found.sha256 == hub.content.repositories[REPO][name].sha256
    assert found.url == f"{hub.url}/{REPO}/resolve/{commit}/{name}"


def test_a_token_opens_what_is_closed(hub: Hub) -> None:
    for repo in (GATED, PRIVATE):
        assert catalogue.resolve(repo, "m-MTP-Q2_K.gguf", "main", hub.url, TOKEN).size == 2000


@pytest.mark.parametrize(
    ("repo", "revision", "file", "token", "line"),
    [
        ("no/such", None, "", None, "model_repo: no/such not found at HUB (or private: give a tok"),
        (REPO, "v9", "", None, f"model_revision: {REPO} has no revision v9; see HUB/{REPO}"),
        (REPO, None, "", "hf_wrong", "hf_token_file: HUB refuses the token; see HUB/settings/"),
        (BARE, None, "", None, f"model_repo: {BARE} has no GGUF file; see HUB/{BARE}/tree/main"),
        (GATED, None, "a.gguf", None, f"model_repo: {GATED} is gated; accept its terms at HUB/"),
        (PRIVATE, None, "a.gguf", None, f"model_repo: {PRIVATE} not found at HUB (or private: "),
        (REPO, "v9", "a.gguf", None, f"model_revision: {REPO} has no revision v9; see HUB/{REPO}"),
        (REPO, None, "no.gguf", None, f"model_file: {REPO} has no file no.gguf; see HUB/{REPO}/"),
        (REPO, None, "a.gguf", "hf_wrong", "hf_token_file: HUB refuses the token; see HUB/setti"),
    ],
)
def test_a_refusal_is_one_line(
    hub: Hub, repo: str, revision: str | None, file: str, token: str | None, line: str
) -> None:
    ask = partial(catalogue.resolve, repo, file) if file else partial(catalogue.listing, repo)
    with pytest.raises(UserError) as refused:
        ask(revision, hub.url, token)
    assert str(refused.value).startswith(line.replace("HUB", hub.url))
    assert "\n" not in str(refused.value)
    assert "hf_wrong" not in str(refused.value)


def test_no_answer_is_told_apart(hub: Hub) -> None:
    with pytest.raises(catalogue.Unreachable, match=r"^http://127\.0\.0\.1:9: ConnectError: "):
        catalogue.listing(REPO, None, "http://127.0.0.1:9", None)
    urllib.request.urlopen(f"{hub.url}/_faults?status=503&times=1", timeout=10).close()
    with pytest.raises(catalogue.Unreachable, match="503"):
        catalogue.resolve(REPO, "m-MTP-Q2_K.gguf", None, hub.url, None)


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf", "Q4_K_M"),
        ("sub/model-IQ4_XS.gguf", "IQ4_XS"),
        ("model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-UD-IQ2_XXS.gguf", "UD-IQ2_XXS"),
        ("model.BF16.gguf", "BF16"),
        ("model-f16.gguf", "F16"),
        ("model-Q8_0-MTP.gguf", "Q8_0"),
        ("model-Q4_K_M_MTP.gguf", "Q4_K_M"),
        ("model-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("Qwen3.6-27B.gguf", ""),
    ],
)
def test_the_quantization_is_in_the_name(name: str, quant: str) -> None:
    assert catalogue.quant(name) == quant
