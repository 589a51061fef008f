"""NVIDIA's driver on a host: what is loaded, what lies on disk, and what the kernel said of it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

# Debian names the module nvidia-current on disk; loaded it is nvidia everywhere. A library's
# version is the end of the name that its link leads to. Without /sys/firmware/efi the machine
# was not booted by UEFI, so there is no Secure Boot.
SCRIPT = r"""
PATH=$PATH:/usr/sbin:/sbin
echo "loaded=$(cat /sys/module/nvidia/version 2>/dev/null)"
for module in nvidia nvidia-current nvidia-current-open; do
    found=$(modinfo -F version "$module" 2>/dev/null | head -n 1)
    [ -n "$found" ] || continue
    echo "on_disk=$found"
    echo "signer=$(modinfo -F signer "$module" 2>/dev/null | head -n 1)"
    break
done
for name in libnvidia-ml.so.1 libcuda.so.1; do
    file=$(ldconfig -p 2>/dev/null | grep -F "$name " | grep -F x86-64 | sed 's/.*=> //' |
        head -n 1)
    [ -n "$file" ] && echo "library=$(readlink -f "$file")"
    [ -n "$file" ] && [ "$name" = libcuda.so.1 ] && echo cuda_library=yes
done
timeout 10 dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libnvidia-compute-*' \
    'nvidia-kernel-common-*' </dev/null 2>/dev/null | sed -n 's/^installed /package=/p' | head -n 20
[ -d /sys/module/nouveau ] && echo nouveau=yes
efi=/sys/firmware/efi
variable=$efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
if command -v mokutil >/dev/null; then
    echo "mokutil=$(timeout 10 mokutil --sb-state </dev/null 2>&1 | head -c 4096 | tr '\n' ' ')"
fi
if [ ! -d "$efi" ]; then echo efivar=0
elif [ -r "$variable" ]; then echo "efivar=$(od -An -tu1 -j4 -N1 "$variable" | tr -d ' ')"; fi
for key in /var/lib/shim-signed/mok/MOK.der /var/lib/dkms/mok.pub; do
    [ -f "$key" ] && echo "mok_key=$key" && break
done
kernel=$({ timeout 10 dmesg || timeout 10 journalctl -k -b -q --no-pager -n 5000; } 2>/dev/null)
services=$(timeout 10 journalctl -b -q --no-pager -n 300 -u systemd-modules-load \
    -u systemd-udevd 2>/dev/null)
printf '%s\n%s\n' "$kernel" "$services" | grep -E \
    'Key was rejected by service|(unsigned|unavailable).* is (rejected|restricted)' |
    tail -n 1 | sed 's/^/rejected=/'
printf '%s\n' "$kernel" | grep -A 1 'NVRM: API mismatch' | tail -n 2 | sed 's/^/mismatch=/'
printf '%s\n' "$kernel" | grep 'NVRM: Xid' | tail -n 5 | sed 's/^/xid=/'
if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then echo reboot=yes; fi
for node in /dev/nvidiactl /dev/nvidia[0-9]* /dev/nvidia-uvm; do
    [ -e "$node" ] && echo "device=$node"
done; true
"""


@dataclass(frozen=True)
class DriverState:
    """loaded, on_disk, library: versions of the kernel module in use, of the one that the next
    boot loads, and of the user-space library; empty where there is none.

    signer: who signed the module on disk; mok_key: the key that DKMS signs with, where there is
    one. secure_boot None: not known. key_rejected: the log of this boot says that a module was
    refused for its signature. api_mismatch: NVRM's sentence about it. xids: the last five at most.
    devices: the nodes in /dev. flavours: of Ubuntu's installed driver packages, `580-server`.
    cuda_library: libcuda.so.1 is there, which programs for CUDA don't start without.
    """

    loaded: str = ""
    on_disk: str = ""
    library: str = ""
    signer: str = ""
    nouveau: bool = False
    secure_boot: bool | None = None
    key_rejected: bool = False
    mok_key: str = ""
    api_mismatch: str = ""
    xids: tuple[str, ...] = ()
    reboot_required: bool = False
    devices: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()
    cuda_library: bool = False


class NvidiaDriver(FactBase[DriverState]):
    """Everything about the driver that can be read without asking the driver itself."""

    @staticmethod
    def default() -> DriverState:
        return DriverState()

    def command(self) -> str:
        return f"sh -c {shlex.quote(SCRIPT)}"

    def process(self, output: list[str]) -> DriverState:
        values: dict[str, list[str]] = {}
        for line in filter(str.strip, output):
            key, equals, value = line.partition("=")
            if not equals:
                raise FactProcessError(f"not a line about the driver: {line!r}")
            values.setdefault(key, []).append(value.strip())
        first = {key: found[0] for key, found in values.items()}
        return DriverState(
            loaded=first.get("loaded", ""),
            on_disk=first.get("on_disk", ""),
            library=_library(values.get("library", [])),
            signer=first.get("signer", ""),
            nouveau="nouveau" in first,
            secure_boot=_secure_boot(first.get("mokutil", ""), first.get("efivar", "")),
            key_rejected="rejected" in first,
            mok_key=first.get("mok_key", ""),
            api_mismatch=_sentence(values.get("mismatch", [])),
            xids=tuple(re.sub(r".*NVRM: Xid", "Xid", line) for line in values.get("xid", [])),
            reboot_required="reboot" in first,
            devices=tuple(values.get("device", [])),
            flavours=_flavours(values.get("package", [])),
            cuda_library="cuda_library" in first,
        )


def _library(files: list[str]) -> str:
    """The version in the first file name that has one: `libcuda.so.570.86.10`."""
    found = [match[1] for file in files if (match := re.search(r"\.so\.(\d+\.[\d.]+)$", file))]
    return found[0] if found else ""


def _flavours(packages: list[str]) -> tuple[str, ...]:
    """580-server of libnvidia-compute-580-server, each once."""
    found = [match[1] for name in packages if (match := re.search(r"-(\d+(-server)?)$", name))]
    return tuple(dict.fromkeys(found))


def _secure_boot(mokutil: str, variable: str) -> bool | None:
    """mokutil knows of shim's own switch, which the firmware's variable does not show."""
    if "validation is disabled" in mokutil or "SecureBoot disabled" in mokutil:
        return False
    if "SecureBoot enabled" in mokutil:
        return True
    return {"0": False, "1": True}.get(variable)


def _sentence(lines: list[str]) -> str:
    """NVRM's sentence, which the kernel logs over two lines, up to its full stop."""
    text = " ".join(re.sub(r".*NVRM:\s*", "", line) for line in lines)
    return re.sub(r"\.\s.*", "", text).rstrip(".")
