"""Receiving into a tensor that exists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import _native
from .._errors import TensorError
from ._dtypes import name_of
from ._payload import BIG_ENDIAN, PACKED, READ_ONLY, STRIDED, payload_of
from ._tensor import Tensor

# Shorter ones are not read into memory of their own.
_SHORTEST = (32 << 10) + 1
_UNCHANGING = ("jax", "jaxlib", "tensorflow")


class Out:
    """The memory of an array of numpy, a tensor of torch, or whatever has DLPack or a
    buffer, and may be written to."""

    def __init__(self, out: Any) -> None:
        module = type(out).__module__.partition(".")[0]
        if module in _UNCHANGING:
            raise TensorError(f"out cannot be written to: tensors of {module} do not change")
        payload = payload_of(out)
        if payload.flags & READ_ONLY:
            raise TensorError("out is read-only")
        if isinstance(payload.buffer, _native.Loan):
            payload.buffer = _writable(out)
        self._out = out
        self._payload = payload
        plain = not (payload.copied or payload.flags & (STRIDED | BIG_ENDIAN | PACKED))
        # Where it was offered: no frame else is there.
        self._address: int | None = None
        # Elements that lie as they are sent.
        self._room: memoryview | None = memoryview(payload.buffer) if plain else None

    @contextmanager
    def offered_by(self, socket: _native.Socket) -> Iterator[bool]:
        """Meanwhile the next tensor of this type and shape is read straight into the
        memory; if not, another call's is."""
        room, payload = self._room, self._payload
        if room is not None and room.nbytes >= _SHORTEST:
            self._address = socket._offer(room, payload.dtype, payload.shape)
        offers = self._address is not None
        try:
            yield offers
        finally:
            if offers:
                socket._withdraw()

    def take(self, tensor: Tensor) -> None:
        """Copies a tensor in, if it is not there already; raises TensorError."""
        payload = self._payload
        if tensor.header.dtype != payload.dtype or list(tensor.shape) != payload.shape:
            raise TensorError(
                f"a tensor of {tensor.dtype}{list(tensor.shape)} does not fit out, which is "
                f"{name_of(payload.dtype)}{payload.shape}"
            )
        if self.has(tensor.payload):
            return
        header = tensor.header
        moved = header.flags & (BIG_ENDIAN | PACKED) or header.strides is not None
        if self._room is not None and not moved:
            end = header.offset + self._room.nbytes
            self._room[:] = tensor.payload.buffer[header.offset : end]
            return
        import numpy as np

        theirs = self._out
        if self._room is not None:
            from ._dtypes import numpy_type

            theirs = np.ndarray(payload.shape, numpy_type(tensor.dtype), self._room)
        elif not isinstance(theirs, np.ndarray):
            raise TensorError("out has gaps between its elements: make it contiguous")
        np.copyto(theirs, tensor.numpy())

    def has(self, frame: _native.Frame) -> bool:
        """Whether the frame is this memory."""
        return frame.address == self._address

    def apart(self, frames: list[_native.Frame]) -> list[_native.Frame]:
        """The same frames, none of them in this memory."""
        return [_native.Frame(frame) if self.has(frame) else frame for frame in frames]


def _writable(out: Any) -> _native.Loan:
    try:
        return _native.Loan(out.__dlpack__(), writable=True)
    except BufferError as error:
        raise TensorError("out is read-only") from error


__all__ = ["Out"]
