"""The same messages through this package and pyzmq, in turn, in one run.

    python benches/compare.py [--rounds 5]

Each figure is the median of the rounds, with the lowest and highest behind it:
how far they are apart is how noisy the machine was.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import ferromq
import ferromq.asyncio
import ferromq.zmq
import numpy
import zmq
import zmq.asyncio


def sockets(module: Any, kinds: tuple[int, int]) -> tuple[Any, Any, Any]:
    context = module.Context()
    a, b = context.socket(kinds[0]), context.socket(kinds[1])
    for socket in (a, b):
        socket.linger = 0
    port = a.bind_to_random_port("tcp://127.0.0.1")
    b.connect(f"tcp://127.0.0.1:{port}")
    return context, a, b


def feed(ours: bool, endpoint: str, size: int, count: int, batch: int) -> None:
    """The sending process."""
    context = (ferromq.zmq if ours else zmq).Context()
    push: Any = context.socket(zmq.PUSH)
    push.connect(endpoint)
    data = bytes(size)
    push.send(data)
    if batch:
        for _ in range(count // batch):
            push.send_batch([data] * batch)
    else:
        for _ in range(count):
            push.send(data)
    push.close()
    context.term()


def rate(ours: bool, size: int, count: int, batch: int = 0) -> float:
    """Messages a second from a process to another."""
    context: Any = (ferromq.zmq if ours else zmq).Context()
    pull = context.socket(zmq.PULL)
    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=feed, args=(ours, endpoint, size, count, batch))
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


def feed_tensors(ours: bool, endpoint: str, size: int, count: int) -> None:
    """The sending process."""
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


def tensors(ours: bool, size: int, count: int) -> float:
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
    child = spawn.Process(target=feed_tensors, args=(ours, endpoint, size, count))
    child.start()
    receive()
    started = time.perf_counter()
    for _ in range(count):
        assert receive().nbytes == size
    took = time.perf_counter() - started
    child.join()
    context.destroy(linger=0)
    return count / took


def round_trip(module: Any, count: int, timeouts: bool) -> float:
    """Microseconds of a request and its reply, a thread each."""
    context, rep, req = sockets(module, (zmq.REP, zmq.REQ))
    if timeouts:
        for socket in (rep, req):
            socket.rcvtimeo = socket.sndtimeo = 60_000

    def serve() -> None:
        for _ in range(count + 1):
            rep.send(rep.recv())

    thread = threading.Thread(target=serve)
    thread.start()
    req.send(b"x" * 64)
    req.recv()
    started = time.perf_counter()
    for _ in range(count):
        req.send(b"x" * 64)
        req.recv()
    took = time.perf_counter() - started
    thread.join()
    context.destroy(linger=0)
    return took / count * 1e6


def awaited(ours: bool, count: int, trip: bool) -> float:
    """asyncio: messages a second, or microseconds of a round trip, in one loop."""

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


CASES: dict[str, tuple[Callable[[bool], float], str]] = {
    "64 B one by one": (lambda o: rate(o, 64, 1_000_000), "msg/s"),
    "64 B by batches": (
        lambda o: rate(o, 64, 1_000_000, 500 if o else 0),
        "msg/s",
    ),
    "10 MiB": (lambda o: rate(o, 10 << 20, 100) * 10.485760, "MB/s"),
    "10 MiB tensors": (lambda o: tensors(o, 10 << 20, 200) * 10.485760, "MB/s"),
    "round trip": (lambda o: round_trip(ferromq.zmq if o else zmq, 5_000, False), "us"),
    "round trip, time-outs": (lambda o: round_trip(ferromq.zmq if o else zmq, 5_000, True), "us"),
    "asyncio 64 B": (lambda o: awaited(o, 50_000 if o else 20_000, False), "msg/s"),
    "asyncio round trip": (lambda o: awaited(o, 3_000, True), "us"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    for name, (measure, unit) in CASES.items():
        if arguments.only not in name:
            continue
        found: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(arguments.rounds):
            for ours in (True, False):
                found[ours].append(measure(ours))
        texts = []
        for ours in (True, False):
            values = sorted(found[ours])
            text = f"{statistics.median(values):>12,.0f} ({values[0]:,.0f}..{values[-1]:,.0f})"
            texts.append(text)
        ratio = statistics.median(found[True]) / statistics.median(found[False])
        print(f"{name:<24} {unit:<6} ferromq {texts[0]}  pyzmq {texts[1]}  x{ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
