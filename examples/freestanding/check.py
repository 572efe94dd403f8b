"""python3 check.py PROGRAM [ARGUMENT...]: answers the example with pyzmq."""

import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import bound, equal, running

rep, endpoint = bound(zmq.REP)
port = endpoint.rsplit(":", 1)[1]

with running(*sys.argv[1:], stdin=subprocess.PIPE) as program:
    program.stdin.write(port + "\n")
    program.stdin.close()
    for question in (b"first", b"second", b"third"):
        equal(rep.recv(), question)
        rep.send_multipart([b"answer to ", question])
    equal(program.stdout.read(), "answer to first\nanswer to second\nanswer to third\n")
    equal(program.wait(), 0)

# Where a port is held and nobody listens, step 3 fails, and says so.
with socket.socket() as held, running(*sys.argv[1:], stdin=subprocess.PIPE) as program:
    held.bind(("127.0.0.1", 0))
    program.stdin.write(f"{held.getsockname()[1]}\n")
    program.stdin.close()
    equal(program.wait(), 3)

print("a program without std and allocator asked pyzmq: 3 requests")
