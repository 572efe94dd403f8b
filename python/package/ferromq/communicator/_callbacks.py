"""Callbacks: on a thread of their socket's own, and what they raise is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._errors import Closed, Error, Terminated

logger = logging.getLogger("ferromq.communicator")


@dataclass(frozen=True, slots=True)
class Failure:
    """A message whose callback raised, or that no callback takes."""

    socket_id: int
    error: BaseException
    message: Any


class Dispatcher:
    """The thread of one socket's callbacks."""

    def __init__(
        self,
        socket_id: int,
        receive: Callable[[], Any],
        handle: Callable[[Any], None],
    ) -> None:
        self._socket_id = socket_id
        self._receive = receive
        self._handle = handle
        self.on_failure: Callable[[Failure], Any] | None = None
        self.failures = 0
        self._thread = threading.Thread(
            target=self._run, name=f"ferromq-callback-{socket_id}", daemon=True
        )

    def start(self) -> None:
        """Begins to receive."""
        self._thread.start()

    def join(self) -> None:
        """Waits for a callback that runs; not if it is the callback that asks."""
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                message = self._receive()
            except (Closed, Terminated):
                return
            except Error as error:
                # A message that is refused as a whole; the next may be well.
                self.report(error, None)
                continue
            try:
                self._handle(message)
            except Exception as error:
                self.report(error, message)

    def report(self, error: BaseException, message: Any) -> None:
        """Tells the application; the log, if it did not say whom to tell."""
        self.failures += 1
        if self.on_failure is None:
            logger.error(
                "callback of socket %d failed: %s", self._socket_id, error, exc_info=error
            )
            return
        try:
            self.on_failure(Failure(self._socket_id, error, message))
        except Exception:
            logger.exception("the error callback of socket %d failed", self._socket_id)
