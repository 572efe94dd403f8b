"""pyzmq's names: what a program finds under them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import ferromq
import ferromq.zmq as zmq
import ferromq.zmq.asyncio


@pytest.fixture
def pair() -> Any:
    context = zmq.Context()
    a, b = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    b.connect(f"tcp://127.0.0.1:{a.bind_to_random_port('tcp://127.0.0.1')}")
    yield a, b
    context.destroy(linger=0)


def test_numbers_are_pyzmq_s() -> None:
    real = pytest.importorskip("zmq", reason="pyzmq is not installed")
    from ferromq.zmq import _constants

    names = [name for name in vars(_constants) if name.isupper() and not name.startswith("_")]
    assert len(names) > 90
    # pyzmq names fewer of the system's error numbers.
    for name in names:
        if hasattr(real, name):
            assert int(getattr(zmq, name)) == int(getattr(real, name)), name
    for name, option in _constants.SocketOption.__members__.items():
        assert int(option) == int(getattr(real, name)), name


def test_defaults_are_libzmq_s() -> None:
    real = pytest.importorskip("zmq", reason="pyzmq is not installed")
    ours, theirs = zmq.Context(), real.Context()
    a, b = ours.socket(zmq.DEALER), theirs.socket(real.DEALER)
    for name in (
        "LINGER SNDHWM RCVHWM SNDTIMEO RCVTIMEO IMMEDIATE RECONNECT_IVL RECONNECT_IVL_MAX "
        "MAXMSGSIZE IPV6 HEARTBEAT_IVL TYPE IDENTITY RCVMORE TCP_KEEPALIVE SNDBUF"
    ).split():
        if name != "MAXMSGSIZE":
            assert a.getsockopt(getattr(zmq, name)) == b.getsockopt(getattr(real, name)), name
    assert a.option("send_bytes_limit") is None
    ours.destroy(0)
    theirs.destroy(0)


def test_options_have_three_spellings(pair: Any) -> None:
    a, _ = pair
    a.setsockopt(zmq.RCVTIMEO, 10)
    assert (a.rcvtimeo, a.RCVTIMEO, a.getsockopt(zmq.RCVTIMEO), a.get(zmq.RCVTIMEO)) == (10,) * 4
    a.rcvtimeo = 20
    assert a.getsockopt(zmq.RCVTIMEO) == 20
    with pytest.raises(zmq.Again):
        a.recv()
    a.hwm = 7
    assert (a.sndhwm, a.rcvhwm, a.hwm) == (7, 7, 7)
    with pytest.raises(AttributeError, match="nonsense"):
        a.nonsense  # noqa: B018
    with pytest.raises(zmq.ZMQError):
        a.setsockopt(9999, 1)
    assert a.LAST_ENDPOINT.startswith(b"tcp://127.0.0.1:")


def test_a_reconnect_delay_without_longest_stays(pair: Any) -> None:
    a, _ = pair
    a.setsockopt(zmq.RECONNECT_IVL, 50)
    assert a.option("reconnect_interval") == (0.05, 0.05)
    a.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    assert a.option("reconnect_interval") == (0.05, 0.5)


def test_frames_and_trackers(pair: Any) -> None:
    a, b = pair
    tracker = a.send(b"x" * 100_000, copy=False, track=True)
    frame = b.recv(copy=False)
    assert bytes(frame) == frame.bytes == frame.buffer == b"x" * 100_000
    tracker.wait(30)
    assert tracker.done
    a.send_multipart([b"a", frame, bytearray(b"c")])
    assert [len(part) for part in b.recv_multipart(copy=False)] == [1, 100_000, 1]
    into = bytearray(3)
    a.send(b"12345")
    assert b.recv_into(into) == 5
    assert into == b"123"


def test_objects_are_sent_as_said(pair: Any) -> None:
    a, b = pair
    a.send_json({"x": [1]})
    assert b.recv_json() == {"x": [1]}
    a.send_pyobj({1, 2})
    assert b.recv_pyobj() == {1, 2}
    a.send_string("ü")
    assert b.recv_string() == "ü"
    a.send_serialized([1, 2], lambda msg: [bytes([n]) for n in msg])
    assert b.recv_serialized(lambda frames: [f[0] for f in frames]) == [1, 2]


def test_a_part_that_is_no_bytes_is_refused_at_once(pair: Any) -> None:
    a, b = pair
    with pytest.raises(TypeError):
        a.send("text")
    with pytest.raises(TypeError):
        a.send("text", zmq.SNDMORE)
    a.send(b"whole")
    assert b.recv_multipart() == [b"whole"]


def test_what_could_not_be_sent_leaves_nothing_in_front_of_the_next() -> None:
    context = zmq.Context()
    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    with pytest.raises(zmq.Again):
        push.send(b"refused", zmq.NOBLOCK, routing_id=7)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    push.connect(f"tcp://127.0.0.1:{port}")
    push.send(b"whole")
    assert pull.recv_multipart() == [b"whole"]
    context.destroy(linger=0)


def test_a_message_goes_on_whatever_is_called(pair: Any) -> None:
    a, b = pair
    a.send(b"1", zmq.SNDMORE)
    a.send(b"2", flags=zmq.SNDMORE)
    a.send(b"3")
    a.send(b"next", 0)
    assert [b.recv(), b.recv(0), bytes(b.recv(copy=False)), b.recv()] == [b"1", b"2", b"3", b"next"]
    assert not b.rcvmore


def test_a_tensor_follows_what_was_sent_in_front_of_it(pair: Any) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    a, b = pair
    for order in "C", "F":
        a.send(b"front", zmq.SNDMORE)
        a.send_tensor(numpy.ones((2, 3), order=order))
        front, _, payload = b.recv_multipart()
        assert (front, len(payload)) == (b"front", 48)


def test_mixed_receives_keep_the_rest(pair: Any) -> None:
    a, b = pair
    a.send_multipart([b"1", b"2", b"3"])
    a.send(b"next")
    assert b.recv() == b"1"
    assert b.rcvmore
    assert b.poll(0) == zmq.POLLIN
    assert b.recv_multipart() == [b"2", b"3"]
    assert not b.rcvmore
    assert b.recv() == b"next"


def test_a_router_that_names_a_peer_and_says_nothing_sends_nothing(peers: Any) -> None:
    import zmq as theirs

    import ferromq.zmq as ours

    for zmq, context in ((ours, ours.Context()), (theirs, peers)):
        router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        dealer.rcvtimeo = router.rcvtimeo = 30_000
        dealer.identity = b"dealer"
        dealer.connect(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
        dealer.send(b"here")
        assert router.recv_multipart() == [b"dealer", b"here"]
        router.send_multipart([b"dealer"])
        router.send_multipart([b"dealer", b"something"])
        assert dealer.recv() == b"something"
        context.destroy(linger=0)


def test_errors_have_numbers(pair: Any) -> None:
    a, _ = pair
    with pytest.raises(zmq.ZMQError) as raised:
        a.recv(zmq.NOBLOCK)
    assert raised.value.errno == zmq.EAGAIN
    rep = a.context.socket(zmq.REP)
    with pytest.raises(zmq.ZMQError) as raised:
        rep.send(b"unasked")
    assert raised.value.errno == zmq.EFSM
    rep.close()
    with pytest.raises(zmq.ZMQError) as raised:
        rep.send(b"closed")
    assert raised.value.errno == zmq.ENOTSOCK
    with pytest.raises(zmq.ZMQError) as raised:
        a.bind("nothing://x")
    assert raised.value.errno == zmq.EPROTONOSUPPORT
    a.context.term()
    with pytest.raises(zmq.ContextTerminated) as raised:
        a.recv()
    assert raised.value.errno == zmq.ETERM
    assert zmq.strerror(zmq.ETERM) == "Context was terminated"


@pytest.mark.parametrize("server_is_ours", [True, False])
def test_curve_is_spoken_with_pyzmq(server_is_ours: bool) -> None:
    real = pytest.importorskip("zmq", reason="pyzmq is not installed")
    a, b = (zmq, real) if server_is_ours else (real, zmq)
    public, secret = zmq.curve_keypair()
    assert zmq.curve_public(secret) == public == real.curve_public(secret)
    mine, my_secret = real.curve_keypair()
    contexts = a.Context(), b.Context()
    server, client = contexts[0].socket(a.REP), contexts[1].socket(b.REQ)
    server.curve_secretkey, server.curve_publickey = secret, public
    server.curve_server = True
    client.curve_serverkey, client.curve_publickey, client.curve_secretkey = public, mine, my_secret
    client.connect(f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}")
    client.send(b"sealed")
    assert server.recv() == b"sealed"
    server.send(b"too")
    assert client.recv() == b"too"
    for context in contexts:
        context.destroy(linger=0)


def test_nothing_goes_in_clear_where_curve_was_begun(pair: Any) -> None:
    socket = pair[0].context.socket(zmq.REP)
    socket.curve_server = True
    for call in (socket.bind, socket.connect):
        with pytest.raises(ferromq.SecurityUnavailable, match="secret key"):
            call("tcp://127.0.0.1:9")
    public, secret = zmq.curve_keypair()
    with pytest.raises(ValueError) as refused:
        socket.curve_secretkey = secret[:-1]
    assert secret[:-1].decode() not in str(refused.value)
    socket.curve_secretkey, socket.curve_publickey = secret, zmq.curve_keypair()[0]
    with pytest.raises(ferromq.OptionError):
        socket.bind("tcp://127.0.0.1:*")


def test_only_known_keys_are_let_in() -> None:
    with ferromq.Context() as context:
        public, secret = zmq.curve_keypair()
        mine, my_secret = zmq.curve_keypair()
        pull = context.socket(ferromq.PULL, curve_server=(secret, [mine]))
        endpoint = pull.bind("tcp://127.0.0.1:*")
        stranger = context.socket(ferromq.PUSH, curve_client=(public, zmq.curve_keypair()[1]))
        monitor = pull.monitor()
        stranger.connect(endpoint)
        while (event := monitor.recv(30)) is None or event.kind != "handshake_failed":
            pass
        friend = context.socket(ferromq.PUSH, curve_client=(public, my_secret))
        friend.connect(endpoint)
        friend.send_pyobj("from a friend")
        assert pull.recv_pyobj(trusted=True) == "from a friend"
        friend.send(b"whose key is known")
        peer = pull.recv_frame().peer
        assert peer is not None
        assert peer.user_id == mine.decode()


def test_contexts_are_shared_by_instance() -> None:
    assert zmq.Context.instance() is zmq.Context.instance()
    assert isinstance(zmq.Context.instance(), zmq.Context)
    assert ferromq.Context.instance() is not zmq.Context.instance()
    with zmq.Context() as context:
        context.setsockopt(zmq.LINGER, 5)
        assert context.socket(zmq.PUB).linger == 5
    assert context.closed


def test_select_and_bind_in_a_block(pair: Any) -> None:
    a, b = pair
    a.send(b"x")
    readable, writable, _ = zmq.select([a, b], [a], [], 30)
    assert (readable, writable) == ([b], [a])
    other = a.context.socket(zmq.PULL)
    with other.bind("tcp://127.0.0.1:*"):
        assert len(other.bound) == 1
    assert other.bound == []


def test_a_steerable_proxy_ends(pair: Any) -> None:
    a, b = pair
    pull, push = a.context.socket(zmq.PULL), a.context.socket(zmq.PUSH)
    a.send(b"TERMINATE")
    zmq.proxy_steerable(pull, push, None, b)


def test_asyncio_sockets_are_awaited() -> None:
    async def main() -> None:
        context = zmq.asyncio.Context()
        rep, req = context.socket(zmq.REP), context.socket(zmq.REQ)
        req.connect(f"tcp://127.0.0.1:{rep.bind_to_random_port('tcp://127.0.0.1')}")
        asking = asyncio.ensure_future(req.recv_json())
        await asyncio.sleep(0)
        asking.cancel()
        await req.send_json({"n": 1})
        assert await rep.poll(30_000) == zmq.POLLIN
        assert await rep.recv_json() == {"n": 1}
        await rep.send(b"a", zmq.SNDMORE)
        await rep.send(b"b")
        poller = zmq.asyncio.Poller()
        poller.register(req, zmq.POLLIN)
        assert await poller.poll(30_000) == [(req, zmq.POLLIN)]
        assert await req.recv() == b"a"
        assert await req.recv_multipart() == [b"b"]
        rep.rcvtimeo = 10
        with pytest.raises(zmq.Again):
            await rep.recv()
        with pytest.raises(zmq.Again):
            await rep.recv(zmq.NOBLOCK)
        context.destroy(linger=0)

    asyncio.run(main())


@pytest.mark.parametrize("gaps", [False, True], ids=["as it lies", "gathered"])
def test_a_tensor_has_the_time_that_its_call_gives_it(gaps: bool) -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    tensor = np.arange(24.0).reshape(4, 6)[:, :: 2 if gaps else 1]
    with zmq.Context() as context:
        push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        # By itself it would not wait at all, and nobody is there yet.
        push.sndtimeo = 0
        port = push.bind_to_random_port("tcp://127.0.0.1")
        late = threading.Timer(0.2, pull.connect, [f"tcp://127.0.0.1:{port}"])
        late.start()
        push.send_tensor(tensor, timeout=30)
        assert np.array_equal(pull.recv_tensor(timeout=30).numpy(), tensor)
        late.join()
        push.close()
        pull.close()
