"""The programs of the documentation run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ferromq

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/PYTHON.md", ROOT / "python/README.md"]


def programs() -> list[Any]:
    found = []
    for page in PAGES:
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
        ):
            found.append(pytest.param(block, id=f"{page.stem}-{number}"))
    return found


@pytest.mark.parametrize("program", [p for p in programs() if "print(" in p.values[0]])
def test_programs_run_as_they_stand(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def block_with(text: str) -> str:
    return next(p.values[0] for p in programs() if text in p.values[0])


def test_the_tensor_example_says_what_happens(pair: Any) -> None:
    np = pytest.importorskip("numpy")
    a, b = pair
    names: dict[str, Any] = {"a": a, "b": b, "array": np.zeros((3, 2), "f4"), "np": np}
    for line in block_with("a.send_tensor").splitlines():
        if "torch()" in line or "jax()" in line:
            continue
        if "out=" in line:
            a.send_tensor(names["array"])
        code, _, comment = line.partition("#")
        if comment.startswith(" ("):
            assert eval(code, names) == eval(comment, names)
        else:
            exec(code, names)


def test_plain_peers_exchange_tensors_by_the_documented_lines(peers: Any) -> None:
    np = pytest.importorskip("numpy")
    import zmq

    names: dict[str, Any] = {}
    exec(block_with("CODES = {"), names)
    theirs = peers.socket(zmq.PAIR)
    with ferromq.Context() as context:
        ours = context.socket(ferromq.PAIR)
        theirs.connect(ours.bind("tcp://127.0.0.1:*"))
        for dtype in ("f4", "f8", "i1", "u2", "i8", "c8", "bool"):
            sent = np.arange(6).reshape(2, 3).astype(dtype)
            names["send"](theirs, sent)
            received = ours.recv_tensor().numpy()
            assert received.dtype == sent.dtype
            assert (received == sent).all()
            ours.send_tensor(received)
            assert (names["receive"](theirs) == sent).all()
