"""Where a server's weights lie, as its own log and the driver tell.

A CUDA build that finds no usable card loads on the CPU, answers /health with 200 and exits with
0: nothing but the log at verbosity 4 (the candidates run with it) says which memory holds what.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from llamarig.onhost import nvidia_smi, systemd
from llamarig.onhost.nvidia_smi import Card

# llama-server prints these while it loads, but its lines reach the journal a moment later.
PATIENCE_SECONDS = 5.0
# What people write for "all layers"; llama.cpp takes as many as there are.
ALL_LAYERS = 99
BUFFERS = {"cuda": re.compile(r"CUDA\d"), "vulkan": re.compile(r"Vulkan\d")}
OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
BUFFER = re.compile(r"(\S+)\s+model buffer size =\s*([\d.]+) MiB")
PREFIX = re.compile(r"^\d+\.\d+\.\d+\.\d+ [A-Z] ")  # minutes.seconds.ms.us and the level
# Why no device was found (llama.cpp b11434's sources), the telling ones first.
INIT_ERRORS = (
    "ggml_cuda_init: failed to initialize", "Invalid device index", "ggml_vulkan: No devices found",
    "no usable GPU found",
)  # fmt: skip


@dataclass(frozen=True)
class Residency:
    """One server's weights. offloaded of layers: None where the log has no such line, as on the
    CPU. device, host: MiB of weights by the buffer's name. init_error: the log's line."""

    backend: str
    gpu_layers: int
    offloaded: int | None = None
    layers: int | None = None
    device: dict[str, float] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)
    init_error: str | None = None


def judge(lines: Iterable[str], backend: str, gpu_layers: int) -> Residency:
    """What the log of one start says. gpu_layers: what the recipe asked for, -ngl."""
    layers: tuple[int, int] | None = None
    buffers: dict[str, float] = {}
    errors: dict[str, str] = {}
    for line in lines:
        if found := BUFFER.search(line):
            buffers[found[1]] = round(buffers.get(found[1], 0.0) + float(found[2]), 2)
        elif layers is None and (found := OFFLOADED.search(line)):
            layers = int(found[1]), int(found[2])
        for known in INIT_ERRORS:
            if known in line:
                errors.setdefault(known, PREFIX.sub("", line.strip())[:300])
    card = BUFFERS.get(backend)
    device = {name: mib for name, mib in buffers.items() if card and card.match(name)}
    return Residency(
        backend=backend,
        gpu_layers=gpu_layers,
        offloaded=layers[0] if layers else None,
        layers=layers[1] if layers else None,
        device=device,
        host={name: mib for name, mib in buffers.items() if name not in device},
        init_error=next((errors[known] for known in INIT_ERRORS if known in errors), None),
    )


def problem(found: Residency, card: Card | None = None) -> str | None:
    """One line that says why the weights are not where they belong; None if they are."""
    if found.backend not in BUFFERS:
        return None
    if not found.device and not found.host:
        return (
            "gpu: llama-server's log does not say where the weights lie, so nothing proves that "
            "the card is used; extra_args may switch its log off"
        )
    on_card, beside = sum(found.device.values()), sum(found.host.values())
    if not on_card:
        why = f"offloaded {found.offloaded or 0}/{found.layers} layers" if found.layers else (
            f"all {beside:.0f} MiB of them are in host memory"
        )  # fmt: skip
        said = f"; llama-server: {found.init_error}" if found.init_error else ""
        return f"gpu: the weights are not on the card ({why}{said}); see llamarig doctor"
    if found.offloaded is not None and found.layers is not None:
        wanted = found.layers if found.gpu_layers >= ALL_LAYERS else found.gpu_layers
        if found.offloaded < min(wanted, found.layers):
            return (
                f"gpu_layers: weights spill into host memory ({found.offloaded}/{found.layers} "
                f"layers on the card with {on_card:.0f} MiB, {beside:.0f} MiB beside it); "
                f"{_remedy(found)}"
            )
    if card and card.own_mib is not None and card.own_mib < on_card:
        return (
            f"gpu: llama-server's log puts {on_card:.0f} MiB of weights on the card, but "
            f"nvidia-smi sees it hold {card.own_mib:.0f} MiB; see llamarig doctor"
        )
    return None


def _remedy(found: Residency) -> str:
    if found.layers is not None and found.offloaded == found.gpu_layers < found.layers:
        return f"set gpu_layers to {found.layers}"
    return "free memory on the card, or set a smaller context or model"


def look(unit: str, pid: int, backend: str, gpu_layers: int) -> tuple[dict[str, Any], str | None]:
    """The record of a loaded server's weights, and what is wrong with it."""
    if backend not in BUFFERS:
        return asdict(Residency(backend, gpu_layers)), None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = judge(systemd.printed(unit), backend, gpu_layers)
        if found.device or found.host or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    card = nvidia_smi.ask(pid) if backend == "cuda" else None
    record = {**asdict(found), "nvidia_smi": asdict(card) if card else None}
    return record, problem(found, card)
