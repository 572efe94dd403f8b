"""What a communicator is told, and what its endpoints mean."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass

from .._options import SocketOptions


class ZmqSocketType(enum.Enum):
    """The kinds of sockets that a communicator makes."""

    PAIR = "PAIR"
    PUB = "PUB"
    SUB = "SUB"
    REQ = "REQ"
    REP = "REP"
    DEALER = "DEALER"
    ROUTER = "ROUTER"
    PULL = "PULL"
    PUSH = "PUSH"
    XPUB = "XPUB"
    XSUB = "XSUB"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZmqConfig:
    """Times are seconds; None is for ever.

    ``thread_count`` and ``pool_size`` are taken and checked, and nothing depends
    on them: a socket with a callback has one thread, and connections are one a
    peer.
    """

    thread_count: int = 8
    timeout: float | None = 30.0
    pool_size: int = 10
    enable_rdma: bool = False
    high_water_mark: int = 1000
    receive_timeout: float | None = 5.0
    send_timeout: float | None = 5.0
    linger: float | None = 1.0
    reconnect_interval: float = 0.1

    def __post_init__(self) -> None:
        for name in ("thread_count", "pool_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        for name in ("timeout", "receive_timeout", "send_timeout", "linger"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is a time in seconds, not {value}")

    def options(self) -> SocketOptions:
        """The options of each socket."""
        return {
            "send_high_water_mark": self.high_water_mark,
            "receive_high_water_mark": self.high_water_mark,
            "receive_timeout": self.receive_timeout,
            "send_timeout": self.send_timeout,
            "linger": self.linger,
            "reconnect_interval": (self.reconnect_interval, max(self.reconnect_interval, 5.0)),
        }

    def endpoint(self, text: str) -> str:
        """An endpoint with a scheme. Where it has none, MC_RPC_PROTOCOL says
        which, then ``enable_rdma``; tcp is the default."""
        if "://" in text:
            return text
        scheme = os.environ.get("MC_RPC_PROTOCOL") or ("rdma" if self.enable_rdma else "tcp")
        if scheme not in ("tcp", "rdma"):
            raise ValueError(f"MC_RPC_PROTOCOL is tcp or rdma, not {scheme}")
        return f"{scheme}://{text}"
