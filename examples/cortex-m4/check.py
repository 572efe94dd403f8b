"""python3 check.py FIRMWARE: runs the example in QEMU, and answers with pyzmq."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import bound, equal, running

rep, endpoint = bound(zmq.REP)
port = endpoint.rsplit(":", 1)[1]

# The board's UART is a TCP connection to pyzmq: QEMU is the bridge.
qemu = ["qemu-system-arm", "-machine", "mps2-an386", "-display", "none", "-monitor", "none"]
qemu += ["-chardev", f"socket,id=wire,host=127.0.0.1,port={port}", "-serial", "chardev:wire"]
qemu += ["-semihosting-config", "enable=on,target=native", "-kernel", sys.argv[1]]

with running(*qemu) as program:
    for question in (b"temperature", b"pressure", b"humidity"):
        equal(rep.recv(), question)
        rep.send_multipart([question, b"=", str(len(question)).encode()])
    equal(program.stdout.read(), "temperature=11\npressure=8\nhumidity=8\n")
    equal(program.wait(), 0)

print("firmware on a Cortex-M4 asked pyzmq over its UART: 3 requests")
