"""What is known of the model before a byte of it is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

Planner = Callable[..., Any]
REPO = "someone/tiny-GGUF"
GIB_KIB = 2**20


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("models")
    files = {}
    for name, shape in {
        "tiny-Q4_0.gguf": Shape(layers=4),
        "tiny-Q8_0.gguf": Shape(layers=4, qtype="Q8_0"),
        "plain-Q4_0.gguf": Shape(layers=4, heads="none"),
    }.items():
        model.make(folder / name, shape)
        files[name] = folder / name
    with Hub({REPO: files}) as running:
        yield running


def data(hub: Hub, **changes: object) -> dict[str, object]:
    return {
        "backend": "cpu", "llama_cpp_commit": "a" * 40, "hf_endpoint": hub.url,
        "model_repo": REPO, **changes,
    }  # fmt: skip


def problems(found: Any, host: str) -> list[str]:
    return list(found.report["hosts"][f"@fake/{host}"]["problems"])


def test_a_model_without_heads_is_refused_by_its_header(plan: Planner, hub: Hub) -> None:
    hub.content.stats(reset=True)
    file = "plain-Q4_0.gguf"
    found = plan(
        {
            "gpu01": data(hub, model_file=file),
            "gpu02": data(hub, model_file=file),
            "gpu03": data(hub, model_file=file, spec_type="none"),
        }
    )
    (line,) = problems(found, "gpu01")
    assert line.startswith(f"model_file: {file} has no MTP heads (nextn_predict_layers is 0 in")
    assert problems(found, "gpu02") == [line]
    assert problems(found, "gpu03") == []
    asked = hub.content.stats()
    assert asked[f"GET /{REPO}/resolve/{hub.content.commit(REPO)}/{file}"] == 1
    (download,) = [
        hosts for name, hosts in found.operations.items() if "Start the download" in name
    ]
    assert download == ["@fake/gpu03"]


def test_a_disk_without_room_for_the_file_is_refused_before_a_byte(plan: Planner, hub: Hub) -> None:
    def on_a_disk_of(free: int, **answers: list[str]) -> dict[str, object]:
        place = ["8:1 ext4 /data", str(free), "sda ", "259:2 ext4 /", "9999999999", "nvme0n1 "]
        known = {"place()": place, ".partial": ["0", "0", "0", "0"], **answers}
        return data(hub, model_file="tiny-Q8_0.gguf", min_free_gib=1.0, answers=known)

    has = "9999999"  # more than all of it
    found = plan(
        {
            "gpu01": on_a_disk_of(2**30 + 1),
            "gpu02": on_a_disk_of(2**30 + 1, **{".partial": ["0", has, "0", "0"]}),
            "gpu03": on_a_disk_of(2**32),
        }
    )
    (line,) = problems(found, "gpu01")
    assert line.startswith(
        "hf_home: 1.0 GiB needed below /data/huggingface (file and min_free_gib)"
    )
    assert line.endswith("; make room there, or set hf_home to another disk")
    assert problems(found, "gpu02") == []
    assert problems(found, "gpu03") == []


def test_a_hub_out_of_this_machines_reach_is_a_warning(plan: Planner) -> None:
    found = plan({"gpu01": {"backend": "cpu", "llama_cpp_commit": "a" * 40}})
    assert problems(found, "gpu01") == []
    assert "warning: this machine can't ask http://127.0.0.1:9" in found.output


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model_repo": "someone/else"}, "model_repo: someone/else not found"),
        ({"model_file": "none.gguf"}, f"model_file: {REPO} has no file none.gguf"),
        (
            {"model_file": "tiny-Q4_0.gguf", "model_sha256": "b" * 64},
            "model_sha256: the hub says ",
        ),
        ({"model_quant": "Q5_K_M"}, "model_quant: "),
    ],
)
def test_what_the_hub_does_not_have_is_one_line(
    plan: Planner, hub: Hub, changes: dict[str, object], line: str
) -> None:
    (found,) = problems(plan({"gpu01": data(hub, **changes)}), "gpu01")
    assert found.startswith(line)
    assert "\n" not in found


def test_auto_takes_the_largest_that_fits_and_a_name_takes_that(plan: Planner, hub: Hub) -> None:
    tight = ["debian", "12", "bookworm", "x86_64", "systemd", "8", "glibc 2.36", "6.1"]
    found = plan(
        {
            "gpu01": data(hub, model_quant="auto"),
            "gpu02": data(hub, model_quant="Q4_0", model_revision="main"),
            "gpu03": data(
                hub, model_quant="auto",
                answers={"VERSION_CODENAME": [*tight, str(GIB_KIB // 2)]},
            ),
        }
    )  # fmt: skip
    hosts = found.report["hosts"]
    assert hosts["@fake/gpu01"]["model_choice"]["file"] == "tiny-Q8_0.gguf"
    assert "GiB" in hosts["@fake/gpu01"]["model_choice"]["why"]
    (line,) = problems(found, "gpu02")
    assert "plain-Q4_0.gguf" in line  # two files are called so: which one?
    assert "tiny-Q4_0.gguf" in line
    (line,) = problems(found, "gpu03")
    assert line.startswith("model_quant: ")


def test_a_plan_writes_no_lock(plan: Planner, hub: Hub, tmp_path: Path) -> None:
    found = plan({"gpu01": data(hub, model_quant="auto")})
    assert problems(found, "gpu01") == []
    assert not (tmp_path / "llamarig.lock").exists()


def test_a_file_that_is_on_the_host_asks_nobody(plan: Planner, hub: Hub) -> None:
    hub.content.stats(reset=True)
    found = plan({"gpu01": data(hub, model_path="/data/own.gguf")})
    assert problems(found, "gpu01") == []
    assert hub.content.stats().get("requests", 0) == 0
    assert not any("Start the download" in name for name in found.operations)
    (verify,) = [hosts for name, hosts in found.operations.items() if "Start verifying" in name]
    assert verify == ["@fake/gpu01"]


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (["error", "No such file or directory"], "there is no file /data/own.gguf on this host"),
        (["closed", "o+r", "/data/own.gguf"], "run: chmod o+r /data/own.gguf"),
    ],
)
def test_a_file_that_is_not_there_is_said_before_anything_is_changed(
    plan: Planner, hub: Hub, answer: list[str], line: str
) -> None:
    answers = {"tell magic": ["/data/own.gguf", *answer]}
    found = plan({"gpu01": data(hub, model_path="/data/own.gguf", answers=answers)})
    (problem,) = problems(found, "gpu01")
    assert problem.startswith("model_path: ")
    assert line in problem
    assert not any("Verify" in name for name, hosts in found.operations.items() if hosts)


def test_a_running_download_of_something_else_is_not_joined(plan: Planner, hub: Hub) -> None:
    answers = {"is-active llamarig-fetch": ["active"], "fetch.json": ['{"sha256": "old"}']}
    found = plan({"gpu01": data(hub, model_file="tiny-Q4_0.gguf", answers=answers)})
    (hosts,) = [each for name, each in found.operations.items() if "Start the download" in name]
    assert hosts == ["@fake/gpu01"]
