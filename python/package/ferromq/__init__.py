"""ZeroMQ's sockets and tensors.

>>> import ferromq
>>> with ferromq.Context() as context:
...     pull = context.socket(ferromq.PULL)
...     push = context.socket(ferromq.PUSH)
...     push.connect(pull.bind("tcp://127.0.0.1:*"))
...     push.send(b"hello")
...     pull.recv()
b'hello'

``ferromq.zmq`` has pyzmq's names, ``ferromq.asyncio`` sockets to await,
``ferromq.communicator`` the two communicators.
"""

from __future__ import annotations

import atexit as _atexit
import os as _os

from . import _native
from ._errors import (
    AccessDenied,
    AddressInUse,
    AddressNotAvailable,
    Again,
    Closed,
    ConnectRefused,
    DeviceError,
    EndpointError,
    Error,
    ForkedError,
    GroupError,
    HeaderError,
    HostUnreachable,
    NoSuchEndpoint,
    OptionError,
    OutOfTurn,
    PeerLost,
    ReplierGone,
    ResourceError,
    SecurityUnavailable,
    SubscriptionError,
    TensorError,
    Terminated,
    TimedOut,
    TransportError,
    Unauthenticated,
    UnknownDtype,
    UnknownScheme,
    Unsupported,
    WouldBlock,
    WrongParts,
)
from ._native import Frame, Peer, TensorHeader, Tracker
from ._options import SocketOptions
from ._poller import POLLIN, POLLOUT, Poller
from ._sight import Event, Monitor, PeerStatistics, Statistics, Traffic
from ._socket import Context, Socket
from ._types import (
    CHANNEL,
    CLIENT,
    DEALER,
    DISH,
    GATHER,
    PAIR,
    PEER,
    PUB,
    PULL,
    PUSH,
    RADIO,
    REP,
    REQ,
    ROUTER,
    SCATTER,
    SERVER,
    SUB,
    XPUB,
    XSUB,
    SocketType,
)
from .communicator import ZmqCommunicator, ZmqConfig, ZmqInterface, ZmqSocketType
from .tensors import Tensor

__version__ = "0.1.0"

_os.register_at_fork(after_in_child=_native._forked)
_atexit.register(_native._close_all)

__all__ = [
    "CHANNEL",
    "CLIENT",
    "DEALER",
    "DISH",
    "GATHER",
    "PAIR",
    "PEER",
    "POLLIN",
    "POLLOUT",
    "PUB",
    "PULL",
    "PUSH",
    "RADIO",
    "REP",
    "REQ",
    "ROUTER",
    "SCATTER",
    "SERVER",
    "SUB",
    "XPUB",
    "XSUB",
    "AccessDenied",
    "AddressInUse",
    "AddressNotAvailable",
    "Again",
    "Closed",
    "ConnectRefused",
    "Context",
    "DeviceError",
    "EndpointError",
    "Error",
    "Event",
    "ForkedError",
    "Frame",
    "GroupError",
    "HeaderError",
    "HostUnreachable",
    "Monitor",
    "NoSuchEndpoint",
    "OptionError",
    "OutOfTurn",
    "Peer",
    "PeerLost",
    "PeerStatistics",
    "Poller",
    "ReplierGone",
    "ResourceError",
    "SecurityUnavailable",
    "Socket",
    "SocketOptions",
    "SocketType",
    "Statistics",
    "SubscriptionError",
    "Tensor",
    "TensorError",
    "TensorHeader",
    "Terminated",
    "TimedOut",
    "Tracker",
    "Traffic",
    "TransportError",
    "Unauthenticated",
    "UnknownDtype",
    "UnknownScheme",
    "Unsupported",
    "WouldBlock",
    "WrongParts",
    "ZmqCommunicator",
    "ZmqConfig",
    "ZmqInterface",
    "ZmqSocketType",
]
