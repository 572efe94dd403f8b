"""Waiting for several sockets and descriptors."""

from __future__ import annotations

from typing import Any, Protocol

from . import _native

POLLIN = 1
POLLOUT = 2


class HasFileno(Protocol):
    """An open file, pipe or socket."""

    def fileno(self) -> int: ...


Pollable = _native.Socket | int | HasFileno


class Poller:
    """Waits for sockets, and for whatever has a descriptor. Level-triggered: what
    is not received is told again."""

    def __init__(self) -> None:
        self._entries: dict[Any, int] = {}

    def register(self, target: Pollable, flags: int = POLLIN | POLLOUT) -> None:
        """Waits for this too; a second call changes for what. 0 is unregister."""
        if flags:
            self._entries[target] = flags
        else:
            self._entries.pop(target, None)

    def modify(self, target: Pollable, flags: int = POLLIN | POLLOUT) -> None:
        """Changes what to wait for."""
        self.register(target, flags)

    def unregister(self, target: Pollable) -> None:
        """Does not wait for this any more. Raises KeyError."""
        del self._entries[target]

    def __contains__(self, target: object) -> bool:
        return target in self._entries

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """What is ready for what, within ``timeout`` seconds; empty if nothing."""
        entries = list(self._entries.items())
        ready = _native._poll(entries, timeout)
        return [(target, flags) for (target, _), flags in zip(entries, ready) if flags]
