"""What goes on at a socket: events and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import _native


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a connection or an endpoint."""

    kind: str
    endpoint: str
    peer: str | None = None
    cause: str | None = None
    delay: float | None = None
    messages: int | None = None
    path: str | None = None
    payloads: int | None = None
    bytes: int | None = None


class Monitor:
    """The events of one socket, from its making on; iterating ends with it."""

    def __init__(self, native: _native.Monitor) -> None:
        self._native = native

    def recv(self, timeout: float | None = None) -> Event | None:
        """The next event; None when the socket is gone. Raises TimedOut."""
        found = self._native._recv(timeout)
        return None if found is None else Event(**found)

    @property
    def missed(self) -> int:
        """Events beyond the 4,096 that wait for who does not receive."""
        return self._native.missed

    def __iter__(self) -> Iterator[Event]:
        while (event := self.recv()) is not None:
            yield event


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passed, both ways; of it by reference, and what would have but for memory."""

    messages_received: int
    bytes_received: int
    messages_sent: int
    bytes_sent: int
    references_sent: int
    references_received: int
    references_refused: int


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """The state of one peer, or of an endpoint without a connection."""

    id: int
    endpoint: str
    address: str | None
    via: str | None
    identity: bytes
    state: str
    traffic: Traffic
    drops: dict[str, int]
    queued_messages: int
    queued_bytes: int
    received_messages: int
    received_bytes: int
    reconnects: int
    ignored_commands: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of a moment. ``drops`` has the causes that dropped any."""

    peers: list[PeerStatistics]
    traffic: Traffic
    drops: dict[str, int]
    handshakes_failed: int
    authentications_failed: int
    authentications_undecided: int
    addresses_refused: int
    untyped_peers: int
    switched: int
    switches_refused: int
    violations: int

    @property
    def connected(self) -> int:
        """Peers whose connection stands."""
        return sum(peer.state == "connected" for peer in self.peers)


def statistics_of(counts: dict[str, Any]) -> Statistics:
    """Of what the native module answered."""
    peers = [
        PeerStatistics(**{**peer, "traffic": Traffic(**peer["traffic"])})
        for peer in counts.pop("peers")
    ]
    traffic = Traffic(**counts.pop("traffic"))
    return Statistics(peers=peers, traffic=traffic, **counts)
