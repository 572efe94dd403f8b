"""A proxy: whole messages, both ways, until the context ends."""

from __future__ import annotations

from typing import Any, NoReturn

from .. import _native


def proxy(frontend: Any, backend: Any, capture: Any = None) -> NoReturn:
    """Passes messages on until the context is terminated, which raises
    ContextTerminated, or a socket closed."""
    _run(frontend, backend, capture, None)
    raise AssertionError("a proxy without control does not end")


def proxy_steerable(frontend: Any, backend: Any, capture: Any = None, control: Any = None) -> None:
    """As ``proxy``, told PAUSE, RESUME and TERMINATE by ``control``."""
    _run(frontend, backend, capture, control)


def _run(frontend: Any, backend: Any, capture: Any, control: Any) -> None:
    paused = False
    ways = [(frontend, backend), (backend, frontend)]
    if frontend is backend:
        ways = ways[:1]
    while True:
        entries = [] if paused else [(source, 1) for source, _ in ways]
        if control is not None:
            entries.append((control, 1))
        ready = _native._poll(entries, None)
        if control is not None and ready[-1]:
            command = control.recv()
            if command == b"TERMINATE":
                return
            paused = command == b"PAUSE" or (paused and command != b"RESUME")
        if not paused:
            for (source, target), found in zip(ways, ready):
                if found:
                    _pass_on(source, target, capture)


def _pass_on(source: Any, target: Any, capture: Any) -> None:
    """A bounded run of messages, so that the other way has its turn."""
    for _ in range(100):
        frames = _native.Socket.try_recv_frames(source)
        if frames is None:
            return
        _native.Socket.send_borrowed(target, frames)
        if capture is not None:
            _native.Socket.send_borrowed(capture, frames)
