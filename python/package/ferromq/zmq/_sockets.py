"""Contexts and sockets with pyzmq's names and habits."""

from __future__ import annotations

import json
import pickle
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from .. import _native, _socket
from .._native import Frame, Tracker
from .._poller import Poller as _Poller
from . import _constants as c
from ._constants import SocketOption
from ._options import check_security, from_ours, to_ours

_PATIENT = {"linger": None, "send_bytes_limit": None}
"""libzmq's defaults where ours differ: linger for ever, no limit in bytes."""


class Context(_socket.Context):
    """As pyzmq's. ``term`` closes sockets that are still open, where libzmq would
    wait for ever."""

    def __init__(self, io_threads: int = 1, **_: Any) -> None:
        self._defaults: dict[int, Any] = {}
        self._sockets: Any = []

    def __new__(cls, io_threads: int = 1, **_: Any) -> Self:
        return super().__new__(cls)

    def socket(self, socket_type: int, socket_class: Any = None, **_: Any) -> Any:
        """A socket of this type."""
        made = (socket_class or self._socket_class())(self, socket_type)
        for option, value in self._defaults.items():
            made.setsockopt(option, value)
        self._remember(made)
        return made

    def _socket_class(self) -> Any:
        return Socket

    def _remember(self, made: Any) -> None:
        import weakref

        self._sockets = [known for known in self._sockets if known() is not None]
        self._sockets.append(weakref.ref(made))

    def setsockopt(self, option: int, value: Any) -> None:
        """A default for the sockets made from now on."""
        self._defaults[option] = value

    def getsockopt(self, option: int) -> Any:
        """A default that was set."""
        return self._defaults[option]

    def set(self, option: int, value: int) -> None:
        """Numbers of I/O threads and sockets: taken, and of no effect."""

    def destroy(self, linger: float | None = None) -> None:
        """Closes all sockets and terminates."""
        for known in self._sockets:
            if (open_one := known()) is not None:
                open_one.close(linger)
        self.term()

    @property
    def underlying(self) -> int:
        """A number that tells contexts apart."""
        return id(self)

    def __setattr__(self, name: str, value: Any) -> None:
        option = _option_of(name)
        if option is None:
            object.__setattr__(self, name, value)
        else:
            self.setsockopt(option, value)


