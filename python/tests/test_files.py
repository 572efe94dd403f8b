"""Files of tensors go by the program: ``ferromq send`` and ``ferromq receive``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="numpy is not installed")
PROGRAM = os.environ.get("FERROMQ_PROGRAM", "")


@pytest.mark.skipif(not PROGRAM, reason="FERROMQ_PROGRAM names no program: cargo xtask test")
def test_files_of_tensors_arrive_as_they_were(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    weights = np.random.default_rng(7).random((300, 1000), "f4")
    np.save(here / "weights.npy", weights)
    tensors = {"first": weights, "bias": np.arange(5, dtype="i8")}
    save_file(tensors, here / "model.safetensors")
    endpoint = f"ipc://{tmp_path}/socket"
    receiver = subprocess.Popen([PROGRAM, "receive", "--at", endpoint, "--into", there, "--count", "2"])
    try:
        sent = subprocess.run(
            [PROGRAM, "send", "weights.npy", "model.safetensors", "--to", endpoint],
            cwd=here,
            timeout=30,
        )
        assert sent.returncode == 0
        assert receiver.wait(30) == 0
        shown = np.load(there / "weights.npy", mmap_mode="r")
        assert (shown == weights).all()
        received = load_file(there / "model.safetensors")
        assert received.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert received[name].dtype == tensor.dtype
            assert (received[name] == tensor).all()
    finally:
        receiver.kill()
        receiver.wait(30)
