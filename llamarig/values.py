"""The kinds of value a setting can hold, each with the words that say what is allowed."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Allowed:
    """What a value of this kind looks like, for the line that names a fault."""

    text: str


def _matching(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError("does not match")
        return value

    return check


# Host paths reach systemd units and shells: the set of characters is small on purpose.
_PATH = re.compile(r"(/[A-Za-z0-9._+@=,-]+)+")
# Emptied at boot, kernel's own, or not seen by a unit with PrivateTmp.
SUITES = ("walkthrough", "bench")
_FLEETING = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp")


def _host_path(value: str) -> str:
    if not _PATH.fullmatch(value) or posixpath.normpath(value) != value:
        raise ValueError("not a plain absolute path")
    if any(value == place or value.startswith(place + "/") for place in _FLEETING):
        raise ValueError("not a lasting place")
    return value


def _controller_path(value: str) -> str:
    if not value.startswith(("/", "~/")) or not value.isprintable():
        raise ValueError("not an absolute path")
    return value


def _suite(value: str) -> str:
    return value if value in SUITES else _controller_path(value)


def _url(schemes: tuple[str, ...], user_allowed: bool) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(r"[!-~]+", value) or any(sign in value for sign in "'\"\\`$<>"):
            raise ValueError("not an address")
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError for one that is no port
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError("not an address")
        # A password in an address would end in logs and in a process list.
        if parts.password is not None or (parts.username and not user_allowed):
            raise ValueError("holds credentials")
        if parts.query or parts.fragment:
            raise ValueError("not an address")
        return value

    return check


def _ip_address(value: str) -> str:
    if "%" in value:
        raise ValueError("zone")
    address = ipaddress.ip_address(value)
    # No interface can have these: groups, the reserved blocks, and all of 0.0.0.0/8 but one.
    if address.is_multicast or (address.is_reserved and address.version == 4):
        raise ValueError("no host's address")
    if value.startswith("0.") and not address.is_unspecified:
        raise ValueError("no host's address")
    return value


def _bind(value: str) -> str:
    return value if value in ("lan", "localhost") else _ip_address(value)


def _network(value: str) -> str:
    network = ipaddress.ip_network(value)
    if network.is_multicast or "%" in value:
        raise ValueError("no network a host is in")
    return value


def _model_file(value: str) -> str:
    part = r"[A-Za-z0-9][A-Za-z0-9._+@=,()-]*"
    if not re.fullmatch(rf"({part}/)*{part}\.gguf", value) or ".." in value:
        raise ValueError("not a GGUF's path")
    # What file systems take for a name, and the hub's cache for a path.
    if len(value) > 1000 or any(len(name) > 255 for name in value.split("/")):
        raise ValueError("too long")
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", value):
        raise ValueError("one part of several")
    return value


def _ref(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", value) or ".." in value:
        raise ValueError("not a name git takes")
    return value


HostPath = Annotated[
    str,
    AfterValidator(_host_path),
    Allowed(
        "an absolute path on the host without .., // or spaces, that lasts (not in /tmp or /run)"
    ),
]
ControllerPath = Annotated[
    str,
    AfterValidator(_controller_path),
    Allowed("the path of a file on this machine that begins with / or ~/"),
]
SuiteName = Annotated[
    str,
    AfterValidator(_suite),
    Allowed(
        "walkthrough, bench, or the path of a YAML file on this machine that begins with / or ~/"
    ),
]
HubUrl = Annotated[
    str,
    AfterValidator(_url(("http", "https"), user_allowed=False)),
    Allowed("an http or https address without credentials"),
]
GitUrl = Annotated[
    str,
    AfterValidator(_url(("http", "https", "git", "ssh"), user_allowed=True)),
    Allowed("an https, http, ssh or git address without a password"),
]
BindAddress = Annotated[
    str,
    AfterValidator(_bind),
    Allowed('"lan", "localhost" or an IP address a host can have, such as "192.168.1.11"'),
]
Network = Annotated[
    str,
    AfterValidator(_network),
    Allowed('networks such as "192.168.1.0/24", or single addresses'),
]
ModelFile = Annotated[
    str,
    AfterValidator(_model_file),
    Allowed("a path inside the model repository that ends in .gguf, one whole file"),
]
Quantization = Annotated[
    str,
    AfterValidator(_matching(r"auto|[A-Z0-9][A-Z0-9_-]{1,24}")),
    Allowed('"auto" or a quantization as file names have it, such as "Q4_K_M"'),
]
Repository = Annotated[
    str,
    AfterValidator(_matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")),
    Allowed('"owner/name"'),
]
Ref = Annotated[str, AfterValidator(_ref), Allowed('a tag, such as "b11434"')]
Revision = Annotated[
    str, AfterValidator(_ref), Allowed("a commit of 40 hexadecimal digits, a branch or a tag")
]
Commit = Annotated[
    str, AfterValidator(_matching(r"[0-9a-f]{40}")), Allowed("40 lower-case hexadecimal digits")
]
Sha256 = Annotated[
    str, AfterValidator(_matching(r"[0-9a-f]{64}")), Allowed("64 lower-case hexadecimal digits")
]
CudaVersion = Annotated[
    str, AfterValidator(_matching(r"1[1-9]\.\d")), Allowed('a release of CUDA, such as "13.0"')
]
GpuIndex = Annotated[int, Ge(0), Le(63)]
GpuId = Annotated[
    str,
    AfterValidator(_matching(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    Allowed('a UUID that nvidia-smi -L prints ("GPU-…")'),
]
Count = Annotated[int, Ge(1), Le(1000)]
Percent = Annotated[
    str, AfterValidator(_matching(r"([1-9]\d?|100)%")), Allowed('a share such as "25%"')
]
# root is refused: nothing of the server needs it.
UserName = Annotated[
    str,
    AfterValidator(_matching(r"(?!root$)[a-z_][a-z0-9_-]{0,31}")),
    Allowed("a user name of lower-case letters, digits, _ and -, not root"),
]


def allowed(field: FieldInfo) -> str:
    """What a field takes, in words: from its type and its limits."""
    limits = _limits(field.metadata)
    own = next((each.text for each in field.metadata if isinstance(each, Allowed)), None)
    return own or _words(field.annotation, limits)


def _words(kind: Any, limits: str) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        own = next((each.text for each in arguments[1:] if isinstance(each, Allowed)), None)
        return own or _words(arguments[0], _limits(arguments[1:]))
    if origin is Literal:
        return _either([f'"{value}"' for value in arguments])
    if origin in (Union, UnionType):
        # Limits on a union bound its numbers.
        return _either([_words(each, limits) for each in arguments])
    if origin is list:
        return f"a list of {_words(arguments[0], '')}"
    names = {
        int: "a whole number",
        float: "a number",
        bool: "True or False",
        str: "text",
        type(None): "None",
    }
    return names[kind] + (limits if kind in (int, float) else "")


def _limits(metadata: Iterable[object]) -> str:
    low: object = None
    high: object = None
    above = False
    for each in metadata:
        if isinstance(each, Ge):
            low = each.ge
        elif isinstance(each, Gt):
            low, above = each.gt, True
        elif isinstance(each, Le):
            high = each.le
    if low is None:
        return ""
    if high is None:
        return f", at least {low}"
    return f" above {low} and at most {high}" if above else f" from {low} to {high}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
