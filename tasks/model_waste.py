"""Which model files nothing on a host needs.

Needed is what any generation links to, what the settings' own record names, and what a process
has open. Repositories that no record of ours names are somebody else's, unless all are asked for.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from llamarig.onhost.verify import DAMAGED
from llamarig.tasks.facts.model_store import StoredFile, StoreState

INCOMPLETE = ".incomplete"
ENDED_EARLY = "a download that ended early"


@dataclass(frozen=True)
class Waste:
    """A file that nothing needs. size: bytes on the disk; age: seconds since it was written.

    name: what people call it; remove: all paths that go with it; folder: its repository's, if any.
    """

    path: str
    size: int
    age: float
    why: str
    name: str
    remove: tuple[str, ...]
    folder: str | None = None


def unused(
    store: StoreState, own_record: str, everything: bool = False, pinned: str | None = None
) -> list[Waste]:
    """What nothing needs; own_record: the record of the file that the settings ask for; pinned:
    its sha256, by which its unfinished download is known."""
    wanted = {each.real for each in store.records if each.path == own_record}
    needed = store.used | wanted
    owned = {_folder_name(each.repo) for each in store.records if each.repo}
    owned |= {posixpath.basename(each.folder) for each in store.blobs if each.real in store.used}
    waste = []
    for each in store.blobs:
        if each.busy or each.real in needed:
            continue
        why = _why(each, store, everything or posixpath.basename(each.folder) in owned)
        if why:
            waste.append((each, why))
    gone = {each.path for each, _ in waste}
    found = [_blob(store, each, why, gone) for each, why in waste]
    idle = [each for each in store.ours if _idle(store, each)]
    return found + [
        _unfinished(store, each) for each in idle if not pinned or pinned not in each.path
    ]


def _folder_name(repo: str) -> str:
    return "models--" + repo.replace("/", "--")


def _why(each: StoredFile, store: StoreState, ours: bool) -> str | None:
    """Why a blob that no generation links to may go; None: it may not."""
    if each.path.endswith(DAMAGED):
        return "its bytes are wrong"
    if not ours or (each.path.endswith(INCOMPLETE) and store.fetching):
        return None
    if each.path.endswith(INCOMPLETE):
        return ENDED_EARLY
    return "no generation uses it"


def _blob(store: StoreState, each: StoredFile, why: str, gone: set[str]) -> Waste:
    named = {each.path}
    undamaged = each.path.removesuffix(DAMAGED)
    if undamaged not in {other.path for other in store.blobs}:
        named.add(undamaged)
    links = [link for link, blob in store.links if blob in named]
    records = [record.path for record in store.records if record.real == each.real]
    same = {other.path for other in store.blobs if other.real == each.real}
    # The bytes behind a link go with its last link, and only from where the hub's client puts them.
    behind = [each.real] if each.real.startswith(store.shared) and same <= gone else []
    files = [link.split("/snapshots/", 1)[1].split("/", 1)[1] for link in links]
    repository = posixpath.basename(each.folder).removeprefix("models--").replace("--", "/")
    name = f"{repository} {files[0]}" if files else repository
    remove = (each.path, *behind, *links, *records)
    return Waste(each.path, each.size, store.now - each.modified, why, name, remove, each.folder)


def _idle(store: StoreState, each: StoredFile) -> bool:
    ends = each.path.endswith((".partial", ".lan"))
    return not each.busy and not (ends and store.fetching)


def _unfinished(store: StoreState, each: StoredFile) -> Waste:
    remove = (each.path, f"{each.path}.lock") if each.path.endswith(".partial") else (each.path,)
    name = posixpath.basename(each.path)
    return Waste(each.path, each.size, store.now - each.modified, ENDED_EARLY, name, remove)
