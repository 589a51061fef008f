"""Where the weights lie, judged on recorded logs of both outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.onhost import nvidia_smi, residency
from llamarig.onhost.nvidia_smi import Card

RECORDED = Path(__file__).parents[1] / "recorded"
CARD = "GPU-5f2f1b0e-0000-0000-0000-000000000001"
OTHER_CARD = "GPU-5f2f1b0e-0000-0000-0000-000000000002"


def recorded(name: str) -> list[str]:
    return (RECORDED / f"llama-server-{name}.log").read_text().splitlines()


def loaded(offloaded: int, layers: int, device: str = "CUDA0") -> list[str]:
    """A load as b11434's format strings print it."""
    return [
        f"0.01.000.000 I load_tensors: offloaded {offloaded}/{layers} layers to GPU",
        "0.01.000.001 I load_tensors:   CPU_Mapped model buffer size =   700.00 MiB",
        f"0.01.000.002 I load_tensors: {device:>12} model buffer size = 16000.50 MiB",
    ]


def test_weights_on_a_device_are_read() -> None:
    found = residency.judge(recorded("vulkan"), "vulkan", 99)
    assert (found.offloaded, found.layers) == (98, 98)
    assert (found.device, found.host) == ({"Vulkan0": 24.66}, {})
    assert residency.problem(found) is None


def test_a_device_of_another_kind_is_not_the_card() -> None:
    why = residency.problem(residency.judge(recorded("vulkan"), "cuda", 99))
    assert why
    assert why.startswith("gpu: the weights are not on the card (offloaded 98/98 layers)")


def test_the_silent_fallback_is_refused_with_the_line_that_says_why() -> None:
    found = residency.judge(recorded("cuda-fallback"), "cuda", 99)
    assert (found.device, found.host) == ({}, {"CPU_Mapped": 25.28})
    assert residency.problem(found) == (
        "gpu: the weights are not on the card (all 25 MiB of them are in host memory; "
        "llama-server: ggml_cuda_init: failed to initialize CUDA: CUDA driver version is "
        "insufficient for CUDA runtime version); see llamarig doctor"
    )


def test_a_real_load_on_the_cpu_is_refused_where_a_card_is_wanted() -> None:
    for backend in ("cuda", "vulkan"):
        why = residency.problem(residency.judge(recorded("cpu"), backend, 99))
        assert why
        assert "not on the card" in why
        assert "llama-server: warning: no usable GPU found" in why


def test_a_real_load_on_the_cpu_is_right_where_it_is_wanted() -> None:
    found = residency.judge(recorded("cpu"), "cpu", 99)
    assert (found.device, found.host) == ({}, {"CPU_Mapped": 25.28})
    assert residency.problem(found) is None


@pytest.mark.parametrize(
    ("gpu_layers", "offloaded", "layers", "why"),
    [
        (99, 98, 98, None),
        (999, 98, 98, None),
        (40, 40, 98, None),  # a part was asked for
        (99, 97, 98, "weights spill into host memory (97/98 layers on the card with 16000 MiB, "
                     "700 MiB beside it); free memory on the card"),
        (40, 30, 98, "(30/98 layers"),
        (99, 99, 101, "set gpu_layers to 101"),
    ],
)  # fmt: skip
def test_a_spill_is_refused_with_its_numbers(
    gpu_layers: int, offloaded: int, layers: int, why: str | None
) -> None:
    found = residency.problem(residency.judge(loaded(offloaded, layers), "cuda", gpu_layers))
    assert (found is None) is (why is None), found
    assert (why or "") in (found or "")


def test_a_log_that_says_nothing_proves_nothing() -> None:
    why = residency.problem(residency.judge(["listening on http://127.0.0.1"], "cuda", 99))
    assert why
    assert "extra_args may switch its log off" in why


def test_buffers_of_one_name_are_added_and_the_first_count_of_layers_is_the_models() -> None:
    lines = [*loaded(98, 98), *loaded(1, 2, "CUDA1"), *loaded(1, 2)]
    found = residency.judge(lines, "cuda", 99)
    assert found.device == {"CUDA0": 32001.0, "CUDA1": 16000.5}
    assert found.host == {"CPU_Mapped": 2100.0}
    assert (found.offloaded, found.layers) == (98, 98)


def test_host_memory_that_a_driver_pins_is_still_host_memory() -> None:
    line = "load_tensors:    CUDA_Host model buffer size =   700.00 MiB"
    assert residency.judge([line], "cuda", 99).host == {"CUDA_Host": 700.0}


def test_other_processes_on_the_servers_card_are_named() -> None:
    text = (
        f"{CARD}, 4242, 17342, /opt/llamarig/generations/3/release/bin/llama-server\n"
        f"{CARD}, 99, 512, /usr/bin/a, b\n"
        f"{OTHER_CARD}, 100, 9000, /usr/bin/python3\n"
    )
    card = nvidia_smi.parse(text, 4242)
    assert card.own_mib == 17342
    assert card.others == [{"pid": 99, "name": "/usr/bin/a, b", "mib": 512.0}]


@pytest.mark.parametrize("text", ["", "No running processes found\n", f"{CARD}, 7, [N/A], x\n"])
def test_what_nvidia_smi_does_not_count_is_unknown(text: str) -> None:
    assert nvidia_smi.parse(text, 7).own_mib is None


def test_the_card_must_hold_what_the_log_says() -> None:
    found = residency.judge(loaded(98, 98), "cuda", 99)
    assert residency.problem(found, Card(16500.0, [])) is None
    assert residency.problem(found, Card(None, [])) is None  # in a container: nothing to compare
    why = residency.problem(found, Card(300.0, []))
    assert why
    assert "nvidia-smi sees it hold 300 MiB" in why
