"""As ``zmq.asyncio``: sockets whose sends and receives are awaited."""

from __future__ import annotations

import asyncio as _asyncio
import json
import pickle
from typing import Any

from .._socket import _is_trustworthy
from .._waiters import Waiters
from . import _constants as c
from . import _sockets
from ._sockets import _native_recv_multipart, _native_send_multipart
from .error import Again


class Context(_sockets.Context):
    """Makes sockets to await."""

    def _socket_class(self) -> Any:
        return Socket


class Socket(_sockets.Socket):
    """As ``zmq.asyncio.Socket``."""

    async def send(self, data: Any, flags: int = 0, copy: bool = True, **_: Any) -> None:  # type: ignore[override]
        """Sends a frame; with SNDMORE the message goes on."""
        if flags & c.SNDMORE:
            self._parts.append(bytes(memoryview(data)))
            return
        if not self._parts and self.try_send(data):
            return
        await self.send_multipart([data], flags)

    async def send_multipart(  # type: ignore[override]
        self,
        msg_parts: Any,
        flags: int = 0,
        copy: bool = True,
        *,
        timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Sends a message of several frames."""
        parts = [*self._parts, *msg_parts]
        self._parts.clear()
        if len(parts) == 1 and self.type_name == "ROUTER":
            # As where it is not awaited: nothing for a peer that is named.
            return
        if self.try_send_multipart(parts):
            return
        if flags & c.NOBLOCK:
            return _native_send_multipart(self, parts, timeout=0)
        limit = self.option("send_timeout") if timeout is None else timeout
        await self._waiting().until(lambda: self.try_send_multipart(parts) or None, True, limit)

    async def send_string(  # type: ignore[override]
        self, u: str, flags: int = 0, copy: bool = True, encoding: str = "utf-8", **_: Any
    ) -> None:
        """Sends a text."""
        await self.send(u.encode(encoding), flags)

    async def send_json(self, obj: Any, flags: int = 0, **kwargs: Any) -> None:  # type: ignore[override]
        """Sends JSON."""
        await self.send(json.dumps(obj, **kwargs).encode(), flags)

    async def send_pyobj(self, obj: Any, flags: int = 0, protocol: int = -1, **_: Any) -> None:  # type: ignore[override]
        """Sends a pickle."""
        await self.send(pickle.dumps(obj, protocol), flags)

    async def recv(self, flags: int = 0, copy: bool = True, track: bool = False) -> Any:  # type: ignore[override]
        """Receives a frame; RCVMORE tells whether the message goes on."""
        if not self._rest:
            frames = await self.recv_multipart(flags, copy)
            if len(frames) == 1:
                return frames[0]
            self._rest.extend(frames)
        frame = self._rest.popleft()
        return bytes(frame) if copy else frame

    async def recv_multipart(  # type: ignore[override]
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> list[Any]:
        """Receives the frames of a message."""
        if self._rest:
            left, self._rest = list(self._rest), type(self._rest)()
            return left
        attempt: Any = self.try_recv_multipart if copy else self.try_recv_frames
        frames: list[Any] | None = attempt()
        if frames is not None:
            return frames
        if flags & c.NOBLOCK:
            return _native_recv_multipart(self, timeout=0)
        found: list[Any] = await self._waiting().until(
            attempt, False, self.option("receive_timeout")
        )
        return found

    async def recv_string(self, flags: int = 0, encoding: str = "utf-8") -> str:  # type: ignore[override]
        """Receives a text."""
        frame: bytes = await self.recv(flags)
        return frame.decode(encoding)

    async def recv_json(self, flags: int = 0, **kwargs: Any) -> Any:
        """Receives JSON."""
        return json.loads(await self.recv(flags), **kwargs)

    async def recv_pyobj(self, flags: int = 0) -> Any:  # type: ignore[override]
        """Receives a pickle from a peer that can be trusted."""
        frame = await self.recv(flags, copy=False)
        if not _is_trustworthy(self, frame.peer):
            self._keep([frame])
            raise PermissionError("a pickle from a peer that has not proved who it is")
        return pickle.loads(frame.bytes)

    async def poll(self, timeout: int | None = None, flags: int = c.POLLIN) -> int:  # type: ignore[override]
        """What the socket is ready for within so many milliseconds, or 0."""
        if (found := self._ready(flags)) is not None:
            return found
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        try:
            return await self._waiting().until(
                lambda: self._ready(flags), flags == c.POLLOUT, seconds
            )
        except Again:
            return 0

    def close(self, linger: float | None = None) -> None:
        """Closes; calls that wait raise."""
        super().close(linger)
        waiters: Waiters | None = self.__dict__.pop("_waiters", None)
        if waiters is not None:
            waiters.close()

    def _ready(self, flags: int) -> int | None:
        return (flags & self.getsockopt(c.EVENTS)) or None if not self._rest else c.POLLIN

    def _waiting(self) -> Waiters:
        loop = _asyncio.get_running_loop()
        waiters: Waiters | None = self.__dict__.get("_waiters")
        if waiters is None or waiters.loop is not loop:
            if waiters is not None:
                waiters.close()
            waiters = self.__dict__["_waiters"] = Waiters(self, loop)
        return waiters


class Poller(_sockets.Poller):
    """Waits for several sockets to await."""

    async def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:  # type: ignore[override]
        """What is ready within so many milliseconds."""
        millis = None if timeout is None or timeout < 0 else timeout
        waits = {
            _asyncio.ensure_future(socket.poll(None, flags)): socket
            for socket, flags in self._entries.items()
        }
        try:
            seconds = None if millis is None else millis / 1000
            done, _ = await _asyncio.wait(
                waits, timeout=seconds, return_when=_asyncio.FIRST_COMPLETED
            )
            return [(waits[task], task.result()) for task in waits if task in done]
        finally:
            for task in waits:
                task.cancel()
