"""From a library's tensor to bytes and their description, without a copy where
the elements lie without gaps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from .. import _native
from .._errors import DeviceError, TensorError, UnknownDtype
from ._dtypes import Code, code_of, code_of_numpy, name_of

STRIDED, CHECKSUM, READ_ONLY, PACKED, BIG_ENDIAN, MORE_PARTS = (1 << bit for bit in range(6))
# CPU; memory of CUDA and ROCm that the CPU reads too.
_READABLE = {1, 3, 11}


@dataclass(slots=True)
class Payload:
    """Bytes, and how elements lie in them."""

    dtype: Code
    shape: list[int]
    strides: list[int] | None
    offset: int
    flags: int
    buffer: Any
    copied: bool = False


def payload_of(tensor: Any, *, contiguous: bool = False, stage: bool = False) -> Payload:
    """Describes a tensor of numpy, torch, jax, tensorflow, or anything with DLPack
    or the buffer protocol.

    Elements in another order than C's are described by strides if they lie
    without gaps, and copied once if they do not or ``contiguous`` is asked for.
    """
    tensor = _on_the_cpu(tensor, stage)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(tensor, numpy.ndarray | numpy.generic):
        return _of_numpy(numpy.asarray(tensor), contiguous)
    module = type(tensor).__module__.partition(".")[0]
    if module in ("jax", "jaxlib", "tensorflow") and hasattr(tensor, "__array__"):
        import numpy as np

        return _of_numpy(np.asarray(tensor), contiguous)
    if hasattr(tensor, "__dlpack__"):
        return _of_dlpack(tensor, contiguous)
    return _of_buffer(tensor)


def _on_the_cpu(tensor: Any, stage: bool) -> Any:
    device = getattr(tensor, "__dlpack_device__", None)
    if device is None:
        return tensor
    kind, number = device()
    if int(kind) in _READABLE:
        return tensor
    if not stage:
        raise DeviceError(
            f"the tensor is on device {number} of DLPack type {int(kind)}, not in the CPU's "
            "memory: send tensor.cpu(), or pass stage=True to have it copied"
        )
    if hasattr(tensor, "cpu"):
        return tensor.cpu()
    import numpy as np

    return np.asarray(tensor)


def _of_numpy(array: Any, contiguous: bool) -> Payload:
    code = code_of_numpy(array.dtype)
    flags = 0 if array.flags.writeable else READ_ONLY
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and sys.byteorder == "big"):
        flags |= BIG_ENDIAN
    shape, size = list(array.shape), array.dtype.itemsize
    if array.flags.c_contiguous:
        return Payload(code, shape, None, 0, flags, _bytes_of(array))
    dense = None if contiguous else _in_memory_order(array)
    if dense is None:
        import numpy as np

        # One copy, told in `copied`.
        array = np.ascontiguousarray(array)
        return Payload(code, shape, None, 0, flags, _bytes_of(array), copied=True)
    strides = [stride // size for stride in array.strides]
    behind = [(n - 1) * -stride for n, stride in zip(shape, array.strides) if stride < 0]
    return Payload(code, shape, strides, sum(behind), flags | STRIDED, _bytes_of(dense))


def _in_memory_order(array: Any) -> Any:
    """The same elements in the order of their addresses, or None if there are
    gaps between them or some are there twice."""
    forward = array[tuple(slice(None, None, -1 if s < 0 else 1) for s in array.strides)]
    axes = sorted(range(array.ndim), key=lambda axis: (-forward.strides[axis], array.shape[axis]))
    ordered = forward.transpose(axes)
    return ordered if ordered.flags.c_contiguous else None


def _bytes_of(array: Any) -> Any:
    if array.size == 0:
        return b""
    return array.reshape(-1).view("u1")


def _of_dlpack(tensor: Any, contiguous: bool) -> Payload:
    try:
        capsule = tensor.__dlpack__()
    except (BufferError, RuntimeError, ValueError, TypeError) as error:
        fallback = getattr(tensor, "numpy", None)
        if fallback is None or "grad" in str(error):
            raise TensorError(f"the tensor cannot be exported: {error}") from error
        # An old torch has no DLPack for bool.
        return _of_numpy(fallback(), contiguous)
    loan = _native.Loan(capsule)
    name_of(loan.dtype)
    size = max(loan.dtype[1] // 8, 1)
    count = 1
    for length in loan.shape:
        count *= length
    dense = _c_order(loan.shape)
    differs = [s for s, d, n in zip(loan.strides, dense, loan.shape) if s != d and n > 1]
    if count == 0 or not differs:
        return Payload(loan.dtype, loan.shape, None, loan.offset, 0, loan if count else b"")
    if len(loan) == count * size and not contiguous:
        return Payload(loan.dtype, loan.shape, loan.strides, loan.offset, STRIDED, loan)
    import numpy as np

    steps = [stride * size for stride in loan.strides]
    view = np.ndarray(loan.shape, f"V{size}", memoryview(loan), loan.offset, steps)
    copied = np.ascontiguousarray(view)
    return Payload(loan.dtype, loan.shape, None, 0, 0, copied.reshape(-1).view("u1"), copied=True)


def _c_order(shape: list[int]) -> list[int]:
    strides = [1] * len(shape)
    for axis in range(len(shape) - 1, 0, -1):
        strides[axis - 1] = strides[axis] * shape[axis]
    return strides


_FORMATS = {"?": "bool", "e": "float16", "f": "float32", "d": "float64"}


def _of_buffer(tensor: Any) -> Payload:
    try:
        view = memoryview(tensor)
    except TypeError:
        raise TypeError(
            f"{type(tensor).__name__} is no tensor: it has neither DLPack nor a buffer; "
            "make an array of it"
        ) from None
    letter = view.format.lstrip("@=<") or "B"
    flags = READ_ONLY if view.readonly else 0
    if letter in "bhilqn":
        name = f"int{8 * view.itemsize}"
    elif letter in "BHILQNc":
        name = f"uint{8 * view.itemsize}"
    elif letter in _FORMATS:
        name = _FORMATS[letter]
    else:
        raise UnknownDtype(f"a buffer of format {view.format!r} is of no type that can be sent")
    shape = list(view.shape or ())
    if 0 in shape:
        return Payload(code_of(name), shape, None, 0, flags, b"")
    copied = not view.c_contiguous
    data = view.tobytes() if copied else view.cast("B")
    return Payload(code_of(name), shape, None, 0, flags, data, copied=copied)
