"""The REP of a communicator: a ROUTER, so that replies may be late, in another
order, and from any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from .._errors import OutOfTurn, WrongParts
from .._native import Frame
from .._socket import Socket


class Request:
    """A request, and the way back to who sent it."""

    __slots__ = ("_answered", "_envelope", "_server", "data", "frames", "source")

    def __init__(self, server: Server, envelope: list[bytes], frames: list[Frame]) -> None:
        self._server = server
        self._envelope = envelope
        self._answered = False
        self.frames = frames
        self.data: Any = frames[0].bytes if len(frames) == 1 else [f.bytes for f in frames]
        peer = frames[-1].peer
        self.source = "" if peer is None else peer.address

    def reply(self, data: Any) -> None:
        """Answers it, once. Raises HostUnreachable if who asked is gone."""
        self._server.reply(self, [data])

    def reply_multipart(self, parts: list[Any]) -> None:
        """Answers it with several frames."""
        self._server.reply(self, parts)


class Server:
    """Requests that wait for their replies."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Request] = OrderedDict()
        self._current = threading.local()

    def accept(self, frames: list[Frame]) -> Request:
        """Takes a message that was received; raises WrongParts if it is none that
        a REQ sends."""
        parts = [frame.bytes if len(frame) <= 255 else frame for frame in frames[:-1]]
        if b"" not in parts[1:]:
            raise WrongParts("a request without a delimiter, which no REQ sends")
        body = parts.index(b"", 1) + 1
        envelope = [bytes(part) for part in parts[:body]]
        request = Request(self, envelope, frames[body:])
        with self._lock:
            self._open[id(request)] = request
        return request

    def handling(self, request: Request | None) -> None:
        """Which request the callback on this thread is about."""
        self._current.request = request

    def pick(self) -> Request:
        """The request that a reply without a name is for: the callback's own, else
        the one that waits longest."""
        current: Request | None = getattr(self._current, "request", None)
        with self._lock:
            if current is not None and id(current) in self._open:
                return current
            if not self._open:
                raise OutOfTurn("no request waits for a reply")
            return next(iter(self._open.values()))

    def reply(self, request: Request, parts: list[Any]) -> None:
        """Sends a reply; a refused one may be tried again."""
        envelope = self.take(request)
        try:
            self.socket.send_multipart([*envelope, *parts])
        except BaseException:
            self.give_back(request)
            raise

    def take(self, request: Request) -> list[bytes]:
        """The way back, which is there once."""
        with self._lock:
            if request._answered:
                raise OutOfTurn("the request was answered already")
            request._answered = True
            self._open.pop(id(request), None)
        return request._envelope

    def give_back(self, request: Request) -> None:
        """No reply was sent: it waits for one, before all others."""
        with self._lock:
            request._answered = False
            self._open[id(request)] = request
            self._open.move_to_end(id(request), last=False)

    def pass_over(self, request: Request) -> None:
        """Its callback failed: a reply without a name is not for it. One that names
        it still is, and nothing is kept here for a request that nobody answers."""
        with self._lock:
            self._open.pop(id(request), None)
