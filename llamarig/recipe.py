"""The recipe: settings turned into llama-server's command line."""

from __future__ import annotations

from dataclasses import dataclass

from llamarig.paths import API_KEY, KEY_CREDENTIAL
from llamarig.settings import Settings


@dataclass(frozen=True)
class Server:
    """Where one llama-server runs: its binary, its model and its address."""

    binary: str
    model: str
    host: str
    port: int


@dataclass(frozen=True)
class Credential:
    """A file of root's on the host that the server needs: systemd hands it a copy of this name,
    and the flag takes the copy's path."""

    name: str
    path: str
    flag: str


def arguments(settings: Settings, server: Server, *, mtp: bool = True) -> list[str]:
    """The whole argv. Without `mtp` it is the baseline: the same recipe, no speculation.

    llama-server has no request field that switches speculation off (facts: b11434 compiles it
    out), so the baseline is a second process.
    """
    argv = [server.binary, "-m", server.model]
    argv += ["-ngl", str(settings.gpu_layers), "-c", str(settings.context)]
    argv += ["-fa", settings.flash_attention]
    if mtp and settings.spec_type != "none":
        argv += ["--spec-type", settings.spec_type]
        argv += ["--spec-draft-n-max", str(settings.draft_n_max)]
        if settings.draft_p_min is not None:
            argv += ["--spec-draft-p-min", str(settings.draft_p_min)]
    argv += ["-np", str(settings.parallel)]
    argv.append("--jinja" if settings.jinja else "--no-jinja")
    argv += ["--cache-type-k", settings.cache_type_k, "--cache-type-v", settings.cache_type_v]
    argv += ["--temp", str(settings.temperature), "--top-p", str(settings.top_p)]
    argv += ["--top-k", str(settings.top_k), "--min-p", str(settings.min_p)]
    if settings.threads is not None:
        argv += ["--threads", str(settings.threads)]
    if settings.metrics:
        argv.append("--metrics")
    argv += settings.extra_args
    return [*argv, "--host", server.host, "--port", str(server.port)]


def credentials(settings: Settings) -> list[Credential]:
    """What only the live server gets: candidates are on loopback, without key and TLS."""
    found = [Credential(KEY_CREDENTIAL, API_KEY, "--api-key-file")] if settings.keyed else []
    if settings.tls:
        found.append(Credential("tls-cert", settings.tls.cert, "--ssl-cert-file"))
        found.append(Credential("tls-key", settings.tls.key, "--ssl-key-file"))
    return found


def fit(settings: Settings, program: str, model: str) -> list[str]:
    """The argv of llama-fit-params: of the recipe, the flags by which memory is taken."""
    return [
        *(program, "-m", model, "-ngl", str(settings.gpu_layers), "-c", str(settings.context)),
        *("-fa", settings.flash_attention, "-np", str(settings.parallel)),
        *("--cache-type-k", settings.cache_type_k, "--cache-type-v", settings.cache_type_v),
    ]


def watched(settings: Settings) -> list[str]:
    """Flags that only a candidate gets: with a card it must say where its weights lie.

    Verbosity 4 prints that while loading (at the default, 3, llama-server doesn't), some lines a
    request and none a token (read in b11434), so that decoding is measured as it will be.
    """
    return [] if settings.backend == "cpu" else ["-lv", "4"]


def environment(settings: Settings) -> dict[str, str]:
    """Variables of the server's process. The card is chosen by index or, with CUDA, by uuid."""
    if settings.gpu is None:
        return {}
    if settings.backend == "vulkan":
        # Naming a device also allows one that is no card: Mesa's software device.
        return {"GGML_VK_VISIBLE_DEVICES": str(settings.gpu)}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": str(settings.gpu)}
