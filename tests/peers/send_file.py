"""Sends one file to `ferromq receive`: send_file.py ENDPOINT FILE"""

import hashlib, os, struct, sys, zmq

endpoint, path = sys.argv[1:]
content = open(path, "rb").read()
number = lambda n: struct.pack(">Q", n)
name, source = os.path.basename(path).encode(), os.path.abspath(path).encode()[-64:]
dealer = zmq.Context().socket(zmq.DEALER)
dealer.connect(endpoint)
dealer.send_multipart([b"OFFER", b"\1", number(1), number(len(content)), name, source])
sent = limit = window = chunk = 0
while True:
    command, _, *rest = dealer.recv_multipart()
    if command == b"PROVE":
        length = struct.unpack(">Q", rest[0])[0]
        proof = hashlib.sha256(content[:length]).digest()
        dealer.send_multipart([b"PROOF", number(1), rest[0], proof])
    elif command == b"ACCEPT":
        sent, window, chunk = (struct.unpack(">Q", n)[0] for n in rest)
        limit = sent + window
    elif command == b"ACK":
        limit = struct.unpack(">Q", rest[0])[0] + window
    elif command == b"DONE":
        sys.exit(rest[0] != hashlib.sha256(content).digest())
    elif command == b"REFUSED":
        sys.exit(rest[1].decode())
    while chunk and sent < len(content) and sent + chunk <= limit:
        dealer.send_multipart([b"CHUNK", number(1), number(sent), content[sent : sent + chunk]])
        sent += chunk
    if chunk and sent >= len(content):
        dealer.send_multipart([b"END", number(1), hashlib.sha256(content).digest()])
        chunk = 0
