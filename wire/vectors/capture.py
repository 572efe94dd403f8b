#!/usr/bin/env python3
"""Captures what libzmq writes, as golden vectors.

Talks raw TCP to pyzmq sockets on loopback and prints one `name: hex` line for
each greeting, command or run of frames that libzmq sent:

    pip install pyzmq
    python3 wire/vectors/capture.py > wire/vectors/libzmq-<version>.txt

The tests read every vectors/libzmq-*.txt. Nothing here is random, so a second
run with the same libzmq prints the same text.
"""

import socket

import zmq
from zmq.auth.thread import ThreadAuthenticator

SOCKET_TYPES = "PAIR PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB XSUB".split()


class Raw:
    """Our end of a TCP connection whose other end is libzmq."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(5)

    @classmethod
    def connect(cls, zmq_socket):
        port = zmq_socket.bind_to_random_port("tcp://127.0.0.1")
        return cls(socket.create_connection(("127.0.0.1", port)))

    @classmethod
    def accept(cls, zmq_socket):
        listener = socket.create_server(("127.0.0.1", 0))
        zmq_socket.connect("tcp://127.0.0.1:%d" % listener.getsockname()[1])
        sock, _ = listener.accept()
        listener.close()
        return cls(sock)

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError(data.hex())
            data += piece
        return data

    def read_frame(self):
        head = self.read(2)
        if head[0] & 2:
            head += self.read(7)
            return head + self.read(int.from_bytes(head[1:], "big"))
        return head + self.read(head[1])

    def write(self, data):
        self.sock.sendall(data)

    def greet(self, mechanism=b"NULL", minor=1, as_server=0):
        self.write(b"\xff" + bytes(8) + b"\x7f\x03" + bytes([minor]))
        self.write(mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31))
        return self.read(64)

    def null_handshake(self, peer, minor=1):
        """Greeting and READY both ways; returns libzmq's READY."""
        self.greet(minor=minor)
        self.write(ready(peer))
        return self.read_frame()

    def close(self):
        self.sock.close()


def command(name, data=b""):
    body = bytes([len(name)]) + name + data
    assert len(body) < 256
    return bytes([4, len(body)]) + body


def properties(**named):
    out = b""
    for name, value in named.items():
        name = name.replace("_", "-").encode()
        out += bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
    return out


def ready(socket_type):
    identity = {"Identity": b""} if socket_type in ("REQ", "DEALER", "ROUTER") else {}
    return command(b"READY", properties(Socket_Type=socket_type.encode(), **identity))


def emit(name, data):
    print("%s: %s" % (name, data.hex()))


def new(context, socket_type, **options):
    sock = context.socket(getattr(zmq, socket_type))
    sock.linger = 0
    for name, value in options.items():
        sock.setsockopt(getattr(zmq, name), value)
    return sock


PEER_OF = dict(PAIR="PAIR", PUB="SUB", SUB="PUB", REQ="REP", REP="REQ",
               DEALER="ROUTER", ROUTER="DEALER", PULL="PUSH", PUSH="PULL",
               XPUB="XSUB", XSUB="XPUB")


def capture_greetings_and_readies(context):
    for socket_type in SOCKET_TYPES:
        sock = new(context, socket_type)
        raw = Raw.connect(sock)
        greeting = raw.greet()
        if socket_type == "PAIR":
            emit("greeting.null", greeting)
        raw.write(ready(PEER_OF[socket_type]))
        emit("ready." + socket_type, raw.read_frame())
        raw.close()
        sock.close()
    sock = new(context, "DEALER", IDENTITY=b"worker-7", METADATA=b"X-Color:red")
    raw = Raw.connect(sock)
    emit("ready.identity-and-property", raw.null_handshake("ROUTER"))
    raw.close()
    sock.close()


