"""A generation rendered: the units, the recipe and the manifest of one way to serve.

Rendering is pure: the same settings, release and model give the same digest, and that digest is
how a second run finds that nothing is to be done.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from llamarig import recipe, suite, unit_words
from llamarig.paths import GENERATIONS, RELEASES
from llamarig.settings import Settings
from llamarig.tasks import template

LOOPBACK = "127.0.0.1"
UNITS = ("llama-server.service", "candidate-baseline.service", "candidate-mtp.service")


@dataclass(frozen=True)
class Rendered:
    """A generation's files (name to text), links (name to target) and digest."""

    number: int
    digest: str
    files: dict[str, str]
    links: dict[str, str]

    def archive(self) -> bytes:
        """Everything as a tar that unpacks into the generation's folder; same input, same bytes."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, text in sorted(self.files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
            for name, target in sorted(self.links.items()):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, target
                tar.addfile(link)
        return out.getvalue()


def opens(settings: Settings) -> str | None:
    """A shell program that fails where the card's nodes can't be opened; None: none are needed.

    One card is enough: the one that is chosen may have any number among the nodes.
    """
    if settings.backend == "cuda":
        before = ": </dev/nvidiactl; : </dev/nvidia-uvm; "  # a shell that can't, ends
        return before + _any_opens("/dev/nvidia[0-9]*")
    # Naming a device of Vulkan also allows one that is no card: Mesa's software device.
    if settings.backend == "vulkan" and settings.gpu is None:
        return _any_opens("/dev/dri/renderD*")
    return None


def _any_opens(nodes: str) -> str:
    return f'for node in {nodes}; do (: <"$node") && exit 0; done; exit 1'


def _command(argv: list[str], credentials: list[recipe.Credential]) -> str:
    """ExecStart's value. Only the paths of credentials are for systemd to complete."""
    given = [f"{each.flag} ${{CREDENTIALS_DIRECTORY}}/{each.name}" for each in credentials]
    return " ".join([*(unit_words.quote(each) for each in argv), *given])


def unit(
    settings: Settings, number: int, argv: list[str], *, candidate: bool, systemd: int
) -> str:  # fmt: skip
    """The text of a unit; a candidate has the same sandbox, a whole log, neither key nor TLS, and
    never restarts. systemd: the host's version, since older ones know less."""
    model_home = settings.model_path or settings.hf_home
    under_home = model_home.startswith(("/home/", "/root/"))
    credentials = [] if candidate else recipe.credentials(settings)
    # A candidate without a card is refused by what its log says of it, which is more telling.
    needed = None if candidate else opens(settings)
    variables = recipe.environment(settings)
    return template.compiled("llama-server.service").render(
        generation=number,
        description="llama-server candidate" if candidate else "llama-server with MTP",
        backend=settings.backend,
        model_home=model_home,
        user=settings.service_user,
        environment=[unit_words.assignment(name, variables[name]) for name in variables],
        credentials=credentials,
        opens=unit_words.quote(needed) if needed else None,
        exec_start=_command(argv, credentials),
        candidate=candidate,
        systemd=systemd,
        protect_home="read-only" if under_home else "yes",
    )


def trial(settings: Settings, number: int, *, systemd: int, mtp: bool = True) -> str:
    """A candidate's unit: the release and the model of a generation, the recipe of the settings,
    on loopback. systemd: the host's version."""
    server = _server(number, LOOPBACK, settings.proof_port)
    argv = [*recipe.arguments(settings, server, mtp=mtp), *recipe.watched(settings)]
    return unit(settings, number, argv, candidate=True, systemd=systemd)


def _server(number: int, host: str, port: int) -> recipe.Server:
    folder = f"{GENERATIONS}/{number}"
    return recipe.Server(f"{folder}/release/bin/llama-server", f"{folder}/model.gguf", host, port)


def _units(settings: Settings, number: int, systemd: int) -> dict[str, str]:
    live = recipe.arguments(settings, _server(number, settings.address, settings.port))
    return {
        UNITS[0]: unit(settings, number, live, candidate=False, systemd=systemd),
        UNITS[1]: trial(settings, number, systemd=systemd, mtp=False),
        UNITS[2]: trial(settings, number, systemd=systemd),
    }


def proof_inputs(settings: Settings, release: str, model_sha256: str) -> dict[str, Any]:
    """What a proof depends on; a proof made for the same may be used again."""
    trial = recipe.Server("llama-server", "model", LOOPBACK, settings.proof_port)
    return {
        "release": release,
        "model_sha256": model_sha256,
        "recipe": recipe.arguments(settings, trial),
        "environment": recipe.environment(settings),
        "tokens": settings.proof_tokens,
        "prompts": suite.load(settings.proof_suite).digest,
    }


def digest_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def render(
    settings: Settings, number: int, release: str, model_path: str, model_sha256: str, *,
    systemd: int,
) -> Rendered:  # fmt: skip
    """One generation. The digest is taken over number 0, so that it does not depend on it.

    systemd: the host's version; the units, and with them the digest, have what it knows.
    """
    inputs = proof_inputs(settings, release, model_sha256)
    links = {"release": f"{RELEASES}/{release}", "model.gguf": model_path}
    unnumbered = _units(settings, 0, systemd)
    digest = digest_of([unnumbered, links, inputs])
    files = {
        **(_units(settings, number, systemd) if number else unnumbered),
        "recipe.json": json.dumps(inputs, indent=2, sort_keys=True) + "\n",
    }
    manifest = {
        "digest": digest,
        "release": release,
        "model": {
            "file": settings.model_path or settings.model_file,
            "path": model_path,
            "sha256": model_sha256,
        },
        "address": {"bind": settings.address, "port": settings.port, "scheme": settings.scheme},
        "keyed": settings.keyed,
        "proof_key": digest_of(inputs),
        # By which an edit by hand is told, whatever the settings ask for by then.
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    files["manifest.json"] = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    return Rendered(number, digest, files, links)
