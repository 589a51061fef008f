"""NVIDIA's cards on a host's PCI bus, whether a driver knows them or not, and render nodes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

# PCI Express knows no wider link; the kernel says 0, 63 or 255 where it does not know.
WIDEST = 32

SCRIPT = """
for card in /sys/bus/pci/devices/*; do
    [ "$(cat "$card/vendor" 2>/dev/null)" = 0x10de ] || continue
    case "$(cat "$card/class" 2>/dev/null)" in 0x03*) ;; *) continue ;; esac
    driver=$(readlink "$card/driver")
    width=$(cat "$card/current_link_width" 2>/dev/null)
    widest=$(cat "$card/max_link_width" 2>/dev/null)
    echo "${card##*/}|$(cat "$card/device")|${driver##*/}|$width|$widest"
done; true
"""


@dataclass(frozen=True)
class PciCard:
    """address: `0000:01:00.0`; device: four hexadecimal digits; driver: the kernel driver that
    is bound (nvidia, nouveau, vfio-pci), empty for none. Widths are lanes, None: not told."""

    address: str
    device: str
    driver: str
    width: int | None = None
    max_width: int | None = None


class GraphicsCards(FactBase[list[PciCard]]):
    """Display controllers (class 0x03xxxx) of vendor 0x10de, in PCI order, as the kernel has
    them: lspci may be missing."""

    @staticmethod
    def default() -> list[PciCard]:
        return []

    def command(self) -> str:
        return f"sh -c {shlex.quote(SCRIPT)}"

    def process(self, output: list[str]) -> list[PciCard]:
        return [_card(line) for line in output if line.strip()]


class RenderNodes(FactBase[list[str]]):
    """`/dev/dri/renderD128` and so on: one for each GPU that a kernel driver serves."""

    @staticmethod
    def default() -> list[str]:
        return []

    def command(self) -> str:
        script = 'for node in /dev/dri/renderD*; do [ -e "$node" ] && echo "$node"; done; true'
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> list[str]:
        nodes = [line.strip() for line in output if line.strip()]
        if strange := [node for node in nodes if not node.startswith("/dev/dri/renderD")]:
            raise FactProcessError(f"not a render node: {strange[0]!r}")
        return nodes


def _card(line: str) -> PciCard:
    fields = line.strip().split("|")
    if len(fields) != 5 or not fields[1].startswith("0x"):
        raise FactProcessError(f"not a card on the PCI bus: {line!r}")
    address, device, driver, width, widest = fields
    return PciCard(address, device.removeprefix("0x"), driver, _lanes(width), _lanes(widest))


def _lanes(text: str) -> int | None:
    return int(text) if text.isdigit() and 0 < int(text) <= WIDEST else None
