"""What the examples' `check.py` scripts share: a program under test that never
outlives its test, and a test that never hangs."""

import contextlib
import signal
import subprocess
import sys

import zmq

# Nothing here takes a second. This is for a machine that does much else.
PATIENCE = 60


def _too_late(_signal, _frame):
    raise TimeoutError(f"not done after {PATIENCE} s")


def start_clock():
    """From now on all of `PATIENCE` is left."""
    signal.alarm(PATIENCE)


signal.signal(signal.SIGALRM, _too_late)
start_clock()

context = zmq.Context()
context.linger = 0  # what nobody wants any more keeps nobody waiting


@contextlib.contextmanager
def running(*command, **options):
    """Runs a program for as long as the `with` block lasts."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def bound(socket_type):
    """A ZeroMQ socket on a free port, and its endpoint."""
    socket = context.socket(socket_type)
    socket.bind("tcp://127.0.0.1:*")
    return socket, socket.last_endpoint.decode()


def equal(is_, should_be):
    """Like `assert`, and says what is wrong."""
    if is_ != should_be:
        sys.exit(f"got {is_!r} instead of {should_be!r}")
