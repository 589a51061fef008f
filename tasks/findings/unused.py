"""Settings that are set and without effect beside the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.settings import Settings
from llamarig.tasks.findings.finding import Finding, Rule, warning

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

# The toolkit, the driver and the card's limits are a CUDA host's alone.
CUDA_ALONE = (
    "cuda_architecture",
    "cuda_ptx",
    "cuda_source",
    "cuda_version",
    "cuda_home",
    "cuda_keyring_sha256",
    "hold_cuda_packages",
    "driver",
    "allow_reboot",
    "gpu_power_limit",
    "gpu_persistence_mode",
)
# The sources that look at a setting.
SOURCES = {"cuda_home": ("auto", "present"), "cuda_keyring_sha256": ("auto", "nvidia")}


def without_effect(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Whoever sets something expects it to count."""
    for key in CUDA_ALONE:
        if getattr(settings, key) == Settings.model_fields[key].default:
            continue
        if settings.backend != "cuda":
            yield _unused(key, f'backend = "{settings.backend}"', 'set backend = "cuda"')
        elif settings.cuda_source not in SOURCES.get(key, (settings.cuda_source,)):
            meant = " or ".join(f'"{each}"' for each in SOURCES[key])
            beside = f'cuda_source = "{settings.cuda_source}"'
            yield _unused(key, beside, f"set cuda_source = {meant}")


def _unused(key: str, beside: str, otherwise: str) -> Finding:
    return warning(key, f"without effect beside {beside}", f"remove it, or {otherwise}")


RULES: tuple[Rule, ...] = (without_effect,)
