"""How the hosts of an inventory are reached: what can be wrong with it before any is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import paramiko
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llamarig.cli.hostkeys import entry_name
from llamarig.cli.inventory import HostData
from llamarig.errors import UserError
from llamarig.faults import Fault, collapse, nearest, shown
from llamarig.values import Allowed, allowed


class SshData(BaseModel):
    """pyinfra's keys for a host reached over SSH (its ConnectorData); it reads no others."""

    model_config = ConfigDict(strict=True, extra="forbid")

    ssh_hostname: str | None = None
    ssh_port: int | None = Field(None, ge=1, le=65535)
    ssh_user: str | None = None
    ssh_password: str | None = None
    ssh_key: str | None = None
    ssh_key_password: str | None = None
    ssh_allow_agent: bool | None = None
    ssh_look_for_keys: bool | None = None
    ssh_forward_agent: bool | None = None
    ssh_config_file: str | None = None
    ssh_known_hosts_file: str | None = None
    ssh_strict_host_key_checking: Literal["yes", "accept-new", "ask", "no", "off"] | None = None
    ssh_paramiko_connect_kwargs: Annotated[dict[str, Any] | None, Allowed("a dict")] = None
    ssh_connect_retries: int | None = Field(None, ge=0)
    ssh_connect_retry_min_delay: float | None = Field(None, ge=0)
    ssh_connect_retry_max_delay: float | None = Field(None, ge=0)
    ssh_file_transfer_protocol: Literal["sftp", "scp"] | None = None


def faults(hosts: Mapping[str, HostData], site: Path) -> list[str]:
    """One line for each thing wrong with how hosts are reached; the user's keys are read."""
    found: list[Fault] = []
    lines: list[str] = []
    over_ssh: list[HostData] = []
    for host in hosts.values():
        if host.connection not in ("ssh", "local"):
            lines.append(
                f"{host.name}: reached by {host.connection}: llamarig needs SSH, or @local"
            )
        elif host.connection == "ssh":
            mine = _data_faults(host)
            found += mine or _address_faults(host)
            over_ssh += [] if mine else [host]
    lines = [fault.line() for fault in collapse(found, list(hosts))] + lines
    keys = {(each.data.get("ssh_key"), each.data.get("ssh_key_password")) for each in over_ssh}
    for key, password in sorted((each for each in keys if each[0]), key=str):
        users = [each.name for each in over_ssh if each.data.get("ssh_key") == key]
        if fault := key_fault(key_path(str(key), site), password):
            lines.append(f"{some(users)}: ssh_key: {fault}")
    return lines


def some(names: Iterable[str]) -> str:
    """Names of hosts for a line: a few, then how many more."""
    listed = list(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return ", ".join(listed[:4]) + more


def key_path(key: str, site: Path) -> Path:
    """The file of a setting ssh_key; a relative path is one in the site, as for pyinfra."""
    return site / Path(key).expanduser()


def entry(host: HostData) -> str | None:
    """The host's name in a known_hosts file, by its data and the user's SSH configuration.

    None where only an attempt tells: data at fault, a configuration that can't be read.
    """
    from pyinfra.connectors.sshuserclient.client import get_ssh_config

    if _data_faults(host) or _address_faults(host) or host.data.get("ssh_paramiko_connect_kwargs"):
        return None
    address, port = host.data.get("ssh_hostname") or host.name, host.data.get("ssh_port")
    try:
        config = get_ssh_config(host.data.get("ssh_config_file"))
        said = config.lookup(address) if config else {}
        return entry_name(said.get("hostname", address), int(port or said.get("port", 22)))
    except (OSError, ValueError, paramiko.SSHException):
        return None


def _data_faults(host: HostData) -> list[Fault]:
    data = {key: value for key, value in host.data.items() if key.startswith("ssh_")}
    try:
        SshData.model_validate(data)
    except ValidationError as error:
        keys = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        return [_fault(host.name, key, data[key]) for key in keys]
    return []


def _fault(host: str, key: str, value: object) -> Fault:
    fields = SshData.model_fields
    if key not in fields:
        return Fault(host, key, None, None, nearest(key, fields))
    secret = key if key.endswith("_password") else ""
    return Fault(host, key, shown(secret, value), allowed(fields[key]))


def _address_faults(host: HostData) -> list[Fault]:
    address = host.data.get("ssh_hostname") or host.name
    key = "ssh_hostname" if host.data.get("ssh_hostname") else "name"
    try:
        # As the resolver will; a name of ~/.ssh/config passes as well.
        address.encode("idna")
    except UnicodeError:
        fits = False
    else:
        fits = len(address) <= 253 and address.isprintable() and not set(address) & set(" /")
    if fits:
        return []
    return [Fault(host.name, key, shown("", address), "a host name or an IP address")]


def key_fault(file: Path, password: str | None) -> str | None:
    """Why a private key can't be used, with what mends it; None if it can."""
    # Not at the top: pyinfra takes a while to import, and other commands need none of it.
    from pyinfra.connectors.ssh_util import load_key_with_certificate

    try:
        if file.is_dir():
            return f"{file}: is a folder, name the private key in it"
        start = file.read_bytes()[:100]
        mode = file.stat().st_mode
    except OSError as error:
        return f"{file}: {error.strerror}"
    if file.suffix == ".pub" or start.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return f"{file}: is the public half, name the private key (without .pub)"
    try:
        load_key_with_certificate(str(file), password, allow_prompt=False)
    except Exception as error:  # what paramiko's parsers may raise is not bounded
        if "is encrypted" in str(error):
            return (
                f"{file}: is encrypted: set ssh_key_password, or leave ssh_key out and let "
                "ssh-agent hold it"
            )
        wrong = ", or ssh_key_password is wrong" if password else ""
        what = f"is no private key that can be read{wrong}" if start else "is empty"
        return f"{file}: {what}; name one that ssh-keygen made (RSA, ECDSA or Ed25519)"
    if mode & 0o077:
        click.echo(f"{file}: others can read this key, chmod 600 it", err=True)
    return None


def sudo_password(file: Path) -> str:
    """The password of sudo in a file, without its line end; a warning if others can read it.

    Raises:
        UserError: no such file, or it holds no password.
    """
    path = file.expanduser()
    try:
        mode = path.stat().st_mode
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: holds no text") from None
    if not password or "\n" in password or "\0" in password:
        raise UserError(f"{path}: a password is one line that is not empty")
    if mode & 0o077:
        click.echo(f"{path}: others can read this password, chmod 600 it", err=True)
    return password


def sudo_passwords(files: Iterable[Path]) -> tuple[dict[Path, str], list[str]]:
    """The passwords in files, each read once, and one line for each that holds none."""
    passwords: dict[Path, str] = {}
    lines: list[str] = []
    for file in dict.fromkeys(files):
        try:
            passwords[file] = sudo_password(file)
        except UserError as error:
            lines.append(f"sudo_password_file: {error}")
    return passwords, lines
