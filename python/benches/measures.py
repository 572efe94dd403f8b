"""What compare.py measures: each function answers one figure of one run.

Sockets of this package have pyzmq's names here, so that the programs are the same.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import threading
import time
from typing import Any, NamedTuple

import ferromq
import ferromq.asyncio
import ferromq.zmq
import numpy
import zmq
import zmq.asyncio

WARM = 100
"""Round trips that are not measured."""


class Place(NamedTuple):
    """The cores of this side and of the other."""

    name: str
    here: int
    there: int


def stay_on(*cores: int) -> None:
    """This thread, and those that it starts."""
    os.sched_setaffinity(0, cores)


def sockets(module: Any, kinds: tuple[int, int]) -> tuple[Any, Any, Any]:
    context = module.Context()
    a, b = context.socket(kinds[0]), context.socket(kinds[1])
    for socket in (a, b):
        socket.linger = 0
    port = a.bind_to_random_port("tcp://127.0.0.1")
    b.connect(f"tcp://127.0.0.1:{port}")
    return context, a, b


def feed(ours: bool, core: int, endpoint: str, size: int, count: int, batch: int) -> None:
    """The sending process."""
    stay_on(core)
    context = (ferromq.zmq if ours else zmq).Context()
    push: Any = context.socket(zmq.PUSH)
    push.connect(endpoint)
    # Not zeros, which would be the same page over and over.
    data = b"x" * size
    push.send(data)
    if batch:
        for _ in range(count // batch):
            push.send_batch([data] * batch)
    else:
        for _ in range(count):
            push.send(data)
    push.close()
    context.term()


def rate(ours: bool, place: Place, size: int, count: int, batch: int = 0) -> float:
    """Messages a second from a process to another."""
    context: Any = (ferromq.zmq if ours else zmq).Context()
    pull = context.socket(zmq.PULL)
    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=feed, args=(ours, place.there, endpoint, size, count, batch))
    child.start()
    pull.recv()
    started = time.perf_counter()
    if batch:
        left = count
        while left:
            left -= len(pull.recv_batch(batch))
    elif size >= 1 << 20:
        for _ in range(count):
            pull.recv(copy=False)
    else:
        for _ in range(count):
            pull.recv()
    took = time.perf_counter() - started
    child.join()
    context.destroy(linger=0)
    return count / took


def feed_tensors(ours: bool, core: int, endpoint: str, size: int, count: int) -> None:
    """The sending process."""
    stay_on(core)
    context = (ferromq.zmq if ours else zmq).Context()
    push: Any = context.socket(zmq.PUSH)
    push.connect(endpoint)
    tensor = numpy.ones(size, "u1")
    for _ in range(1 + count):
        if ours:
            push.send_tensor(tensor)
        else:
            push.send_multipart([b"u1", tensor], copy=False)
    push.close()
    context.term()


def tensors(ours: bool, place: Place, size: int, count: int) -> float:
    """Tensors a second from a process to another, each an array in the end."""
    context: Any = (ferromq.zmq if ours else zmq).Context()
    pull = context.socket(zmq.PULL)

    def receive() -> Any:
        if ours:
            return pull.recv_tensor().numpy()
        kind, body = pull.recv_multipart(copy=False)
        return numpy.frombuffer(body, bytes(kind).decode())

    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=feed_tensors, args=(ours, place.there, endpoint, size, count))
    child.start()
    receive()
    started = time.perf_counter()
    for _ in range(count):
        assert receive().nbytes == size
    took = time.perf_counter() - started
    child.join()
    context.destroy(linger=0)
    return count / took


def rusts(program: str, place: Place, size: int, count: int) -> float:
    """Messages a second from a process without Python to another."""
    here = subprocess.Popen(
        [program, "pull", str(size), str(count)], stdout=subprocess.PIPE, text=True
    )
    assert here.stdout is not None
    endpoint = here.stdout.readline().strip()
    stay_on(place.there)
    there = subprocess.Popen([program, "push", endpoint, str(size), str(count)])
    found = float(here.stdout.readline())
    assert here.wait() == there.wait() == 0
    return found


def answer(ours: bool, core: int, endpoint: str, count: int) -> None:
    """The answering process."""
    stay_on(core)
    context = (ferromq.zmq if ours else zmq).Context()
    rep: Any = context.socket(zmq.REP)
    rep.connect(endpoint)
    for _ in range(count):
        rep.send(rep.recv())
    rep.close()
    context.term()


def round_trip_of_processes(ours: bool, place: Place, count: int) -> float:
    """Microseconds of a request and its reply, a process each."""
    context: Any = (ferromq.zmq if ours else zmq).Context()
    req = context.socket(zmq.REQ)
    endpoint = f"tcp://127.0.0.1:{req.bind_to_random_port('tcp://127.0.0.1')}"
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=answer, args=(ours, place.there, endpoint, WARM + count))
    child.start()
    found = asked(req, count)
    child.join()
    context.destroy(linger=0)
    return found


def asked(req: Any, count: int) -> float:
    """Microseconds of a request and its reply, when some have warmed up."""
    for _ in range(WARM):
        req.send(b"x" * 64)
        req.recv()
    started = time.perf_counter()
    for _ in range(count):
        req.send(b"x" * 64)
        req.recv()
    return (time.perf_counter() - started) / count * 1e6


def round_trip(ours: bool, place: Place, count: int, timeouts: bool = False) -> float:
    """Microseconds of a request and its reply, a thread each."""
    context, rep, req = sockets(ferromq.zmq if ours else zmq, (zmq.REP, zmq.REQ))
    if timeouts:
        for socket in (rep, req):
            socket.rcvtimeo = socket.sndtimeo = 60_000

    def serve() -> None:
        stay_on(place.there)
        for _ in range(WARM + count):
            rep.send(rep.recv())

    thread = threading.Thread(target=serve)
    thread.start()
    found = asked(req, count)
    thread.join()
    context.destroy(linger=0)
    return found


def awaited(ours: bool, place: Place, count: int, trip: bool = False) -> float:
    """asyncio: messages a second, or microseconds of a round trip, in one loop."""
    # One thread: the other core is for those of the libraries.
    stay_on(place.here, place.there)

    async def main() -> float:
        context: Any = ferromq.asyncio.Context() if ours else zmq.asyncio.Context()
        kinds = (zmq.REP, zmq.REQ) if trip else (zmq.PULL, zmq.PUSH)
        a, b = context.socket(kinds[0]), context.socket(kinds[1])
        endpoint = "tcp://127.0.0.1:*"
        real = a.bind(endpoint) if ours else (a.bind(endpoint), a.last_endpoint.decode())[1]
        b.connect(real)
        data = b"x" * 64
        started = time.perf_counter()
        if trip:
            for _ in range(count):
                await b.send(data)
                await a.send(await a.recv())
                await b.recv()
        else:

            async def send() -> None:
                for _ in range(count):
                    await b.send(data)

            sender = asyncio.ensure_future(send())
            for _ in range(count):
                await a.recv()
            await sender
        took = time.perf_counter() - started
        a.close(0)
        b.close(0)
        context.term()
        return took / count * 1e6 if trip else count / took

    return asyncio.run(main())
