"""The REQ of a communicator: a DEALER whose requests carry numbers, so that any
number may be under way, and a late reply is nobody else's."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .._errors import Closed, Error, PeerLost, Terminated, TimedOut
from .._socket import Socket

_LOOK = 0.25


class Client:
    """Requests under way on one socket."""

    def __init__(self, socket: Socket, timeout: float | None) -> None:
        self.socket = socket
        self.timeout = timeout
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._under_way: dict[bytes, Future[list[bytes]]] = {}
        self._thread: threading.Thread | None = None

    def submit(self, parts: list[Any]) -> tuple[bytes, Future[list[bytes]]]:
        """Sends a request; its number, and where the reply will be."""
        future: Future[list[bytes]] = Future()
        future.set_running_or_notify_cancel()
        number = next(self._numbers).to_bytes(8, "big")
        with self._lock:
            self._under_way[number] = future
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="ferromq-replies", daemon=True
                )
                self._thread.start()
        try:
            self.socket.send_multipart([number, b"", *parts])
        except BaseException as error:
            self.forget(number)
            if isinstance(error, TimedOut):
                raise no_peer(self.socket, error) from None
            raise
        return number, future

    def request(self, parts: list[Any], timeout: float | None = None) -> list[bytes]:
        """Sends a request and waits for its reply."""
        number, future = self.submit(parts)
        patience = self.timeout if timeout is None else timeout
        try:
            return future.result(patience)
        except TimeoutError as error:
            if future.done():
                raise
            raise TimedOut(
                f"no reply within {patience} s from {', '.join(self.socket.connected)}"
            ) from error
        finally:
            self.forget(number)

    def forget(self, number: bytes) -> None:
        """A reply that comes yet is dropped."""
        with self._lock:
            self._under_way.pop(number, None)

    def _run(self) -> None:
        lost_since = None
        while True:
            try:
                message = self.socket.recv_multipart(timeout=_LOOK)
            except TimedOut:
                lost_since = self._look_for_peers(lost_since)
                continue
            except (Closed, Terminated) as error:
                self._fail_all(lambda: error)
                return
            lost_since = None
            number, *rest = message
            with self._lock:
                future = self._under_way.pop(number, None)
            if future is not None and rest[:1] == [b""] and not future.done():
                future.set_result(rest[1:])

    def _look_for_peers(self, lost_since: float | None) -> float | None:
        """Who asked a server that is gone need not wait for the time to pass: the
        reply cannot come, for the connection that it would come by is gone."""
        with self._lock:
            if not self._under_way:
                return None
        try:
            if self.socket.statistics().connected:
                return None
        except Error:
            return None
        now = time.monotonic()
        if lost_since is None or now - lost_since < _LOOK:
            return lost_since or now
        self._fail_all(lambda: no_peer(self.socket, None))
        return None

    def _fail_all(self, error: Callable[[], Exception]) -> None:
        with self._lock:
            failed = list(self._under_way.values())
            self._under_way.clear()
        for future in failed:
            if not future.done():
                future.set_exception(error())


def no_peer(socket: Socket, error: Error | None) -> Error:
    """Why nobody took a message."""
    places = ", ".join(socket.endpoints) or "no endpoint"
    try:
        if error is not None and socket.statistics().connected:
            return TimedOut(f"no peer of {places} took the message in time: all are full")
    except Error as closed:
        return closed
    return PeerLost(f"no peer is connected: {places}")
