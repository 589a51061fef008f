"""Everything that doctor's rules look at, read in two round trips: as root and as the operator.

The raw lines are kept beside what they mean, so that a saved host can be judged again by a later
llamarig with better parsers.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.cuda.table import Version
from llamarig.settings import Settings
from llamarig.tasks.facts.addresses import Addresses, Interface
from llamarig.tasks.facts.compilers import Compilers, CompilerState
from llamarig.tasks.facts.cuda_libraries import LiveToolkit
from llamarig.tasks.facts.cuda_toolkits import CudaToolkits, Toolkit
from llamarig.tasks.facts.disk import Disk, DiskState
from llamarig.tasks.facts.driver import DriverState, NvidiaDriver
from llamarig.tasks.facts.firewall import Firewall, FirewallState
from llamarig.tasks.facts.graphics import GraphicsCards, PciCard, RenderNodes
from llamarig.tasks.facts.machine import Machine, MachineState
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, SmiState
from llamarig.tasks.facts.ollama import Ollama, OllamaState
from llamarig.tasks.facts.port import Listener, Listening
from llamarig.tasks.facts.tls import Tls, TlsState
from llamarig.tasks.facts.tools import Tools, ToolsState
from llamarig.tasks.facts.ufw import Ufw, UfwState

MARK = "=== llamarig "
# Of one line; a longer one is nothing that any of our commands prints.
MOST_CHARACTERS = 4000
# Name to fact; the second half of a name's life is a field of Workstation.
AS_ROOT: dict[str, FactBase[Any]] = {
    "machine": Machine(),
    "cards": GraphicsCards(),
    "render_nodes": RenderNodes(),
    "driver": NvidiaDriver(),
    "smi": NvidiaSmi(),
    "compilers": Compilers(),
    "toolkits": CudaToolkits(),
    "live_toolkit": LiveToolkit(),
    "disk": Disk(),
    "listeners": Listener(),
    "ollama": Ollama(),
    "addresses": Addresses(),
    "ufw": Ufw(),
    "firewall": Firewall(),
    "tls": Tls(),
}
AS_OPERATOR: dict[str, FactBase[Any]] = {"tools": Tools()}
# Hosts that were saved before these were asked can be judged without.
LATER = ("live_toolkit",)
Lines = dict[str, list[str]]


@dataclass(frozen=True)
class Workstation:
    """A host as the rules see it. None: the host did not say."""

    machine: MachineState | None
    cards: list[PciCard]
    render_nodes: list[str]
    driver: DriverState
    smi: SmiState
    compilers: CompilerState
    toolkits: list[Toolkit]
    live_toolkit: tuple[Version, str] | None
    disk: DiskState | None
    listeners: list[Listening]
    ollama: OllamaState
    addresses: list[Interface]
    ufw: UfwState
    firewall: FirewallState
    tls: TlsState | None
    tools: ToolsState


def arguments(settings: Settings) -> dict[str, dict[str, Any]]:
    """What single facts want to know of the settings."""
    return {
        "disk": {"path": settings.hf_home},
        "listeners": {"port": settings.port},
        "toolkits": {"home": settings.cuda_home},
        "tls": {"files": settings.tls.model_dump() if settings.tls else None},
    }


class _Sections(FactBase[Lines]):
    """Several facts' commands in one round trip; gives the raw lines of each."""

    facts: dict[str, FactBase[Any]]

    @staticmethod
    def default() -> Lines:
        return {}

    def command(self, arguments: dict[str, dict[str, Any]]) -> str:
        parts = []
        for name, fact in self.facts.items():
            # A shell of its own each: none can end or change another.
            asked = str(fact.command(**arguments.get(name, {})))
            parts.append(f"echo {shlex.quote(MARK + name)}; sh -c {shlex.quote(asked)} 2>/dev/null")
        return "; ".join([*parts, "true"])

    def process(self, output: list[str]) -> Lines:
        sections: Lines = {}
        for line in output:
            if line.startswith(MARK):
                sections[line.removeprefix(MARK)] = []
            elif sections:
                list(sections.values())[-1].append(line)
        if missing := [name for name in self.facts if name not in sections]:
            raise FactProcessError(f"the host did not say anything of {', '.join(missing)}")
        return sections


class RootSections(_Sections):
    """What needs root to be seen whole: processes of others, kernel log."""

    facts = AS_ROOT


class OperatorSections(_Sections):
    """What the operator's own sessions find; never with sudo."""

    facts = AS_OPERATOR


def missing(lines: Lines) -> list[str]:
    """The facts of which nothing was read, not even that there is nothing."""
    return [name for name in (*AS_ROOT, *AS_OPERATOR) if name not in (*lines, *LATER)]


def read(lines: Lines) -> Workstation:
    """What the raw lines mean, by the parsers of this llamarig.

    Raises:
        FactProcessError: a section is not what its command prints.
    """
    values: dict[str, Any] = {}
    for name, fact in {**AS_ROOT, **AS_OPERATOR}.items():
        found = [line[:MOST_CHARACTERS] for line in lines.get(name) or []]
        try:
            values[name] = fact.process(found) if found else fact.default()
        except FactProcessError as error:
            raise FactProcessError(f"{name}: {error}") from None
        except Exception as error:  # what a host prints must not end the run for all of them
            raise FactProcessError(f"{name}: {type(error).__name__} in what it printed") from error
    return Workstation(**values)
