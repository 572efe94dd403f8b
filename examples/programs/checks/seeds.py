"""The programs to begin with."""

import subprocess
import tempfile

import zmq
from checking import bound, equal

from .tools import FREE, asked, command, connected, lines, listening, run, start


def req_rep(stack):
    endpoint = listening(start(stack, "req_rep server --port 0"))
    host, port = endpoint.removeprefix("tcp://").split(":")
    equal(run(f'req_rep client {host} {port} "hello there"'), ["HELLO THERE"])
    equal(asked(endpoint, "grüße", ""), ["GRÜSSE", ""])

    rep, endpoint = bound(zmq.REP)
    host, port = endpoint.removeprefix("tcp://").split(":")
    client = start(stack, f'req_rep client {host} {port} "to pyzmq"')
    equal(rep.recv(), b"to pyzmq")
    rep.send(b"from pyzmq")
    equal(lines(client), ["from pyzmq"])

    # Nobody answers: an error that says so, and no waiting at the end.
    silent = command(f"req_rep client {host} {port} hm --timeout 0")
    failed = subprocess.run(silent, capture_output=True, text=True, check=False)
    equal(failed.returncode, 1)
    equal("is it running?" in failed.stderr, True)
    rep.close()


def push_pull(stack):
    sink = start(stack, f"push_pull sink --count 999 --results {FREE}")
    results = listening(sink)
    ventilator = start(stack, f"push_pull ventilator 999 --workers 3 --tasks {FREE}")
    tasks = listening(ventilator)
    for number in (1, 2):
        start(stack, f"push_pull worker {number} --tasks {tasks} --results {results}")
    # The third worker is pyzmq's.
    pull, push = connected(zmq.PULL, tasks), connected(zmq.PUSH, results)
    said = []
    while len(said) < 333:
        said.append(int(pull.recv()))
        push.send_multipart([b"3", b"%d" % said[-1] ** 2])
    said = lines(sink)
    total = sum(number**2 for number in range(1000))
    equal(said[-1], f"the sum of 999 squares is {total}")
    equal(
        {line.split(":")[0] for line in said[:-1]}, {"worker 1", "worker 2", "worker 3"}
    )
    equal(lines(ventilator), ["999 tasks dealt out to 3 workers"])


def pub_sub(stack):
    options = f"--count 30 --every 0 --await-subscriptions 4 --endpoint {FREE}"
    publisher = start(stack, f"pub_sub publisher {options}")
    endpoint = listening(publisher)
    options = f"--count 10 --endpoint {endpoint}"
    sports = [start(stack, f"pub_sub subscriber sport {options}") for _ in range(2)]
    news = start(stack, f"pub_sub subscriber news {options}")
    every = connected(zmq.SUB, endpoint)
    received = [every.recv_multipart() for _ in range(30)]
    equal([topic for topic, _ in received], [b"news", b"sport", b"weather"] * 10)
    for sport in sports:
        equal(lines(sport), [f"sport: message {number}" for number in range(2, 31, 3)])
    equal(lines(news), [f"news: message {number}" for number in range(1, 31, 3)])
    equal(lines(publisher), ["30 messages published"])

    xpub, endpoint = bound(zmq.XPUB)
    subscriber = start(stack, f"pub_sub subscriber a --count 1 --endpoint {endpoint}")
    equal(xpub.recv(), b"\x01a")
    xpub.send_multipart([b"b", b"no"])
    xpub.send_multipart([b"a", b"yes"])
    equal(lines(subscriber), ["a: yes"])


def router_dealer(stack):
    with tempfile.TemporaryDirectory() as folder:
        broker = start(
            stack, f"router_dealer broker --front ipc://{folder}/front --back {FREE}"
        )
        front, back = listening(broker, 2)
        start(stack, f"router_dealer worker anna --back {back}")
        replies = run(f"router_dealer client 100 --front {front}")
        done = [f"request {number} done by anna" for number in range(1, 101)]
        equal(replies, [*done, "100 replies"])
        equal(asked(front, "from pyzmq"), ["from pyzmq done by anna"])

    broker = start(stack, f"router_dealer broker --front {FREE} --back {FREE}")
    front, back = listening(broker, 2)
    client = start(stack, f"router_dealer client 1 --front {front}")
    rep = connected(zmq.REP, back)
    equal(rep.recv(), b"request 1")
    rep.send(b"by pyzmq")
    equal(lines(client), ["by pyzmq", "1 replies"])
