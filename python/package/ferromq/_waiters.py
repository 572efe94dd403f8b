"""Who waits for a socket in an event loop.

The loop watches the socket's descriptor while somebody waits. A waiter is woken
to try again, never handed a message: one that is cancelled in that moment has
taken nothing, and passes the wake-up on.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from . import _native
from ._errors import Error, TimedOut

T = TypeVar("T")


class Waiters:
    """The waiters of one socket in one loop."""

    def __init__(self, socket: _native.Socket, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._socket = socket
        # A number of our own stays valid until the loop has let go of it.
        self._fd = os.dup(socket.fileno())
        self._watched = False
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._senders: deque[asyncio.Future[None]] = deque()

    async def until(
        self, attempt: Callable[[], T | None], sends: bool, timeout: float | None
    ) -> T:
        """Attempts whenever that may succeed, until it answers something."""
        deadline = None if timeout is None else self.loop.time() + timeout
        queue = self._senders if sends else self._receivers
        while True:
            future: asyncio.Future[None] = self.loop.create_future()
            queue.append(future)
            self._watch()
            handle = None
            if deadline is not None:
                handle = self.loop.call_at(deadline, _expire, future)
            try:
                # What came before the loop watched.
                if (found := attempt()) is not None:
                    return found
                await future
                if (found := attempt()) is not None:
                    return found
            finally:
                if handle is not None:
                    handle.cancel()
                if future in queue:
                    queue.remove(future)
                # Somebody else may have what this one was woken for.
                self._wake(queue)

    def close(self) -> None:
        """Wakes everybody, who will find the socket closed."""
        self._unwatch()
        for queue in (self._receivers, self._senders):
            while queue:
                _wake(queue.popleft())
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _watch(self) -> None:
        if not self._watched and self._fd >= 0:
            self.loop.add_reader(self._fd, self._ready)
            self._watched = True

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            if not self.loop.is_closed():
                self.loop.remove_reader(self._fd)

    def _ready(self) -> None:
        if not self._receivers and not self._senders:
            self._unwatch()
            return
        try:
            # Takes notice of the descriptor, which is quiet from then on.
            readable, writable = self._socket.readiness()
        except Error:
            readable = writable = True
        if readable:
            self._wake(self._receivers)
        if writable:
            self._wake(self._senders)

    def _wake(self, queue: deque[asyncio.Future[None]]) -> None:
        while queue:
            future = queue.popleft()
            if not future.done():
                future.set_result(None)
                return


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _expire(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_exception(TimedOut("the operation timed out"))
