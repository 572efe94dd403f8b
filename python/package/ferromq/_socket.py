"""Contexts and sockets."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, ClassVar, Self, Unpack

from . import _native
from ._errors import Closed, Terminated
from ._options import SocketOptions
from ._sight import Monitor, Statistics, statistics_of
from ._types import SocketType
from .tensors._transfer import TensorCalls

_Raised = type[BaseException] | None


class Context(_native.Context):
    """Where sockets come from. ``with Context() as context`` ends with it:
    sockets are closed, and what they had to send is sent within their linger."""

    _instance: ClassVar[Context | None] = None
    _instance_pid: ClassVar[int] = -1
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def instance(cls) -> Self:
        """The context that a process shares; a new one after a fork."""
        with cls._instance_lock:
            known = cls.__dict__.get("_instance")
            if known is None or known.closed or cls._instance_pid != os.getpid():
                known = cls()
                cls._instance, cls._instance_pid = known, os.getpid()
            assert isinstance(known, cls)
            return known

    def socket(self, socket_type: SocketType | int, **options: Unpack[SocketOptions]) -> Socket:
        """A socket of this type."""
        return Socket(self, socket_type, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.term()


class Socket(TensorCalls, _native.Socket):
    """A socket. All calls may be made from any thread."""

    def __new__(
        cls, context: Context, socket_type: SocketType | int, /, **options: Unpack[SocketOptions]
    ) -> Self:
        return super().__new__(cls, context, SocketType(socket_type).name, **options)

    @property
    def type(self) -> SocketType:
        """What it was made as."""
        return SocketType[self.type_name]

    @property
    def endpoints(self) -> list[str]:
        """Those bound, then those connected."""
        return self.bound + self.connected

    def bind_to_random_port(self, address: str) -> int:
        """Binds to a free port of ``address``, such as ``tcp://127.0.0.1``."""
        return int(self.bind(f"{address}:*").rpartition(":")[2])

    # What messages hold.

    def send_string(
        self, text: str, encoding: str = "utf-8", *, timeout: float | None = None
    ) -> None:
        """Sends a text."""
        self.send(text.encode(encoding), timeout=timeout)

    def recv_string(self, encoding: str = "utf-8", *, timeout: float | None = None) -> str:
        """Receives a text. What is none is kept for the next call."""
        message = self.recv(timeout=timeout)
        try:
            return message.decode(encoding)
        except UnicodeDecodeError:
            self._keep([message])
            raise

    def send_json(self, value: Any, *, timeout: float | None = None) -> None:
        """Sends what JSON can hold."""
        self.send(json.dumps(value).encode(), timeout=timeout)

    def recv_json(self, *, timeout: float | None = None) -> Any:
        """Receives JSON. What is none is kept for the next call."""
        message = self.recv(timeout=timeout)
        try:
            return json.loads(message)
        except ValueError:
            self._keep([message])
            raise

    def send_pyobj(self, value: Any, *, timeout: float | None = None) -> None:
        """Sends a pickle. Who receives must ask for it (see ``recv_pyobj``)."""
        self.send(pickle.dumps(value, protocol=-1), timeout=timeout)

    def recv_pyobj(self, *, trusted: bool, timeout: float | None = None) -> Any:
        """Receives a pickle, which can run any code here: so ``trusted=True``
        must be said, and the peer must have proved who it is, unless the message
        came from this machine (ipc, inproc, loopback)."""
        if not trusted:
            raise ValueError("a pickle can run any code: pass trusted=True if you trust the peer")
        frame = self.recv_frame(timeout=timeout)
        if not _is_trustworthy(self, frame.peer):
            self._keep([frame])
            raise PermissionError(
                "a pickle from a peer that has not proved who it is: use JSON, or security"
            )
        return pickle.loads(frame.bytes)

    # Sight.

    def monitor(self) -> Monitor:  # type: ignore[override]
        """Listens to the socket's connections from now on."""
        return Monitor(super().monitor())

    def statistics(self) -> Statistics:
        """Counts of this moment."""
        return statistics_of(self._statistics())

    # Habits.

    def __iter__(self) -> Iterator[list[bytes]]:
        """Messages as lists of frames, until the socket is closed."""
        while True:
            try:
                message = self.recv_multipart()
            except (Closed, Terminated):
                return
            yield message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: _Raised,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "closed" if self.closed else ", ".join(self.endpoints) or "nowhere yet"
        return f"<{type(self).__name__} {self.type_name} {where}>"


def _is_trustworthy(socket: _native.Socket, peer: _native.Peer | None) -> bool:
    if peer is None:
        return True
    if peer.user_id is not None:
        # A CURVE server without a list knows who it is, and lets everybody in.
        server = socket.options().get("curve_server")
        return server is None or server[1] is not None
    local = ("ipc://", "inproc://", "tcp://127.", "tcp://[::1]")
    return peer.address.startswith(local)
