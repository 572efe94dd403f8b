#!/usr/bin/env python3
"""Captures what libzmq's draft sockets write, as golden vectors.

The wheels of pyzmq bring a libzmq without the draft sockets, so this script
takes the path of a shared libzmq that was built with them (ENABLE_DRAFTS):

    pip install pyzmq
    python3 wire/vectors/capture_drafts.py /path/to/libzmq.so \\
        > wire/vectors/drafts-libzmq-<version>.txt

Everything else is as in capture.py, whose raw peer it shares.
"""

import ctypes
import sys

from capture import Raw, command, emit

TYPES = {
    "SERVER": 12,
    "CLIENT": 13,
    "RADIO": 14,
    "DISH": 15,
    "GATHER": 16,
    "SCATTER": 17,
    "PEER": 19,
    "CHANNEL": 20,
}
PEERS = {
    "SERVER": "CLIENT",
    "CLIENT": "SERVER",
    "RADIO": "DISH",
    "DISH": "RADIO",
    "GATHER": "SCATTER",
    "SCATTER": "GATHER",
    "PEER": "PEER",
    "CHANNEL": "CHANNEL",
}
LAST_ENDPOINT = 32
SNDTIMEO, RCVTIMEO, LINGER = 28, 27, 17


class Message(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_uint8 * 64)]
    _align_ = 8


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path, use_errno=True)
        for name in "zmq_ctx_new zmq_socket zmq_msg_data zmq_msg_group".split():
            getattr(self.c, name).restype = ctypes.c_void_p
        self.c.zmq_msg_routing_id.restype = ctypes.c_uint32
        self.c.zmq_connect_peer.restype = ctypes.c_uint32
        self.c.zmq_msg_size.restype = ctypes.c_size_t
        self.context = ctypes.c_void_p(self.c.zmq_ctx_new())
        assert self.c.zmq_has(b"draft"), "this libzmq has no draft sockets"

    def version(self):
        numbers = [ctypes.c_int() for _ in range(3)]
        self.c.zmq_version(*map(ctypes.byref, numbers))
        return ".".join(str(number.value) for number in numbers)


class Socket:
    """As much of pyzmq's socket as the raw peer and we need."""

    def __init__(self, library, kind):
        self.c = library.c
        self.handle = ctypes.c_void_p(self.c.zmq_socket(library.context, TYPES[kind]))
        for option, value in (SNDTIMEO, 3000), (RCVTIMEO, 3000), (LINGER, 0):
            number = ctypes.c_int(value)
            self.check(self.c.zmq_setsockopt(self.handle, option, ctypes.byref(number), 4))

    @staticmethod
    def check(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), "libzmq refused")
        return result

    def bind_to_random_port(self, address):
        self.check(self.c.zmq_bind(self.handle, (address + ":*").encode()))
        text, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
        self.check(
            self.c.zmq_getsockopt(self.handle, LAST_ENDPOINT, text, ctypes.byref(size))
        )
        return int(text.value.rsplit(b":", 1)[1])

    def connect(self, endpoint):
        self.check(self.c.zmq_connect(self.handle, endpoint.encode()))

    def connect_peer(self, endpoint):
        return self.c.zmq_connect_peer(self.handle, endpoint.encode())

    def join(self, group):
        self.check(self.c.zmq_join(self.handle, group))

    def leave(self, group):
        self.check(self.c.zmq_leave(self.handle, group))

    def send(self, body, group=None, routing_id=None):
        message = Message()
        self.check(self.c.zmq_msg_init_size(ctypes.byref(message), ctypes.c_size_t(len(body))))
        ctypes.memmove(self.c.zmq_msg_data(ctypes.byref(message)), body, len(body))
        if group is not None:
            self.check(self.c.zmq_msg_set_group(ctypes.byref(message), group))
        if routing_id is not None:
            number = ctypes.c_uint32(routing_id)
            self.check(self.c.zmq_msg_set_routing_id(ctypes.byref(message), number))
        self.check(self.c.zmq_msg_send(ctypes.byref(message), self.handle, 0))

    def receive(self):
        """Body, group and routing id of the next message."""
        message = Message()
        self.check(self.c.zmq_msg_init(ctypes.byref(message)))
        self.check(self.c.zmq_msg_recv(ctypes.byref(message), self.handle, 0))
        size = self.c.zmq_msg_size(ctypes.byref(message))
        body = ctypes.string_at(self.c.zmq_msg_data(ctypes.byref(message)), size)
        group = ctypes.string_at(self.c.zmq_msg_group(ctypes.byref(message)))
        return body, group, self.c.zmq_msg_routing_id(ctypes.byref(message))

    def close(self):
        self.c.zmq_close(self.handle)


