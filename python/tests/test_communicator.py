"""The communicator in both spellings: its examples, and each known way to get it
wrong."""

from __future__ import annotations

import asyncio
import logging
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import ferromq
from ferromq import ZmqCommunicator, ZmqConfig, ZmqInterface, ZmqSocketType
from ferromq.communicator import Failure, Request

ANYWHERE = "tcp://127.0.0.1:*"


@pytest.fixture
def mq() -> Iterator[ZmqInterface]:
    with ZmqInterface() as interface:
        interface.initialize(ZmqConfig(receive_timeout=30, send_timeout=30))
        yield interface


def linked(mq: ZmqInterface, a: ZmqSocketType, b: ZmqSocketType) -> tuple[int, int]:
    first, second = mq.create_socket(a), mq.create_socket(b)
    mq.connect(second, mq.bind(first, ANYWHERE))
    mq.wait_for_peers(first, 1, 30)
    return first, second


def inbox() -> tuple["queue.Queue[dict[str, Any]]", Any]:
    box: queue.Queue[dict[str, Any]] = queue.Queue()
    return box, box.put


# Examples.


def test_a_request_is_answered_in_the_callback(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    assert mq.start_server(rep)
    mq.set_receive_callback(rep, lambda message: mq.reply(rep, message["data"].upper()))
    assert mq.request(req, b"hello") == b"HELLO"
    assert mq.request(req, bytearray(b"again")) == b"AGAIN"


def test_what_a_callback_returns_is_a_reply_too(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    mq.set_receive_callback(rep, lambda message: b"returned")
    assert mq.request(req, b"?") == b"returned"


def test_publishing_reaches_subscribers_by_prefix(mq: ZmqInterface) -> None:
    pub, sub = linked(mq, ZmqSocketType.PUB, ZmqSocketType.SUB)
    box, put = inbox()
    mq.set_subscribe_callback(sub, put)
    mq.subscribe(sub, "weather.")
    while box.empty():
        mq.publish(pub, "news", b"no")
        mq.publish(pub, "weather.south", b"sun")
    told = box.get(timeout=30)
    assert (told["topic"], told["data"]) == ("weather.south", b"sun")
    assert told["source"].startswith("tcp://127.0.0.1:")


def test_pushing_reaches_a_worker(mq: ZmqInterface) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    box, put = inbox()
    mq.set_pull_callback(pull, put)
    assert mq.push(push, b"task")
    assert box.get(timeout=30)["data"] == b"task"


def test_pairs_send_both_ways(mq: ZmqInterface) -> None:
    a, b = linked(mq, ZmqSocketType.PAIR, ZmqSocketType.PAIR)
    mq.send(a, b"to b")
    mq.send(b, [b"to", b"a"])
    assert mq.receive(b)["data"] == b"to b"
    assert mq.receive(a)["data"] == [b"to", b"a"]


def test_every_call_has_an_awaited_twin(mq: ZmqInterface) -> None:
    np = pytest.importorskip("numpy")

    async def main() -> None:
        rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
        asking = asyncio.ensure_future(mq.request_async(req, b"q"))
        assert (await mq.receive_async(rep))["data"] == b"q"
        await mq.reply_async(rep, b"a")
        assert await asking == b"a"
        pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
        await mq.push_async(push, b"task")
        assert (await mq.receive_async(pull))["data"] == b"task"
        await mq.send_tensor_async(push, np.arange(3))
        assert (await mq.recv_tensor_async(pull)).numpy().tolist() == [0, 1, 2]
        asking = asyncio.ensure_future(mq.request_tensor_async(req, np.arange(2.0)))
        asked = await mq.receive_async(rep)
        assert asked["data"][1] == np.arange(2.0).tobytes()
        await mq.send_tensor_async(rep, np.ones(2))
        assert (await asking)[1] == np.ones(2).tobytes()
        pub, sub = linked(mq, ZmqSocketType.PUB, ZmqSocketType.SUB)
        await mq.subscribe_async(sub, "t")
        receiving = asyncio.ensure_future(mq.receive_async(sub))
        while not receiving.done():
            await mq.publish_async(pub, "t", b"data")
            await asyncio.sleep(0)
        assert receiving.result()["topic"] == "t"
        await mq.unsubscribe_async(sub, "t")
        a, b = linked(mq, ZmqSocketType.DEALER, ZmqSocketType.DEALER)
        await mq.send_async(a, b"x")
        assert (await mq.receive_async(b))["data"] == b"x"

    asyncio.run(asyncio.wait_for(main(), 50))


def test_the_awaited_communicator() -> None:
    async def main() -> None:
        communicator = ZmqCommunicator()
        communicator.initialize(pool_size=10)
        rep = communicator.create_socket(ZmqSocketType.REP)
        endpoint = communicator.bind(rep, "127.0.0.1:*")
        assert endpoint.startswith("tcp://127.0.0.1:")
        told = []

        def answer(source: str, data: bytes, topic: str) -> bytes:
            told.append((source, data, topic))
            return data + b"!"

        communicator.set_receive_callback(rep, answer)
        req = communicator.create_socket(ZmqSocketType.REQ)
        communicator.connect(req, endpoint.removeprefix("tcp://"))
        assert await communicator.send_data(req, b"hello") == b"hello!"
        assert told[0][0].startswith("tcp://127.0.0.1:")
        assert told[0][1:] == (b"hello", "")
        communicator.shutdown()

    asyncio.run(asyncio.wait_for(main(), 50))


def test_tensors_are_told_with_shape_and_type(mq: ZmqInterface) -> None:
    np = pytest.importorskip("numpy")
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    box, put = inbox()
    others, put_other = inbox()
    mq.set_pull_callback(pull, put_other)
    mq.set_tensor_receive_callback(pull, put)
    sent = np.arange(12, dtype="f4").reshape(3, 4)
    assert mq.send_tensor(push, sent.T)
    mq.push(push, b"no tensor")
    told = box.get(timeout=30)
    assert (told["shape"], told["dtype"]) == ((4, 3), "float32")
    assert np.array_equal(told["tensor"].numpy(), sent.T)
    assert told["source"].startswith("tcp://127.0.0.1:")
    assert others.get(timeout=30)["data"] == b"no tensor"


def test_a_tensor_is_a_request_and_a_reply(mq: ZmqInterface) -> None:
    np = pytest.importorskip("numpy")
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    mq.set_tensor_receive_callback(
        rep, lambda told: mq.send_tensor(rep, told["tensor"].numpy() * 2)
    )
    header, payload = mq.request_tensor(req, np.array([1.0, 2.0]))
    assert ferromq._native.parse_tensor_header(header).shape == [2]
    assert np.frombuffer(payload).tolist() == [2.0, 4.0]


def test_state_is_told(mq: ZmqInterface) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    assert mq.is_bound(pull)
    assert not mq.is_bound(push)
    assert mq.is_connected(push)
    assert mq.endpoints(pull) == mq.endpoints(push)
    assert (mq.socket_type(pull), mq.socket_type(push)) == ("PULL", "PUSH")
    assert mq.disconnect(push, mq.endpoints(push)[0])
    assert mq.unbind(pull, mq.endpoints(pull)[0])
    assert mq.close_socket(pull)
    with pytest.raises(ferromq.Closed, match=str(pull)):
        mq.endpoints(pull)


def test_configurations_are_checked() -> None:
    config = ZmqConfig()
    assert (config.thread_count, config.timeout, config.pool_size) == (8, 30.0, 10)
    assert (config.high_water_mark, config.linger) == (1000, 1.0)
    assert (config.receive_timeout, config.send_timeout) == (5.0, 5.0)
    assert (config.reconnect_interval, config.enable_rdma) == (0.1, False)
    for wrong in ({"thread_count": 0}, {"timeout": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ZmqConfig(**wrong)  # type: ignore[arg-type]


def test_the_environment_chooses_the_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MC_RPC_PROTOCOL", raising=False)
    assert ZmqConfig().endpoint("h:1") == "tcp://h:1"
    assert ZmqConfig(enable_rdma=True).endpoint("h:1") == "rdma://h:1"
    monkeypatch.setenv("MC_RPC_PROTOCOL", "tcp")
    assert ZmqConfig(enable_rdma=True).endpoint("h:1") == "tcp://h:1"
    monkeypatch.setenv("MC_RPC_PROTOCOL", "rdma")
    assert ZmqConfig().endpoint("h:1") == "rdma://h:1"
    assert ZmqConfig().endpoint("ipc:///x") == "ipc:///x"
    with ZmqInterface() as interface:
        interface.initialize()
        with pytest.raises(ferromq.UnknownScheme, match="rdma"):
            interface.bind(interface.create_socket(ZmqSocketType.REP), "127.0.0.1:1")
    monkeypatch.setenv("MC_RPC_PROTOCOL", "pigeon")
    with pytest.raises(ValueError, match="pigeon"):
        ZmqConfig().endpoint("h:1")


# Known ways to get this wrong.


def test_a_small_request_after_a_large_one_is_itself(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    mq.set_receive_callback(rep, lambda told: b"%d" % len(told["data"]) + told["data"][:5])
    for size in (4 << 20, 3, 1 << 20, 1):
        data = bytes([size % 250 + 1]) * size
        assert mq.request(req, data) == b"%d" % size + data[:5]


SERVER = """
import sys, time, ferromq
with ferromq.Context() as context:
    socket = context.socket(getattr(ferromq, sys.argv[1]))
    print(socket.bind("tcp://127.0.0.1:*"), flush=True)
    while True:
        message = socket.recv()
        if sys.argv[1] == "REP" and message != b"die":
            socket.send(message)
        elif message == b"die":
            print("dying", flush=True)
            time.sleep(60)
"""


@pytest.fixture
def servers() -> Iterator[Any]:
    children = []

    def start(kind: str) -> tuple[subprocess.Popen[str], str]:
        child = subprocess.Popen(
            [sys.executable, "-c", SERVER, kind], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    yield start
    for child in children:
        child.kill()
        child.wait(30)
        if child.stdout is not None:
            child.stdout.close()


def test_a_killed_server_is_an_error_not_a_success(servers: Any) -> None:
    server, endpoint = servers("REP")
    with ZmqInterface() as mq:
        mq.initialize(ZmqConfig(send_timeout=0.3, timeout=20, linger=0))
        req = mq.create_socket(ZmqSocketType.REQ)
        mq.connect(req, endpoint)
        mq.wait_for_peers(req, 1, 30)
        assert mq.request(req, b"alive?") == b"alive?"
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                mq.request(req, b"die")
            except ferromq.Error as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert server.stdout.readline() == "dying\n"
        server.send_signal(signal.SIGKILL)
        thread.join()
        assert isinstance(failed[0], ferromq.PeerLost), "long before the time-out"
        with pytest.raises(ferromq.PeerLost, match=endpoint):
            mq.request(req, b"anybody?")


def test_pushing_to_a_killed_worker_is_an_error(servers: Any) -> None:
    worker, endpoint = servers("PULL")
    with ZmqInterface() as mq:
        mq.initialize(ZmqConfig(send_timeout=0.3, linger=0))
        push = mq.create_socket(ZmqSocketType.PUSH)
        mq.connect(push, endpoint)
        mq.wait_for_peers(push, 1, 30)
        assert mq.push(push, b"task")
        worker.kill()
        worker.wait()
        with pytest.raises(ferromq.PeerLost):
            # Until the loss is noticed, and slower than a queue fills by then.
            while True:
                mq.push(push, b"task")
                time.sleep(0.01)


def test_a_request_without_any_peer_says_so() -> None:
    with ZmqInterface() as mq:
        mq.initialize(ZmqConfig(send_timeout=0.05))
        req = mq.create_socket(ZmqSocketType.REQ)
        mq.connect(req, "tcp://127.0.0.1:9")
        with pytest.raises(ConnectionError, match="no peer is connected"):
            mq.request(req, b"x")


def test_a_reply_that_does_not_come_in_time_is_nobody_else_s(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    with pytest.raises(TimeoutError):
        mq.request(req, b"first", timeout=0.05)
    late = mq.receive(rep)["request"]
    asked: list[bytes] = []
    thread = threading.Thread(target=lambda: asked.append(mq.request(req, b"second")))
    thread.start()
    second = mq.receive(rep)["request"]
    late.reply(b"late")
    second.reply(b"for the second")
    thread.join()
    assert asked == [b"for the second"]


def test_what_a_callback_raises_is_told(
    mq: ZmqInterface, caplog: pytest.LogCaptureFixture
) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    failures: queue.Queue[Failure] = queue.Queue()
    done = threading.Event()

    def callback(told: dict[str, Any]) -> None:
        if told["data"] == b"last":
            done.set()
            return
        raise KeyError("expected by the test")

    with caplog.at_level(logging.ERROR, "ferromq.communicator"):
        mq.set_pull_callback(pull, callback)
        mq.push(push, b"bad")
        mq.push(push, b"last")
        assert done.wait(30), "the thread goes on"
    assert "expected by the test" in caplog.text
    done.clear()
    mq.set_error_callback(pull, failures.put)
    mq.push(push, b"bad again")
    failure = failures.get(timeout=30)
    assert isinstance(failure.error, KeyError)
    assert failure.socket_id == pull


def test_a_request_whose_callback_raised_gets_no_reply_of_another_s(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    failures: queue.Queue[Failure] = queue.Queue()
    good: queue.Queue[Request] = queue.Queue()

    def callback(told: dict[str, Any]) -> None:
        if told["data"] == b"bad":
            raise KeyError("expected by the test")
        good.put(told["request"])

    mq.set_error_callback(rep, failures.put)
    mq.set_receive_callback(rep, callback)
    asked = [mq._engine.of_kind(req, "REQ").client.submit([b"bad"])[1] for _ in range(2)]
    assert [type(failures.get(timeout=30).error) for _ in asked] == [KeyError] * 2
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(mq.request(req, b"good")))
    thread.start()
    good.get(timeout=30)
    mq.reply(rep, b"for the good one")
    thread.join()
    assert answers == [b"for the good one"]
    assert not any(future.done() for future in asked)


def test_every_request_of_several_threads_has_its_own_reply(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    mq.set_receive_callback(rep, lambda told: told["data"] + b"!")
    wrong = []

    def ask(name: int) -> None:
        for number in range(50):
            question = b"%d/%d" % (name, number)
            if mq.request(req, question) != question + b"!":
                wrong.append(question)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_replies_may_be_late_in_another_order_and_from_any_thread(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    other = mq.create_socket(ZmqSocketType.REQ)
    mq.connect(other, mq.endpoints(rep)[0])
    requests: queue.Queue[Request] = queue.Queue()
    mq.set_receive_callback(rep, lambda told: requests.put(told["request"]))
    answers: dict[int, bytes] = {}

    def ask(socket_id: int, question: bytes) -> None:
        answers[socket_id] = mq.request(socket_id, question)

    threads = [threading.Thread(target=ask, args=(s, b"from %d" % s)) for s in (req, other)]
    for thread in threads:
        thread.start()
    taken = [requests.get(timeout=30) for _ in threads]
    for request in reversed(taken):
        mq.reply(rep, request.data + b"!", request)
    for thread in threads:
        thread.join()
    assert answers == {s: b"from %d!" % s for s in (req, other)}
    with pytest.raises(ferromq.OutOfTurn, match="answered already"):
        taken[0].reply(b"twice")
    with pytest.raises(ferromq.OutOfTurn, match="no request"):
        mq.reply(rep, b"unasked")


def test_a_reply_without_a_name_is_for_who_waits_longest(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    got: list[bytes] = []

    def ask(question: bytes) -> None:
        got.append(mq.request(req, question))

    first = threading.Thread(target=ask, args=(b"1",))
    first.start()
    assert mq.receive(rep)["data"] == b"1"
    second = threading.Thread(target=ask, args=(b"2",))
    second.start()
    assert mq.receive(rep)["data"] == b"2"
    mq.reply(rep, b"to the first")
    first.join()
    mq.reply(rep, b"to the second")
    second.join()
    assert got == [b"to the first", b"to the second"]


def test_a_reply_to_who_is_gone_is_an_error(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    with pytest.raises(TimeoutError):
        mq.request(req, b"x", timeout=0.01)
    request = mq.receive(rep)["request"]
    mq.close_socket(req)
    while mq.is_connected(rep):
        pass
    for _ in range(2):
        with pytest.raises(ferromq.HostUnreachable):
            request.reply(b"to nobody")
        with pytest.raises(ferromq.HostUnreachable):
            asyncio.run(mq.reply_async(rep, b"to nobody", request))


def test_a_subscriber_without_subscription_receives_nothing(mq: ZmqInterface) -> None:
    pub, sub = linked(mq, ZmqSocketType.PUB, ZmqSocketType.SUB)
    witness = mq.create_socket(ZmqSocketType.SUB)
    mq.connect(witness, mq.endpoints(pub)[0])
    mq.subscribe(witness, "")
    mq.subscribe(sub, "a")
    mq.unsubscribe(sub, "a")
    box, put = inbox()
    mq.set_subscribe_callback(witness, put)
    while box.empty():
        mq.publish(pub, "a", b"x")
    with pytest.raises(TimeoutError):
        mq.receive(sub, timeout=0.05)


def test_requests_go_to_every_endpoint(mq: ZmqInterface) -> None:
    req = mq.create_socket(ZmqSocketType.REQ)
    for name in (b"one", b"two"):
        rep = mq.create_socket(ZmqSocketType.REP)
        mq.set_receive_callback(rep, lambda told, name=name: name)
        mq.connect(req, mq.bind(rep, ANYWHERE))
    mq.wait_for_peers(req, 2, 30)
    assert sorted(mq.request(req, b"who?") for _ in range(4)) == [b"one"] * 2 + [b"two"] * 2


def test_work_goes_to_the_living(mq: ZmqInterface) -> None:
    push = mq.create_socket(ZmqSocketType.PUSH)
    pulls = [mq.create_socket(ZmqSocketType.PULL) for _ in range(2)]
    for pull in pulls:
        mq.connect(push, mq.bind(pull, ANYWHERE))
    mq.wait_for_peers(push, 2, 30)
    mq.close_socket(pulls[0])
    while len(peers := mq._engine.entry(push).socket.statistics().peers) and sum(
        peer.state == "connected" for peer in peers
    ) > 1:
        pass
    for number in range(10):
        mq.push(push, b"%d" % number)
    got = [mq.receive(pulls[1])["data"] for _ in range(10)]
    assert got == [b"%d" % number for number in range(10)]


def test_arrays_are_taken_where_bytes_are(mq: ZmqInterface) -> None:
    np = pytest.importorskip("numpy")
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc"), np.frombuffer(b"abc", "u1")):
        mq.push(push, data)
        assert mq.receive(pull)["data"] == b"abc"
    with pytest.raises(TypeError, match="str"):
        mq.push(push, "abc")


def test_a_tensor_may_change_once_it_is_sent(mq: ZmqInterface) -> None:
    np = pytest.importorskip("numpy")
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    tensor = np.ones(1 << 20)
    mq.send_tensor(push, tensor)
    tensor[:] = 7
    assert (mq.recv_tensor(pull).numpy() == 1).all()


def test_an_unknown_type_is_refused_and_kept(mq: ZmqInterface) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    mq.send(push, [b"no header", b"payload"])
    with pytest.raises(ferromq.TensorError):
        mq.recv_tensor(pull)
    assert mq.receive(pull)["data"] == [b"no header", b"payload"]


def test_wrong_kinds_are_refused_by_name(mq: ZmqInterface) -> None:
    pull = mq.create_socket(ZmqSocketType.PULL)
    for call in (mq.request, mq.reply, mq.push, mq.send):
        with pytest.raises(ferromq.Unsupported, match="PULL"):
            call(pull, b"x")
    with pytest.raises(ferromq.Closed):
        mq.push(99, b"x")
    with pytest.raises(ferromq.Error, match="initialize"):
        ZmqInterface().create_socket(ZmqSocketType.PULL)


def test_callbacks_run_on_a_thread_of_their_own(mq: ZmqInterface) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    names: queue.Queue[str] = queue.Queue()
    mq.set_pull_callback(pull, lambda told: names.put(threading.current_thread().name))
    mq.push(push, b"x")
    assert names.get(timeout=30) == f"ferromq-callback-{pull}"


def test_plain_peers_are_served(mq: ZmqInterface, peers: Any) -> None:
    import zmq

    rep = mq.create_socket(ZmqSocketType.REP)
    mq.set_receive_callback(rep, lambda told: told["data"] + b"!")
    asking = peers.socket(zmq.REQ)
    asking.connect(mq.bind(rep, ANYWHERE))
    asking.send(b"plain")
    assert asking.recv() == b"plain!"
    answering = peers.socket(zmq.REP)
    port = answering.bind_to_random_port("tcp://127.0.0.1")
    req = mq.create_socket(ZmqSocketType.REQ)
    mq.connect(req, f"127.0.0.1:{port}")
    thread = threading.Thread(target=lambda: answering.send(answering.recv() + b"?"))
    thread.start()
    assert mq.request(req, b"ours") == b"ours?"
    thread.join()
    sub = peers.socket(zmq.SUB)
    sub.subscribe(b"t")
    pub = mq.create_socket(ZmqSocketType.PUB)
    sub.connect(mq.bind(pub, ANYWHERE))
    while not sub.poll(10):
        mq.publish(pub, "topic", b"data")
    assert sub.recv_multipart() == [b"topic", b"data"]
