"""python3 check.py PROGRAM: serves the example with pyzmq, and types lines."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import bound, equal, running

# A ROUTER can do what a REP does, and keep replies back to send many at once.
service, endpoint = bound(zmq.ROUTER)


def serve(count):
    """Answers in capitals. All up to the empty frame goes back as it came."""
    requests = [service.recv_multipart() for _ in range(count)]
    for *envelope, line in requests:
        service.send_multipart([*envelope, line.upper()])


with running(sys.argv[1], endpoint) as program:
    address, port = program.stdout.readline().strip().rsplit(":", 1)
    clients = [socket.create_connection((address, port)) for _ in range(3)]
    files = [client.makefile("rwb") for client in clients]

    # Everybody types at once, the last one two lines in three pieces.
    for number, file in enumerate(files[:2]):
        file.write(b"line of %d\n" % number)
        file.flush()
    for piece in (b"o", b"ne\ntw", b"o\n"):
        files[2].write(piece)
        files[2].flush()
    serve(4)
    equal(files[0].readline(), b"LINE OF 0\n")
    equal(files[1].readline(), b"LINE OF 1\n")
    equal([files[2].readline(), files[2].readline()], [b"ONE\n", b"TWO\n"])

    # Who hangs up before the reply comes harms nobody.
    files[0].write(b"gone\n")
    files[0].flush()
    files[0].close()
    clients[0].close()
    serve(1)

    # Many in one piece, and their replies in one piece.
    files[1].write(b"".join(b"line %d\n" % number for number in range(200)))
    files[1].flush()
    serve(200)
    for number in range(200):
        equal(files[1].readline(), b"LINE %d\n" % number)

print("the example with a loop of its own spoke plain TCP and ZeroMQ: 205 lines")
