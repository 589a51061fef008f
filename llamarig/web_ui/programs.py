"""Running pip, git and npm: bounded, quiet, with nothing of ours in their environment, and as the
user who called sudo, since npm runs what a thousand packages bring along."""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llamarig.display import plain
from llamarig.errors import UserError

PR_SET_PDEATHSIG = 1
NICE = 10
# How this machine reaches the network. No token is among them.
NETWORK = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
_NO_REASON = re.compile(r"(code|errno|syscall|path|dest|file)\b")


@dataclass(frozen=True)
class Account:
    """Who programs run as: ids of an account, None for our own; home: that account's."""

    uid: int | None
    gid: int | None
    home: str


def account(folder: Path) -> Account:
    """The user who called sudo, who is given `folder`; ourselves where there is none, or where
    that user reaches neither the folder nor this Python."""
    own = Account(None, None, str(Path.home()))
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not uid.isdigit() or not gid.isdigit() or int(uid) == 0:
        return own
    try:
        asked = Account(int(uid), int(gid), pwd.getpwuid(int(uid)).pw_dir)
    except KeyError:
        return own
    os.chown(folder, int(uid), int(gid))
    test = 'test -w "$1" && test -x "$1" && test -x "$2" && test -d "$3"'
    argv = ["/bin/sh", "-c", test, "sh", str(folder), sys.executable, asked.home]
    done = subprocess.run(argv, user=asked.uid, group=asked.gid, extra_groups=[], check=False)
    if done.returncode:
        os.chown(folder, 0, 0)
        return own
    return asked


def environment(who: Account, *prefixes: str, path: str = "") -> dict[str, str]:
    """How to reach the network and who we are, and variables whose names begin with `prefixes`
    (in any case). path: what PATH begins with."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in NETWORK or (prefixes and name.upper().startswith(prefixes))
    }
    usual = f"{path}:{os.defpath}" if path else os.environ.get("PATH", os.defpath)
    return {**passed, "PATH": usual, "HOME": who.home, "LANG": "C.UTF-8"}


def run(
    what: str, argv: Sequence[str], who: Account, env: dict[str, str], cwd: Path, log: Path,
    limit_s: float,
) -> str:  # fmt: skip
    """Run a program to its end, its output going to `log`; returns what it printed, 1 MB at most.

    Raises:
        UserError: it can't be run, failed, or took longer than `limit_s` seconds.
    """
    with log.open("ab") as output:
        output.write(f"\n== {what}\n".encode())
        output.flush()
        begun = output.tell()
        code = _wait(what, argv, who, env, cwd, output.fileno(), limit_s)
    with log.open("rb") as file:
        file.seek(begun)
        printed = file.read(1_000_000).decode(errors="replace")
    if code is None:
        raise UserError(f"web_ui: {what} took longer than {limit_s:.0f} s; see {log}")
    if code:
        raise UserError(f"web_ui: {what} failed on this machine ({reason(printed)}); see {log}")
    return printed


def _wait(
    what: str, argv: Sequence[str], who: Account, env: dict[str, str], cwd: Path, output: int,
    limit_s: float,
) -> int | None:  # fmt: skip
    """The exit status; None if it was ended for taking too long."""
    groups: list[int] | None = [] if who.uid is not None else None
    try:
        child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, user=who.uid, group=who.gid, extra_groups=groups,
            preexec_fn=_end_with_us,
        )  # fmt: skip
    except OSError as error:
        name = Path(argv[0]).name
        raise UserError(f"web_ui: {what}: {name} can't be run here ({error.strerror})") from None
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _end_with_us() -> None:
    """Runs in the child: nobody waits for its work once we are gone."""
    os.nice(NICE)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def reason(printed: str) -> str:
    """Why a program of these failed, from what it printed: one line, without credentials."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    npm = [
        re.sub(r"^npm error (network )?", "", each) for each in lines if each[:10] == "npm error "
    ]
    npm = [each for each in npm if not _NO_REASON.match(each)]
    told = [
        re.sub("^(ERROR|fatal): ", "", each) for each in lines if each[:6] in ("ERROR:", "fatal:")
    ]
    line = next(iter([*npm, *told, *lines[-1:]]), "it printed nothing")
    return plain(re.sub(r"//[^/@\s]*@", "//", line))[:300]
