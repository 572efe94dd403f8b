"""Tensors arrive as they were: type, shape, order, every element."""

from __future__ import annotations

import array
import struct
import warnings
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferromq
from ferromq import Context, Socket

np = pytest.importorskip("numpy", reason="numpy is not installed")
Pair = tuple[Socket, Socket]

PLAIN = "bool i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split()


def through(pair: Pair, tensor: Any, **how: Any) -> ferromq.Tensor:
    a, b = pair
    a.send_tensor(tensor, **how)
    return b.recv_tensor(timeout=30)


def same(sent: Any, received: Any) -> None:
    assert received.dtype == sent.dtype
    assert received.shape == sent.shape
    assert received.tobytes() == sent.tobytes()


@pytest.mark.parametrize("dtype", PLAIN)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3), (1, 2, 3, 4, 5), (1,) * 12])
def test_every_type_and_shape_arrives(pair: Pair, dtype: str, shape: tuple[int, ...]) -> None:
    sent = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    tensor = through(pair, sent)
    same(sent, tensor.numpy())
    assert tensor.dtype == sent.dtype.name


@pytest.mark.parametrize("byteorder", "<>")
def test_byte_order_is_kept(pair: Pair, byteorder: str) -> None:
    sent = np.array([1.5, -2.0, 3e5], byteorder + "f4")
    received = through(pair, sent).numpy()
    assert received.dtype == sent.dtype
    assert (received == [1.5, -2.0, 3e5]).all()


def ml_types() -> list[str]:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    from ferromq.tensors._dtypes import _NAMES

    return [name for name in _NAMES if hasattr(ml_dtypes, name)]


def test_every_type_of_ml_dtypes_arrives_as_itself(pair: Pair) -> None:
    import ml_dtypes

    names = ml_types()
    assert {"bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"} <= set(names)
    for name in names:
        sent = np.array([[0, 1, 0], [1, 1, 0]]).astype(getattr(ml_dtypes, name))
        tensor = through(pair, sent)
        assert tensor.dtype == name
        same(sent, tensor.numpy())
        same(sent.T, through(pair, sent.T).numpy())


