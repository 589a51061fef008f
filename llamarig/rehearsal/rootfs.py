"""The root file system that every host starts from: made once, then only ever read.

It is made from the machine's own distribution and archives, of another release when asked, into
a temporary folder and renamed when it is whole, so that a crash leaves nothing that looks
finished. Its name carries a digest of everything it was made of.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from llamarig.cache import locked
from llamarig.errors import UserError
from llamarig.rehearsal import apt, cgroup, mounts, trust
from llamarig.rehearsal.machine import Machine
from llamarig.rehearsal.shell import run
from llamarig.rehearsal.state import cache_root, write_atomically

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "sudo",
    "ca-certificates", "procps", "curl",
)  # fmt: skip
MAKING_TIMEOUT = 900
CODENAME = re.compile(r"[a-z]{3,20}")
PREPARATION = """
set -eu
useradd --create-home --shell /bin/bash ops
useradd --create-home --shell /bin/bash opspw
chpasswd
printf 'ops ALL=(ALL:ALL) NOPASSWD:ALL\\n' > /etc/sudoers.d/ops
printf 'opspw ALL=(ALL:ALL) ALL\\n' > /etc/sudoers.d/opspw
chmod 440 /etc/sudoers.d/ops /etc/sudoers.d/opspw
for user in ops opspw; do
  install -d -m 700 -o $user -g $user /home/$user/.ssh
  install -m 600 -o $user -g $user /llamarig.pub /home/$user/.ssh/authorized_keys
done
rm -f /llamarig.pub /etc/ssh/ssh_host_*
printf 'UseDNS no\\n' > /etc/ssh/sshd_config.d/llamarig.conf
update-ca-certificates >/dev/null 2>&1
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\n' > /etc/systemd/journald.conf.d/llamarig.conf
rm -rf /var/log/journal
for timer in apt-daily apt-daily-upgrade e2scrub_all fstrim dpkg-db-backup; do
  systemctl disable $timer.timer >/dev/null 2>&1 || true
done
systemctl mask systemd-networkd.service systemd-networkd.socket systemd-logind.service \\
  systemd-resolved.service getty@tty1.service console-getty.service e2scrub_reap.service \\
  >/dev/null 2>&1
apt-get clean
rm -f /etc/machine-id /var/lib/dbus/machine-id /var/lib/systemd/random-seed
: > /etc/machine-id
"""


@dataclass(frozen=True)
class Recipe:
    """Everything that a root file system is made of."""

    distribution: str
    codename: str
    packages: tuple[str, ...]
    sources: str
    apt_options: tuple[str, ...]
    certificates: str
    pip: str
    preparation: str
    key: str
    password: str

    def digest(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Access:
    """How operators get into every host of this cache."""

    key: Path
    password_file: Path


def access() -> Access:
    """The operators' key and password, made once for this cache."""
    found = Access(cache_root() / "id_ed25519", cache_root() / "sudo_password")
    with locked(cache_root() / "locks" / "access.lock", "the operators' key"):
        if not found.password_file.exists():
            write_atomically(found.password_file, secrets.token_urlsafe(18) + "\n", 0o600)
        if not found.key.exists():
            new_key(found.key, "llamarig rehearsal operator")
    return found


def new_key(path: Path, comment: str) -> None:
    """An ed25519 key pair; the private half appears last, and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.making")
    for leftover in (making, making.with_name(f"{making.name}.pub")):
        leftover.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(making))
    making.with_name(f"{making.name}.pub").replace(path.with_name(f"{path.name}.pub"))
    making.replace(path)


def recipe(machine: Machine, operators: Access, release: str | None = None) -> Recipe:
    """What a root file system of the machine's release is made of, or of another `release`."""
    found = apt.sources(machine.codename, wanted=release)
    bundle = trust.BUNDLE.read_text() if trust.BUNDLE.exists() else ""
    return Recipe(
        distribution=machine.distribution,
        codename=release or machine.codename,
        packages=PACKAGES,
        sources="\n".join(source.render() for source in found),
        apt_options=tuple(apt.options()),
        certificates=hashlib.sha256(bundle.encode()).hexdigest(),
        pip=trust.pip_configuration(trust.pip_files(), os.environ),
        preparation=PREPARATION,
        key=operators.key.with_name("id_ed25519.pub").read_text(),
        password=hashlib.sha256(operators.password_file.read_bytes()).hexdigest(),
    )


