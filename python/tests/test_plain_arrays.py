"""Arrays of numpy that travel as they lie are described by the compiled module alone, in
the words that all others are described in."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from typing import Any

import pytest

import ferromq
from ferromq import Socket, _native
from ferromq.tensors import _transfer
from ferromq.tensors._payload import CHECKSUM, payload_of

np = pytest.importorskip("numpy", reason="numpy is not installed")
Pair = tuple[Socket, Socket]

FIELDS = [
    name
    for name in vars(_native.TensorHeader)
    if not name.startswith("_") and name not in ("encode", "matches", "sequence")
]
TYPES = ["?", *"bhilqBHILQ", *"efdFD"]


def fixed(array: Any) -> Any:
    array.flags.writeable = False
    return array


PLAIN: dict[str, Callable[[], Any]] = {
    **{letter: lambda letter=letter: np.ones((2, 3), letter) for letter in TYPES},
    "no elements": lambda: np.ones((2, 0, 3), "f4"),
    "no dimension": lambda: np.array(7.0),
    "many dimensions": lambda: np.ones((1,) * 32, "i2"),
    "read-only": lambda: fixed(np.ones(5, "f8")),
    "a part in C's order": lambda: np.ones((4, 5), "f4")[1:3],
}
OTHERS: dict[str, Callable[[], Any]] = {
    "Fortran's order": lambda: np.ones((2, 3), "f4", order="F"),
    "gaps": lambda: np.ones((4, 6), "f4")[:, ::2],
    "backwards": lambda: np.ones(6, "f4")[::-1],
    "big-endian": lambda: np.ones(6, ">f4"),
    "big-endian complex": lambda: np.ones(6, ">c8"),
    "objects": lambda: np.array([None, None]),
    "fields": lambda: np.ones(3, "i4,f4"),
    "text": lambda: np.array(["text"]),
    "bytes": lambda: np.array([b"b"]),
    "times": lambda: np.ones(3, "M8[s]"),
    "of no code": lambda: np.ones(3, "g"),
    "of no code, complex": lambda: np.ones(3, "G"),
}


def described(array: Any, checksum: bool) -> dict[str, Any]:
    """Its header, as all other tensors have theirs made."""
    payload = payload_of(array)
    assert payload.strides is None and not payload.copied
    flags = payload.flags | (checksum << 1)
    header = _native.TensorHeader(
        payload.dtype, payload.shape, payload.buffer, flags=flags, user_tag=5
    )
    return {name: getattr(header, name) for name in FIELDS}


def test_whatever_is_true_asks_for_a_checksum() -> None:
    asked: list[Any] = [1, "yes", True, np.True_, 0, None, False]
    for checksum in asked:
        header = _transfer.frames_of(np.ones(3), checksum=checksum)[0]
        flags = _native.parse_tensor_header(header).flags
        assert bool(flags & CHECKSUM) == bool(checksum)


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("what", PLAIN)
def test_a_plain_array_is_described_as_all_others_are(what: str, checksum: bool) -> None:
    array = PLAIN[what]()
    encoded = _native._plain_header(array, checksum, 5)
    assert encoded is not None
    header = _native.parse_tensor_header(encoded)
    assert {name: getattr(header, name) for name in FIELDS} == described(array, checksum)


@pytest.mark.parametrize("what", OTHERS)
def test_what_does_not_lie_as_it_is_sent_is_left_to_others(what: str) -> None:
    assert _native._plain_header(OTHERS[what](), False, 0) is None


@pytest.mark.parametrize("what", [*PLAIN, "Fortran's order", "big-endian", "backwards"])
def test_an_array_is_the_same_whoever_makes_it(pair: Pair, what: str) -> None:
    a, b = pair
    sent = {**PLAIN, **OTHERS}[what]()
    a.send_tensor(sent)
    tensor = b.recv_tensor()
    made, others = tensor.numpy(), tensor._array(copy=False)
    by_others = sent.size == 0 or what in OTHERS
    assert (_native._plain_array(tensor.header, tensor.payload) is None) == by_others
    assert (made.dtype, made.shape, made.strides) == (others.dtype, others.shape, others.strides)
    np.testing.assert_array_equal(made, sent)
    np.testing.assert_array_equal(others, sent)
    assert made.size == 0 or not made.flags.writeable
    # A copy is the reader's own.
    assert tensor.numpy(copy=True).flags.writeable


def test_elements_may_begin_behind_the_payloads_start() -> None:
    payload = _native.Frame(np.arange(10, dtype="u1"))
    header = _native.TensorHeader((1, 8, 1), [2, 3], payload, offset=4)
    array = _native._plain_array(header, payload)
    assert array is not None
    np.testing.assert_array_equal(array, [[4, 5, 6], [7, 8, 9]])


def test_an_array_keeps_its_memory(pair: Pair) -> None:
    a, b = pair
    sent = np.arange(100_000)
    a.send_tensor(sent)
    array = b.recv_tensor().numpy()
    for _ in range(10):
        a.send_tensor(np.zeros_like(sent))
        b.recv_tensor()
    np.testing.assert_array_equal(array, sent)


def test_other_types_of_arrays_are_not_taken_for_numpys(pair: Pair) -> None:
    class Mine(np.ndarray):  # type: ignore[misc]
        pass

    a, b = pair
    for other in (np.ones(3).view(Mine), b"bytes", array.array("d", [1, 2])):
        assert not a._send_plain(other, False, 0, None)
    assert a._send_plain(np.ones(3), False, 0, None)
    assert b.recv_tensor().shape == (3,)


def test_arrays_of_other_libraries_are_asked_for_their_device() -> None:
    class Elsewhere(np.ndarray):  # type: ignore[misc]
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)

    with pytest.raises(ferromq.DeviceError):
        _transfer.frames_of(np.ones(3, "f4").view(Elsewhere))


def test_tensors_are_counted_however_they_are_described(pair: Pair) -> None:
    a, b = pair
    for array in (np.ones(3), np.ones((2, 3), order="F"), np.ones(3, ">i2"), np.ones(3)):
        a.send_tensor(array)
    with pytest.raises(ferromq.UnknownDtype):
        a.send_tensor(np.ones(3, "g"))
    a.send_tensor(np.ones(3))
    counted = [b.recv_tensor().header.sequence for _ in range(5)]
    assert counted == list(range(counted[0], counted[0] + 5))


def calls(program: Callable[[], Any]) -> int:
    """How often functions are called, Python's and others'."""
    count = 0

    def look(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(look)
    try:
        program()
    finally:
        sys.setprofile(None)
    # The program, and the end.
    return count - 2


def test_a_plain_array_costs_few_calls(pair: Pair) -> None:
    a, b = pair
    sent = np.ones(100_000, "u1")
    # The first call imports, and fills caches.
    a.send_tensor(sent)
    b.recv_tensor().numpy()
    assert calls(lambda: a.send_tensor(sent)) <= 3
    assert calls(lambda: b.recv_tensor().numpy()) <= 6
