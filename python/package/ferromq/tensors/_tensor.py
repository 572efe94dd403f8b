"""A received tensor: memory that is read where it was received."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .. import _native
from .._errors import TensorError
from ._dtypes import name_of, numpy_type, torch_type
from ._payload import BIG_ENDIAN, PACKED

if TYPE_CHECKING:
    import numpy as np


class Tensor:
    """A tensor as it came: ``numpy()``, ``torch()`` and ``jax()`` look at its
    memory without a copy, which starts at a multiple of 64 bytes from 4 KiB on.
    It is read-only; ``copy=True`` makes it yours."""

    __slots__ = ("header", "identity", "payload", "topic")

    def __init__(
        self,
        header: _native.TensorHeader,
        payload: _native.Frame,
        *,
        topic: bytes | None = None,
        identity: bytes | None = None,
    ) -> None:
        self.header = header
        self.payload = payload
        self.topic = topic
        self.identity = identity

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return tuple(self.header.shape)

    @property
    def dtype(self) -> str:
        """The elements' type, by numpy's or ml_dtypes' name."""
        return name_of(self.header.dtype)

    @property
    def source(self) -> str:
        """The address of the peer that it came from; empty if made here."""
        peer = self.payload.peer
        return "" if peer is None else peer.address

    def numpy(self, *, copy: bool = False) -> np.ndarray[Any, Any]:
        """As numpy's array, with ml_dtypes' types where numpy has none."""
        array = _native._plain_array(self.header, self.payload)
        if array is None:
            return self._array(copy=copy)
        plain: np.ndarray[Any, Any] = array.copy() if copy else array
        return plain

    def _array(self, *, copy: bool) -> np.ndarray[Any, Any]:
        """The same however the elements lie."""
        import numpy as np

        header, dtype = self.header, numpy_type(self.dtype)
        flags, shape, strides = header.flags, header.shape, header.strides
        if flags & BIG_ENDIAN:
            dtype = dtype.newbyteorder(">")
        if 0 in shape:
            return np.empty(shape, dtype)
        if flags & PACKED and header.dtype[1] < 8:
            return self._unpacked(dtype)
        if strides is not None:
            strides = [stride * dtype.itemsize for stride in strides]
        array: np.ndarray[Any, Any] = np.ndarray(
            shape, dtype, self.payload.buffer, header.offset, strides
        )
        return array.copy() if copy else array

    def torch(self, *, copy: bool = False) -> Any:
        """As torch's tensor. Do not write to it unless it is a copy."""
        import torch

        header, dtype = self.header, torch_type(self.dtype)
        if header.flags & (BIG_ENDIAN | PACKED):
            raise TensorError("torch has neither big-endian nor packed elements: use numpy()")
        if 0 in header.shape:
            return torch.empty(header.shape, dtype=dtype)
        with warnings.catch_warnings():
            # That the memory is read-only: said above.
            warnings.simplefilter("ignore")
            flat = torch.frombuffer(self.payload, dtype=dtype)
        size = header.dtype[1] // 8
        strides = header.strides
        if strides is None:
            flat = flat[header.offset // size :]
            tensor = flat[: _count(header.shape)].reshape(header.shape)
        elif min(strides, default=0) < 0:
            raise TensorError("torch has no negative strides: use numpy()")
        else:
            tensor = flat.as_strided(header.shape, strides, header.offset // size)
        return tensor.clone() if copy else tensor

    def jax(self) -> Any:
        """As jax's array. 64-bit types need jax_enable_x64: jax would narrow them
        without a word."""
        import jax

        if self.header.dtype[1] == 64 and self.header.dtype[0] in (0, 1, 2):
            config: Any = jax.config
            if not config.jax_enable_x64:
                raise TensorError(f"jax would narrow {self.dtype}: set jax_enable_x64")
        # `asarray` would copy, whatever it is asked for.
        return jax.device_put(self.numpy(), may_alias=True)

    def copy_into(self, out: Any) -> Any:
        """Copies into an array or tensor of the same shape and type, and answers it."""
        from ._out import Out

        Out(out).take(self)
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy(copy=bool(copy))
        return array if dtype is None else array.astype(dtype, copy=bool(copy))

    def __len__(self) -> int:
        if not self.header.shape:
            raise TypeError("a scalar has no length")
        return self.header.shape[0]

    def __repr__(self) -> str:
        return f"Tensor({self.dtype}{list(self.shape)})"

    def _unpacked(self, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        bits, count = self.header.dtype[1], _count(self.header.shape)
        if bits not in (1, 2, 4):
            raise TensorError(f"packed elements of {bits} bits cannot be read here")
        raw = np.frombuffer(self.payload.buffer, "u1", offset=self.header.offset)
        places = np.arange(0, 8, bits, dtype="u1")
        values = ((raw[:, None] >> places) & (2**bits - 1)).reshape(-1)[:count]
        if self.header.dtype[0] == 0:
            # Signed: the high bit of the element is the sign.
            sign = 1 << (bits - 1)
            values = ((values ^ sign).astype("i1") - sign).astype("i1")
        whole = self.header.dtype[0] in (0, 1)
        array: np.ndarray[Any, Any] = values.astype(dtype) if whole else values.view(dtype)
        return array.reshape(self.header.shape)


def _count(shape: list[int]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
