"""Sockets to await, on asyncio's own loop, uvloop, or any with ``add_reader``.

>>> import asyncio, ferromq.asyncio
>>> async def main():
...     with ferromq.asyncio.Context() as context:
...         rep, req = context.socket(ferromq.REP), context.socket(ferromq.REQ)
...         req.connect(rep.bind("tcp://127.0.0.1:*"))
...         await req.send(b"question")
...         await rep.send(await rep.recv() + b"?")
...         return await req.recv()
>>> asyncio.run(main())
b'question?'

Nothing polls, and a call that is cancelled has taken no message.
"""

from __future__ import annotations

import asyncio as _asyncio
import json as _json
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from . import _socket
from ._errors import Closed, Terminated, WouldBlock
from ._native import Frame, Tracker
from ._options import SocketOptions
from ._poller import POLLIN, POLLOUT
from ._sight import Monitor, Statistics
from ._types import SocketType
from ._waiters import Waiters
from .tensors import Ownership, Tensor
from .tensors._out import Out
from .tensors._transfer import address_frames, frames_of, received

T = TypeVar("T")

# After so many calls in a row that did not wait, one lets others run.
_BURST = 64
# More than a wake-up finds room for, mostly.
_WINDOW = 1000


class Context(_socket.Context):
    """Where sockets to await come from."""

    def socket(  # type: ignore[override]
        self, socket_type: SocketType | int, **options: Unpack[SocketOptions]
    ) -> Socket:
        """A socket of this type."""
        return Socket(_socket.Socket(self, socket_type, **options))


