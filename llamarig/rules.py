"""What settings demand of each other, and which of llama-server's flags a setting owns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from llamarig.settings import Settings

# Every spelling that `llama-server --help` of b11434 prints, and those of earlier builds.
_FLAGS_OF_SETTINGS = {
    "port": "--port",
    "bind": "--host --reuse-port",
    "context": "-c --ctx-size",
    "gpu_layers": "-ngl --gpu-layers --n-gpu-layers",
    "flash_attention": "-fa --flash-attn",
    "spec_type": "--spec-type --spec-default",
    "draft_n_max": "--spec-draft-n-max --draft-max --draft --draft-n",
    "draft_p_min": "--spec-draft-p-min --draft-p-min",
    "metrics": "--metrics",
    "parallel": "-np --parallel",
    "jinja": "--jinja --no-jinja",
    "cache_type_k": "-ctk --cache-type-k",
    "cache_type_v": "-ctv --cache-type-v",
    "temperature": "--temp --temperature",
    "top_p": "--top-p",
    "top_k": "--top-k",
    "min_p": "--min-p",
    "threads": "-t --threads",
    "gpu": "-dev --device -mg --main-gpu",
    "tls": "--ssl-key-file --ssl-cert-file",
    "model_repo": "-hf -hfr --hf-repo -mu --model-url -dr --docker-repo",
    "model_file": "-m --model -hff --hf-file",
}
OWNED_FLAGS = {
    flag: setting for setting, flags in _FLAGS_OF_SETTINGS.items() for flag in flags.split()
}
# Flags that nobody may pass, and why.
REFUSED_FLAGS = {
    "--api-key": "the key of the server is made and kept on the host, never in a process list",
    "--api-key-file": "the key of the server is made and kept on the host",
    "-hft": "a token in a process list is no secret",
    "--hf-token": "a token in a process list is no secret",
    "--api-prefix": "llamarig asks /health without a prefix",
    # Made-up acceptance would make the proof of the speedup worthless.
    "--spec-synth-len": "synthetic acceptance would falsify the proof",
    "--spec-synth-rates": "synthetic acceptance would falsify the proof",
    "-h": "it ends the server",
    "--help": "it ends the server",
    "--usage": "it ends the server",
    "--version": "it ends the server",
    "--list-devices": "it ends the server",
    "--completion-bash": "it ends the server",
    "-cl": "it ends the server",
    "--cache-list": "it ends the server",
}
UNQUANTIZED = ("f32", "f16", "bf16")


@dataclass(frozen=True)
class Broken:
    """A rule that settings break together: the key to change, and all keys it rests on."""

    key: str
    found: object
    allowed: str
    keys: tuple[str, ...]


def check_argument(argument: str) -> str:
    """One element of extra_args: printable, and no flag that something else decides."""
    flag = argument.split("=", 1)[0]
    if not argument or not argument.isprintable():
        raise _refused("an argument", "printable text that is not empty")
    if flag in OWNED_FLAGS:
        raise _refused(flag, f"use the setting {OWNED_FLAGS[flag]} instead")
    if flag in REFUSED_FLAGS:
        raise _refused(flag, f"any flag but this, since {REFUSED_FLAGS[flag]}")
    return argument


def _refused(found: str, allowed: str) -> PydanticCustomError:
    return PydanticCustomError(
        "llamarig_argument", "{found}: {allowed}", {"found": found, "allowed": allowed}
    )


def broken(settings: Settings) -> Iterator[Broken]:
    """Every rule between settings that these break."""
    if settings.proof_port == settings.port:
        yield Broken(
            "proof_port",
            settings.proof_port,
            "a port other than the server's",
            ("proof_port", "port"),
        )
    if settings.fan_out and settings.fan_out_port in (settings.port, settings.proof_port):
        other = "port" if settings.fan_out_port == settings.port else "proof_port"
        yield Broken(
            "fan_out_port",
            settings.fan_out_port,
            f"a port other than {other}'s",
            ("fan_out_port", other),
        )
    if settings.flash_attention == "off" and settings.cache_type_v not in UNQUANTIZED:
        yield Broken(
            "cache_type_v",
            settings.cache_type_v,
            'f32, f16 or bf16 while flash_attention is "off" (llama-server refuses the rest)',
            ("cache_type_v", "flash_attention"),
        )
    if settings.backend == "vulkan" and isinstance(settings.gpu, str):
        yield Broken(
            "gpu",
            settings.gpu,
            'an index (vulkaninfo --summary counts them) while backend is "vulkan"',
            ("gpu", "backend"),
        )
    if settings.proof_max_rounds < settings.proof_rounds:
        yield Broken(
            "proof_max_rounds",
            settings.proof_max_rounds,
            f"at least proof_rounds, which is {settings.proof_rounds}",
            ("proof_max_rounds", "proof_rounds"),
        )
    if settings.proof_tokens >= settings.context:
        yield Broken(
            "proof_tokens",
            settings.proof_tokens,
            f"fewer than context, which is {settings.context}: the prompt needs room too",
            ("proof_tokens", "context"),
        )
    if settings.allow_from and settings.loopback:
        yield Broken(
            "allow_from",
            settings.allow_from,
            "[] while bind lets nobody but the host itself reach the server",
            ("allow_from", "bind"),
        )
    yield from _broken_source(settings)
    yield from _broken_model(settings)


def _broken_model(settings: Settings) -> Iterator[Broken]:
    """The rules of where the model comes from: two answers to one question are refused."""
    given = settings.model_fields_set
    if settings.model_path and settings.model_from == "controller":
        yield Broken(
            "model_from",
            settings.model_from,
            '"hub" (then unused) while model_path names a file that is on the host',
            ("model_from", "model_path"),
        )
    if settings.model_local_file and settings.model_from != "controller":
        yield Broken(
            "model_local_file",
            settings.model_local_file,
            'None, or model_from = "controller"',
            ("model_local_file", "model_from"),
        )
    if settings.hf_xet and (settings.hf_endpoint or settings.download_limit_mib):
        other = "hf_endpoint" if settings.hf_endpoint else "download_limit_mib"
        yield Broken(
            "hf_xet",
            True,
            f"False while {other} is set: the hub's Xet client keeps neither",
            ("hf_xet", other),
        )
    if settings.model_quant is None:
        return
    if settings.model_from == "controller":
        yield Broken(
            "model_quant",
            settings.model_quant,
            'None while model_from is "controller": name the file with model_file',
            ("model_quant", "model_from"),
        )
    for key in ("model_file", "model_path", "model_local_file", "model_sha256"):
        if key in given and getattr(settings, key) is not None:
            yield Broken(
                "model_quant",
                settings.model_quant,
                f"None while {key} says which file",
                ("model_quant", key),
            )


def _broken_source(settings: Settings) -> Iterator[Broken]:
    """The rules of where llama.cpp comes from; a pin that nothing would check is refused."""
    if settings.llama_cpp_source == "git":
        if settings.llama_cpp_sha256 is not None:
            yield Broken(
                "llama_cpp_sha256",
                settings.llama_cpp_sha256,
                'None while llama_cpp_source is "git": llama_cpp_commit pins that one',
                ("llama_cpp_sha256", "llama_cpp_source"),
            )
        return
    if not re.fullmatch(r"b\d{4,6}", settings.llama_cpp_tag):
        yield Broken(
            "llama_cpp_tag",
            settings.llama_cpp_tag,
            'a build such as "b11434" while llama_cpp_source is "pypi"',
            ("llama_cpp_tag", "llama_cpp_source"),
        )
    if settings.llama_cpp_sha256 is None:
        yield Broken(
            "llama_cpp_sha256",
            None,
            'the package\'s SHA-256 while llama_cpp_source is "pypi": nothing else pins it',
            ("llama_cpp_sha256", "llama_cpp_source"),
        )
    if settings.llama_cpp_commit is not None:
        yield Broken(
            "llama_cpp_commit",
            settings.llama_cpp_commit,
            'None while llama_cpp_source is "pypi": llama_cpp_sha256 pins that one',
            ("llama_cpp_commit", "llama_cpp_source"),
        )