def ensure(machine: Machine, say: Callable[[str], None], release: str | None = None) -> Path:
    """The finished root file system, made if it is not there yet.

    Raises:
        UserError: also where the archives or their keys have nothing of that release.
    """
    if release is not None and not CODENAME.fullmatch(release):
        raise UserError(f"--release {release}: a codename such as trixie, please")
    operators = access()
    wanted = recipe(machine, operators, release)
    name = f"rootfs-{wanted.codename}-{wanted.digest()}"
    finished = cache_root() / name
    if finished.is_dir():
        return finished
    with locked(cache_root() / "locks" / "rootfs.lock", "making a root file system", 900):
        for abandoned in cache_root().glob(".making-rootfs-*"):
            discard(abandoned)
        if not finished.is_dir():
            say(f"making a {wanted.codename} root file system, once (about a minute)")
            making = cache_root() / f".making-{name}"
            _bootstrap(making, wanted, apt.sources(machine.codename, wanted=release))
            _prepare(making, wanted, operators)
            making.replace(finished)
    return finished


def discard(folder: Path) -> None:
    """Remove a half-made tree; never through something mounted in it."""
    mounts.unmount_under(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _bootstrap(root: Path, wanted: Recipe, found: list[apt.Source]) -> None:
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
            f"--include={','.join(wanted.packages)}"]  # fmt: skip
    argv += [f"--aptopt={option}" for option in wanted.apt_options]
    # A mount namespace of its own: whatever mmdebstrap mounts goes when it goes, however it ends.
    made = run("unshare", "--mount", "--propagation", "private", *argv, wanted.codename, str(root),
               "-", given=wanted.sources, timeout=MAKING_TIMEOUT, check=False)  # fmt: skip
    if made.returncode:
        discard(root)
        raise UserError(why_not(wanted.codename, made.stderr))
    for path in apt.companions(found, list(wanted.apt_options)):
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def why_not(codename: str, printed: str) -> str:
    """One line out of mmdebstrap's many: apt's first complaint says what is wrong."""
    if "NO_PUBKEY" in printed:
        return (
            f"{codename}: its archive is signed with a key that this machine doesn't trust; "
            "upgrade the package debian-archive-keyring (on Ubuntu: ubuntu-keyring)"
        )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("E: ")), None)
    last = lines[-1] if lines else "it printed nothing"
    return f"mmdebstrap made no {codename} root file system: {said or last}"


def _prepare(root: Path, wanted: Recipe, operators: Access) -> None:
    (root / "llamarig.pub").write_text(wanted.key)
    (root / "etc/pip.conf").write_text(wanted.pip)
    fresh = (root / trust.BUNDLE.relative_to("/")).read_text()
    machine = trust.BUNDLE.read_text() if trust.BUNDLE.exists() else ""
    local = root / "usr/local/share/ca-certificates"
    local.mkdir(parents=True, exist_ok=True)
    for number, pem in enumerate(trust.extra_certificates(machine, fresh)):
        (local / f"machine-{number:02d}.crt").write_text(pem + "\n")
    try:
        run(*cgroup.launcher("prep", "rootfs"), "systemd-nspawn", "-q", "--register=no",
            "--keep-unit", "-M", "llamarig-prep", "-D", str(root), "--resolv-conf=off",
            "--timezone=off", "--pipe", "--as-pid2", "/bin/sh", "-c", wanted.preparation,
            given=f"opspw:{operators.password_file.read_text().strip()}\n")  # fmt: skip
    finally:
        cgroup.kill("prep")
        cgroup.remove("prep")
