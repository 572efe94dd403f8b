"""A ZeroMQ peer on remote control: real libzmq on the other end of a test.

It reads one JSON object a line from standard input, does what it says, and
answers with one JSON object a line on standard output:

    {"op": "socket", "type": "PUSH", "options": {"LINGER": 0}}   -> {"ok": 0}
    {"op": "bind", "socket": 0, "endpoint": "tcp://127.0.0.1:*"} -> {"ok": "tcp://127.0.0.1:5555"}
    {"op": "send", "socket": 0, "parts": ["6869"]}               -> {"ok": null}
    {"op": "recv", "socket": 1}                                  -> {"ok": ["6869"]}

Bytes travel as hexadecimal digits. What goes wrong is answered as
{"error": "text"}. The peer ends at the end of its input.
"""

import asyncio
import hashlib
import json
import random
import sys
import threading

import zmq
from zmq.auth import Authenticator
from zmq.auth.thread import ThreadAuthenticator

# Long enough for any machine; a test that waits so long has failed.
PATIENCE_MS = 60_000
# Random bytes are costly: a large payload repeats one block of them, each
# repetition behind its number.
BLOCK = 8 << 20


def payload(size, seed):
    """`size` bytes that depend on `seed`, no two blocks alike."""
    block = random.Random(seed).randbytes(min(size, BLOCK))
    whole = bytearray()
    number = 0
    while len(whole) < size:
        whole += number.to_bytes(8, "little")
        whole += block
        number += 1
    del whole[size:]
    return whole


def digest(parts):
    """What identifies a message too long to be sent back: lengths and hash."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return {"lengths": [len(part) for part in parts], "sha256": whole.hexdigest()}


class Flow(threading.Thread):
    """Sends numbered messages until it is stopped."""

    def __init__(self, socket, prefix):
        super().__init__(daemon=True)
        self.socket, self.prefix = socket, prefix
        self.stopping = threading.Event()
        self.sent = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                self.socket.send_multipart([self.prefix, str(self.sent).encode()])
                self.sent += 1
            except zmq.Again:
                pass

    def stop(self):
        self.stopping.set()
        self.join()
        return self.sent


class Keys:
    """Knows these keys, in Z85."""

    def __init__(self, keys):
        self.keys = {key.encode() for key in keys}

    def callback(self, domain, key):
        return key in self.keys


class Zap(threading.Thread):
    """A ZAP handler with one answer for all."""

    def __init__(self, context, status):
        super().__init__(daemon=True)
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")
        self.status, self.requests = status, 0

    def run(self):
        while True:
            try:
                version, number, *_ = self.socket.recv_multipart()
                self.requests += 1
                reply = [version, number, self.status.encode(), b"because", b"ann", b""]
                self.socket.send_multipart(reply)
            except zmq.ZMQError:
                return


class ServedZap(threading.Thread):
    """pyzmq's own handler, for whoever connects."""

    def __init__(self, context, passwords, keys):
        super().__init__(daemon=True)
        self.handler = Authenticator(context)
        self.handler.start()
        self.handler.configure_plain(domain="tests", passwords=passwords)
        self.handler.configure_curve_callback("tests", Keys(keys))
        self.handler.zap_socket.linger = 0
        self.handler.zap_socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self.handler.zap_socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def run(self):
        while True:
            try:
                request = self.handler.zap_socket.recv_multipart()
            except zmq.ZMQError:
                return
            asyncio.run(self.handler.handle_zap_message(request))


