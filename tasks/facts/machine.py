"""What kind of machine a host is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class MachineState:
    """distribution: os-release's ID; version: its VERSION_ID; init: PID 1's name.

    glibc: (2, 36), empty where the C library is another one; kernel: its release, as `uname -r`
    says it; memory_bytes: of the machine, 0 where the kernel does not say.
    """

    distribution: str
    version: str
    codename: str
    architecture: str
    init: str
    cores: int
    glibc: tuple[int, ...] = ()
    kernel: str = ""
    memory_bytes: int = 0


class Machine(FactBase[MachineState | None]):
    """The distribution, the processor, what runs as PID 1, the C library, kernel and memory."""

    def command(self) -> str:
        # One line each, also where a program is missing.
        return (
            '. /etc/os-release; printf "%s\\n%s\\n%s\\n" "$ID" "$VERSION_ID" "$VERSION_CODENAME"; '
            "uname -m; cat /proc/1/comm; nproc; "
            'echo "$(getconf GNU_LIBC_VERSION 2>/dev/null)"; uname -r; '
            "echo \"$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)\""
        )

    def process(self, output: list[str]) -> MachineState:
        if len(output) != 9 or not output[5].isdigit():
            raise FactProcessError(f"nine lines expected about the machine, got {output!r}")
        distribution, version, codename, architecture, init, cores, libc, kernel, kib = output
        numbers = re.fullmatch(r"glibc ([\d.]+)", libc.strip())
        return MachineState(
            distribution,
            version,
            codename,
            architecture,
            init,
            int(cores),
            glibc=tuple(int(part) for part in numbers[1].split(".") if part) if numbers else (),
            kernel=kernel.strip(),
            memory_bytes=int(kib) * 1024 if kib.isdigit() else 0,
        )
