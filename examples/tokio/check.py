"""python3 check.py PROGRAM: asks the example with pyzmq."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import context, equal, running

with running(sys.argv[1]) as program:
    endpoint = program.stdout.readline().strip()

    # Some that ask at the same time.
    requesters = []
    for _ in range(5):
        req = context.socket(zmq.REQ)
        req.connect(endpoint)
        requesters.append(req)
    for question in range(100):
        for number, req in enumerate(requesters):
            req.send_multipart([b"question", b"%d of %d" % (question, number)])
        for number, req in enumerate(requesters):
            equal(req.recv_multipart(), [b"QUESTION", b"%d OF %d" % (question, number)])

    # An envelope of several frames goes back as it came.
    dealer = context.socket(zmq.DEALER)
    dealer.connect(endpoint)
    dealer.send_multipart([b"hop", b"hop two", b"", b"hello"])
    equal(dealer.recv_multipart(), [b"hop", b"hop two", b"", b"HELLO"])

    # A message without a delimiter is none that a REP takes; the next one is.
    dealer.send_multipart([b"no request"])
    dealer.send_multipart([b"", b"again"])
    equal(dealer.recv_multipart(), [b"", b"AGAIN"])

    # A PING is answered. pyzmq keeps its PONGs to itself, so this one is by hand.
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    with socket.create_connection((host, int(port))) as stream:
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL"
        ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REQ"
        ping = b"\x04\x0a\x04PING\0\0abc"
        stream.sendall(greeting.ljust(64, b"\0") + ready + ping)
        answer = b""
        while not answer.endswith(b"\x04\x08\x04PONGabc"):
            answer += stream.recv(1024) or sys.exit(f"closed after {answer!r}")

    # Who sends more than the limit loses its connection, and nobody else does.
    dealer.send_multipart([b"", bytes(100_000)])
    requesters[0].send(b"still there?")
    equal(requesters[0].recv(), b"STILL THERE?")

print("the example on tokio answered pyzmq: 502 requests")
