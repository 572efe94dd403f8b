"""The scenarios of the ZeroMQ guide's chapters, as programs of our own written
with pyzmq's names, each with real pyzmq on the other end.

``ours`` is this package's module, ``theirs`` is pyzmq; every test runs with the
roles as written and with them exchanged.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ferromq.zmq as ferro

pyzmq: Any = pytest.importorskip("zmq", reason="pyzmq is not installed")
PATIENCE = 10_000


class Side:
    """A module and a context of it."""

    def __init__(self, zmq: ModuleType | Any) -> None:
        self.zmq = zmq
        self.context = zmq.Context()

    def socket(self, kind: int, **options: Any) -> Any:
        socket = self.context.socket(kind)
        socket.setsockopt(self.zmq.RCVTIMEO, PATIENCE)
        socket.setsockopt(self.zmq.SNDTIMEO, PATIENCE)
        socket.linger = 0
        for name, value in options.items():
            setattr(socket, name, value)
        return socket

    def bound(self, kind: int, **options: Any) -> tuple[Any, str]:
        socket = self.socket(kind, **options)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        return socket, f"tcp://127.0.0.1:{port}"

    def connected(self, kind: int, endpoint: str, **options: Any) -> Any:
        socket = self.socket(kind, **options)
        socket.connect(endpoint)
        return socket


Sides = tuple[Side, Side]


@pytest.fixture(params=["ours with theirs", "theirs with ours"])
def sides(request: pytest.FixtureRequest) -> Iterator[Sides]:
    modules = [ferro, pyzmq] if request.param.startswith("ours") else [pyzmq, ferro]
    a, b = (Side(module) for module in modules)
    yield a, b
    for side in (a, b):
        side.context.destroy(linger=0)


@pytest.fixture
def threads() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    started: list[threading.Thread] = []

    def start(target: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        started.append(thread)
        return thread

    yield start
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


Start = Callable[[Callable[[], Any]], threading.Thread]


# Chapter 1: the basics.


def test_01_a_greeting_is_answered(sides: Sides, threads: Start) -> None:
    a, b = sides
    server, endpoint = a.bound(a.zmq.REP)

    def serve() -> None:
        for _ in range(10):
            assert server.recv() == b"Hello"
            server.send(b"World")

    threads(serve)
    client = b.connected(b.zmq.REQ, endpoint)
    for _ in range(10):
        client.send(b"Hello")
        assert client.recv() == b"World"


def test_02_weather_reaches_who_asked_for_the_place(sides: Sides) -> None:
    a, b = sides
    publisher, endpoint = a.bound(a.zmq.PUB)
    subscriber = b.connected(b.zmq.SUB, endpoint)
    subscriber.setsockopt_string(b.zmq.SUBSCRIBE, "10001")
    while not subscriber.poll(10):
        publisher.send_string("10002 1 1")
        publisher.send_string("10001 20 50")
    place, temperature, humidity = subscriber.recv_string().split()
    assert (place, int(temperature), int(humidity)) == ("10001", 20, 50)


def test_03_work_is_spread_and_collected(sides: Sides, threads: Start) -> None:
    a, b = sides
    ventilator, work = a.bound(a.zmq.PUSH)
    sink, results = a.bound(a.zmq.PULL)
    workers = 3

    def labour() -> None:
        receiver, sender = b.connected(b.zmq.PULL, work), b.connected(b.zmq.PUSH, results)
        sender.send(b"ready")
        while (task := receiver.recv()) != b"end":
            sender.send_string(str(int(task) * 2))
        sender.setsockopt(b.zmq.LINGER, PATIENCE)
        sender.close()
        receiver.close()

    for _ in range(workers):
        threads(labour)
    for _ in range(workers):
        assert sink.recv() == b"ready"
    for number in range(60):
        ventilator.send_string(str(number))
    assert sorted(int(sink.recv()) for _ in range(60)) == [2 * n for n in range(60)]
    for _ in range(workers):
        ventilator.send(b"end")


# Chapter 2: sockets and patterns.


def test_04_two_sources_are_read_with_a_poller(sides: Sides) -> None:
    a, b = sides
    tasks, work = b.bound(b.zmq.PUSH)
    news, feed = b.bound(b.zmq.PUB)
    receiver = a.connected(a.zmq.PULL, work)
    subscriber = a.connected(a.zmq.SUB, feed)
    subscriber.setsockopt(a.zmq.SUBSCRIBE, b"")
    poller = a.zmq.Poller()
    poller.register(receiver, a.zmq.POLLIN)
    poller.register(subscriber, a.zmq.POLLIN)
    tasks.send(b"task")
    seen = set()
    while len(seen) < 2:
        news.send(b"news")
        for socket, event in poller.poll(100):
            assert event == a.zmq.POLLIN
            seen.add(socket.recv())
    assert seen == {b"task", b"news"}


def test_05_a_poll_without_poller_tries_each(sides: Sides) -> None:
    a, b = sides
    receiver, endpoint = a.bound(a.zmq.PULL)
    with pytest.raises(a.zmq.Again) as nothing:
        receiver.recv(a.zmq.DONTWAIT)
    assert nothing.value.errno == a.zmq.EAGAIN
    sender = b.connected(b.zmq.PUSH, endpoint)
    sender.send(b"something")
    while True:
        try:
            assert receiver.recv(a.zmq.NOBLOCK) == b"something"
            break
        except a.zmq.ZMQError as error:
            assert error.errno == a.zmq.EAGAIN
            assert receiver.poll(PATIENCE) == a.zmq.POLLIN


def test_06_a_message_in_parts_is_sent_and_received_part_by_part(sides: Sides) -> None:
    a, b = sides
    one, endpoint = a.bound(a.zmq.PAIR)
    two = b.connected(b.zmq.PAIR, endpoint)
    two.send(b"head", b.zmq.SNDMORE)
    two.send(b"", b.zmq.SNDMORE)
    two.send(b"body")
    parts = []
    while True:
        parts.append(one.recv())
        if not one.getsockopt(a.zmq.RCVMORE):
            break
    assert parts == [b"head", b"", b"body"]


def broker(side: Side, kinds: tuple[int, int], run: Start) -> tuple[str, str]:
    front, first = side.bound(kinds[0])
    back, second = side.bound(kinds[1])
    for socket in (front, back):
        socket.setsockopt(side.zmq.RCVTIMEO, -1)

    def forward() -> None:
        try:
            side.zmq.proxy(front, back)
        except side.zmq.ZMQError:
            front.close(0)
            back.close(0)

    run(forward)
    return first, second


def test_07_a_broker_connects_clients_and_services(sides: Sides, threads: Start) -> None:
    a, b = sides
    proxied = Side(a.zmq)
    clients, services = broker(proxied, (a.zmq.ROUTER, a.zmq.DEALER), threads)
    worker = b.connected(b.zmq.REP, services)
    client = b.connected(b.zmq.REQ, clients)
    for number in range(5):
        client.send_string(f"request {number}")
        assert worker.recv_string() == f"request {number}"
        worker.send_string(f"reply {number}")
        assert client.recv_string() == f"reply {number}"
    proxied.context.term()


def test_08_a_forwarder_bridges_publishers(sides: Sides, threads: Start) -> None:
    a, b = sides
    proxied = Side(a.zmq)
    inner, outer = broker(proxied, (a.zmq.XSUB, a.zmq.XPUB), threads)
    publisher = b.connected(b.zmq.PUB, inner)
    subscriber = b.connected(b.zmq.SUB, outer)
    subscriber.subscribe(b"A")
    while not subscriber.poll(10):
        publisher.send_multipart([b"B", b"not this"])
        publisher.send_multipart([b"A", b"this"])
    assert subscriber.recv_multipart() == [b"A", b"this"]
    proxied.context.term()


def test_09_a_streamer_keeps_order(sides: Sides, threads: Start) -> None:
    a, b = sides
    proxied = Side(a.zmq)
    first, second = broker(proxied, (a.zmq.PULL, a.zmq.PUSH), threads)
    source, drain = b.connected(b.zmq.PUSH, first), b.connected(b.zmq.PULL, second)
    for number in range(200):
        source.send_string(str(number))
    assert [drain.recv_string() for _ in range(200)] == [str(n) for n in range(200)]
    proxied.context.term()


def test_10_threads_signal_each_other_in_process(sides: Sides, threads: Start) -> None:
    a, _ = sides
    ready = a.socket(a.zmq.PAIR)
    ready.bind("inproc://step3")

    def step_one() -> None:
        last = a.socket(a.zmq.PAIR)
        last.bind("inproc://step2")

        def step_two() -> None:
            peer = a.socket(a.zmq.PAIR, linger=-1)
            peer.connect("inproc://step2")
            peer.send(b"ready")
            peer.close()

        threads(step_two)
        assert last.recv() == b"ready"
        last.close()
        peer = a.socket(a.zmq.PAIR, linger=-1)
        peer.connect("inproc://step3")
        peer.send(b"ready")
        peer.close()

    threads(step_one)
    assert ready.recv() == b"ready"
    ready.close()


def test_11_publisher_and_subscribers_begin_together(sides: Sides, threads: Start) -> None:
    a, b = sides
    publisher, feed = a.bound(a.zmq.PUB, sndhwm=0)
    sync, meeting = a.bound(a.zmq.REP)
    counts = []

    def subscribe() -> None:
        subscriber = b.connected(b.zmq.SUB, feed, rcvhwm=0)
        subscriber.setsockopt(b.zmq.SUBSCRIBE, b"")
        assert subscriber.recv() == b"are you there"
        asking = b.connected(b.zmq.REQ, meeting)
        asking.send(b"")
        asking.recv()
        count = 0
        while (message := subscriber.recv()) != b"end":
            count += message == b"update"
        counts.append(count)
        subscriber.close()
        asking.close()

    for _ in range(3):
        threads(subscribe)
    there = 0
    while there < 3:
        publisher.send(b"are you there")
        if sync.poll(10):
            sync.recv()
            sync.send(b"")
            there += 1
    for _ in range(1000):
        publisher.send(b"update")
    publisher.send(b"end")
    while len(counts) < 3:
        threading.Event().wait(0.01)
    assert counts == [1000] * 3


def test_12_an_envelope_separates_the_key_from_the_data(sides: Sides) -> None:
    a, b = sides
    publisher, endpoint = a.bound(a.zmq.PUB)
    subscriber = b.connected(b.zmq.SUB, endpoint)
    subscriber.setsockopt(b.zmq.SUBSCRIBE, b"B")
    while not subscriber.poll(10):
        publisher.send_multipart([b"A", b"We do not want this"])
        publisher.send_multipart([b"B", b"We want this"])
    address, contents = subscriber.recv_multipart()
    assert (address, contents) == (b"B", b"We want this")


# Chapter 3: advanced requests.


def test_13_identities_are_made_or_given(sides: Sides) -> None:
    a, b = sides
    router, endpoint = a.bound(a.zmq.ROUTER)
    anonymous = b.connected(b.zmq.REQ, endpoint)
    anonymous.send(b"anonymous")
    made, empty, text = router.recv_multipart()
    assert (len(made), made[:1], empty, text) == (5, b"\0", b"", b"anonymous")
    named = b.socket(b.zmq.REQ)
    named.identity = b"PEER2"
    named.connect(endpoint)
    named.send(b"named")
    assert router.recv_multipart() == [b"PEER2", b"", b"named"]


@pytest.mark.parametrize("kind", ["REQ", "DEALER"])
def test_14_a_router_gives_work_to_who_is_idle(sides: Sides, threads: Start, kind: str) -> None:
    a, b = sides
    router, endpoint = a.bound(a.zmq.ROUTER)
    frame = [] if kind == "REQ" else [b""]
    done = []

    def labour() -> None:
        worker = b.connected(getattr(b.zmq, kind), endpoint)
        tasks = 0
        while True:
            worker.send_multipart([*frame, b"Hi Boss"])
            if worker.recv_multipart()[-1] == b"Fired!":
                done.append(tasks)
                worker.close()
                return
            tasks += 1

    for _ in range(3):
        threads(labour)
    for number in range(63):
        identity, empty, _ = router.recv_multipart()
        answer = b"Work harder" if number < 60 else b"Fired!"
        router.send_multipart([identity, empty, answer])
    while len(done) < 3:
        threading.Event().wait(0.01)
    assert sum(done) == 60


def test_15_a_balancer_gives_requests_to_the_longest_idle(sides: Sides, threads: Start) -> None:
    a, b = sides
    front, clients = a.bound(a.zmq.ROUTER)
    back, workers = a.bound(a.zmq.ROUTER)

    def serve(name: str) -> None:
        worker = b.socket(b.zmq.REQ)
        worker.setsockopt_string(b.zmq.IDENTITY, name)
        worker.connect(workers)
        worker.send(b"READY")
        while (message := worker.recv_multipart()) != [b"STOP"]:
            address, empty, request = message
            worker.send_multipart([address, empty, request + b" by " + name.encode()])
        worker.close()

    for name in ("w1", "w2"):
        threads(lambda name=name: serve(name))
    idle = []
    while len(idle) < 2:
        identity, _, ready = back.recv_multipart()
        assert ready == b"READY"
        idle.append(identity)
    client = b.connected(b.zmq.REQ, clients)
    answered = []
    for _ in range(4):
        client.send(b"job")
        address, empty, request = front.recv_multipart()
        back.send_multipart([idle.pop(0), b"", address, b"", request])
        worker, _, address, _, reply = back.recv_multipart()
        idle.append(worker)
        front.send_multipart([address, b"", reply])
        answered.append(client.recv())
    assert len(set(answered)) == 2
    assert answered[0] == answered[2]
    for identity in idle:
        back.send_multipart([identity, b"", b"STOP"])


def test_16_an_asynchronous_server_answers_many_times(sides: Sides, threads: Start) -> None:
    a, b = sides
    server, endpoint = a.bound(a.zmq.ROUTER)

    def serve() -> None:
        for _ in range(20):
            identity, message = server.recv_multipart()
            for copy in range(3):
                server.send_multipart([identity, message + b"/%d" % copy])

    threads(serve)
    clients = [b.connected(b.zmq.DEALER, endpoint) for _ in range(2)]
    for number in range(10):
        for client in clients:
            client.send_string(str(number))
    for client in clients:
        expected = [f"{number}/{copy}" for number in range(10) for copy in range(3)]
        assert [client.recv_string() for _ in range(30)] == expected


# Chapter 4: reliable requests.


def test_17_a_lazy_client_closes_and_tries_again(sides: Sides, threads: Start) -> None:
    a, b = sides
    server, endpoint = a.bound(a.zmq.REP)

    def serve() -> None:
        assert server.recv() == b"1"
        # The first request is lost: the server starts anew.
        server.close(0)
        again = a.socket(a.zmq.REP)
        while True:
            try:
                again.bind(endpoint)
                break
            except a.zmq.ZMQError as error:
                assert error.errno == a.zmq.EADDRINUSE
        # A client that could not wait for its answer leaves a request behind.
        while not done.is_set():
            if again.poll(50) & a.zmq.POLLIN:
                assert again.recv() == b"1"
                again.send(b"1")
        again.close(0)

    done = threading.Event()
    threads(serve)
    for _attempt in range(50):
        client = b.connected(b.zmq.REQ, endpoint)
        client.send(b"1")
        if client.poll(300) & b.zmq.POLLIN:
            assert client.recv() == b"1"
            break
        client.setsockopt(b.zmq.LINGER, 0)
        client.close()
    else:
        raise AssertionError("no answer")
    done.set()


def test_18_a_relaxed_client_asks_again_on_the_same_socket(sides: Sides) -> None:
    a, b = sides
    router, endpoint = a.bound(a.zmq.ROUTER)
    client = b.socket(b.zmq.REQ)
    client.setsockopt(b.zmq.REQ_RELAXED, 1)
    client.setsockopt(b.zmq.REQ_CORRELATE, 1)
    client.connect(endpoint)
    client.send(b"first")
    lost = router.recv_multipart()
    client.send(b"second")
    kept = router.recv_multipart()
    router.send_multipart([*lost[:-1], b"late"])
    router.send_multipart([*kept[:-1], b"in time"])
    assert client.recv() == b"in time"


def test_19_heartbeats_keep_workers_known(sides: Sides) -> None:
    a, b = sides
    queue, endpoint = a.bound(a.zmq.ROUTER)
    worker = b.connected(b.zmq.DEALER, endpoint)
    worker.send(b"\x01")
    alive = {queue.recv_multipart()[0]}
    for _ in range(3):
        for identity in alive:
            queue.send_multipart([identity, b"\x02"])
        assert worker.recv() == b"\x02"
        worker.send(b"\x02")
        poller = a.zmq.Poller()
        poller.register(queue, a.zmq.POLLIN)
        assert dict(poller.poll(PATIENCE)).get(queue) == a.zmq.POLLIN
        assert queue.recv_multipart()[1:] == [b"\x02"]


def test_20_a_brokerless_client_asks_several_servers(sides: Sides, threads: Start) -> None:
    a, b = sides
    servers = [a.bound(a.zmq.REP) for _ in range(3)]
    client = b.socket(b.zmq.DEALER)
    for _, endpoint in servers:
        client.connect(endpoint)
    for _ in servers:
        client.send_multipart([b"", b"7", b"who is there"])
    for socket, _ in servers:
        number, _question = socket.recv_multipart()
        socket.send_multipart([number, b"OK"])
    for _ in servers:
        assert client.recv_multipart() == [b"", b"7", b"OK"]


# Chapter 5: advanced publishing.


def test_21_the_last_value_is_sent_to_late_subscribers(sides: Sides) -> None:
    a, b = sides
    proxy, endpoint = a.bound(a.zmq.XPUB, xpub_verbose=1)
    cache = {b"topic": b"last value"}
    subscriber = b.connected(b.zmq.SUB, endpoint)
    subscriber.setsockopt(b.zmq.SUBSCRIBE, b"topic")
    event = proxy.recv()
    assert event == b"\x01topic"
    proxy.send_multipart([event[1:], cache[event[1:]]])
    assert subscriber.recv_multipart() == [b"topic", b"last value"]
    subscriber.setsockopt(b.zmq.UNSUBSCRIBE, b"topic")
    assert proxy.recv() == b"\x00topic"


def test_22_a_clone_takes_a_snapshot_then_updates(sides: Sides, threads: Start) -> None:
    a, b = sides
    publisher, updates = a.bound(a.zmq.PUB)
    snapshots, state = a.bound(a.zmq.ROUTER)
    values = {f"key{number}": number for number in range(20)}

    def serve() -> None:
        identity, request = snapshots.recv_multipart()
        assert request == b"ICANHAZ?"
        for key, value in values.items():
            snapshots.send(identity, a.zmq.SNDMORE)
            snapshots.send_json({key: value})
        snapshots.send_multipart([identity, b"KTHXBAI"])

    threads(serve)
    subscriber = b.connected(b.zmq.SUB, updates)
    subscriber.subscribe(b"")
    asking = b.connected(b.zmq.DEALER, state)
    asking.send(b"ICANHAZ?")
    clone: dict[str, int] = {}
    while (message := asking.recv()) != b"KTHXBAI":
        import json

        clone.update(json.loads(message))
    assert clone == values
    while not subscriber.poll(10):
        publisher.send_json({"key1": 99})
    clone.update(subscriber.recv_json())
    assert clone["key1"] == 99


def test_23_a_suicidal_subscriber_keeps_only_the_newest(sides: Sides) -> None:
    a, b = sides
    push, endpoint = a.bound(a.zmq.PUSH)
    pull = b.socket(b.zmq.PULL)
    pull.setsockopt(b.zmq.CONFLATE, 1)
    pull.connect(endpoint)
    last = b""
    for number in range(200):
        push.send_string(str(number))
    while last != b"199":
        assert int(last or -1) < (got := int(pull.recv()))
        last = str(got).encode()


def test_the_page_for_pyzmq_s_users_lists_these_programs() -> None:
    page = (Path(__file__).parents[2] / "docs/python/pyzmq.md").read_text()
    known = [re.fullmatch(r"test_(\d\d)_(\w+)", name) for name in globals()]
    programs = [it for it in known if it]
    assert len(programs) >= 20
    for program in programs:
        number, words = int(program[1]), program[2].replace("_", " ")
        assert f"\n{number}. {words}\n" in page
