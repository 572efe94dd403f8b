"""Two spellings of one communicator: ids for sockets, callbacks, requests.

``ZmqInterface`` calls block and have ``_async`` twins; ``ZmqCommunicator`` is
awaited. Replies may be late and from any thread, callbacks run on a thread of
their socket's own, and what fails raises: nothing is logged and forgotten.
"""

from __future__ import annotations

from ._callbacks import Failure
from ._config import ZmqConfig, ZmqSocketType
from ._server import Request
from .communicator import ZmqCommunicator
from .interface import ZmqInterface

__all__ = [
    "Failure",
    "Request",
    "ZmqCommunicator",
    "ZmqConfig",
    "ZmqInterface",
    "ZmqSocketType",
]
