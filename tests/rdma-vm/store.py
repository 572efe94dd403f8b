"""The cache, and how to speak."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import sys


def cache_folder():
    chosen = os.environ.get("FERROMQ_RDMA_VM_CACHE")
    if chosen:
        return pathlib.Path(chosen).absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(caches) / "ferromq-rdma-vm"


CACHE = cache_folder()
# Packages are unpacked here, as they would be below /.
ROOT = CACHE / "root"
LIBRARIES = [ROOT / "usr/lib/x86_64-linux-gnu", ROOT / "lib/x86_64-linux-gnu"]


class Trouble(Exception):
    """What is missing, and what to do about it."""


def say(text):
    print(f"rdma-vm: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked():
    """One process at a time changes the cache."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        lock = open(CACHE / "lock", "w")
    except OSError as error:
        raise Trouble(f"no cache in {CACHE} ({error}): set FERROMQ_RDMA_VM_CACHE") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*parts):
    """What a step was made from: names, and the contents of files."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.read_bytes() if isinstance(part, pathlib.Path) else repr(part).encode())
        sha.update(b"\0")
    return sha.hexdigest()


def is_made(step, made_from):
    stamp = CACHE / f"{step}.made"
    return stamp.exists() and stamp.read_text() == made_from


def forget(step):
    (CACHE / f"{step}.made").unlink(missing_ok=True)


def mark_made(step, made_from):
    (CACHE / f"{step}.made").write_text(made_from)


def library_path():
    return ":".join(map(str, LIBRARIES))


def find(*patterns, below=ROOT):
    """The first of these files: Debian moved some from / to /usr."""
    for pattern in patterns:
        for path in below.glob(pattern):
            return path
    raise Trouble(f"no {' or '.join(patterns)} in {below}: remove {CACHE} and try again")


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
