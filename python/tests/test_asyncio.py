"""Sockets to await, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import ferromq
import ferromq.asyncio as fa
from ferromq import PAIR, PULL, PUSH, REP, REQ

Program = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Program], None]:
    """Runs a program to its end on a loop."""
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop

    def run_it(program: Program) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(program(), 50))

    return run_it


Run = Callable[[Program], None]


async def connected(context: fa.Context, a: Any, b: Any) -> tuple[fa.Socket, fa.Socket]:
    first, second = context.socket(a), context.socket(b)
    second.connect(first.bind("tcp://127.0.0.1:*"))
    return first, second


def test_requests_are_answered(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            rep, req = await connected(context, REP, REQ)
            for number in range(100):
                await req.send(b"%d" % number)
                await rep.send(await rep.recv() + b"!")
                assert await req.recv() == b"%d!" % number

    run(main)


def test_a_receive_that_waits_lets_others_run(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            waiting = asyncio.ensure_future(pull.recv_multipart())
            await asyncio.sleep(0)
            await push.send_multipart([b"a", b"b"])
            assert await waiting == [b"a", b"b"]

    run(main)


def test_batches_arrive_whole_and_wait_for_room(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull = context.socket(PULL, receive_high_water_mark=10)
            push = context.socket(PUSH, send_high_water_mark=10)
            push.connect(pull.bind("tcp://127.0.0.1:*"))
            messages = [b"%d" % number for number in range(20_000)]
            sending = asyncio.ensure_future(push.send_batch(messages))
            got = await pull.recv_batch(7)
            assert 1 <= len(got) <= 7
            while len(got) < len(messages):
                got += await pull.recv_batch()
            assert got == messages
            assert await sending == len(messages)
            assert await push.send_batch([]) == 0
            with pytest.raises(ferromq.TimedOut):
                await pull.recv_batch(timeout=0.01)

    run(main)


def test_a_batch_hands_over_no_more_than_a_window_at_a_wake_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = context.socket(PULL), context.socket(PUSH)
            endpoint = push.bind("tcp://127.0.0.1:*")
            messages = [b"%d" % number for number in range(5_000)]
            handed: list[int] = []
            plainly = push.plain.send_batch

            def counted(some: list[bytes], *, timeout: float) -> int:
                handed.append(len(some))
                return plainly(some, timeout=timeout)

            monkeypatch.setattr(push.plain, "send_batch", counted)
            sending = asyncio.ensure_future(push.send_batch(iter(messages)))
            # It is refused, for nobody is there: all else is a wake-up's.
            while not handed:
                await asyncio.sleep(0)
            pull.connect(endpoint)
            got: list[bytes] = []
            while len(got) < len(messages):
                got += await pull.recv_batch()
            assert got == messages
            assert await sending == len(messages)
            assert handed[0] == len(messages)
            assert max(handed[1:]) <= 1000

    run(main)


def test_a_batch_with_what_is_no_message_sends_nothing(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            push.plain.wait_for_peers(timeout=10)
            with pytest.raises(TypeError):
                await push.send_batch([*[b"early"] * 1_500, 7])
            await push.send(b"first")
            assert await pull.recv() == b"first"

    run(main)


def test_a_batch_without_a_peer_is_told_in_time(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            push = context.socket(PUSH)
            push.bind("tcp://127.0.0.1:*")
            with pytest.raises(ferromq.TimedOut):
                await push.send_batch([b"a", b"b"], timeout=0.01)
            pull = context.socket(PULL)
            pull.connect(push.plain.bound[0])
            assert await push.send_batch([b"c", b"d"]) == 2
            assert [await pull.recv(), await pull.recv()] == [b"c", b"d"]

    run(main)


def test_what_is_no_text_and_no_json_stays_receivable(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            a, b = await connected(context, PAIR, PAIR)
            await a.send_json({"a": [1, None]})
            assert await b.recv_json() == {"a": [1, None]}
            await a.send_string("grüße", "latin-1")
            with pytest.raises(UnicodeDecodeError):
                await b.recv_string()
            with pytest.raises(ValueError):
                await b.recv_json()
            assert await b.recv_string("latin-1") == "grüße"

    run(main)


def test_a_send_waits_for_room(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            push = context.socket(PUSH, immediate=True)
            endpoint = push.bind("tcp://127.0.0.1:*")
            waiting = asyncio.ensure_future(push.send(b"for whoever comes"))
            await asyncio.sleep(0)
            assert not waiting.done()
            pull = context.socket(PULL)
            pull.connect(endpoint)
            assert await pull.recv() == b"for whoever comes"
            await waiting

    run(main)


def test_every_message_arrives_while_receives_are_cancelled(run: Run) -> None:
    count = 2000

    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)

            async def feed() -> None:
                for number in range(count):
                    await push.send(b"%d" % number)
                    if number % 7 == 0:
                        await asyncio.sleep(0)

            feeder = asyncio.ensure_future(feed())
            got: list[int] = []
            turn = 0
            while len(got) < count:
                task = asyncio.ensure_future(pull.recv())
                turn += 1
                for _ in range(turn % 4):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got.append(int(await task))
                except asyncio.CancelledError:
                    pass
            assert got == list(range(count))
            await feeder

    run(main)


def test_cancelled_waiters_pass_the_turn_on(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            first, second = (asyncio.ensure_future(pull.recv()) for _ in range(2))
            await asyncio.sleep(0)
            first.cancel()
            await push.send(b"for the second")
            assert await second == b"for the second"

    run(main)


def test_waiters_are_served_in_their_order(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            waiting = [asyncio.ensure_future(pull.recv()) for _ in range(10)]
            await asyncio.sleep(0)
            for number in range(10):
                await push.send(b"%d" % number)
            assert await asyncio.gather(*waiting) == [b"%d" % number for number in range(10)]

    run(main)


def test_a_busy_socket_starves_nobody(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticker = asyncio.ensure_future(tick())
            for _ in range(1000):
                await push.send(b"x")
                await pull.recv()
            assert ticks >= 10
            ticker.cancel()

    run(main)


def test_times_are_kept(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull = context.socket(PULL, receive_timeout=0.01)
            with pytest.raises(TimeoutError):
                await pull.recv()
            with pytest.raises(ferromq.TimedOut):
                await pull.recv(timeout=0.01)
            assert await pull.poll(0.01) == 0
            push = context.socket(PUSH, send_timeout=0.01)
            with pytest.raises(ferromq.TimedOut):
                await push.send(b"to nobody")

    run(main)


def test_closing_wakes_who_waits(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull = context.socket(PULL)
            waiting = asyncio.ensure_future(pull.recv())
            await asyncio.sleep(0)
            pull.close()
            with pytest.raises(ferromq.Closed):
                await waiting

    run(main)


def test_iterating_and_polling(run: Run) -> None:
    async def main() -> None:
        with fa.Context() as context:
            pull, push = await connected(context, PULL, PUSH)
            poller = fa.Poller()
            poller.register(pull)
            assert await poller.poll(0.01) == []
            for number in range(3):
                await push.send(b"%d" % number)
            assert await poller.poll(30) == [(pull, ferromq.POLLIN)]
            got = []
            async for message in pull:
                got += message
                if len(got) == 3:
                    pull.close()
            assert got == [b"0", b"1", b"2"]

    run(main)


def test_tensors_are_awaited(run: Run) -> None:
    np = pytest.importorskip("numpy")

    async def main() -> None:
        with fa.Context() as context:
            a, b = await connected(context, PAIR, PAIR)
            await a.send_tensor(np.arange(4))
            assert (await b.recv_tensor()).numpy().tolist() == [0, 1, 2, 3]
            tracker = await a.send_tensor(np.arange(1 << 18), ownership="borrowed")
            assert (await b.recv_tensor()).shape == (1 << 18,)
            assert tracker is not None
            await a.send(b"no tensor")
            with pytest.raises(ferromq.HeaderError):
                await b.recv_tensor()
            assert await b.recv() == b"no tensor"

    run(main)


def test_many_sockets_leave_no_descriptors(run: Run) -> None:
    async def main() -> None:
        before = None
        for _ in range(30):
            with fa.Context() as context:
                pull, push = await connected(context, PULL, PUSH)
                waiting = asyncio.ensure_future(pull.recv())
                await asyncio.sleep(0)
                await push.send(b"x")
                await waiting
                pull.close()
                push.close()
            del pull, push, context
            gc.collect()
            now = len(os.listdir("/proc/self/fd"))
            before = before or now
            assert now <= before + 3

    run(main)


def test_peers_of_pyzmq_are_served(run: Run, peers: Any) -> None:
    import zmq

    async def main() -> None:
        with fa.Context() as context:
            rep = context.socket(REP)
            req = peers.socket(zmq.REQ)
            req.connect(rep.bind("tcp://127.0.0.1:*"))
            for _ in range(50):
                req.send(b"question")
                await rep.send(await rep.recv() + b"?")
                assert req.recv() == b"question?"

    run(main)
