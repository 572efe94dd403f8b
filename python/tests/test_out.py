"""Tensors are received into arrays that exist: read straight into them where that can
be, and written to by nothing else."""

from __future__ import annotations

import asyncio
import threading
import weakref
import zlib
from collections.abc import Callable
from typing import Any

import pytest

import ferromq
import ferromq.asyncio
from ferromq import Context, Socket

from test_tensors import header

np = pytest.importorskip("numpy", reason="numpy is not installed")
Pair = tuple[Socket, Socket]
LEN = 100_000


def sent() -> Any:
    return np.arange(1, LEN + 1, dtype="f4").reshape(100, 1000)


def received_into(b: Socket, out: Any, send: Callable[[], Any]) -> ferromq.Tensor:
    """What comes of a tensor that is sent once its receiver waits."""
    got: list[ferromq.Tensor] = []
    receiving = threading.Thread(target=lambda: got.append(b.recv_tensor(out=out, timeout=30)))
    receiving.start()
    while not b._offered_to and receiving.is_alive():
        pass
    send()
    receiving.join()
    return got[0]


def in_place(tensor: ferromq.Tensor, out: Any) -> bool:
    return bool(tensor.payload.address == out.ctypes.data)


@pytest.mark.parametrize("how", ["copied", "owned", "borrowed"])
def test_a_tensor_is_read_straight_into_an_array(pair: Pair, how: Any) -> None:
    a, b = pair
    for _ in range(3):
        out = np.zeros((100, 1000), "f4")
        tensor = received_into(b, out, lambda: a.send_tensor(sent(), ownership=how))
        assert in_place(tensor, out)
        assert (out == sent()).all()
        assert tensor.source.startswith("tcp://127.0.0.1:")
        # What it shows is the array.
        out[0, 0] = 7
        assert tensor.numpy()[0, 0] == 7


def test_the_array_is_given_back(pair: Pair) -> None:
    a, b = pair
    out = np.zeros((100, 1000), "f4")
    gone = weakref.ref(out)
    a.send_tensor(sent())
    tensor = b.recv_tensor(out=out)
    del out
    del tensor
    b.flush()
    assert gone() is None


def test_every_way_ends_with_the_same_elements(pair: Pair, context: Context) -> None:
    inproc = context.socket(ferromq.PAIR), context.socket(ferromq.PAIR)
    inproc[0].connect(inproc[1].bind("inproc://out"))
    shows = {
        "plain": lambda: np.zeros((100, 1000), "f4"),
        "fortran": lambda: np.zeros((100, 1000), "f4", order="F"),
        "every second": lambda: np.zeros((100, 2000), "f4")[:, ::2],
        "big-endian": lambda: np.zeros((100, 1000), ">f4"),
    }
    for a, b in (pair, inproc):
        for make in shows.values():
            for array in (sent(), np.asfortranarray(sent()), sent()[::-1], sent().astype(">f4")):
                out = make()
                a.send_tensor(array)
                b.recv_tensor(out=out, timeout=30)
                assert (out == array).all()


def test_other_memory_than_numpy_s(pair: Pair) -> None:
    import array

    a, b = pair
    for out in (array.array("f", bytes(4 * LEN)), memoryview(bytearray(4 * LEN)).cast("f")):
        a.send_tensor(sent().reshape(-1))
        b.recv_tensor(out=out)
        assert memoryview(out)[LEN - 1] == LEN
    a.send_tensor(sent())
    with pytest.raises(ferromq.TensorError, match="read-only"):
        b.recv_tensor(out=bytes(4 * LEN))
    fixed = np.zeros((100, 1000), "f4")
    fixed.flags.writeable = False
    with pytest.raises(ferromq.TensorError, match="read-only"):
        b.recv_tensor(out=fixed)
    assert b.recv_tensor().shape == (100, 1000)


def test_what_does_not_fit_touches_nothing(pair: Pair) -> None:
    a, b = pair
    out = np.zeros((100, 1000), "f4")
    wrong = [sent().T, sent().view("i4"), sent().reshape(-1), sent().astype("f8")[:, :500]]
    for array in wrong:
        a.send_tensor(array)
        with pytest.raises(ferromq.TensorError, match="does not fit"):
            b.recv_tensor(out=out)
        assert not out.any()
        assert b.recv_tensor().numpy().tobytes() == array.tobytes(), "the message was kept"
    a.send_multipart([b"no header", sent().tobytes()])
    with pytest.raises(ferromq.TensorError):
        b.recv_tensor(out=out)
    assert not out.any()
    assert b.recv_multipart()[1] == sent().tobytes()


