"""What the checks share: programs that run, and sockets of pyzmq's."""

import shlex
import sys
from pathlib import Path

import zmq
from checking import context, equal, running

FOLDER = Path(sys.argv[1])
FREE = "tcp://127.0.0.1:*"


def command(line):
    """A command line of one of the programs, as one types it."""
    program, *arguments = shlex.split(line)
    return [str(FOLDER / program), *arguments]


def start(stack, line):
    """Starts a program, which is ended with the stack at the latest."""
    return stack.enter_context(running(*command(line)))


def listening(process, places=1):
    """The endpoints that a program says first."""
    said = [process.stdout.readline().strip().rsplit(" ", 1)[1] for _ in range(places)]
    return said[0] if places == 1 else said


def lines(process):
    """What a program says to its end, which must be a good one."""
    said = process.stdout.read().splitlines()
    equal(process.wait(), 0)
    return said


def run(line):
    """What a program says when it is run to its end."""
    with running(*command(line)) as process:
        return lines(process)


def connected(socket_type, endpoint, identity=None):
    socket = context.socket(socket_type)
    if identity:
        socket.identity = identity
    if socket_type == zmq.SUB:
        socket.subscribe(b"")
    socket.connect(endpoint)
    return socket


def asked(endpoint, *texts):
    """The replies that a REQ of pyzmq's gets, as text."""
    with connected(zmq.REQ, endpoint) as req:
        replies = []
        for text in texts:
            req.send_string(text)
            replies.append(req.recv_string())
        return replies
