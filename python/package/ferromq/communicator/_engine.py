"""What both communicators are made of: sockets by number."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from .. import _socket
from .._errors import Closed, Error, TensorError, TimedOut, Unsupported
from .._types import SocketType
from ..asyncio import Socket as AsyncSocket
from ..tensors import Tensor
from ..tensors._transfer import frames_of, tensor_from
from ._callbacks import Dispatcher, Failure
from ._client import Client, no_peer
from ._config import ZmqConfig, ZmqSocketType
from ._server import Request, Server

Kind = ZmqSocketType | SocketType | str
_UNDERNEATH = {"REQ": "DEALER", "REP": "ROUTER"}
_SUBSCRIBING = ("SUB", "XSUB")


class Entry:
    """One socket of a communicator."""

    def __init__(self, number: int, kind: str, socket: _socket.Socket, config: ZmqConfig) -> None:
        self.number = number
        self.kind = kind
        self.socket = socket
        self.awaited = AsyncSocket(socket)
        self.client = Client(socket, config.timeout) if kind == "REQ" else None
        self.server = Server(socket) if kind == "REP" else None
        self.dispatcher: Dispatcher | None = None
        self.on_failure: Callable[[Failure], Any] | None = None
        self.on_message: Callable[[dict[str, Any]], Any] | None = None
        self.on_tensor: Callable[[dict[str, Any]], Any] | None = None

    def listen(self) -> None:
        """Starts the thread of the callbacks."""
        if self.dispatcher is None:
            self.dispatcher = Dispatcher(self.number, self._receive, self._handle)
            self.dispatcher.on_failure = self.on_failure
            self.dispatcher.start()

    def message_of(self, frames: list[Any]) -> dict[str, Any]:
        """What a callback is told of a message."""
        request: Request | None = None
        topic = ""
        if self.server is not None:
            request = self.server.accept(frames)
            frames = request.frames
        peer = frames[-1].peer
        source = "" if peer is None else peer.address
        if self.kind in _SUBSCRIBING and len(frames) > 1:
            topic = frames[0].bytes.decode("utf-8", "surrogateescape")
            frames = frames[1:]
        data: Any = [frame.bytes for frame in frames] if len(frames) > 1 else frames[0].bytes
        return {"source": source, "data": data, "topic": topic, "request": request}

    def _receive(self) -> list[Any]:
        while True:
            try:
                return self.socket.recv_frames()
            except TimedOut:
                continue

    def _handle(self, frames: list[Any]) -> None:
        if self.on_tensor is not None:
            try:
                told = self.tensor_of(frames)
            except TensorError:
                if self.on_message is None:
                    raise
            else:
                return self._call(self.on_tensor, told)
        told = self.message_of(frames)
        if self.on_message is None:
            raise Unsupported("a message that no callback takes")
        self._call(self.on_message, told)

    def tensor_of(self, frames: list[Any]) -> dict[str, Any]:
        """What a callback is told of a tensor; raises TensorError."""
        request: Request | None = None
        kind = self.kind
        if self.server is not None:
            if len(frames) < 4:
                raise TensorError("a request without a tensor")
            tensor = tensor_from(frames[-2:], "PAIR")
            request = self.server.accept(frames)
        else:
            tensor = tensor_from(frames, kind)
        topic = (tensor.topic or b"").decode("utf-8", "surrogateescape")
        return {
            "source": tensor.source,
            "topic": topic,
            "shape": tensor.shape,
            "dtype": tensor.dtype,
            "tensor": tensor,
            "data": tensor.payload,
            "request": request,
        }

    def _call(self, callback: Callable[[dict[str, Any]], Any], told: dict[str, Any]) -> None:
        request = told["request"]
        if request is None or self.server is None:
            callback(told)
            return
        self.server.handling(request)
        try:
            answer = callback(told)
        except BaseException:
            self.server.pass_over(request)
            raise
        finally:
            self.server.handling(None)
        # A callback may answer by what it returns.
        if isinstance(answer, bytes | bytearray | memoryview):
            request.reply(answer)


class Engine:
    """Sockets by number, on one context."""

    def __init__(self) -> None:
        self.config = ZmqConfig()
        self._context: _socket.Context | None = None
        self._entries: dict[int, Entry] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def start(self, config: ZmqConfig) -> None:
        """Takes the configuration; a second call is an error."""
        if self._context is not None:
            raise Error("initialize was called already")
        self.config = config
        self._context = _socket.Context()

    def stop(self) -> None:
        """Closes every socket, within their linger. A second call does nothing."""
        context, self._context = self._context, None
        with self._lock:
            entries, self._entries = list(self._entries.values()), {}
        for entry in entries:
            entry.awaited.close()
        if context is not None:
            context.term()
        for entry in entries:
            if entry.dispatcher is not None:
                entry.dispatcher.join()

    def create(self, kind: Kind) -> int:
        """A socket; its number."""
        if self._context is None:
            raise Error("call initialize first")
        name = kind if isinstance(kind, str) else kind.name
        options = self.config.options()
        if name == "REP":
            # A reply to who is gone is an error, not a loss.
            options["router_mandatory"] = True
        elif name not in ("PUB", "XPUB", "SUB", "XSUB"):
            # What is sent goes to who is there: to queue it for nobody would be
            # success for a dead server.
            options["immediate"] = True
        socket = self._context.socket(SocketType[_UNDERNEATH.get(name, name)], **options)
        number = next(self._numbers)
        with self._lock:
            self._entries[number] = Entry(number, name, socket, self.config)
        return number

    def entry(self, number: int) -> Entry:
        """The socket of that number; raises Closed."""
        with self._lock:
            entry = self._entries.get(number)
        if entry is None:
            raise Closed(f"no socket has the id {number}: it was closed, or never made")
        return entry

    def close(self, number: int) -> None:
        """Closes one socket."""
        entry = self.entry(number)
        with self._lock:
            self._entries.pop(number, None)
        entry.awaited.close()
        if entry.dispatcher is not None:
            entry.dispatcher.join()

    def of_kind(self, number: int, *kinds: str) -> Entry:
        """The socket, if it is of one of these kinds."""
        entry = self.entry(number)
        if entry.kind not in kinds:
            raise Unsupported(f"a {entry.kind} socket is none of {', '.join(kinds)}")
        return entry

    def send(self, entry: Entry, parts: list[Any], timeout: float | None = None) -> None:
        """Sends; raises PeerLost or TimedOut if nobody takes it."""
        try:
            entry.socket.send_multipart(parts, timeout=timeout)
        except TimedOut as error:
            raise no_peer(entry.socket, error) from None

    async def send_awaited(self, entry: Entry, parts: list[Any]) -> None:
        """The same, awaited."""
        try:
            await entry.awaited.send_multipart(parts)
        except TimedOut as error:
            raise no_peer(entry.socket, error) from None

    async def reply_awaited(self, entry: Entry, request: Request | None, parts: list[Any]) -> None:
        """Answers a request, or whom a reply without a name is for; one that is not
        sent may be tried again."""
        server = entry.server
        assert server is not None
        request = request or server.pick()
        envelope = server.take(request)
        try:
            await self.send_awaited(entry, [*envelope, *parts])
        except BaseException:
            server.give_back(request)
            raise


def tensor_parts(tensor: Any, stage: bool) -> list[Any]:
    """Header and payload."""
    header, payload, _ = frames_of(tensor, stage=stage)
    return [header, payload]


__all__ = ["Engine", "Entry", "Kind", "Tensor", "tensor_parts"]