def test_a_damaged_tensor_is_kept_as_it_came(pair: Pair) -> None:
    a, b = pair
    out = np.zeros((100, 1000), "f4")
    payload = sent().tobytes()
    assert zlib.crc32(payload), "what the header has is 0"
    damaged = header(2, 32, 2, payload, [100, 1000])
    failed: list[BaseException] = []

    def receive() -> None:
        try:
            b.recv_tensor(out=out, timeout=30)
        except ferromq.Error as error:
            failed.append(error)

    receiving = threading.Thread(target=receive)
    receiving.start()
    while not b._offered_to:
        pass
    a.send_multipart([damaged, payload])
    receiving.join()
    assert "checksum" in str(failed[0])
    assert out.any(), "it was read into the array"
    out[:] = 0
    assert b.recv_multipart() == [damaged, payload]


def test_nothing_comes_after_the_time_is_over(pair: Pair) -> None:
    a, b = pair
    out = np.zeros((100, 1000), "f4")
    for _ in range(20):
        with pytest.raises(TimeoutError):
            b.recv_tensor(out=out, timeout=0.001)
        a.send_tensor(sent())
        tensor = b.recv_tensor(timeout=30)
        assert not in_place(tensor, out)
        assert not out.any()
        assert (tensor.numpy() == sent()).all()


def test_threads_that_share_a_socket_share_no_memory(pair: Pair) -> None:
    a, b = pair
    count, got, wrong = 200, [], []

    def plainly() -> None:
        while len(got) < count:
            try:
                tensor = b.recv_tensor(timeout=0.05)
            except TimeoutError:
                continue
            array = tensor.numpy()
            got.append(array[0, 0])
            if not (array == array[0, 0]).all():
                wrong.append(array)

    def into() -> None:
        out = np.zeros((100, 1000), "f4")
        while len(got) < count:
            try:
                b.recv_tensor(out=out, timeout=0.05)
            except TimeoutError:
                continue
            got.append(out[0, 0])
            if not (out == out[0, 0]).all():
                wrong.append(out)
            out[:] = -1

    threads = [threading.Thread(target=it) for it in (plainly, into, into)]
    for thread in threads:
        thread.start()
    for number in range(count):
        a.send_tensor(np.full((100, 1000), number, "f4"))
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(got) == list(range(count))


def test_into_an_array_it_is_awaited() -> None:
    async def main() -> None:
        with ferromq.asyncio.Context() as context:
            a, b = context.socket(ferromq.PAIR), context.socket(ferromq.PAIR)
            a.connect(b.bind("tcp://127.0.0.1:*"))
            out = np.zeros((100, 1000), "f4")
            receiving = asyncio.ensure_future(b.recv_tensor(out=out))
            await asyncio.sleep(0)
            await a.send_tensor(sent())
            assert in_place(await receiving, out)
            assert (out == sent()).all()
            out[:] = 0
            receiving = asyncio.ensure_future(b.recv_tensor(out=out))
            await asyncio.sleep(0)
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await a.send_tensor(sent())
            assert (await b.recv_tensor()).shape == (100, 1000)
            assert not out.any()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_closed_socket_lets_go(context: Context) -> None:
    socket = context.socket(ferromq.PULL)
    out = np.zeros((100, 1000), "f4")
    gone = weakref.ref(out)
    failed: list[BaseException] = []

    def receive(array: Any) -> None:
        try:
            socket.recv_tensor(out=array)
        except ferromq.Error as error:
            failed.append(error)

    thread = threading.Thread(target=receive, args=(out,))
    thread.start()
    while not socket._offered_to:
        pass
    socket.close()
    thread.join()
    assert isinstance(failed[0], ferromq.Closed)
    failed.clear()
    del out, thread
    assert gone() is None


def test_torch_tensors_are_read_into_where_they_lie(pair: Pair) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    a, b = pair
    out = torch.zeros(100, 1000)
    tensor = received_into(b, out, lambda: a.send_tensor(torch.from_numpy(sent())))
    assert (out.numpy() == sent()).all()
    assert tensor.payload.address == out.data_ptr()
    halves = torch.zeros(100, 1000, dtype=torch.bfloat16)
    rounded = torch.from_numpy(sent()).to(torch.bfloat16)
    tensor = received_into(b, halves, lambda: a.send_tensor(rounded))
    assert torch.equal(halves.float(), rounded.float())
    assert tensor.payload.address == halves.data_ptr()
    a.send_tensor(out[:, ::2])
    with pytest.raises(ferromq.TensorError, match="gaps"):
        b.recv_tensor(out=out[:, ::2], timeout=30)
    assert b.recv_tensor().shape == (100, 500)


def test_arrays_of_jax_do_not_change(pair: Pair) -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    with pytest.raises(ferromq.TensorError, match="jax"):
        pair[1].recv_tensor(out=jax.numpy.zeros(3))
