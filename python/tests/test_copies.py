"""How often tensors are copied: every byte of theirs that memcpy and memmove move, on
either side, is counted while one goes from a socket to another, and compared with the
table in docs/python/tensors.md."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PAGE = Path(__file__).parents[2] / "docs/python/tensors.md"
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
MARK = 0xA7
"""What tensors are made of, for counting_copies.c to know them by."""
TRIES = 5
"""A sender that is kept waiting copies what its peer was too slow for, and what is read
together with a header is moved: how often that is, the machine decides."""


class Case(NamedTuple):
    """A tensor's way, and the most bytes of it that are copied."""

    carrier: str
    how: str
    size: int
    out: bool
    most: int

    def __str__(self) -> str:
        return f"{self.carrier}-{self.how}{'-out' * self.out}-{self.size}"


def length(text: str) -> int:
    number, unit = text.split()
    return int(number) * UNITS[unit]


def most(cell: str, size: int) -> int:
    """A cell is a count, or what is copied once of the beginning."""
    return int(cell) * size if cell.isdigit() else length(cell)


def documented() -> list[Case]:
    """The cells of the table. Its columns are headed by a carrier and what is said of
    the memory: an ownership, or that it is a loan."""
    text = PAGE.read_text()
    rows = re.search(r"^\| copied \|.*\n\|[-|]*\n((?:\|.*\n)+)", text, re.M)
    assert rows, "the table of copies is gone"
    head = [cell.strip() for cell in rows[0].splitlines()[0].strip("|").split("|")][1:]
    cases = []
    for row in rows[1].splitlines():
        size, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        for column, cell in zip(head, cells, strict=True):
            carriers, hows = column.split(": ")
            cases += [
                Case(carrier, how, length(size), False, most(cell, length(size)))
                for carrier in carriers.split(", ")
                for how in re.findall(r"\w+", hows)
            ]
    return cases


MIB = 1 << 20
GIB = 1 << 30
OFTEN = {("tcp", "copied"), ("shm", "copied")}
"""What takes a second each is counted for these, and for all by `verify tensors`."""
ALL = "FERROMQ_COUNT_ALL" in os.environ
CASES = [
    *[it for it in documented() if ALL or it.size < GIB or (it.carrier, it.how) in OFTEN],
    # What the page says of `out=`.
    *[Case(carrier, "copied", 10 * MIB, True, length("4 KiB")) for carrier in ("tcp", "ipc")],
    *[Case(carrier, "owned", 64 << 10, True, length("4 KiB")) for carrier in ("tcp", "ipc")],
    Case("shm", "copied", 10 * MIB, True, 20 * MIB),
    Case("shm", "loan", 10 * MIB, True, 10 * MIB),
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, int]:
    """Bytes copied for a tensor, by case: the fewest of some."""
    compiler = shutil.which("cc")
    if compiler is None or (platform.machine(), sys.platform) != ("x86_64", "linux"):
        pytest.skip("copies are counted with a C compiler on x86-64 Linux")
    library = tmp_path_factory.mktemp("copies") / "counting_copies.so"
    source = Path(__file__).with_name("counting_copies.c")
    build = ["-O2", "-fno-builtin", "-shared", "-fPIC", "-o", library, source]
    subprocess.run([compiler, *build], check=True, timeout=60)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    # All cases are counted at once: longer than one test may take, where others are busy.
    faulthandler.cancel_dump_traceback_later()
    program = subprocess.run(
        [sys.executable, __file__], env=environment, stdout=subprocess.PIPE, timeout=200, check=True
    )
    return dict(zip(CASES, json.loads(program.stdout), strict=True))


def test_the_table_has_all_lengths() -> None:
    lengths = {case.size for case in documented()}
    assert {64, 1 << 20, 10 << 20, 1 << 30} <= lengths
    assert {case.how for case in documented()} == {"copied", "owned", "borrowed", "loan"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_tensor_is_copied_no_more_than_is_said(counted: dict[Case, int], case: Case) -> None:
    most = case.most
    # What the caches do not hold is copied past them, which is not by memcpy.
    past_caches = (case.carrier, case.size) == ("shm", GIB) and most >= case.size
    if past_caches:
        most -= case.size
    if case.size >= GIB and (past_caches or (case.how == "copied" and not ALL)):
        # On a busy machine a peer may take less than a gigabyte a second; half and more
        # was copied when the call was cut into pieces of a tenth of a second.
        most = max(most, case.size // 4)
    assert counted[case] <= most
    # Counted at all: what is copied once is not found to be copied never.
    if most >= case.size:
        assert counted[case] > 0


def fewest(case: Case, endpoint: str) -> int:
    """Bytes copied for one tensor of those that are sent."""
    import numpy as np

    import ferromq

    counter = ctypes.CDLL(None).bytes_copied
    counter.restype = ctypes.c_ulonglong
    ownership: Any = "owned" if case.how == "loan" else case.how
    out = np.zeros(case.size, "u1") if case.out else None
    own = np.full(0 if case.how == "loan" else case.size, MARK, "u1")
    counts: list[int] = []
    with ferromq.Context() as context:
        push = context.socket(ferromq.PUSH, switch=False)
        pull = context.socket(ferromq.PULL, switch=False)
        push.connect(pull.bind(endpoint))
        push.wait_for_peers(timeout=30)
        while len(counts) < TRIES and min(counts, default=case.most + 1) > case.most:
            array = own
            if case.how == "loan":
                array = np.frombuffer(push.loan(case.size), "u1")
                array[:] = MARK

            def send(array: Any = array) -> None:
                while out is not None and not pull._offered_to:
                    pass
                push.send_tensor(array, ownership=ownership)

            before = counter()
            sender = threading.Thread(target=send)
            sender.start()
            tensor = pull.recv_tensor(out=out, timeout=60)
            sender.join()
            received = tensor.numpy()
            assert received[0] == received[-1] == MARK
            if case.size >= 4096:
                assert tensor.payload.address % 64 == 0 or case.out
                assert received.ctypes.data == tensor.payload.address
            counts.append(counter() - before)
            del tensor, received, array, send
    return min(counts)


ENDPOINTS = {"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://*", "shm": "shm://*"}

if __name__ == "__main__":
    print(json.dumps([fewest(case, ENDPOINTS[case.carrier]) for case in CASES]))
