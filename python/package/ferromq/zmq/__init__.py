"""pyzmq's names: ``import ferromq.zmq as zmq``.

What pyzmq's users use most; docs/PYTHON.md lists what differs.
"""

from __future__ import annotations

from typing import Any, NoReturn

from .. import __version__ as _ours
from .._native import Frame, Tracker, curve_keypair, curve_public
from ._constants import *  # noqa: F403
from ._constants import SocketOption, SocketType
from ._proxy import proxy, proxy_steerable
from ._sockets import Context, Poller, Socket
from .error import (
    Again,
    ContextTerminated,
    NotDone,
    ZMQBaseError,
    ZMQBindError,
    ZMQError,
    ZMQVersionError,
    strerror,
)

__version__ = _ours
Message = Frame
MessageTracker = Tracker
COPY_THRESHOLD = 65536


def zmq_version() -> str:
    """The libzmq whose behaviour this follows."""
    return "4.3.5"


def zmq_version_info() -> tuple[int, int, int]:
    """The same as numbers."""
    return (4, 3, 5)


def pyzmq_version() -> str:
    """The pyzmq whose names these are."""
    return "27.0.0"


def has(capability: str) -> bool:
    """Whether a transport or mechanism is there."""
    return capability in ("ipc", "draft", "curve")


def select(
    rlist: list[Any], wlist: list[Any], xlist: list[Any], timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """As ``select.select``, for sockets too; ``timeout`` is in seconds."""
    poller = Poller()
    for target in {*rlist, *wlist}:
        poller.register(target, (target in rlist) * 1 | (target in wlist) * 2)
    ready = dict(poller.poll(None if timeout is None else timeout * 1000))
    return (
        [target for target in rlist if ready.get(target, 0) & 1],
        [target for target in wlist if ready.get(target, 0) & 2],
        [],
    )


def device(kind: int, frontend: Socket, backend: Socket) -> NoReturn:
    """The proxy's older name."""
    proxy(frontend, backend)


QUEUE, FORWARDER, STREAMER = 3, 2, 1
