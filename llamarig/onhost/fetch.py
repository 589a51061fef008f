"""The download: resolved once, fetched by the hub's own client, judged by sha256.

The client checks only a file's size, so every byte is hashed here before the file counts. Runs
under the virtual environment that holds huggingface_hub; everything else is standard library.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from dataclasses import dataclass
from typing import Any

from llamarig.onhost import gguf_header
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json

GIB = 2**30
CHUNK = 4 * 2**20
PROGRESS_SECONDS = 1.0


@dataclass(frozen=True)
class Resolved:
    """What the hub says of the file: 40 hex of the commit, bytes, 64 hex of its sha256."""

    revision: str
    size: int
    sha256: str


def _prepare_environment(config: dict[str, Any]) -> None:
    """Must happen before huggingface_hub is imported: it reads these once."""
    os.environ["HF_HOME"] = config["hf_home"]
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if config.get("endpoint"):
        os.environ["HF_ENDPOINT"] = config["endpoint"]
        # A mirror's token reply names the content store's address, and Xet would go around it.
        os.environ["HF_HUB_DISABLE_XET"] = "1"


def _token(config: dict[str, Any]) -> str | None:
    if not config.get("token_file"):
        return None
    with open(config["token_file"], encoding="utf-8") as file:
        return file.read().strip()


def _explain(config: dict[str, Any], error: Exception) -> Stop:
    """The hub client's exceptions as one line each."""
    from huggingface_hub import errors

    where = config.get("endpoint") or "https://huggingface.co"
    repo, file = config["repo"], config["file"]
    page = f"{where}/{repo}"
    if isinstance(error, errors.GatedRepoError):
        return Stop(f"model_repo: {repo} is gated; accept its terms at {page} and give a token")
    if isinstance(error, errors.RevisionNotFoundError):
        return Stop(f"model_revision: {repo} has no revision {config.get('revision')}; see {page}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return Stop(f"model_repo: {repo} not found at {where} (or private: give a token)")
    if isinstance(error, errors.EntryNotFoundError):
        return Stop(f"model_file: {repo} has no file {file}; see {page}/tree/main")
    if isinstance(error, OSError) and error.errno == 28:
        return Stop(f"hf_home: no space left below {config['hf_home']}")
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Stop(f"{where}: {type(error).__name__}: {first[:200]}; run the same command again")


def _resolve(config: dict[str, Any]) -> Resolved:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(
        config["repo"], config["file"], revision=config.get("revision"),
        endpoint=config.get("endpoint"),
    )  # fmt: skip
    try:
        found = get_hf_file_metadata(url, token=_token(config), endpoint=config.get("endpoint"))
    except Exception as error:
        raise _explain(config, error) from None
    digest = found.etag or ""
    if found.commit_hash is None or found.size is None or len(digest) != 64:
        raise Stop(f"model_file: the hub gives no sha256 for {config['file']}; is it a large file?")
    expected = config.get("sha256")
    if expected and expected != digest:
        raise Stop(f"model_sha256: the hub says {digest}, expected {expected}; nothing was fetched")
    return Resolved(found.commit_hash, found.size, digest)


def _check_space(config: dict[str, Any], missing: int) -> None:
    free = shutil.disk_usage(config["hf_home"]).free
    needed = missing + int(config.get("min_free_bytes") or 0)
    if free < needed:
        raise Stop(
            f"hf_home: {needed / GIB:.1f} GiB needed below {config['hf_home']} "
            f"(file and min_free_gib), {free / GIB:.1f} GiB free"
        )


class _Watch(threading.Thread):
    """Prints `[bytes/total]` from the size of the client's unfinished file."""

    def __init__(self, folder: str, total: int) -> None:
        super().__init__(daemon=True)
        self._folder, self._total = folder, total
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(PROGRESS_SECONDS):
            sizes = [0]
            for root, _, names in os.walk(self._folder):
                for name in names:
                    if name.endswith(".incomplete"):
                        try:
                            sizes.append(os.stat(os.path.join(root, name)).st_blocks * 512)
                        except OSError:
                            continue
            print(f"[{min(max(sizes), self._total)}/{self._total}]", flush=True)


def _download(config: dict[str, Any], resolved: Resolved) -> str:
    """The snapshot's path; the client resumes within this process and no further."""
    from huggingface_hub import hf_hub_download

    folder = "models--" + config["repo"].replace("/", "--")
    blobs = os.path.join(config["hf_home"], "hub", folder, "blobs")
    watch = _Watch(blobs, resolved.size)
    watch.start()
    try:
        return hf_hub_download(
            config["repo"], config["file"], revision=resolved.revision, token=_token(config),
            endpoint=config.get("endpoint"),
        )  # fmt: skip
    except Exception as error:
        raise _explain(config, error) from None
    finally:
        watch.over.set()


def digest(path: str) -> str:
    """sha256 of all bytes of a file, as 64 hex digits."""
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _open_up(hf_home: str, blob: str, snapshot: str) -> None:
    """The service's user reads the model: folders of ours may be entered, the file read."""
    for path in (blob, snapshot):
        folder = os.path.dirname(path)
        while folder.startswith(hf_home):
            os.chmod(folder, os.stat(folder).st_mode | 0o555)
            folder = os.path.dirname(folder)
    os.chmod(blob, 0o644)


def _record(config: dict[str, Any], resolved: Resolved, blob: str, snapshot: str) -> None:
    try:
        header = gguf_header.read(blob)
    except ValueError as error:
        raise Stop(f"model_file: {config['file']}: {error}") from None
    stat = os.stat(blob)
    os.makedirs(os.path.dirname(config["result"]), exist_ok=True)
    write_json(
        config["result"],
        {
            "repo": config["repo"], "file": config["file"], "endpoint": config.get("endpoint"),
            "revision": resolved.revision, "size": resolved.size, "sha256": resolved.sha256,
            "path": blob, "snapshot": snapshot, "mtime_ns": stat.st_mtime_ns,
            "inode": stat.st_ino, "verified": time.time(),
            "architecture": header.architecture, "block_count": header.block_count,
            "nextn_predict_layers": header.nextn_predict_layers,
            "mtp_tensors": header.mtp_tensors,
        },
    )  # fmt: skip


def _already(config: dict[str, Any]) -> bool:
    """Whether the record agrees with the file and with what is pinned."""
    try:
        known = read_json(config["result"])
        stat = os.stat(known["path"])
    except (OSError, ValueError, KeyError):
        return False
    if [stat.st_size, stat.st_mtime_ns, stat.st_ino] != [
        known["size"], known["mtime_ns"], known["inode"],
    ]:  # fmt: skip
        return False
    return all(
        config.get(key) in (None, known[key]) for key in ("revision", "sha256", "repo", "file")
    )


def main(path: str) -> int:
    """Fetch what the config at `path` names; see the contract in the code above."""
    config = read_json(path)
    if _already(config):
        print(f"{config['file']} is there and was verified before", flush=True)
        return 0
    os.umask(0o022)
    os.makedirs(config["hf_home"], exist_ok=True)
    _prepare_environment(config)
    resolved = _resolve(config)
    folder = "models--" + config["repo"].replace("/", "--")
    blob = os.path.join(config["hf_home"], "hub", folder, "blobs", resolved.sha256)
    _check_space(config, 0 if os.path.exists(blob) else resolved.size)
    snapshot = _download(config, resolved)
    print(f"[{resolved.size}/{resolved.size}]", flush=True)
    print("verifying sha256 over all bytes", flush=True)
    blob = os.path.realpath(snapshot)
    found = digest(blob)
    if found != resolved.sha256:
        os.unlink(blob)
        os.unlink(snapshot)
        raise Stop(
            f"model_file: {config['file']} arrived with sha256 {found}, expected "
            f"{resolved.sha256}; it was removed, run the same command again"
        )
    _open_up(config["hf_home"], blob, snapshot)
    _record(config, resolved, blob, snapshot)
    return 0