class Socket:
    """A socket whose sends and receives are awaited. ``plain`` is the same socket
    with calls that block."""

    def __init__(self, plain: _socket.Socket) -> None:
        self.plain = plain
        self._waiters: Waiters | None = None
        self._burst = 0

    # Sending.

    async def send(self, data: Any, *, timeout: float | None = None) -> None:
        """Sends a message of one frame."""
        if self.plain.try_send(data):
            self._burst += 1
            if self._burst >= _BURST:
                await self._breathe()
            return
        await self._until_sent(lambda: self.plain.try_send(data), timeout)

    async def send_multipart(self, parts: Iterable[Any], *, timeout: float | None = None) -> None:
        """Sends a message of several frames."""
        frames = list(parts)
        if self.plain.try_send_multipart(frames):
            return await self._breathe_sometimes()
        await self._until_sent(lambda: self.plain.try_send_multipart(frames), timeout)

    async def send_batch(self, messages: Iterable[Any], *, timeout: float | None = None) -> int:
        """Sends many messages of one frame each; answers how many, which is all unless
        the time is over: then it is those that were sent before. Those are sent, too,
        if it is cancelled."""
        batch, sent = list(messages), 0
        # All at first, so that what cannot be sent is told before anything is; then a
        # window, so that a wake-up costs what it sends and not what is left.
        window = len(batch)

        def attempt() -> bool:
            nonlocal sent, window
            while True:
                some, window = batch[sent : sent + window], _WINDOW
                try:
                    taken = self.plain.send_batch(some, timeout=0)
                except WouldBlock:
                    return False
                sent += taken
                if taken < len(some) or sent == len(batch):
                    return sent == len(batch)

        await self._breathe_sometimes()
        if not attempt():
            try:
                await self._until_sent(attempt, timeout)
            except TimeoutError:
                if not sent:
                    raise
        return sent

    async def send_string(
        self, text: str, encoding: str = "utf-8", *, timeout: float | None = None
    ) -> None:
        """Sends a text."""
        await self.send(text.encode(encoding), timeout=timeout)

    async def send_json(self, value: Any, *, timeout: float | None = None) -> None:
        """Sends what JSON can hold."""
        await self.send(_json.dumps(value).encode(), timeout=timeout)

    async def send_tensor(
        self,
        tensor: Any,
        *,
        topic: bytes | str | None = None,
        identity: bytes | None = None,
        ownership: Ownership = "copied",
        checksum: bool = False,
        contiguous: bool = False,
        stage: bool = False,
        tag: int = 0,
        timeout: float | None = None,
    ) -> Tracker | None:
        """Sends a tensor, as ``ferromq.Socket.send_tensor`` does, but that "copied"
        always copies: an awaited send does not wait for its peer to take it."""
        front = address_frames(self.plain.type_name, topic, identity)
        header, payload, copied = frames_of(
            tensor, checksum=checksum, contiguous=contiguous, stage=stage, tag=tag
        )
        frames = [*front, header, payload]
        # A copy that was made already is nobody else's.
        if ownership == "copied" and not copied:
            await self.send_multipart(frames, timeout=timeout)
            return None
        # To lend it more than once would make trackers that tell too early.
        while not self.plain.readiness()[1]:
            await self._until_sent(lambda: self.plain.readiness()[1], timeout)
        tracker = self.plain.send_borrowed(frames, timeout=0)
        return tracker if ownership == "borrowed" else None

    # Receiving.

    async def recv(self, *, timeout: float | None = None) -> bytes:
        """Receives a message of one frame."""
        message = self.plain.try_recv()
        if message is None:
            return await self._until_received(self.plain.try_recv, timeout)
        self._burst += 1
        if self._burst >= _BURST:
            await self._breathe_with(message)
        return message

    async def recv_multipart(self, *, timeout: float | None = None) -> list[bytes]:
        """Receives a message as a list of its frames' bytes."""
        return await self._receive(self.plain.try_recv_multipart, timeout)

    async def recv_frames(self, *, timeout: float | None = None) -> list[Frame]:
        """Receives a message as a list of its frames, without a copy."""
        return await self._receive(self.plain.try_recv_frames, timeout)

    async def recv_batch(self, max: int = 1000, *, timeout: float | None = None) -> list[bytes]:
        """Receives up to ``max`` messages of one frame each, waiting for the first
        only."""

        def attempt() -> list[bytes] | None:
            try:
                return self.plain.recv_batch(max, timeout=0)
            except WouldBlock:
                return None

        # Before it has any, for a cancel could put back but one.
        await self._breathe_sometimes()
        messages = attempt()
        return await self._until_received(attempt, timeout) if messages is None else messages

    async def recv_string(self, encoding: str = "utf-8", *, timeout: float | None = None) -> str:
        """Receives a text. What is none is kept for the next call."""
        message = await self.recv(timeout=timeout)
        try:
            return message.decode(encoding)
        except UnicodeDecodeError:
            self.plain._keep([message])
            raise

    async def recv_json(self, *, timeout: float | None = None) -> Any:
        """Receives JSON. What is none is kept for the next call."""
        message = await self.recv(timeout=timeout)
        try:
            return _json.loads(message)
        except ValueError:
            self.plain._keep([message])
            raise

    async def recv_tensor(self, *, out: Any = None, timeout: float | None = None) -> Tensor:
        """Receives a tensor, as ``ferromq.Socket.recv_tensor`` does."""
        if out is None:
            return received(self.plain, await self.recv_frames(timeout=timeout), None)
        place = Out(out)
        with place.offered_by(self.plain) as offered:
            plain = self.plain
            attempt = plain._try_recv_offered if offered else plain.try_recv_frames
            frames = await self._receive(attempt, timeout)
        return received(self.plain, frames, place)

    async def poll(self, timeout: float | None = None, flags: int = POLLIN) -> int:
        """What the socket is ready for, of what ``flags`` asks; 0 if nothing in
        time."""

        def ready() -> int | None:
            readable, writable = self.plain.readiness()
            return flags & (readable * POLLIN | writable * POLLOUT) or None

        if (found := ready()) is not None:
            return found
        try:
            return await self._waiting().until(ready, flags == POLLOUT, timeout)
        except TimeoutError:
            return 0

    # What does not wait.

    @property
    def type(self) -> SocketType:
        """What it was made as."""
        return self.plain.type

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its context terminated."""
        return self.plain.closed

    def bind(self, endpoint: str) -> str:
        """As ``ferromq.Socket.bind``."""
        return self.plain.bind(endpoint)

    def connect(self, endpoint: str) -> None:
        """As ``ferromq.Socket.connect``."""
        self.plain.connect(endpoint)

    def unbind(self, endpoint: str) -> None:
        """As ``ferromq.Socket.unbind``."""
        self.plain.unbind(endpoint)

    def disconnect(self, endpoint: str) -> None:
        """As ``ferromq.Socket.disconnect``."""
        self.plain.disconnect(endpoint)

    def subscribe(self, prefix: bytes | str = b"") -> None:
        """As ``ferromq.Socket.subscribe``."""
        self.plain.subscribe(prefix)

    def unsubscribe(self, prefix: bytes | str = b"") -> None:
        """As ``ferromq.Socket.unsubscribe``."""
        self.plain.unsubscribe(prefix)

    def set_options(self, **options: Unpack[SocketOptions]) -> None:
        """As ``ferromq.Socket.set_options``."""
        self.plain.set_options(**options)

    def monitor(self) -> Monitor:
        """As ``ferromq.Socket.monitor``."""
        return self.plain.monitor()

    def statistics(self) -> Statistics:
        """As ``ferromq.Socket.statistics``."""
        return self.plain.statistics()

    def close(self, linger: float | None = None) -> None:
        """Closes it; calls that wait raise Closed."""
        self.plain.close(linger)
        if self._waiters is not None:
            self._waiters.close()
            self._waiters = None

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return self._messages()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: _socket._Raised,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        waiters = getattr(self, "_waiters", None)
        if waiters is not None and not waiters.loop.is_closed():
            waiters.loop.call_soon_threadsafe(waiters.close)

    def __repr__(self) -> str:
        return f"<asyncio {self.plain!r}>"

    async def _messages(self) -> AsyncIterator[list[bytes]]:
        while True:
            try:
                message = await self.recv_multipart()
            except (Closed, Terminated):
                return
            yield message

    async def _receive(self, attempt: Callable[[], T | None], timeout: float | None) -> T:
        message = attempt()
        if message is None:
            return await self._until_received(attempt, timeout)
        self._burst += 1
        if self._burst >= _BURST:
            await self._breathe_with(message)
        return message

    async def _until_received(self, attempt: Callable[[], T | None], timeout: float | None) -> T:
        self._burst = 0
        if timeout is None:
            timeout = self.plain.option("receive_timeout")
        return await self._waiting().until(attempt, False, timeout)

    async def _until_sent(self, attempt: Callable[[], bool], timeout: float | None) -> None:
        self._burst = 0
        if timeout is None:
            timeout = self.plain.option("send_timeout")
        await self._waiting().until(lambda: attempt() or None, True, timeout)

    def _waiting(self) -> Waiters:
        loop = _asyncio.get_running_loop()
        if self._waiters is None or self._waiters.loop is not loop:
            if self._waiters is not None:
                self._waiters.close()
            self._waiters = Waiters(self.plain, loop)
        return self._waiters

    async def _breathe(self) -> None:
        self._burst = 0
        await _asyncio.sleep(0)

    async def _breathe_sometimes(self) -> None:
        self._burst += 1
        if self._burst >= _BURST:
            await self._breathe()

    async def _breathe_with(self, message: Any) -> None:
        """Lets others run, with a message in hand that a cancel puts back."""
        try:
            await self._breathe()
        except BaseException:
            self.plain._keep([message] if isinstance(message, bytes) else message)
            raise


class Poller:
    """Waits for several sockets to await."""

    def __init__(self) -> None:
        self._entries: dict[Socket, int] = {}

    def register(self, socket: Socket, flags: int = POLLIN) -> None:
        """Waits for this too; a second call changes for what. 0 is unregister."""
        if flags:
            self._entries[socket] = flags
        else:
            self._entries.pop(socket, None)

    def unregister(self, socket: Socket) -> None:
        """Does not wait for this any more. Raises KeyError."""
        del self._entries[socket]

    async def poll(self, timeout: float | None = None) -> list[tuple[Socket, int]]:
        """What is ready for what, within ``timeout`` seconds; empty if nothing."""
        waits = {
            _asyncio.ensure_future(socket.poll(None, flags)): socket
            for socket, flags in self._entries.items()
        }
        if not waits:
            await _asyncio.sleep(timeout or 0)
            return []
        try:
            done, _ = await _asyncio.wait(
                waits, timeout=timeout, return_when=_asyncio.FIRST_COMPLETED
            )
            return [(waits[task], task.result()) for task in waits if task in done]
        finally:
            for task in waits:
                task.cancel()


__all__ = ["Context", "Poller", "Socket"]
