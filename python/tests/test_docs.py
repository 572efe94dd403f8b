"""The programs of the documentation run as they stand."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ferromq

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs/PYTHON.md",
    ROOT / "python/README.md",
    *sorted((ROOT / "docs/python").glob("*.md")),
]
NAMED = re.compile(r"^# (\w+)\.py\n")


def programs() -> list[Any]:
    found = []
    for page in PAGES:
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
        ):
            found.append(pytest.param(block, id=f"{page.stem}-{number}"))
    return found


def ends(program: str) -> bool:
    return "print(" in program and "while True" not in program and not NAMED.match(program)


@pytest.mark.parametrize("program", [p for p in programs() if ends(p.values[0])])
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


def sections() -> list[Any]:
    """The tutorial's sections: the program that binds, and each that connects to it."""
    found = []
    text = (ROOT / "docs/python/tutorial.md").read_text()
    for section in text.split("\n## ")[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)
        for other in blocks[1:]:
            name = NAMED.match(other)
            assert name, other
            found.append(pytest.param(blocks[0], other, id=name[1]))
    return found


@pytest.mark.parametrize(("first", "second"), sections())
def test_a_newcomer_s_programs_run_in_an_empty_folder(
    first: str, second: str, tmp_path: Path
) -> None:
    for library in ("torch", "jax", "numpy"):
        if f"import {library}" in first + second:
            pytest.importorskip(library, reason=f"{library} is not installed")
    # Another test may have the documented port.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for text in (second, first):
        name = NAMED.match(text)
        assert name
        file = tmp_path / f"{name[1]}.py"
        file.write_text(re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{port}", text))
        running.append(
            subprocess.Popen(
                [sys.executable, file.name],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        for child in running:
            told, _ = child.communicate(timeout=30)
            assert child.returncode == 0, told
            assert told
    finally:
        for child in running:
            child.kill()
            child.wait()
    assert ("ferromq" in second) != ("import zmq" in second)
