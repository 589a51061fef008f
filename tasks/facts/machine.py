"""What kind of machine a host is."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class MachineState:
    """distribution: os-release's ID; version: its VERSION_ID; init: PID 1's name."""

    distribution: str
    version: str
    codename: str
    architecture: str
    init: str
    cores: int


class Machine(FactBase[MachineState | None]):
    """The distribution, the processor and what runs as PID 1."""

    def command(self) -> str:
        return (
            '. /etc/os-release; printf "%s\\n%s\\n%s\\n" "$ID" "$VERSION_ID" "$VERSION_CODENAME"; '
            "uname -m; ps -p 1 -o comm=; nproc"
        )

    def process(self, output: list[str]) -> MachineState:
        if len(output) != 6 or not output[5].isdigit():
            raise FactProcessError(f"six lines expected about the machine, got {output!r}")
        distribution, version, codename, architecture, init, cores = output
        return MachineState(distribution, version, codename, architecture, init, int(cores))