VIEWS = {
    "transposed": lambda a: a.T,
    "axes swapped": lambda a: a.transpose(1, 0, 2),
    "reversed": lambda a: a[::-1],
    "reversed and transposed": lambda a: a[:, ::-1].T,
    "fortran": np.asfortranarray,
    "every second": lambda a: a[:, ::2],
    "column": lambda a: a[:, 1],
    "broadcast": lambda a: np.broadcast_to(a[0, 0], (5, *a[0, 0].shape)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_arrive_as_what_they_show(pair: Pair, view: str) -> None:
    sent = VIEWS[view](np.arange(24, dtype="f4").reshape(2, 3, 4))
    received = through(pair, sent).numpy()
    assert received.dtype == sent.dtype
    assert np.array_equal(received, sent)
    contiguous = through(pair, sent, contiguous=True)
    assert contiguous.header.strides is None
    assert np.array_equal(contiguous.numpy(), sent)


def test_what_lies_without_gaps_is_not_copied_to_be_sent() -> None:
    from ferromq.tensors._payload import payload_of

    base = np.arange(24, dtype="f4").reshape(2, 3, 4)
    for view in (base, base.T, base[::-1], base.transpose(1, 2, 0), base[1]):
        payload = payload_of(view)
        assert not payload.copied
        assert np.shares_memory(payload.buffer, base)
    for view in (base[:, ::2], np.broadcast_to(base[0], (3, 3, 4))):
        assert payload_of(view).copied


def test_received_memory_is_read_in_place_and_aligned(pair: Pair) -> None:
    sent = np.random.default_rng(1).random(1 << 17)
    tensor = through(pair, sent)
    received = tensor.numpy()
    assert received.ctypes.data == tensor.payload.address
    assert received.ctypes.data % 64 == 0
    assert not received.flags.writeable
    mine = tensor.numpy(copy=True)
    assert mine.flags.writeable
    assert (mine == sent).all()
    del tensor
    assert (received == sent).all()


@pytest.mark.parametrize("ownership", ["copied", "owned", "borrowed"])
def test_each_ownership_delivers(pair: Pair, ownership: Any) -> None:
    a, b = pair
    sent = np.arange(1 << 18, dtype="f4")
    tracker = a.send_tensor(sent, ownership=ownership)
    assert (tracker is not None) == (ownership == "borrowed")
    if ownership == "copied":
        sent[:] = 0
    assert b.recv_tensor().numpy()[-1] == (1 << 18) - 1
    if tracker is not None:
        tracker.wait(30)


@pytest.mark.parametrize("endpoint", ["shm://*", "tcp://127.0.0.1:*", "inproc://loan"])
def test_what_is_made_in_loaned_memory_is_sent(context: Context, endpoint: str) -> None:
    pull, push = context.socket(ferromq.PULL), context.socket(ferromq.PUSH, switch=False)
    push.connect(pull.bind(endpoint))
    push.wait_for_peers(timeout=30)
    for count in (0, 16, 1 << 18):
        sent = np.frombuffer(push.loan(4 * count), "f4")
        sent[:] = np.arange(count)
        push.send_tensor(sent, ownership="owned")
        received = pull.recv_tensor(timeout=30).numpy()
        assert (received == np.arange(count)).all()
    if endpoint != "tcp://127.0.0.1:*":
        # Read where its sender has it.
        sent[7] = -1
        assert received[7] == -1


def test_loaned_memory_comes_back(context: Context) -> None:
    pull, push = context.socket(ferromq.PULL), context.socket(ferromq.PUSH)
    push.connect(pull.bind("shm://*"))
    size = 64 << 20
    # Three times what there is of it.
    for number in range(48):
        sent = np.frombuffer(push.loan(size), "u1")
        push.send_tensor(sent, ownership="owned")
        received = pull.recv_tensor(timeout=30).numpy()
        sent[5] = number
        assert received[5] == number, "it was in place"
        del sent, received
    # Nobody sent this one.
    push.loan(size).release()
    push.close()
    with pytest.raises(ferromq.Closed):
        push.loan(1)


def test_out_takes_what_fits_and_nothing_else(pair: Pair) -> None:
    a, b = pair
    sent = np.arange(6, dtype="f4").reshape(2, 3)
    out = np.zeros((2, 3), "f4")
    a.send_tensor(sent)
    tensor = b.recv_tensor(out=out)
    assert (out == sent).all()
    assert tensor.shape == (2, 3)
    for wrong in (np.zeros((3, 2), "f4"), np.zeros((2, 3), "f8"), np.zeros(6, "f4")):
        a.send_tensor(sent)
        with pytest.raises(ferromq.TensorError, match="does not fit"):
            b.recv_tensor(out=wrong)
        assert b.recv_tensor(out=out).dtype == "float32", "the message was kept"


def test_buffers_are_tensors(pair: Pair) -> None:
    same(np.array([1, 2, 3], "f8"), through(pair, array.array("d", [1, 2, 3])).numpy())
    same(np.frombuffer(b"bytes", "u1"), through(pair, b"bytes").numpy())
    view = memoryview(bytearray(24)).cast("i", (2, 3))
    assert through(pair, view).shape == (2, 3)
    assert through(pair, memoryview(bytes(range(10)))[::3]).numpy().tolist() == [0, 3, 6, 9]


class FromAfar:
    """A tensor on a device of DLPack's type 2."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 1)

    def cpu(self) -> Any:
        return np.array([7], "i4")


def test_a_cuda_tensor_is_refused_unless_staged(pair: Pair) -> None:
    with pytest.raises(ferromq.DeviceError, match=r"\.cpu\(\)"):
        pair[0].send_tensor(FromAfar())
    assert through(pair, FromAfar(), stage=True).numpy().tolist() == [7]


class ThroughDlpack:
    """Only what DLPack's protocol has."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __dlpack__(self) -> Any:
        return self.held.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def test_dlpack_is_enough(pair: Pair) -> None:
    base = np.arange(24, dtype="i2").reshape(2, 3, 4)
    for view in (base, base.T, base[:, ::2], base[:, 1:], np.zeros((0, 2)), np.array(5.0)):
        received = through(pair, ThroughDlpack(view))
        assert np.array_equal(received.numpy(), view)
        assert received.dtype == view.dtype.name


@pytest.mark.parametrize(
    "tensor",
    [
        np.array([object()]),
        np.array(["text"]),
        np.array([1], "M8[s]"),
        np.zeros(1, [("x", "f4")]),
        np.zeros(1, "g"),
    ],
)
def test_types_without_a_code_are_refused_by_name(pair: Pair, tensor: Any) -> None:
    with pytest.raises(ferromq.UnknownDtype):
        pair[0].send_tensor(tensor)


def test_what_is_no_tensor_is_refused(pair: Pair) -> None:
    with pytest.raises(TypeError, match="list is no tensor"):
        pair[0].send_tensor([1, 2])


def header(code: int, bits: int, flags: int, payload: bytes, shape: list[int]) -> bytes:
    """A header by struct alone, as a plain peer writes it."""
    words = shape + [0] * (8 - len(shape))

    def build(crc: int) -> bytes:
        return struct.pack(
            "<4sBBHBBHBBHQQQIIQQ8q",
            *(b"ZTN1", 16, len(shape), flags, code, bits, 1, 1, 6, 0),
            *(len(payload), 0, 0, 0, crc, 0, 0),
            *words,
        )

    return build(zlib.crc32(build(0)))


BAD = {
    "unknown type": (header(99, 32, 0, b"1234", [1]), b"1234", ferromq.UnknownDtype),
    "nameless type": (header(2, 80, 0, bytes(10), [1]), bytes(10), ferromq.UnknownDtype),
    "wrong magic": (b"NOPE" + bytes(124), b"", ferromq.HeaderError),
    "short header": (b"ZTN1", b"", ferromq.HeaderError),
    "damaged": (header(2, 32, 0, b"1234", [1])[:-1] + b"\1", b"1234", ferromq.HeaderError),
    "short payload": (header(2, 32, 0, b"1234", [1]), b"123", ferromq.HeaderError),
    "shape too large": (header(2, 32, 0, b"1234", [2]), b"1234", ferromq.HeaderError),
    "in parts": (header(2, 32, 32, b"1234", [1]), b"1234", ferromq.TensorError),
    "wrong checksum": (header(2, 32, 2, b"1234", [1]), b"1234", ferromq.TensorError),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_tensor_stays_receivable(pair: Pair, name: str) -> None:
    a, b = pair
    head, payload, error = BAD[name]
    a.send_multipart([head, payload])
    for _ in range(2):
        with pytest.raises(error):
            b.recv_tensor()
    assert b.recv_multipart() == [head, payload]


def test_one_frame_or_three_are_no_tensor(pair: Pair) -> None:
    a, b = pair
    for frames in ([b"one"], [b"1", b"2", b"3"]):
        a.send_multipart(frames)
        with pytest.raises(ferromq.HeaderError):
            b.recv_tensor()
        assert b.recv_multipart() == frames


def test_packed_elements_are_unpacked(pair: Pair) -> None:
    pytest.importorskip("ml_dtypes")
    a, b = pair
    a.send_multipart([header(0, 4, 8, b"\xf1\x02", [3]), b"\xf1\x02"])
    assert b.recv_tensor().numpy().astype(int).tolist() == [1, -1, 2]
    a.send_multipart([header(1, 2, 8, b"\xe4", [4]), b"\xe4"])
    assert b.recv_tensor().numpy().astype(int).tolist() == [0, 1, 2, 3]


def test_checksums_are_checked(pair: Pair) -> None:
    sent = np.arange(100.0)
    tensor = through(pair, sent, checksum=True)
    assert tensor.header.payload_crc == zlib.crc32(sent.tobytes())


def test_topics_and_identities_are_where_sockets_want_them(context: Context) -> None:
    pub, sub = context.socket(ferromq.PUB), context.socket(ferromq.SUB)
    sub.subscribe(b"w")
    pub.connect(sub.bind("tcp://127.0.0.1:*"))
    sub.wait_for_peers(timeout=30)
    while not sub.readiness()[0]:
        pub.send_tensor(np.ones(3), topic="weights")
    tensor = sub.recv_tensor()
    assert (tensor.topic, tensor.shape) == (b"weights", (3,))
    router, dealer = context.socket(ferromq.ROUTER), context.socket(ferromq.DEALER, identity=b"d")
    dealer.connect(router.bind("tcp://127.0.0.1:*"))
    dealer.send_tensor(np.ones(2))
    asked = router.recv_tensor()
    assert asked.identity == b"d"
    assert asked.source.startswith("tcp://127.0.0.1:")
    router.send_tensor(np.zeros(2), identity=asked.identity)
    assert dealer.recv_tensor().numpy().tolist() == [0, 0]
    with pytest.raises(ferromq.TensorError):
        dealer.send_tensor(np.zeros(2), topic=b"t")
    with pytest.raises(ferromq.TensorError):
        router.send_tensor(np.zeros(2))


def test_a_plain_peer_reads_and_writes_tensors(context: Context, peers: Any) -> None:
    import zmq

    ours = context.socket(ferromq.PAIR)
    theirs = peers.socket(zmq.PAIR)
    theirs.connect(ours.bind("tcp://127.0.0.1:*"))
    ours.send_tensor(np.arange(6, dtype="f4").reshape(2, 3))
    head, payload = theirs.recv_multipart()
    magic, len8, ndim, flags, code, bits = struct.unpack_from("<4sBBHBB", head)
    assert (magic, len8 * 8, flags, code, bits) == (b"ZTN1", len(head), 0, 2, 32)
    shape = struct.unpack_from(f"<{ndim}q", head, 64)
    assert np.frombuffer(payload, "<f4").reshape(shape).tolist() == [[0, 1, 2], [3, 4, 5]]
    sent = np.array([[1], [2]], "<i8")
    theirs.send_multipart([header(0, 64, 0, sent.tobytes(), [2, 1]), sent.tobytes()])
    same(sent, ours.recv_tensor().numpy())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_view_of_any_array_arrives(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(0, 4), max_size=5))
    array = np.arange(int(np.prod(shape)), dtype=data.draw(st.sampled_from(PLAIN[1:])))
    view = array.reshape(shape).transpose(data.draw(st.permutations(range(len(shape)))))
    steps = [data.draw(st.sampled_from([1, 1, -1, 2, -2])) for _ in shape]
    view = view[tuple(slice(None, None, step) for step in steps)]
    with Context() as context:
        a, b = context.socket(ferromq.PAIR), context.socket(ferromq.PAIR)
        a.connect(b.bind("inproc://tensors"))
        a.send_tensor(view)
        assert np.array_equal(b.recv_tensor(timeout=30).numpy(), view)


def test_torch_tensors_arrive(pair: Pair) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    base = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    for sent in (base, base.T, base[:, ::2], base.to(torch.bfloat16), base > 2, base.sum()):
        received = through(pair, sent).torch()
        assert received.dtype == sent.dtype
        assert torch.equal(received, sent)
    with pytest.raises(ferromq.TensorError, match="detach"):
        pair[0].send_tensor(base.clone().requires_grad_())


def test_jax_arrays_arrive(pair: Pair) -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in ("float32", "bfloat16", "int8", "bool"):
            sent = jax.numpy.asarray([[0, 1], [1, 0]], dtype)
            received = through(pair, sent)
            assert received.dtype == dtype
            assert (received.jax() == sent).all()
        tensor = through(pair, np.array([1.0]))
        with pytest.raises(ferromq.TensorError, match="jax_enable_x64"):
            tensor.jax()
