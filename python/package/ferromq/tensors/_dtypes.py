"""Element types: DLPack's codes, and the names that numpy and ml_dtypes have.

Nothing is guessed: a type without a code is refused by name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from .._errors import UnknownDtype

if TYPE_CHECKING:
    import numpy as np

Code = tuple[int, int, int]

_NAMES: dict[str, tuple[int, int]] = {
    "bool": (6, 8),
    **{f"int{bits}": (0, bits) for bits in (1, 2, 4, 8, 16, 32, 64)},
    **{f"uint{bits}": (1, bits) for bits in (1, 2, 4, 8, 16, 32, 64)},
    **{f"float{bits}": (2, bits) for bits in (16, 32, 64)},
    "bfloat16": (4, 16),
    "complex64": (5, 64),
    "complex128": (5, 128),
    "float8_e3m4": (7, 8),
    "float8_e4m3": (8, 8),
    "float8_e4m3b11fnuz": (9, 8),
    "float8_e4m3fn": (10, 8),
    "float8_e4m3fnuz": (11, 8),
    "float8_e5m2": (12, 8),
    "float8_e5m2fnuz": (13, 8),
    "float8_e8m0fnu": (14, 8),
    "float6_e2m3fn": (15, 6),
    "float6_e3m2fn": (16, 6),
    "float4_e2m1fn": (17, 4),
}
_BY_CODE = {code: name for name, code in _NAMES.items()}
_PLAIN = {"bool", "complex64", "complex128"} | {
    name for name, (code, bits) in _NAMES.items() if code in (0, 1, 2) and bits >= 8
}


@cache
def name_of(code: Code) -> str:
    """The name of a code; raises UnknownDtype."""
    name = _BY_CODE.get(code[:2])
    if name is None or code[2] != 1:
        raise UnknownDtype(
            f"no name for elements of DLPack code {code[0]}, {code[1]} bits, {code[2]} lanes"
        )
    return name


def code_of(name: str) -> Code:
    """The code of a name; raises UnknownDtype."""
    code = _NAMES.get(name)
    if code is None:
        raise UnknownDtype(f"tensors of {name} cannot be sent: DLPack has no code for them")
    return (*code, 1)


def code_of_numpy(dtype: np.dtype[Any]) -> Code:
    """The code of numpy's or ml_dtypes' type; raises UnknownDtype."""
    if dtype.hasobject or dtype.subdtype or dtype.names:
        raise UnknownDtype(f"tensors of {dtype} cannot be sent: DLPack has no code for them")
    return code_of(dtype.name)


@cache
def numpy_type(name: str) -> np.dtype[Any]:
    """numpy's type of that name, from ml_dtypes where numpy has none."""
    import numpy as np

    if name in _PLAIN:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise UnknownDtype(f"numpy has no {name}: install ml_dtypes") from None
    known = getattr(ml_dtypes, name, None)
    if known is None:
        raise UnknownDtype(f"this ml_dtypes has no {name}")
    dtype: np.dtype[Any] = np.dtype(known)
    return dtype


def torch_type(name: str) -> Any:
    """torch's type of that name; raises UnknownDtype."""
    import torch

    known = getattr(torch, name, None)
    if not isinstance(known, torch.dtype):
        raise UnknownDtype(f"this torch has no {name}")
    return known
