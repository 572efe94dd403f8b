"""Tensors of torch and jax: in another process and back, with pyzmq on the other
end, and without a copy on either side. What is not installed is skipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import ferromq
from ferromq.tensors._payload import payload_of

from test_docs import block_with

np = pytest.importorskip("numpy", reason="numpy is not installed")
LONG = 1 << 20

DOUBLES = {
    "torch": """
import ferromq, torch
tensor = socket.recv_tensor(timeout=30).torch()
assert tensor.dtype == torch.float32 and tensor.shape == (3, 2)
socket.send_tensor(tensor * 2)
""",
    "jax": """
import jax, jax.numpy
tensor = socket.recv_tensor(timeout=30).jax()
assert tensor.dtype == jax.numpy.float32 and tensor.shape == (3, 2)
socket.send_tensor(tensor * 2)
""",
}
OURS = """
import sys, ferromq
with ferromq.Context() as context:
    socket = context.socket(ferromq.PAIR)
    socket.connect(sys.argv[1])
"""
# A process with pyzmq, the documented lines, and no ferromq.
THEIRS = {
    "torch": """
import torch
tensor = torch.from_numpy(receive(socket).copy())
send(socket, (tensor * 2).numpy())
""",
    "jax": """
import jax.numpy
tensor = jax.numpy.asarray(receive(socket))
send(socket, np.asarray(tensor * 2))
""",
}
PLAIN = """
import sys
socket = zmq.Context.instance().socket(zmq.PAIR)
socket.connect(sys.argv[1])
"""


@contextmanager
def process(program: str, endpoint: str) -> Iterator[None]:
    child = subprocess.Popen([sys.executable, "-c", program, endpoint])
    try:
        yield
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait(30)


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def programs(name: str) -> list[str]:
    return [
        OURS + indented(DOUBLES[name]),
        block_with("CODES = {") + PLAIN + THEIRS[name] + "assert 'ferromq' not in sys.modules\n",
    ]


@pytest.mark.parametrize("whose", [0, 1], ids=["ours", "pyzmq's"])
@pytest.mark.parametrize("name", DOUBLES)
def test_a_tensor_goes_to_another_process_and_back(
    context: ferromq.Context, name: str, whose: int
) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    socket = context.socket(ferromq.PAIR)
    with process(programs(name)[whose], socket.bind("tcp://127.0.0.1:*")):
        sent = np.arange(6, dtype="f4").reshape(3, 2)
        socket.send_tensor(sent, timeout=30)
        tensor = socket.recv_tensor(timeout=30)
        received = getattr(tensor, name)()
        assert (np.asarray(received) == sent * 2).all()


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed")


def test_every_type_of_torch_arrives(torch: Any, pair: Any) -> None:
    a, b = pair
    types = "bool uint8 int8 int16 int32 int64 float16 float32 float64 bfloat16 complex64"
    for name in types.split():
        base = torch.tensor([[0, 1, 0], [1, 1, 0]]).to(getattr(torch, name))
        for sent in (base, base.T, base[:, ::2], base[0, 0], base[:0], base[None, None, None]):
            a.send_tensor(sent)
            tensor = b.recv_tensor(timeout=30)
            assert (tensor.dtype, tensor.shape) == (name, tuple(sent.shape))
            received = tensor.torch()
            assert received.dtype == sent.dtype
            # An old torch compares no halves.
            assert torch.equal(received.to(torch.complex64), sent.to(torch.complex64))


def test_torch_memory_is_sent_from_and_read_where_it_is(torch: Any, pair: Any) -> None:
    a, b = pair
    sent = torch.arange(LONG, dtype=torch.float32)
    payload = payload_of(sent)
    assert not payload.copied
    assert payload.buffer.address == sent.data_ptr()
    assert payload_of(sent.reshape(1024, 1024).T).buffer.address == sent.data_ptr()
    tracker = a.send_tensor(sent, ownership="borrowed")
    tensor = b.recv_tensor(timeout=30)
    received = tensor.torch()
    assert received.data_ptr() == tensor.payload.address
    assert received.data_ptr() % 64 == 0
    assert torch.equal(received, sent)
    tracker.wait(30)


def test_a_torch_tensor_that_learns_is_refused_by_name(torch: Any, pair: Any) -> None:
    with pytest.raises(ferromq.TensorError, match="detach"):
        pair[0].send_tensor(torch.ones(2, requires_grad=True))


def test_torch_that_cannot_show_it_says_so(torch: Any, pair: Any) -> None:
    a, b = pair
    a.send_tensor(np.array([1, 2], ">i4"))
    with pytest.raises(ferromq.TensorError, match="numpy"):
        b.recv_tensor().torch()
    a.send_tensor(np.arange(4)[::-1])
    with pytest.raises(ferromq.TensorError, match="negative"):
        b.recv_tensor().torch()


def test_torch_gives_its_memory_back(torch: Any, pair: Any) -> None:
    import weakref

    a, b = pair
    storage = np.zeros(LONG, "u1")
    gone = weakref.ref(storage)
    tensor = torch.from_numpy(storage)
    tracker = a.send_tensor(tensor, ownership="borrowed")
    b.recv_tensor(timeout=30)
    tracker.wait(30)
    del storage, tensor
    # Released with the next call that has the interpreter.
    a.flush()
    assert gone() is None


def test_jax_reads_received_memory_in_place(pair: Any) -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    a, b = pair
    a.send_tensor(jax.numpy.arange(LONG, dtype="float32"))
    tensor = b.recv_tensor(timeout=30)
    array = tensor.jax()
    assert array.unsafe_buffer_pointer() == tensor.payload.address
    assert (array == jax.numpy.arange(LONG, dtype="float32")).all()


def test_tensorflow_tensors_arrive(pair: Any) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    a, b = pair
    for dtype in ("float32", "int64", "bool", "bfloat16"):
        sent = tensorflow.cast(tensorflow.constant([[0, 1], [1, 0]]), dtype)
        a.send_tensor(sent)
        received = b.recv_tensor(timeout=30)
        assert received.dtype == dtype
        assert (tensorflow.constant(received.numpy()).numpy() == sent.numpy()).all()
