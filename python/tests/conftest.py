"""What every test has: a context of ours, one of pyzmq's, and a watchdog."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from typing import Any

import pytest

import ferromq

# A test that hangs shows where, and ends the run.
WATCHDOG = 40.0


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(WATCHDOG, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def context() -> Iterator[ferromq.Context]:
    with ferromq.Context() as context:
        yield context


@pytest.fixture
def peers() -> Iterator[Any]:
    """A context of real pyzmq."""
    zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def pair(context: ferromq.Context) -> tuple[ferromq.Socket, ferromq.Socket]:
    """Two PAIR sockets that are connected."""
    a, b = context.socket(ferromq.PAIR), context.socket(ferromq.PAIR)
    b.connect(a.bind("tcp://127.0.0.1:*"))
    a.wait_for_peers(timeout=30)
    return a, b
