"""The same messages through this package and pyzmq, in turn, in one run.

    python benches/compare.py [--rounds 3] [--only TEXT] [--write ../docs/PYTHON.md]

With both sides on one core, and with a core for each; ours over connections that move to
shared memory, as they do, and over TCP. Each figure is the median of the rounds, with the
lowest and highest behind it: how far they are apart is how noisy the machine was.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import re
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ferromq
import ferromq.asyncio
import ferromq.zmq
import numpy
import zmq
import zmq.asyncio

CORES = sorted(os.sched_getaffinity(0))


class Place(NamedTuple):
    """The cores of this side and of the other."""

    name: str
    here: int
    there: int


PLACES = [
    *([Place("a core each", CORES[0], CORES[1])] if len(CORES) > 1 else []),
    Place("one core", CORES[0], CORES[0]),
]


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


def round_trip(ours: bool, place: Place, count: int, timeouts: bool = False) -> float:
    """Microseconds of a request and its reply, a thread each."""
    context, rep, req = sockets(ferromq.zmq if ours else zmq, (zmq.REP, zmq.REQ))
    if timeouts:
        for socket in (rep, req):
            socket.rcvtimeo = socket.sndtimeo = 60_000

    def serve() -> None:
        stay_on(place.there)
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


class Case(NamedTuple):
    """What is measured, in which unit, and what is wanted of the ratio."""

    name: str
    unit: str
    wanted: str
    measure: Callable[[bool, Place], float]


MIB = 1 << 20
MB = MIB / 1e6
BATCH = 500
CASES = [
    Case(
        "64 B, `send` and `recv` one by one",
        "msg/s",
        "1.6",
        lambda ours, at: rate(ours, at, 64, 1_000_000 if ours else 300_000),
    ),
    Case(
        "64 B, `send_batch` and `recv_batch` against one by one",
        "msg/s",
        "3",
        lambda ours, at: rate(ours, at, 64, 2_000_000 if ours else 300_000, BATCH * ours),
    ),
    Case("10 MiB", "MB/s", "", lambda ours, at: rate(ours, at, 10 * MIB, 100) * 10 * MB),
    Case("10 MiB tensors", "MB/s", "", lambda ours, at: tensors(ours, at, 10 * MIB, 100) * 10 * MB),
    Case("round trip, two threads", "us", "0.6", lambda ours, at: round_trip(ours, at, 3_000)),
    Case(
        "the same with time-outs set",
        "us",
        "0.6",
        lambda ours, at: round_trip(ours, at, 3_000, timeouts=True),
    ),
    Case(
        "asyncio, 64 B",
        "msg/s",
        "8",
        lambda ours, at: awaited(ours, at, 100_000 if ours else 15_000),
    ),
    Case(
        "asyncio, round trip", "us", "0.5", lambda ours, at: awaited(ours, at, 3_000, trip=True)
    ),
]
CONTENDERS = {"ferromq": None, "ferromq, TCP": "0", "pyzmq": None}


def measured(case: Case, place: Place, rounds: int) -> dict[str, list[float]]:
    """Each contender's figures, ascending."""
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, switch in CONTENDERS.items():
            os.environ.pop("FERROMQ_SWITCH", None)
            if switch is not None:
                os.environ["FERROMQ_SWITCH"] = switch
            stay_on(place.here)
            found[name].append(case.measure(name != "pyzmq", place))
    return {name: sorted(values) for name, values in found.items()}


def told(unit: str, value: float) -> str:
    """A figure as a reader wants it."""
    if unit == "us":
        return f"{value:.0f} us"
    if unit == "MB/s":
        return f"{value / 1000:.1f} GB/s"
    return f"{value / 1e6:.1f} M/s" if value >= 1e6 else f"{value / 1e3:.0f} k/s"


def row(case: Case, of_places: list[dict[str, list[float]]]) -> str:
    """A line of the table: ratios to pyzmq at the same place."""
    cells = []
    for name in ("ferromq", "ferromq, TCP"):
        for found in of_places:
            ours, theirs = (statistics.median(found[it]) for it in (name, "pyzmq"))
            cells.append(f"{ours / theirs:.2f} ({told(case.unit, ours)})")
    limit = "at most" if case.unit == "us" else "at least"
    wanted = f"{limit} {case.wanted}" if case.wanted else ""
    pyzmq = ", ".join(told(case.unit, statistics.median(it["pyzmq"])) for it in of_places)
    return f"| {case.name} | {wanted} | {' | '.join(cells)} | {pyzmq} |"


def table(rows: list[str]) -> str:
    """All of it, as Markdown."""
    places = [place.name for place in PLACES]
    columns = [*places, *(f"TCP, {name}" for name in places)]
    head = f"| | wanted | {' | '.join(columns)} | pyzmq |"
    line = "|" + "---|" * (len(columns) + 3)
    return "\n".join([head, line, *rows])


BEGIN, END = "<!-- begin: written by benches/compare.py -->", "<!-- end -->"


def write(page: Path, text: str) -> None:
    """Puts the table between the marks of a page."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n\n).*?(?=\n\n{re.escape(END)})", re.S)
    before = page.read_text()
    if not pattern.search(before):
        raise SystemExit(f"{page} has no {BEGIN}")
    page.write_text(pattern.sub(lambda _: text, before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument("--write", type=Path, help="a page to put the table into")
    arguments = parser.parse_args()
    rows = []
    for case in CASES:
        if arguments.only not in case.name:
            continue
        found = [measured(case, place, arguments.rounds) for place in PLACES]
        for place, figures in zip(PLACES, found, strict=True):
            for name, values in figures.items():
                middle = f"{statistics.median(values):>12,.0f}"
                spread = f"({values[0]:,.0f}..{values[-1]:,.0f})"
                print(f"{case.name:<56} {place.name:<12} {name:<13} {middle} {case.unit} {spread}")
        rows.append(row(case, found))
        print(rows[-1], flush=True)
    text = table(rows)
    print(text)
    if arguments.write is not None:
        write(arguments.write, text)


if __name__ == "__main__":
    main()
