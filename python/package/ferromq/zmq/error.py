"""pyzmq's exceptions: other names of this package's."""

from __future__ import annotations

import os

from .. import _errors

ZMQBaseError = _errors.Error
ZMQError = _errors.Error
ZMQBindError = _errors.AddressInUse
Again = _errors.Again
ContextTerminated = _errors.Terminated


class NotDone(_errors.Again):
    """A tracker's time is over."""


class ZMQVersionError(NotImplementedError):
    """Something is not in this version."""


def strerror(errno: int) -> str:
    """The text of an error number."""
    own = {
        _errors.EFSM: "Operation cannot be accomplished in current state",
        _errors.ETERM: "Context was terminated",
        _errors.ENOCOMPATPROTO: "The protocol is not compatible with the socket type",
        _errors.EMTHREAD: "No thread available",
    }
    return own.get(errno) or os.strerror(errno)
