"""The keys by which SSH knows hosts: fetched, named as ssh-keygen names them, remembered."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from llamarig.errors import UserError

TIMEOUT_S = 10.0
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_NAMES = {"ssh-ed25519": "ED25519", "ssh-rsa": "RSA"}


class UnreachableError(Exception):
    """A host that gave no key; the text says why, in one line."""


@dataclass(frozen=True)
class Known:
    """What a known_hosts file says of the key that a host shows: new, known or changed.

    `before` is the fingerprint that the file holds for a changed key.
    """

    state: str
    before: str | None = None


def entry_name(address: str, port: int) -> str:
    """The name of a host in a known_hosts file."""
    return address if port == 22 else f"[{address}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """SHA256 of a public key, as ssh-keygen prints it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def kind(key: paramiko.PKey) -> str:
    """A key's type as ssh-keygen prints it."""
    name = key.get_name()
    return _NAMES.get(name) or ("ECDSA" if name.startswith("ecdsa-") else name)


def described(key: paramiko.PKey, comment: str) -> str:
    """The line that `ssh-keygen -lf` prints of a key."""
    return f"{key.get_bits()} {fingerprint(key)} {comment} ({kind(key)})"


def read_known(file: Path) -> paramiko.HostKeys:
    """A known_hosts file; one that is missing knows nobody."""
    keys = paramiko.HostKeys()
    try:
        if file.exists():
            keys.load(str(file))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (paramiko.SSHException, ValueError) as error:
        raise UserError(f"{file}: not a known_hosts file: {error}") from None
    return keys


def compare(known: paramiko.HostKeys, entry: str, key: paramiko.PKey) -> Known:
    """What is known of a host's key. A known host with a key of another type has changed."""
    held = known.lookup(entry)
    if not held:
        return Known("new")
    if held.get(key.get_name()) == key:
        return Known("known")
    before = held.get(key.get_name()) or next(iter(held.values()))
    return Known("changed", fingerprint(before))


def forget_command(entry: str, file: Path) -> str:
    """The command that makes a known_hosts file forget a host."""
    return shlex.join(["ssh-keygen", "-R", entry, "-f", str(file)])


def append(file: Path, keys: Mapping[str, paramiko.PKey]) -> None:
    """Add keys by their entry names at the end of a known_hosts file; nothing there changes."""
    lines = "".join(f"{entry} {key.get_name()} {key.get_base64()}\n" for entry, key in keys.items())
    if not lines:
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
            if stream.seek(0, os.SEEK_END):
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    lines = "\n" + lines
            stream.write(lines.encode())
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None


def fetch(
    address: str, port: int, held: Sequence[str] = (), sock: socket.socket | None = None
) -> paramiko.PKey:
    """The key that a host shows, over a new connection or over `sock`.

    Of several keys a host shows the one of a type that is `held` already, as ssh asks for it.

    Raises:
        UnreachableError: no connection, no SSH, or no answer within TIMEOUT_S for each of the two.
    """
    where = f"{address} port {port}"
    transport: paramiko.Transport | None = None
    try:
        connection = sock or socket.create_connection((address, port), timeout=TIMEOUT_S)
        transport = paramiko.Transport(connection)
        transport.banner_timeout = TIMEOUT_S
        options = transport.get_security_options()
        wanted = [name for each in held for name in (_RSA if each == "ssh-rsa" else (each,))]
        first = [name for name in options.key_types if name in wanted]
        options.key_types = [*first, *(n for n in options.key_types if n not in first)]
        transport.start_client(timeout=TIMEOUT_S)
        return transport.get_remote_server_key()
    except TimeoutError:
        raise UnreachableError(f"{where}: no answer within {TIMEOUT_S:.0f} s") from None
    except socket.gaierror:
        raise UnreachableError(f"{address}: no such host name") from None
    except OSError as error:
        raise UnreachableError(f"{where}: {error.strerror or error}") from None
    except (paramiko.SSHException, EOFError) as error:
        raise UnreachableError(f"{where}: no SSH there ({error or 'connection closed'})") from None
    finally:
        if transport is not None:
            transport.close()
