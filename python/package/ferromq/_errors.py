"""Every exception of the package. Raised from one place, ``src/errors.rs``.

Each has ``errno``, with libzmq's number, and ``endpoint`` where one is meant.
"""

from __future__ import annotations

import errno as _errno

_LIBZMQ = 156384712
EFSM = _LIBZMQ + 51
ENOCOMPATPROTO = _LIBZMQ + 52
ETERM = _LIBZMQ + 53
EMTHREAD = _LIBZMQ + 54


class Error(Exception):
    """Base of all exceptions of this package."""

    errno: int = _errno.EINVAL
    endpoint: str | None = None



class Again(Error):
    """Not now: try again. Base of WouldBlock and TimedOut."""

    errno = _errno.EAGAIN


class WouldBlock(Again, BlockingIOError):
    """Nothing to receive, or no peer with room, right now."""

    errno = _errno.EAGAIN


class TimedOut(Again, TimeoutError):
    """The time of the call is over."""

    errno = _errno.EAGAIN


class Closed(Error):
    """The socket is closed, possibly by another thread during the call."""

    errno = _errno.ENOTSOCK


class Terminated(Error):
    """The context was terminated, possibly during the call."""

    errno = ETERM


class ForkedError(Error):
    """Made before the process forked: make a new context in the child."""

    errno = ETERM


class Unsupported(Error):
    """This type of socket has no such operation."""

    errno = _errno.ENOTSUP


class OutOfTurn(Error):
    """The operation is out of turn on a REQ or REP socket."""

    errno = EFSM


class ReplierGone(OutOfTurn, ConnectionError):
    """The peer that a REQ socket asked is gone: send again."""

    errno = EFSM


class HostUnreachable(Error, ConnectionError):
    """No peer has the identity or routing id."""

    errno = _errno.EHOSTUNREACH


class WrongParts(Error, ValueError):
    """The message has too few or too many frames for this call or socket."""


class GroupError(Error, ValueError):
    """RADIO, DISH: no group can be called that, or it is joined already or not."""


class EndpointError(Error, ValueError):
    """A text that is no endpoint."""


class UnknownScheme(EndpointError):
    """No transport serves the endpoint's scheme."""

    errno = _errno.EPROTONOSUPPORT


class NoSuchEndpoint(Error, LookupError):
    """The endpoint is not one of this socket's."""

    errno = _errno.ENOENT


class TransportError(Error, OSError):
    """The transport refused to bind or to connect."""

    errno = _errno.EIO


class AddressInUse(TransportError):
    """Somebody else listens there."""

    errno = _errno.EADDRINUSE


class AddressNotAvailable(TransportError):
    """No interface of this machine has the address."""

    errno = _errno.ENODEV


class AccessDenied(TransportError, PermissionError):
    """The system forbids it."""

    errno = _errno.EACCES


class Unauthenticated(Error, PermissionError):
    """The context requires authentication, and the endpoint would come without."""

    errno = _errno.EACCES


class ResourceError(TransportError):
    """The system is out of descriptors, memory or threads."""

    errno = _errno.EMFILE


class ConnectRefused(Error):
    """The pattern has no room for another peer."""

    errno = _errno.EISCONN


class OptionError(Error, ValueError):
    """An option that cannot have this value, or not any more."""


class SubscriptionError(Error, ValueError):
    """A subscription that cannot be made."""


class SecurityUnavailable(Error):
    """The security mechanism asked for is not in this version."""

    errno = _errno.ENOTSUP


class TensorError(Error, ValueError):
    """A tensor that cannot be sent, or a message that is none."""


class HeaderError(TensorError):
    """The frame is no tensor header, or a damaged one."""


class UnknownDtype(TensorError, TypeError):
    """Elements of a type that DLPack or this process does not know."""


class DeviceError(TensorError):
    """The tensor is not in memory that the CPU reads."""


class PeerLost(Error, ConnectionError):
    """A communicator's peer did not answer, or is gone."""

    errno = _errno.EHOSTUNREACH