def capture_subscriptions(context):
    for name, minor in (("subscriptions.3.1", 1), ("subscriptions.3.0", 0)):
        sock = new(context, "SUB")
        sock.subscribe(b"weather")
        # Connecting, for a bound SUB speaks only while its thread calls in.
        raw = Raw.accept(sock)
        raw.null_handshake("PUB", minor)
        first = raw.read_frame()
        sock.subscribe(b"")
        second = raw.read_frame()
        sock.unsubscribe(b"weather")
        third = raw.read_frame()
        sock.subscribe(b"t" * 246)
        fourth = raw.read_frame()
        emit(name, first + second + third + fourth)
        raw.close()
        sock.close()


def capture_frames(context):
    sock = new(context, "PUSH")
    raw = Raw.connect(sock)
    raw.null_handshake("PULL")
    bodies = [b"", b"hello", bytes(range(255)), bytes(256), b"\xa5" * 1000]
    for body in bodies:
        sock.send(body)
        emit("frame.%d" % len(body), raw.read_frame())
    sock.send_multipart([b"one", b"", b"x" * 300])
    emit("frames.multipart", b"".join(raw.read_frame() for _ in range(3)))
    raw.close()
    sock.close()
    sock = new(context, "REQ")
    raw = Raw.connect(sock)
    raw.null_handshake("REP")
    sock.send(b"question")
    emit("frames.request", raw.read_frame() + raw.read_frame())
    raw.close()
    sock.close()


def capture_heartbeats(context):
    sock = new(context, "PULL", HEARTBEAT_IVL=50, HEARTBEAT_TTL=1500, HEARTBEAT_TIMEOUT=5000)
    raw = Raw.connect(sock)
    raw.null_handshake("PUSH")
    emit("ping.ttl-1500ms", raw.read_frame())
    raw.close()
    sock.close()
    sock = new(context, "PULL")
    raw = Raw.connect(sock)
    raw.null_handshake("PUSH")
    raw.write(command(b"PING", b"\0\0"))
    emit("pong.empty", raw.read_frame())
    raw.write(command(b"PING", b"\0\x0a" + b"0123456789abcdef"))
    emit("pong.context", raw.read_frame())
    raw.close()
    sock.close()


def capture_plain_client(context):
    sock = new(context, "DEALER", PLAIN_USERNAME=b"admin", PLAIN_PASSWORD=b"secret")
    raw = Raw.accept(sock)
    emit("greeting.plain-client", raw.greet(b"PLAIN", as_server=1))
    emit("plain.hello", raw.read_frame())
    raw.write(command(b"WELCOME"))
    emit("plain.initiate", raw.read_frame())
    raw.write(command(b"READY", properties(Socket_Type=b"ROUTER", Identity=b"")))
    sock.send(b"in")
    emit("plain.first-message", raw.read_frame())
    raw.close()
    sock.close()


def capture_plain_server(context):
    auth = ThreadAuthenticator(context)
    auth.start()
    auth.configure_plain(domain="global", passwords={"admin": "secret"})
    for password in (b"secret", b"wrong"):
        sock = new(context, "ROUTER", PLAIN_SERVER=1, ZAP_DOMAIN=b"global")
        raw = Raw.connect(sock)
        greeting = raw.greet(b"PLAIN")
        raw.write(command(b"HELLO", b"\x05admin" + bytes([len(password)]) + password))
        if password == b"secret":
            emit("greeting.plain-server", greeting)
            emit("plain.welcome", raw.read_frame())
            raw.write(command(b"INITIATE", properties(Socket_Type=b"DEALER", Identity=b"me")))
            emit("plain.ready", raw.read_frame())
        else:
            emit("plain.error", raw.read_frame())
        raw.close()
        sock.close()
    auth.stop()


def main():
    print("# What libzmq %s writes, captured by capture.py." % zmq.zmq_version())
    context = zmq.Context()
    capture_greetings_and_readies(context)
    capture_subscriptions(context)
    capture_frames(context)
    capture_heartbeats(context)
    capture_plain_client(context)
    capture_plain_server(context)
    context.term()


if __name__ == "__main__":
    main()
