"""Chapter 3."""

import tempfile

import zmq
from checking import context, equal

from .tools import FREE, asked, connected, lines, listening, run, start


def identities(stack):
    router = start(stack, f"identities router --count 3 --endpoint {FREE}")
    endpoint = listening(router)
    equal(
        run(f"identities peer --identity anna hi --endpoint {endpoint}"),
        ["seen"],
    )
    equal(run(f"identities peer hello --endpoint {endpoint}"), ["seen"])
    dealer = connected(zmq.DEALER, endpoint, b"bert")
    dealer.send(b"no empty frame")
    equal(dealer.recv_multipart(), [b"no empty frame", b"seen"])
    said = lines(router)
    equal(
        said[:4],
        [
            "a message of 3 frames",
            '    4 bytes: "anna"',
            '    0 bytes: ""',
            '    2 bytes: "hi"',
        ],
    )
    equal(said[5].startswith("    5 bytes: 00"), True)
    equal(
        said[8:],
        [
            "a message of 2 frames",
            '    4 bytes: "bert"',
            '   14 bytes: "no empty frame"',
        ],
    )


def on_demand(stack):
    options = f"--tasks 50 --workers 3 --endpoint {FREE}"
    router = start(stack, f"on_demand router {options}")
    endpoint = listening(router)
    # pyzmq's worker is there first, and slow: it leaves what it is given until
    # the others have done all the rest.
    req = connected(zmq.REQ, endpoint)
    req.send(b"ready")
    equal(req.recv(), b"task 1")
    workers = [
        start(
            stack, f"on_demand worker {socket} --socket {socket} --endpoint {endpoint}"
        )
        for socket in ("req", "dealer")
    ]
    done = [lines(worker)[0].split() for worker in workers]
    equal(sum(int(words[2]) for words in done), 49)
    equal([words[0] for words in done], ["req", "dealer"])
    req.send(b"ready")
    equal(req.recv(), b"go home")
    equal(lines(router), ["50 tasks given to 3 workers"])


def load_balancer(stack):
    front, back = listening(
        start(stack, f"load_balancer broker --front {FREE} --back {FREE}"), 2
    )
    # A request that comes before there is a worker waits.
    early = start(stack, f"load_balancer client --count 2 --front {front}")
    worker = connected(zmq.REQ, back, b"zoe")
    worker.send(b"READY")
    for number in (b"1", b"2"):
        client, empty, request = worker.recv_multipart()
        equal((empty, request), (b"", b"request " + number))
        worker.send_multipart([client, b"", b"by pyzmq"])
    equal(lines(early), ["by pyzmq", "by pyzmq"])
    # Now pyzmq's worker has a request to do, and the others are ours.
    req = connected(zmq.REQ, front)
    req.send(b"slow")
    slow = worker.recv_multipart()
    start(stack, f"load_balancer worker anna --back {back}")
    client = run(f"load_balancer client --count 5 --front {front}")
    equal(client, [f"request {n} done by anna" for n in range(1, 6)])
    worker.send_multipart(slow)
    equal(req.recv(), b"slow")

    # The worker that has been free for longest is next: here the one that
    # replies first, of two that were busy.
    options = f"--front {FREE} --back {FREE}"
    front, back = listening(start(stack, f"load_balancer broker {options}"), 2)
    workers = [connected(zmq.REQ, back, name) for name in (b"one", b"two")]
    clients = [connected(zmq.REQ, front) for _ in workers]
    requests = []
    for worker, client in zip(workers, clients):
        worker.send(b"READY")
        client.send(b"early")
        requests.append(worker.recv_multipart())
    for number in (1, 0):
        workers[number].send_multipart(requests[number])
        equal(clients[number].recv(), b"early")
    clients[0].send(b"late")
    equal(workers[1].recv_multipart()[2], b"late")


def async_server(stack):
    endpoint = listening(start(stack, f"async_server server --endpoint {FREE}"))
    said = run(f"async_server client anna --count 100 --endpoint {endpoint}")
    due = [f"anna: {n}: reply {r}" for n in range(1, 101) for r in range(1, n % 3 + 1)]
    equal(said[-1], f"anna: {len(due)} replies to 100 requests")
    equal(sorted(said[:-1]), sorted(due))
    last = run(f"async_server client bert --count 3 --endpoint {endpoint}")[-1]
    equal(last, "bert: 3 replies to 3 requests")
    dealer = connected(zmq.DEALER, endpoint)
    dealer.send_multipart([b"a request", b"of two frames"])
    dealer.send(b"3")
    dealer.send(b"5")
    equal([dealer.recv(), dealer.recv()], [b"5: reply 1", b"5: reply 2"])


def peering_state(stack):
    with tempfile.TemporaryDirectory() as folder:
        # Each knows where the other will be, before it is there.
        a, b, c = (f"ipc://{folder}/{name}" for name in "abc")
        start(stack, f"peering_state b --at {b} --peer {a} --every 10")
        others = f"--peer {b} --peer {c} --every 10 --count 5"
        first = start(stack, f"peering_state a --at {a} {others}")
        equal(listening(first), a)
        sub = connected(zmq.SUB, a)
        name, free = sub.recv_multipart()
        equal((name, free.isdigit()), (b"a", True))
        equal({line.split(" has ")[0] for line in lines(first)}, {"b"})

        with context.socket(zmq.XPUB) as xpub:
            xpub.bind(c)
            only = start(stack, f"peering_state d --at {FREE} --peer {c} --count 1")
            equal(xpub.recv(), b"\x01")
            xpub.send_multipart([b"c", b"7"])
            equal(lines(only)[1:], ["c has 7 free workers"])


def peering_tasks(stack):
    places = f"--front {FREE} --back {FREE} --cloud {FREE}"
    cloud, back, front_b = listening(start(stack, f"peering_tasks b {places}"), 3)
    lonely = start(stack, f"peering_tasks a {places} --peer b {cloud}")
    _, _, front_a = listening(lonely, 3)
    start(stack, f"load_balancer worker anna --back {back}")
    done = [f"request {number} done by anna" for number in range(1, 6)]
    for front in (front_a, front_b):
        equal(run(f"load_balancer client --count 5 --front {front}"), done)
    equal(asked(front_a, "from pyzmq"), ["from pyzmq done by anna"])

    # pyzmq is the other broker.
    router = context.socket(zmq.ROUTER)
    router.identity = b"c"
    router.bind(FREE)
    options = f"{places} --peer c {router.last_endpoint.decode()}"
    _, _, front = listening(start(stack, f"peering_tasks d {options}"), 3)
    req = connected(zmq.REQ, front)
    req.send(b"help")
    broker, client, empty, request = router.recv_multipart()
    equal((broker, empty, request), (b"d", b"", b"help"))
    router.send_multipart([broker])
    router.send_multipart([broker, client, b"", b"helped"])
    equal(req.recv(), b"helped")
