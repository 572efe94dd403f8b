"""What every test has: a context of ours, and one of pyzmq's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import ferromq

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