class Socket(_socket.Socket):
    """As pyzmq's."""

    _parts: list[Any]
    _rest: deque[Any]

    def __new__(cls, context: Any = None, socket_type: int = -1, /, **options: Any) -> Self:
        if context is None:
            context = Context.instance()
        made = super().__new__(cls, context, socket_type, **{**_PATIENT, **options})
        object.__setattr__(made, "_parts", [])
        object.__setattr__(made, "_rest", deque())
        object.__setattr__(made, "_kept", {})
        object.__setattr__(made, "_last", b"")
        object.__setattr__(made, "context", context)
        return made

    # Sending.

    if TYPE_CHECKING:

        def send(  # type: ignore[override]
            self,
            data: Any,
            flags: int = 0,
            copy: bool = True,
            track: bool = False,
            routing_id: int | None = None,
            group: str | None = None,
        ) -> Tracker | None: ...

        def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> Any: ...  # type: ignore[override]

    else:
        # Compiled: what is not usual comes back to the two calls below. A frame of
        # Python's around each message cost as much as sending it.
        send = _native.Socket._zmq_send
        recv = _native.Socket._zmq_recv

    def _send_unusual(
        self,
        data: Any,
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        routing_id: int | None = None,
        group: str | None = None,
    ) -> Tracker | None:
        if not flags and copy and not self._parts and routing_id is None and group is None:
            _native_send(self, data)
            return None
        parts = [*self._parts]
        if routing_id is not None:
            parts.append(routing_id.to_bytes(4, "big"))
        if group is not None:
            parts.append(group.encode())
        part = data if isinstance(data, bytes | Frame) or not copy else bytes(memoryview(data))
        if flags & c.SNDMORE:
            memoryview(part)
            self._parts_left([*parts, part])
            return None
        tracker = self._send_parts([*parts, part], flags, copy, track)
        self._parts_left([])
        return tracker

    def send_multipart(  # type: ignore[override]
        self,
        msg_parts: Any,
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> Tracker | None:
        """Sends a message of several frames."""
        parts = [*self._parts, *msg_parts]
        if flags & c.SNDMORE:
            self._parts_left(parts)
            return None
        tracker = self._send_parts(parts, flags, copy, track, timeout)
        if self._parts:
            self._parts_left([])
        return tracker

    def _parts_left(self, parts: list[Any]) -> None:
        self._parts[:] = parts
        self._set_partial(bool(parts or self._rest))

    def _send_parts(
        self,
        parts: list[Any],
        flags: int,
        copy: bool,
        track: bool,
        timeout: float | None = None,
    ) -> Tracker | None:
        if len(parts) == 1 and self.type_name == "ROUTER":
            # libzmq's habit, which programs of the guide rely on: a peer is named, and
            # is sent nothing.
            return None
        timeout = 0 if flags & c.NOBLOCK else timeout
        if copy and not track:
            _native_send_multipart(self, parts, timeout=timeout)
            return None
        return self.send_borrowed(parts, timeout=timeout)

    def send_string(  # type: ignore[override]
        self, u: str, flags: int = 0, copy: bool = True, encoding: str = "utf-8", **_: Any
    ) -> None:
        """Sends a text."""
        self.send(u.encode(encoding), flags)

    def send_json(self, obj: Any, flags: int = 0, **kwargs: Any) -> None:  # type: ignore[override]
        """Sends JSON."""
        self.send(json.dumps(obj, **kwargs).encode(), flags)

    def send_pyobj(self, obj: Any, flags: int = 0, protocol: int = -1, **_: Any) -> None:  # type: ignore[override]
        """Sends a pickle."""
        self.send(pickle.dumps(obj, protocol), flags)

    def send_serialized(self, msg: Any, serialize: Any, flags: int = 0, **_: Any) -> None:
        """Sends the frames that ``serialize`` makes."""
        self.send_multipart(serialize(msg), flags)

    # Receiving.

    def _recv_unusual(self, flags: int = 0, copy: bool = True, track: bool = False) -> Any:
        if not self._rest:
            timeout = 0 if flags & c.NOBLOCK else None
            if copy:
                return self._recv_first(_native_recv_multipart(self, timeout=timeout))
            return self._recv_first(self.recv_frames(timeout=timeout))
        frame = self._rest.popleft()
        if not self._rest:
            self._set_partial(bool(self._parts))
        return bytes(frame) if copy else frame if isinstance(frame, Frame) else Frame(frame)

    def _recv_first(self, frames: list[Any]) -> Any:
        """The first of these frames; the rest is kept."""
        if len(frames) > 1:
            self._rest.extend(frames[1:])
            self._set_partial(True)
        return frames[0]

    def recv_multipart(  # type: ignore[override]
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> list[Any]:
        """Receives the frames of a message, or those that are left of one."""
        if self._rest:
            frames = [self.recv(flags, copy) for _ in range(len(self._rest))]
            return frames
        timeout = 0 if flags & c.NOBLOCK else None
        if copy:
            return _native_recv_multipart(self, timeout=timeout)
        return self.recv_frames(timeout=timeout)

    def recv_into(self, buffer: Any, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receives a frame into memory; answers its length, also if it is more
        than fits."""
        frame = self.recv(flags, copy=False)
        view = memoryview(buffer).cast("B")
        fits = min(len(frame), len(view), nbytes or len(view))
        view[:fits] = memoryview(frame)[:fits]
        return len(frame)

    def recv_string(self, flags: int = 0, encoding: str = "utf-8") -> str:  # type: ignore[override]
        """Receives a text."""
        frame: bytes = self.recv(flags)
        return frame.decode(encoding)

    def recv_json(self, flags: int = 0, **kwargs: Any) -> Any:
        """Receives JSON."""
        return json.loads(self.recv(flags), **kwargs)

    def recv_pyobj(self, flags: int = 0) -> Any:  # type: ignore[override]
        """Receives a pickle, which can run any code here: refused from a peer on
        another machine that has not proved who it is."""
        frame = self.recv(flags, copy=False)
        if not _socket._is_trustworthy(self, frame.peer):
            self._keep([frame])
            raise PermissionError("a pickle from a peer that has not proved who it is")
        return pickle.loads(frame.bytes)

    def recv_serialized(self, deserialize: Any, flags: int = 0, copy: bool = True) -> Any:
        """Receives what ``deserialize`` makes of the frames."""
        return deserialize(self.recv_multipart(flags, copy))

    # Endpoints.

    def bind(self, addr: str) -> Any:
        """Binds; the real endpoint is ``LAST_ENDPOINT``."""
        check_security(self.__dict__["_kept"])
        object.__setattr__(self, "_last", super().bind(addr).encode())
        return Bound(self, addr)

    def connect(self, addr: str) -> Any:
        """Connects."""
        check_security(self.__dict__["_kept"])
        super().connect(addr)
        object.__setattr__(self, "_last", addr.encode())
        return Bound(self, addr)

    def bind_to_random_port(
        self, addr: str, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100
    ) -> int:
        """Binds to a free port."""
        self.bind(f"{addr}:*")
        return int(self.bound[-1].rpartition(":")[2])

    # Options.

    def setsockopt(self, option: int, optval: Any) -> None:
        """Sets an option."""
        if option == SocketOption.SUBSCRIBE:
            return self.subscribe(optval)
        if option == SocketOption.UNSUBSCRIBE:
            return self.unsubscribe(optval)
        changes = to_ours(option, optval, self.__dict__["_kept"])
        if changes:
            self.set_options(**changes)

    def getsockopt(self, option: int) -> Any:
        """Reads an option."""
        if option == SocketOption.RCVMORE:
            return int(bool(self._rest))
        if option == SocketOption.TYPE:
            return int(self.type)
        if option == SocketOption.LAST_ENDPOINT:
            return self.__dict__["_last"] + b"\0" if self.__dict__["_last"] else b""
        if option == SocketOption.FD:
            return self.fileno()
        if option == SocketOption.EVENTS:
            readable, writable = self.readiness()
            return readable * c.POLLIN | writable * c.POLLOUT
        return from_ours(option, self.option, self.__dict__["_kept"])

    set = setsockopt
    get = getsockopt

    def setsockopt_string(self, option: int, optval: str, encoding: str = "utf-8") -> None:
        """Sets an option that is bytes, by text."""
        self.setsockopt(option, optval.encode(encoding))

    def getsockopt_string(self, option: int, encoding: str = "utf-8") -> str:
        """Reads an option that is bytes, as text."""
        value: bytes = self.getsockopt(option)
        return value.rstrip(b"\0").decode(encoding)

    set_string = setsockopt_string
    get_string = getsockopt_string

    def set_hwm(self, value: int) -> None:
        """Sets both high-water marks."""
        self.set_options(send_high_water_mark=value, receive_high_water_mark=value)

    def get_hwm(self) -> int:
        """The high-water mark of sends."""
        return int(self.option("send_high_water_mark"))

    hwm = property(get_hwm, set_hwm)

    def poll(self, timeout: int | None = None, flags: int = c.POLLIN) -> int:
        """What the socket is ready for within so many milliseconds, or 0."""
        if self._rest and flags & c.POLLIN:
            return c.POLLIN
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        return _native._poll([(self, flags)], seconds)[0]

    def close(self, linger: float | None = None) -> None:
        """Closes; ``linger`` is in milliseconds."""
        if linger is not None and not self.closed:
            self.setsockopt(SocketOption.LINGER, int(linger))
        super().close()

    def __getattr__(self, name: str) -> Any:
        option = _option_of(name)
        if option is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return self.getsockopt(option)

    def __setattr__(self, name: str, value: Any) -> None:
        option = _option_of(name)
        if option is None:
            object.__setattr__(self, name, value)
        else:
            self.setsockopt(option, value)


class Bound:
    """Undoes a bind or connect at the end of a ``with`` block."""

    def __init__(self, socket: Socket, addr: str) -> None:
        self._socket = socket
        self._addr = addr

    def __enter__(self) -> Socket:
        return self._socket

    def __exit__(self, *_: object) -> None:
        if self._socket.closed:
            return
        if self._addr in self._socket.connected:
            self._socket.disconnect(self._addr)
        else:
            self._socket.unbind(self._socket.bound[-1])


class Poller(_Poller):
    """As pyzmq's: milliseconds."""

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """What is ready within so many milliseconds."""
        for target in self._entries:
            if isinstance(target, Socket) and target._rest:
                return [(target, c.POLLIN)]
        return super().poll(None if timeout is None or timeout < 0 else timeout / 1000)

    @property
    def sockets(self) -> list[tuple[Any, int]]:
        """What is waited for."""
        return list(self._entries.items())


_native_send = _native.Socket.send
_native_send_multipart = _native.Socket.send_multipart
_native_recv_multipart = _native.Socket.recv_multipart
_NAMES = {
    **{name.lower(): int(option) for name, option in SocketOption.__members__.items()},
    "identity": int(SocketOption.ROUTING_ID),
    "connect_rid": int(SocketOption.CONNECT_ROUTING_ID),
}
# These are methods, or ours already.
for _name in ("subscribe", "unsubscribe", "type"):
    del _NAMES[_name]


def _option_of(name: str) -> int | None:
    return _NAMES.get(name if name in _NAMES else name.lower() if name.isupper() else "")