class Peer:
    """One method an operation; sockets and flows are known by number."""

    def __init__(self):
        self.context = zmq.Context()
        self.sockets = []
        self.flows = {}
        self.authenticator = None
        self.zap = None

    def socket(self, type, options=None):
        socket = self.context.socket(getattr(zmq, type))
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = PATIENCE_MS
        for name, value in (options or {}).items():
            self.set(socket, name, value)
        self.sockets.append(socket)
        return len(self.sockets) - 1

    def set(self, socket, name, value):
        """Sets an option; a string that starts with "hex:" stands for bytes."""
        if isinstance(value, str) and value.startswith("hex:"):
            value = bytes.fromhex(value[4:])
        elif isinstance(value, str):
            value = value.encode()
        socket.setsockopt(getattr(zmq, name), value)

    def option(self, socket, name, value):
        self.set(self.sockets[socket], name, value)

    def bind(self, socket, endpoint):
        self.sockets[socket].bind(endpoint)
        return self.sockets[socket].getsockopt_string(zmq.LAST_ENDPOINT)

    def unbind(self, socket, endpoint):
        self.sockets[socket].unbind(endpoint)

    def connect(self, socket, endpoint):
        self.sockets[socket].connect(endpoint)

    def disconnect(self, socket, endpoint):
        self.sockets[socket].disconnect(endpoint)

    def send(self, socket, parts):
        self.sockets[socket].send_multipart([bytes.fromhex(part) for part in parts])

    def recv(self, socket):
        return [part.hex() for part in self.sockets[socket].recv_multipart()]

    def poll(self, socket, milliseconds):
        """Whether a message can be received within the time."""
        return bool(self.sockets[socket].poll(milliseconds, zmq.POLLIN))

    def properties(self, socket, names):
        """Receives one message; its first frame's metadata."""
        frame = self.sockets[socket].recv_multipart(copy=False)[0]
        found = {}
        for name in names:
            try:
                found[name] = frame.get(name)
            except zmq.ZMQError:
                found[name] = None
        return found

    def send_payload(self, socket, size, seed):
        """Sends `size` bytes made from `seed`; answers with their digest."""
        body = payload(size, seed)
        described = digest([body])
        self.sockets[socket].send(body, copy=False)
        return described

    def recv_digest(self, socket):
        """Receives one message and answers with its digest."""
        frames = self.sockets[socket].recv_multipart(copy=False)
        return digest([frame.buffer for frame in frames])

    def recv_until(self, socket, last):
        """Receives until a message whose last frame is `last`; answers with the
        last frames of the messages before."""
        last = bytes.fromhex(last)
        seen = []
        while True:
            tail = self.sockets[socket].recv_multipart()[-1]
            if tail == last:
                return [part.hex() for part in seen]
            seen.append(tail)

    def echo(self, socket, count):
        """Sends the next `count` messages back as they are."""
        for _ in range(count):
            self.sockets[socket].send_multipart(self.sockets[socket].recv_multipart())

    def flow(self, socket, prefix):
        """Starts to send numbered messages, in the background."""
        sender = self.sockets[socket]
        sender.sndtimeo = 50
        self.flows[socket] = Flow(sender, bytes.fromhex(prefix))
        self.flows[socket].start()

    def stop_flow(self, socket):
        """Stops it; answers with the number of messages sent."""
        return self.flows.pop(socket).stop()

    def proxy(self, frontend, backend, control=None):
        """Passes messages on between two sockets, in the background: they, and
        the one that steers, are the proxy's from now on."""
        sockets = [self.sockets[frontend], self.sockets[backend], None]
        sockets.append(None if control is None else self.sockets[control])
        threading.Thread(target=zmq.proxy_steerable, args=sockets, daemon=True).start()

    def close(self, socket, linger=0):
        self.sockets[socket].close(linger=linger)

    def authenticate(self, username, password):
        """Lets PLAIN clients into the ZAP domain `tests` by this password only."""
        self.authenticator = ThreadAuthenticator(self.context)
        self.authenticator.start()
        self.authenticator.configure_plain(domain="tests", passwords={username: password})

    def authenticate_curve(self, keys, denied=()):
        """Lets the owners of these CURVE keys into the ZAP domain `tests`."""
        self.authenticator = ThreadAuthenticator(self.context)
        self.authenticator.start()
        if denied:
            self.authenticator.deny(*denied)
        self.authenticator.configure_curve_callback("tests", Keys(keys))

    def reply_to_zap(self, status):
        """Answers every ZAP request with this status; counts them."""
        self.zap = Zap(self.context, status)
        self.zap.start()

    def zap_requests(self):
        return self.zap.requests

    def serve_zap(self, passwords, keys):
        """Decides on ZAP requests that come over tcp; where."""
        served = ServedZap(self.context, passwords, keys)
        served.start()
        return served.endpoint

    def version(self):
        return zmq.zmq_version()


def main():
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(peer, request.pop("op"))(**request)}
        except Exception as error:  # noqa: BLE001: the test decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    for flow in peer.flows.values():
        flow.stop()
    if peer.authenticator:
        peer.authenticator.stop()
    peer.context.destroy(linger=0)


main()