def capture_readies(library):
    for kind, peer in PEERS.items():
        sock = Socket(library, kind)
        raw = Raw.connect(sock)
        emit("ready.%s" % kind, raw.null_handshake(peer))
        raw.close()
        sock.close()


def capture_groups(library):
    """JOIN and LEAVE, those from before the connection first."""
    for minor in 1, 0:
        sock = Socket(library, "DISH")
        sock.join(b"before")
        # Connecting, for a bound one speaks only while its thread calls in.
        raw = Raw.accept(sock)
        raw.null_handshake("RADIO", minor=minor)
        frames = [raw.read_frame()]
        for change, group in (
            (sock.join, b"weather"),
            (sock.join, b""),
            (sock.leave, b"weather"),
            (sock.join, b"g" * 255),
        ):
            change(group)
            frames.append(raw.read_frame())
        emit("groups.3.%d" % minor, b"".join(frames))
        raw.close()
        sock.close()


def capture_radio(library):
    sock = Socket(library, "RADIO")
    raw = Raw.accept(sock)
    raw.null_handshake("DISH")
    for group in b"weather", b"":
        raw.write(command(b"JOIN", group))
    raw.write(command(b"PING", b"\0\0"))
    raw.read_frame()  # the PONG: by now it has read the JOINs
    frames = b""
    for group, body in (b"weather", b"rain"), (b"weathers", b"no"), (b"", b"all"):
        # A RADIO drops what nobody has joined, also if the JOIN is under way.
        while True:
            sock.send(body, group=group)
            if group == b"weathers":
                break
            raw.sock.settimeout(0.2)
            try:
                frames += raw.read_frame() + raw.read_frame()
                break
            except TimeoutError:
                pass
            finally:
                raw.sock.settimeout(5)
    emit("frames.radio", frames)
    raw.close()
    sock.close()


def capture_replies(library):
    """One frame goes in, one comes out, whatever names the peer above."""
    for kind in "SERVER", "PEER":
        sock = Socket(library, kind)
        raw = Raw.connect(sock)
        raw.null_handshake(PEERS[kind])
        # What is multipart is dropped; the one behind it is not.
        raw.write(b"\x01\x03one\x00\x03two" + b"\x00\x08question")
        body, _, routing_id = sock.receive()
        assert body == b"question" and routing_id != 0
        sock.send(b"answer", routing_id=routing_id)
        emit("frames.%s" % kind.lower(), raw.read_frame())
        raw.close()
        sock.close()
    for kind in "CLIENT", "SCATTER", "CHANNEL":
        sock = Socket(library, kind)
        raw = Raw.accept(sock)
        raw.null_handshake(PEERS[kind])
        sock.send(b"question")
        emit("frames.%s" % kind.lower(), raw.read_frame())
        raw.close()
        sock.close()


def main():
    library = Library(sys.argv[1])
    print("# What libzmq %s with drafts writes, captured by capture_drafts.py." % library.version())
    capture_readies(library)
    capture_groups(library)
    capture_radio(library)
    capture_replies(library)


if __name__ == "__main__":
    main()
