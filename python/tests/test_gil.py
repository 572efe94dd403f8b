"""When calls for short messages give the GIL away: at once where each message is waited
for, for the answer may be another thread's of this process, and not where messages come
without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import ferromq
from ferromq import DEALER, ROUTER, Context, Socket

Pair = tuple[Socket, Socket]

SENDS: dict[str, Callable[[Socket], Any]] = {
    "bytes": lambda socket: socket.send(b"x"),
    "bytes within a time": lambda socket: socket.send(b"x", timeout=30),
    "a bytearray": lambda socket: socket.send(bytearray(b"x")),
    "long bytes": lambda socket: socket.send(bytes(100_000)),
    "a long bytearray": lambda socket: socket.send(bytearray(100_000)),
    "frames": lambda socket: socket.send_multipart([b"x", b"y"]),
    "a batch": lambda socket: socket.send_batch([b"x", b"y"]),
    "lent memory": lambda socket: socket.send_borrowed([b"x"]),
    "if there is room": lambda socket: socket.try_send(b"x"),
    "frames if there is room": lambda socket: socket.try_send_multipart([b"x", b"y"]),
}
RECEIVES: dict[str, Callable[[Socket], Any]] = {
    "bytes": lambda socket: socket.try_recv(),
    "frames": lambda socket: socket.try_recv_frames(),
    "frames' bytes": lambda socket: socket.try_recv_multipart(),
    "a batch": lambda socket: socket.recv_batch(),
    "a batch of frames": lambda socket: socket.recv_multipart_batch(),
}


def receive_what_is_there(socket: Socket) -> list[bytes]:
    """By a call that would wait, which it need not."""
    while not socket.readiness()[0]:
        pass
    return socket.recv_multipart()


@pytest.mark.parametrize("how", SENDS)
def test_a_message_behind_a_send_counts_as_waited_for(pair: Pair, how: str) -> None:
    a, b = pair
    b.send(b"there already")
    while not a.readiness()[0]:
        pass
    assert SENDS[how](a) is not False
    assert a._brisk, "nothing was waited for yet"
    receive_what_is_there(a)
    assert not a._brisk


def test_messages_that_are_there_are_received_with_the_gil_held(pair: Pair) -> None:
    a, b = pair
    for _ in range(10):
        b.send(b"unasked")
        receive_what_is_there(a)
        assert a._brisk


@pytest.mark.parametrize("how", RECEIVES)
def test_a_send_is_answered_once(pair: Pair, how: str) -> None:
    a, b = pair
    a.send(b"question")
    b.send(b"answer")
    while not a.readiness()[0]:
        pass
    assert RECEIVES[how](a)
    b.send(b"unasked")
    receive_what_is_there(a)
    assert a._brisk


def test_a_send_that_fails_is_not_answered(context: Context) -> None:
    router, dealer = context.socket(ROUTER, router_mandatory=True), context.socket(DEALER)
    dealer.connect(router.bind("tcp://127.0.0.1:*"))
    dealer.send(b"unasked")
    while not router.readiness()[0]:
        pass
    with pytest.raises(ferromq.HostUnreachable):
        router.send_multipart([b"nobody", b"x"])
    with pytest.raises(ferromq.HostUnreachable):
        router.try_send_multipart([b"nobody", b"x"])
    receive_what_is_there(router)
    assert router._brisk
