"""python3 check.py PROGRAM: asks the example with pyzmq."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import context, equal, running

with running(sys.argv[1]) as program:
    endpoint = program.stdout.readline().strip()

    # Some that ask at the same time, and answer PINGs meanwhile.
    requesters = []
    for _ in range(5):
        req = context.socket(zmq.REQ)
        req.heartbeat_ivl = 100
        req.heartbeat_timeout = 60_000
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

    # Who sends more than the limit loses its connection, and nobody else does.
    dealer.send_multipart([b"", bytes(100_000)])
    requesters[0].send(b"still there?")
    equal(requesters[0].recv(), b"STILL THERE?")

print("the example on tokio answered pyzmq: 502 requests")
