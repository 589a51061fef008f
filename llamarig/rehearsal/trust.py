"""The machine's certificate authorities and pip configuration, as a host is given them."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# What says how to reach an index. Folders of the machine (find-links, file:) are not in a host.
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")


def certificates(bundle: str) -> list[str]:
    """The certificates of a bundle, in its order."""
    return [match[0] for match in PEM.finditer(bundle)]


def extra_certificates(machine: str, host: str) -> list[str]:
    """What the machine trusts beyond what a fresh host does."""
    known = {"".join(pem.split()) for pem in certificates(host)}
    return [pem for pem in certificates(machine) if "".join(pem.split()) not in known]


def pip_files() -> list[str]:
    named = [os.environ["PIP_CONFIG_FILE"]] if os.environ.get("PIP_CONFIG_FILE") else []
    paths = [Path(name).expanduser() for name in (*PIP_FILES, *named)]
    return [path.read_text() for path in paths if path.is_file()]


def pip_configuration(files: Iterable[str], environment: Mapping[str, str]) -> str:
    """A pip.conf for hosts; the environment wins over files, as in pip itself."""
    settings: dict[str, str] = {}
    for text in files:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({k: v for k, v in parser.items(section) if k in PIP_KEYS})
    for key in PIP_KEYS:
        variable = "PIP_" + key.replace("-", "_").upper()
        if environment.get(variable):
            settings[key] = environment[variable]
    settings = {key: _reachable(value) for key, value in settings.items()}
    lines = [f"{key} = {value}" for key, value in sorted(settings.items()) if value]
    return "\n".join(["[global]", f"cert = {BUNDLE}", *lines, ""])


def _reachable(value: str) -> str:
    return " ".join(word for word in value.split() if not word.startswith(("file:", "/")))
