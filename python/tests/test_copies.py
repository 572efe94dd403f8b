"""Tensors are not copied: every byte that memcpy and memmove move, on either side, is
counted while one goes from a socket to another."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
BEGINNING = 160 << 10
"""What is read together with a header, at most, and moved to where the rest goes."""
TRIES = 5
"""A sender that is kept waiting copies what its peer was too slow for: how often that
is, the machine decides."""
CASES: list[tuple[str, str, int]] = [
    *[
        (endpoint, ownership, size)
        for endpoint in ("tcp://127.0.0.1:*", "ipc://*")
        for ownership in ("copied", "owned")
        for size in (MIB, 10 * MIB)
    ],
    ("tcp://127.0.0.1:*", "owned", 1 << 30),
    *[("shm://*", "copied", size) for size in (MIB, 10 * MIB)],
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], int]:
    """Bytes copied for a tensor, by case: the fewest of some."""
    compiler = shutil.which("cc")
    if compiler is None or (platform.machine(), sys.platform) != ("x86_64", "linux"):
        pytest.skip("copies are counted with a C compiler on x86-64 Linux")
    library = tmp_path_factory.mktemp("copies") / "counting_copies.so"
    source = Path(__file__).with_name("counting_copies.c")
    build = ["-O2", "-fno-builtin", "-shared", "-fPIC", "-o", library, source]
    subprocess.run([compiler, *build], check=True, timeout=60)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    program = subprocess.run(
        [sys.executable, __file__], env=environment, stdout=subprocess.PIPE, timeout=120, check=True
    )
    return dict(zip(CASES, json.loads(program.stdout), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0][:3]}-{case[1]}-{case[2]}")
def test_a_tensor_is_copied_nowhere(
    counted: dict[tuple[str, str, int], int], case: tuple[str, str, int]
) -> None:
    endpoint, _, size = case
    if endpoint.startswith("shm"):
        # Into memory that the peer can read, where it is used.
        assert counted[case] == size
    else:
        assert counted[case] < BEGINNING


def fewest(endpoint: str, ownership: Any, size: int) -> int:
    """Bytes copied for one tensor of those that are sent."""
    import numpy as np

    import ferromq

    counter = ctypes.CDLL(None).bytes_copied
    counter.restype = ctypes.c_ulonglong
    array = np.zeros(size, "u1")
    counts: list[int] = []
    with ferromq.Context() as context:
        push = context.socket(ferromq.PUSH, switch=False)
        pull = context.socket(ferromq.PULL, switch=False)
        push.connect(pull.bind(endpoint))
        push.wait_for_peers(timeout=30)
        enough = size if endpoint.startswith("shm") else BEGINNING
        while len(counts) < TRIES and min(counts, default=enough + 1) > enough:
            before = counter()
            sender = threading.Thread(target=lambda: push.send_tensor(array, ownership=ownership))
            sender.start()
            tensor = pull.recv_tensor(timeout=60)
            sender.join()
            assert tensor.payload.address % 64 == 0
            assert tensor.numpy().ctypes.data == tensor.payload.address
            counts.append(counter() - before)
            del tensor
    return min(counts)


if __name__ == "__main__":
    print(json.dumps([fewest(*case) for case in CASES]))
