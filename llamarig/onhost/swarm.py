"""A file's pieces between hosts that were named to each other, by libtorrent.

No tracker, no discovery, no other way in or out than the named peers' addresses: an IP filter
refuses everybody else. Every piece is judged by its hash before it is kept or passed on.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llamarig.onhost.errors import Stop

POLL_SECONDS = 0.05
KNOCK_SECONDS = 0.5
# Peers that fell silent are asked no more after this many seconds, and others instead.
SILENT_SECONDS = 5
SETTINGS = {
    # Nobody is found, nobody finds us.
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # On the port that was named, or on none: the other end's knocking does as well.
    "max_retry_port_bind": 0,
    "listen_system_port_fallback": False,
    # Plain TCP: uTP gives way to other traffic, which a bounded link does not need.
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    # On a LAN everybody gives to everybody, at once.
    "choking_algorithm": 0,
    "unchoke_slots_limit": 100,
    "unchoke_interval": 1,
    "connections_limit": 200,
    "connection_speed": 100,
    "smooth_connects": False,
    "min_reconnect_time": 1,
    "peer_connect_timeout": 5,
    "allow_multiple_connections_per_ip": False,
    "piece_timeout": SILENT_SECONDS,
    "request_timeout": 2 * SILENT_SECONDS,
    "peer_timeout": 4 * SILENT_SECONDS,
    # In blocks of 16 KiB: who may ask for more asks the giver for what others have by now. A bound
    # on what is asked for is what the other end says it allows, so both are given; and whole pieces
    # are asked for without any bound, so that is off.
    "max_out_request_queue": 64,
    "max_allowed_in_request_queue": 64,
    "whole_pieces_threshold": 0,
    # Who is complete says so until it leaves: a seed counts them.
    "close_redundant_connections": False,
}


@dataclass(frozen=True)
class Ends:
    """address: this host's own; port: TCP, on every host; peers: the others' addresses;
    rate_limit: bytes a second that this host may send, None: as fast as it goes."""

    address: str
    port: int
    peers: Sequence[str]
    rate_limit: int | None = None


def library() -> Any:
    """libtorrent's Python module.

    Raises:
        Stop: it is not installed.
    """
    try:
        import libtorrent
    except ImportError as error:
        raise Stop(f"fan_out: python3-libtorrent can't be used on the host: {error}") from None
    return libtorrent


def _info(lt: Any, torrent: bytes) -> Any:
    """The metadata as libtorrent has it.

    Raises:
        Stop: it is none.
    """
    try:
        return lt.torrent_info(lt.bdecode(torrent))
    except (RuntimeError, ValueError, TypeError) as error:
        raise Stop(f"fan_out: the file's metadata can't be read: {error}") from None


def size_of(torrent: bytes) -> int:
    """Bytes of the file that the metadata describe.

    Raises:
        Stop: libtorrent is not there, or the metadata are none.
    """
    return int(_info(library(), torrent).total_size())


def _everybody_else(lt: Any, peers: Sequence[str]) -> Any:
    """A filter that lets only the peers' addresses through."""
    found = lt.ip_filter()
    found.add_rule("0.0.0.0", "255.255.255.255", 1)
    found.add_rule("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1)
    for peer in peers:
        found.add_rule(peer, peer, 0)
    return found


def _session(lt: Any, ends: Ends) -> Any:
    own = ends.address if ipaddress.ip_address(ends.address).version == 4 else f"[{ends.address}]"
    session = lt.session({**SETTINGS, "listen_interfaces": f"{own}:{ends.port}",
                          "outgoing_interfaces": ends.address})  # fmt: skip
    session.set_ip_filter(_everybody_else(lt, ends.peers))
    return session


class Swarm:
    """This host's part in the exchange of one file at `path`.

    torrent: its metadata (torrent.py). whole: the file is here, and all of its bytes were checked;
    otherwise it grows at `path`, and what is there already is checked piece by piece and kept.

    Raises:
        Stop: libtorrent is not there, or the metadata is none.
    """

    def __init__(self, path: str, torrent: bytes, ends: Ends, *, whole: bool) -> None:
        lt = library()
        info = _info(lt, torrent)
        info.rename_file(0, os.path.basename(path))
        wanted = lt.add_torrent_params()
        wanted.ti, wanted.save_path = info, os.path.dirname(path)
        # All of it is reserved at once, so that a disk that fills up says so in time.
        wanted.storage_mode = lt.storage_mode_t.storage_mode_allocate
        if whole:
            wanted.flags |= lt.torrent_flags.seed_mode
        wanted.flags &= ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
        self._ends = ends
        self._session = _session(lt, ends)
        self._handle = self._session.add_torrent(wanted)
        if ends.rate_limit:
            self._handle.set_upload_limit(ends.rate_limit)
        self.complete: set[str] = set()
        self._knocked = 0.0

    def prefer(self, index: int, count: int) -> None:
        """Ask for every `count`-th piece first, from the one at `index`: takers that prefer
        different pieces get each from the giver about once (measured: 1.07 times, without 1.6), and
        the rest from each other."""
        pieces = self._handle.torrent_file().num_pieces()
        first, last = 7, 1
        chosen = [first if piece % count == index else last for piece in range(pieces)]
        self._handle.prioritize_pieces(chosen)

    def knock(self) -> None:
        """Connect to the peers that are not connected, at most twice a second; both ends do, so a
        firewall in front of one of them is passed from the other side."""
        if time.monotonic() - self._knocked < KNOCK_SECONDS:
            return
        self._knocked = time.monotonic()
        known = {peer.ip[0] for peer in self._handle.get_peer_info()}
        for peer in self._ends.peers:
            if peer not in known:
                self._handle.connect_peer((peer, self._ends.port))

    def look(self) -> Any:
        """libtorrent's status now. Peers that have everything are added to `complete`.

        Raises:
            Stop: the disk is full, or can't be written.
        """
        for peer in self._handle.get_peer_info():
            if peer.flags & peer.seed:
                self.complete.add(peer.ip[0])
        status = self._handle.status()
        if status.errc.value():
            raise Stop(f"fan_out: {status.errc.message()}")
        return status

    def all_complete(self) -> bool:
        """Whether every peer that is connected has everything."""
        return all(peer.flags & peer.seed for peer in self._handle.get_peer_info())

    def leave(self) -> None:
        """Close every connection and the port; what came is on the disk."""
        self._session.pause()
        self._session.remove_torrent(self._handle)
        del self._session
