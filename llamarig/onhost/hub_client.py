"""What is asked of the hub through its own client, and its refusals as one line each.

Runs under the virtual environment that holds huggingface_hub, which is imported when needed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llamarig.onhost import digest
from llamarig.onhost.errors import Stop
from llamarig.onhost.hub_cache import COMMIT, SHA256, Place, size_of
from llamarig.onhost.transfer import PASSING, retry_after

HUB = "https://huggingface.co"
# Seconds before the second and third time of asking.
WAITS = (1.0, 2.0)


class Unreachable(Stop):
    """The hub did not answer, or only that it can't now."""


@dataclass(frozen=True)
class Resolved:
    """What the hub says of the file: 40 hex of the commit, bytes, 64 hex of its sha256."""

    revision: str
    size: int
    sha256: str


def prepare(config: dict[str, Any]) -> None:
    """Must happen before huggingface_hub is imported: it reads these once."""
    os.environ["HF_HOME"] = config["hf_home"]
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    # With a store that several repositories share the blob would be a link to an unnamed file.
    os.environ["HF_HUB_DISABLE_SHARED_BLOBS"] = "1"
    if config.get("endpoint"):
        os.environ["HF_ENDPOINT"] = config["endpoint"]
        # A mirror's token reply names the content store's address, and Xet would go around it.
        os.environ["HF_HUB_DISABLE_XET"] = "1"


def token(config: dict[str, Any]) -> str | None:
    """The token, if there is one.

    Raises:
        Stop: its file can't be read; never with its content.
    """
    if not config.get("token_file"):
        return None
    try:
        with open(config["token_file"], encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        name = type(error).__name__
        raise Stop(f"hf_token_file: its copy on this host can't be read ({name})") from None


def refusal(config: dict[str, Any], status: int, headers: Mapping[str, str]) -> Stop:
    """The line for an HTTP status of the file, told apart by the hub's headers (lower case)."""
    where = config.get("endpoint") or HUB
    repo, file = config["repo"], config["file"]
    page, code = f"{where}/{repo}", headers.get("x-error-code", "")
    message = headers.get("x-error-message", "")
    if code == "GatedRepo":
        return Stop(f"model_repo: {repo} is gated; accept its terms at {page} and give a token")
    if code == "RevisionNotFound":
        return Stop(f"model_revision: {repo} has no revision {config.get('revision')}; see {page}")
    if code == "EntryNotFound":
        return Stop(f"model_file: {repo} has no file {file}; see {page}/tree/main")
    if message.startswith("Invalid credentials"):
        return Stop(f"hf_token_file: {where} refuses the token; see {where}/settings/tokens")
    if code == "RepoNotFound" or status == 401:
        return Stop(f"model_repo: {repo} not found at {where} (or private: give a token)")
    said = f" ({message[:150]})" if message else ""
    return Stop(f"model_file: {where} answers {status} for {repo} {file}{said}; see {page}")


def explain(config: dict[str, Any], error: Exception) -> Stop:
    """The hub client's exceptions as one line each; Unreachable where waiting may help."""
    where = config.get("endpoint") or HUB
    response = getattr(error, "response", None)
    status = 0 if response is None else int(response.status_code)
    if 400 <= status < 500 and status not in PASSING:
        return refusal(config, status, _headers(error))
    if isinstance(error, OSError) and error.errno == 28:
        return Stop(f"hf_home: no space left below {config['hf_home']}")
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Unreachable(
        f"{where}: {type(error).__name__}: {first[:200]}; run the same command again"
    )


def _headers(error: Exception) -> dict[str, str]:
    response = getattr(error, "response", None)
    return (
        {} if response is None else {key.lower(): response.headers[key] for key in response.headers}
    )


def url(config: dict[str, Any], revision: str) -> str:
    """The file's address at a revision."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(
        config["repo"], config["file"], revision=revision, endpoint=config.get("endpoint")
    )


def resolve(config: dict[str, Any]) -> Resolved:
    """What the hub has under the name, asked three times at most.

    Raises:
        Unreachable: no answer.
        Stop: the hub refuses, or it has other bytes than those that are pinned.
    """
    from huggingface_hub import get_hf_file_metadata

    address = url(config, config.get("revision") or "main")
    # False: never a token that somebody left below HF_HOME, since the download has none either.
    secret = token(config) or False
    for wait in (*WAITS, None):
        try:
            found = get_hf_file_metadata(address, token=secret, endpoint=config.get("endpoint"))
            break
        except Exception as error:
            line = explain(config, error)
            if wait is None or not isinstance(line, Unreachable):
                raise line from None
            time.sleep(max(wait, retry_after(_headers(error), time.time())))
    name, commit = found.etag or "", found.commit_hash or ""
    # Paths are made of both, as root: nothing but what the hub's own look like is taken.
    if not SHA256.fullmatch(name) or not COMMIT.fullmatch(commit) or not found.size:
        raise Stop(f"model_file: the hub gives no sha256 for {config['file']}; is it a large file?")
    for key, said in (("sha256", name), ("revision", commit), ("size", found.size)):
        pin = config.get(key)
        if pin and pin != said and (key != "revision" or COMMIT.fullmatch(str(pin))):
            raise Stop(f"model_{key}: the hub says {said}, expected {pin}; nothing was fetched")
    return Resolved(commit, found.size, name)


class _Watch(threading.Thread):
    """Prints `[bytes/total]` from the size of the client's unfinished file."""

    def __init__(self, folder: str, total: int) -> None:
        super().__init__(daemon=True)
        self._folder, self._total = folder, total
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(digest.PROGRESS_SECONDS):
            names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
            unfinished = [name for name in names if name.endswith(".incomplete")]
            sizes = [size_of(os.path.join(self._folder, name)) for name in unfinished]
            digest.progress(min(max(sizes, default=0), self._total), self._total)


def download(config: dict[str, Any], place: Place) -> None:
    """Let the hub's client fetch (Xet where the hub offers it); it places what it fetched itself,
    checks no more than the size, and starts from nothing in the next process.

    Raises:
        Stop: the client gave up.
    """
    from huggingface_hub import hf_hub_download

    watch = _Watch(os.path.dirname(place.blob), place.size)
    watch.start()
    try:
        hf_hub_download(
            config["repo"], config["file"], revision=place.revision,
            token=token(config) or False, endpoint=config.get("endpoint"),
        )  # fmt: skip
    except Exception as error:
        raise explain(config, error) from None
    finally:
        watch.over.set()
