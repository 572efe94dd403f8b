"""Tensors as messages: dtype and shape travel with the bytes."""

from __future__ import annotations

from ._tensor import Tensor
from ._transfer import Ownership

__all__ = ["Ownership", "Tensor"]
