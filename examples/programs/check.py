"""python3 check.py FOLDER [PROGRAM…]: runs every program in it, or these, against
its own kind and against pyzmq."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import zmq
from checking import bound, context, equal, running

FOLDER = Path(sys.argv[1])
PROGRAMS = sorted(path.stem for path in (Path(__file__).parent / "src").glob("*/*.rs"))
FREE = "tcp://127.0.0.1:*"


def command(program, *arguments):
    return [str(FOLDER / program), *map(str, arguments)]


def start(stack, program, *arguments):
    """Starts a program, which is ended with the stack at the latest."""
    return stack.enter_context(running(*command(program, *arguments)))


def listening(process, places=1):
    """The endpoints that a program says first."""
    said = [process.stdout.readline().strip().rsplit(" ", 1)[1] for _ in range(places)]
    return said[0] if places == 1 else said


def lines(process):
    """What a program says to its end, which must be a good one."""
    said = process.stdout.read().splitlines()
    equal(process.wait(), 0)
    return said


def run(program, *arguments):
    """Runs a program to its end."""
    with running(*command(program, *arguments)) as process:
        return lines(process)


def connected(socket_type, endpoint, identity=None):
    socket = context.socket(socket_type)
    if identity:
        socket.identity = identity
    if socket_type == zmq.SUB:
        socket.subscribe(b"")
    socket.connect(endpoint)
    return socket


def asked(endpoint, *texts):
    """The replies that a REQ of pyzmq's gets, as text."""
    with connected(zmq.REQ, endpoint) as req:
        replies = []
        for text in texts:
            req.send_string(text)
            replies.append(req.recv_string())
        return replies


# To begin with.


def req_rep(stack):
    endpoint = listening(start(stack, "req_rep", "server", "--port", 0))
    host, port = endpoint.removeprefix("tcp://").split(":")
    equal(run("req_rep", "client", host, port, "hello there"), ["HELLO THERE"])
    equal(asked(endpoint, "grüße", ""), ["GRÜSSE", ""])

    rep, endpoint = bound(zmq.REP)
    host, port = endpoint.removeprefix("tcp://").split(":")
    client = start(stack, "req_rep", "client", host, port, "to pyzmq")
    equal(rep.recv(), b"to pyzmq")
    rep.send(b"from pyzmq")
    equal(lines(client), ["from pyzmq"])

    # Nobody answers: an error that says so, and no waiting at the end.
    silent = command("req_rep", "client", host, port, "hm", "--timeout", 0)
    failed = subprocess.run(silent, capture_output=True, text=True)
    equal(failed.returncode, 1)
    equal("is it running?" in failed.stderr, True)
    rep.close()


def push_pull(stack):
    sink = start(stack, "push_pull", "sink", "--count", 999, "--results", FREE)
    results = listening(sink)
    ventilator = start(stack, "push_pull", "ventilator", 999, "--workers", 3, "--tasks", FREE)
    tasks = listening(ventilator)
    for number in (1, 2):
        start(stack, "push_pull", "worker", number, "--tasks", tasks, "--results", results)
    # The third worker is pyzmq's.
    pull, push = connected(zmq.PULL, tasks), connected(zmq.PUSH, results)
    said = []
    while len(said) < 333:
        said.append(int(pull.recv()))
        push.send_multipart([b"3", b"%d" % said[-1] ** 2])
    said = lines(sink)
    total = sum(number**2 for number in range(1000))
    equal(said[-1], f"the sum of 999 squares is {total}")
    equal({line.split(":")[0] for line in said[:-1]}, {"worker 1", "worker 2", "worker 3"})
    equal(lines(ventilator), ["999 tasks dealt out to 3 workers"])


def pub_sub(stack):
    options = ["--count", 30, "--every", 0, "--await-subscriptions", 3, "--endpoint", FREE]
    publisher = start(stack, "pub_sub", "publisher", *options)
    endpoint = listening(publisher)
    options = ["--count", 10, "--endpoint", endpoint]
    sport = start(stack, "pub_sub", "subscriber", "sport", *options)
    news = start(stack, "pub_sub", "subscriber", "news", *options)
    every = connected(zmq.SUB, endpoint)
    received = [every.recv_multipart() for _ in range(30)]
    equal([topic for topic, _ in received], [b"news", b"sport", b"weather"] * 10)
    equal(lines(sport), [f"sport: message {number}" for number in range(2, 31, 3)])
    equal(lines(news), [f"news: message {number}" for number in range(1, 31, 3)])
    equal(lines(publisher), ["30 messages published"])

    xpub, endpoint = bound(zmq.XPUB)
    subscriber = start(stack, "pub_sub", "subscriber", "a", "--count", 1, "--endpoint", endpoint)
    equal(xpub.recv(), b"\x01a")
    xpub.send_multipart([b"b", b"no"])
    xpub.send_multipart([b"a", b"yes"])
    equal(lines(subscriber), ["a: yes"])


def router_dealer(stack):
    with tempfile.TemporaryDirectory() as folder:
        broker = start(stack, "router_dealer", "broker", "--front", f"ipc://{folder}/front", "--back", FREE)
        front, back = listening(broker, 2)
        start(stack, "router_dealer", "worker", "anna", "--back", back)
        replies = run("router_dealer", "client", 100, "--front", front)
        done = [f"request {number} done by anna" for number in range(1, 101)]
        equal(replies, [*done, "100 replies"])
        equal(asked(front, "from pyzmq"), ["from pyzmq done by anna"])

    broker = start(stack, "router_dealer", "broker", "--front", FREE, "--back", FREE)
    front, back = listening(broker, 2)
    client = start(stack, "router_dealer", "client", 1, "--front", front)
    rep = connected(zmq.REP, back)
    equal(rep.recv(), b"request 1")
    rep.send(b"by pyzmq")
    equal(lines(client), ["by pyzmq", "1 replies"])


# Chapter 1.


def hello_world(stack):
    endpoint = listening(start(stack, "hello_world", "server", "--endpoint", FREE))
    client = run("hello_world", "client", "--count", 5, "--endpoint", endpoint)
    equal(client, [f"{number}: Hello World" for number in range(1, 6)])
    equal(asked(endpoint, "Hello"), ["World"])


def version(_stack):
    name, speaks = run("version")
    equal(name.split()[0], "FerroMQ")
    equal("ZMTP 3.1" in speaks, True)


def weather(stack):
    endpoint = listening(start(stack, "weather", "server", "--every", 1, "--endpoint", FREE))
    *readings, mean = run("weather", "client", 4, "--endpoint", endpoint)
    equal(len(readings), 10)
    equal(mean.startswith("place 4: ") and mean.endswith("°C in the mean of 10 readings"), True)
    with context.socket(zmq.SUB) as sub:
        sub.subscribe(b"42 ")
        sub.connect(endpoint)
        equal({sub.recv().split()[0] for _ in range(10)}, {b"42"})

    xpub, endpoint = bound(zmq.XPUB)
    client = start(stack, "weather", "client", 7, "--count", 2, "--endpoint", endpoint)
    equal(xpub.recv(), b"\x017 ")
    for reading in (b"7 20", b"77 90", b"7 21"):
        xpub.send(reading)
    equal(lines(client), ["20 °C", "21 °C", "place 7: 20.5 °C in the mean of 2 readings"])


def tasks(stack):
    sink = start(stack, "tasks", "sink", "--results", FREE)
    results = listening(sink)
    options = ["--count", 50, "--longest", 2, "--workers", 2, "--tasks", FREE, "--results", results]
    ventilator = start(stack, "tasks", "ventilator", *options)
    endpoint = listening(ventilator)
    start(stack, "tasks", "worker", "--tasks", endpoint, "--results", results)
    pull, push = connected(zmq.PULL, endpoint), connected(zmq.PUSH, results)
    for _ in range(25):
        equal(int(pull.recv()) <= 2, True)
        push.send(b"done")
    equal(lines(sink)[0].split(" ms")[0].rsplit(" ", 1)[0], "50 tasks done in")
    equal(lines(ventilator)[0].startswith("50 tasks of "), True)


# Chapter 2.


def two_sockets(stack):
    expected = [f"task: task {n}" for n in range(1, 11)] + [f"news: piece {n}" for n in range(1, 11)]
    for how in ("reader", "poller"):
        feed = start(stack, "two_sockets", "feed", "--tasks", FREE, "--news", FREE)
        tasks, news = listening(feed, 2)
        said = run("two_sockets", how, "--count", 20, "--tasks", tasks, "--news", news)
        equal(sorted(said), sorted(expected))
        equal(lines(feed), [])

        # pyzmq feeds one socket after the other.
        push, tasks = bound(zmq.PUSH)
        xpub, news = bound(zmq.XPUB)
        both = start(stack, "two_sockets", how, "--count", 3, "--tasks", tasks, "--news", news)
        xpub.recv()
        for socket, text in ((xpub, "news: 1"), (push, "task: 2"), (xpub, "news: 3")):
            socket.send_string(text.split()[1])
            equal(both.stdout.readline().strip(), text)
        equal(lines(both), [])


def tasks_stop(stack):
    size = ["--count", 100, "--workers", 2]
    sink = start(stack, "tasks_stop", "sink", *size, "--results", FREE, "--control", FREE)
    results, control = listening(sink, 2)
    ventilator = start(stack, "tasks_stop", "ventilator", *size, "--tasks", FREE)
    endpoint = listening(ventilator)
    places = ["--tasks", endpoint, "--results", results, "--control", control]
    worker = start(stack, "tasks_stop", "worker", *places)
    pull, push = connected(zmq.PULL, endpoint), connected(zmq.PUSH, results)
    sub = connected(zmq.SUB, control)
    for _ in range(50):
        push.send(b"%d" % int(pull.recv()) ** 2)
    equal(sub.recv(), b"stop")
    equal(lines(worker), ["told to stop after 50 tasks"])
    equal(lines(sink), [f"100 results, their sum is {sum(n**2 for n in range(101))}"])
    equal(lines(ventilator), [])


def broker(stack):
    front, back = listening(start(stack, "broker", "middle", "--front", FREE, "--back", FREE), 2)
    # What makes no sense is left out, and the broker goes on.
    odd = connected(zmq.DEALER, back)
    odd.send(b"to nobody")
    odd.close()
    start(stack, "broker", "service", "--back", back)
    client = run("broker", "client", "--count", 3, "--front", front)
    equal(client, [f"{number}: World" for number in (1, 2, 3)])
    equal(asked(front, "Hello"), ["World"])


def threaded_server(stack):
    endpoint = listening(start(stack, "threaded_server", "server", "--threads", 3, "--endpoint", FREE))
    client = run("threaded_server", "client", "--count", 6, "--endpoint", endpoint)
    equal(sorted(client), sorted([f"World from thread {n}" for n in (1, 2, 3)] * 2))
    equal(asked(endpoint, "x")[0].startswith("x from thread "), True)


def relay(_stack):
    equal(run("relay", "--steps", 4), [*(f"step {n}" for n in range(1, 5)), "the end got: ready, 1, 2, 3, 4"])


def synchronised(stack):
    options = ["--subscribers", 2, "--count", 5000, "--news", FREE, "--sync", FREE]
    publisher = start(stack, "synchronised", "publisher", *options)
    news, sync = listening(publisher, 2)
    subscriber = start(stack, "synchronised", "subscriber", "--news", news, "--sync", sync)
    with context.socket(zmq.SUB) as sub:
        sub.rcvhwm = 0
        sub.subscribe(b"")
        sub.connect(news)
        equal(sub.recv(), b"hello?")
        equal(asked(sync, "here"), ["welcome"])
        received = list(iter(sub.recv, b"end"))
    equal([it for it in received if it != b"hello?"], [b"%d" % n for n in range(1, 5001)])
    equal(lines(subscriber), ["5000 updates received"])
    equal(lines(publisher), ["5000 updates published to 2 subscribers"])


def envelopes(stack):
    endpoint = listening(start(stack, "envelopes", "publisher", "--every", 1, "--endpoint", FREE))
    said = run("envelopes", "subscriber", "B", "--count", 3, "--endpoint", endpoint)
    equal({line.split(" (")[0] for line in said}, {"[B] this is what B hears"})
    sub = connected(zmq.SUB, endpoint)
    equal({len(sub.recv_multipart()) for _ in range(4)}, {3})


def interrupt(stack):
    for number in (signal.SIGINT, signal.SIGTERM):
        server = start(stack, "interrupt", "--endpoint", FREE)
        endpoint = listening(server)
        equal(asked(endpoint, "Hello"), ["Hello World"])
        equal(run("hello_world", "client", "--count", 1, "--endpoint", endpoint), ["1: Hello Hello World"])
        server.send_signal(number)
        equal(lines(server), ["interrupted after 2 requests: tidied up"])


# Chapter 3.


def identities(stack):
    router = start(stack, "identities", "router", "--count", 3, "--endpoint", FREE)
    endpoint = listening(router)
    equal(run("identities", "peer", "--identity", "anna", "hi", "--endpoint", endpoint), ["seen"])
    equal(run("identities", "peer", "hello", "--endpoint", endpoint), ["seen"])
    dealer = connected(zmq.DEALER, endpoint, b"bert")
    dealer.send(b"no empty frame")
    equal(dealer.recv_multipart(), [b"no empty frame", b"seen"])
    said = lines(router)
    equal(said[:4], ["a message of 3 frames", '    4 bytes: "anna"', '    0 bytes: ""', '    2 bytes: "hi"'])
    equal(said[5].startswith("    5 bytes: 00"), True)
    equal(said[8:], ["a message of 2 frames", '    4 bytes: "bert"', '   14 bytes: "no empty frame"'])


def on_demand(stack):
    options = ["--tasks", 50, "--workers", 3, "--endpoint", FREE]
    router = start(stack, "on_demand", "router", *options)
    endpoint = listening(router)
    # pyzmq's worker is there first, and slow: it leaves what it is given until
    # the others have done all the rest.
    req = connected(zmq.REQ, endpoint)
    req.send(b"ready")
    equal(req.recv(), b"task 1")
    workers = [
        start(stack, "on_demand", "worker", socket, "--socket", socket, "--endpoint", endpoint)
        for socket in ("req", "dealer")
    ]
    done = [lines(worker)[0].split() for worker in workers]
    equal(sum(int(words[2]) for words in done), 49)
    equal([words[0] for words in done], ["req", "dealer"])
    req.send(b"ready")
    equal(req.recv(), b"go home")
    equal(lines(router), ["50 tasks given to 3 workers"])


def load_balancer(stack):
    front, back = listening(start(stack, "load_balancer", "broker", "--front", FREE, "--back", FREE), 2)
    # A request that comes before there is a worker waits.
    early = start(stack, "load_balancer", "client", "--count", 2, "--front", front)
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
    start(stack, "load_balancer", "worker", "anna", "--back", back)
    client = run("load_balancer", "client", "--count", 5, "--front", front)
    equal(client, [f"request {n} done by anna" for n in range(1, 6)])
    worker.send_multipart(slow)
    equal(req.recv(), b"slow")


def async_server(stack):
    endpoint = listening(start(stack, "async_server", "server", "--endpoint", FREE))
    said = run("async_server", "client", "anna", "--count", 100, "--endpoint", endpoint)
    due = [f"anna: {n}: reply {r}" for n in range(1, 101) for r in range(1, n % 3 + 1)]
    equal(said[-1], f"anna: {len(due)} replies to 100 requests")
    equal(sorted(said[:-1]), sorted(due))
    dealer = connected(zmq.DEALER, endpoint)
    dealer.send_multipart([b"a request", b"of two frames"])
    dealer.send(b"3")
    dealer.send(b"5")
    equal([dealer.recv(), dealer.recv()], [b"5: reply 1", b"5: reply 2"])


def peering_state(stack):
    with tempfile.TemporaryDirectory() as folder:
        # Each knows where the other will be, before it is there.
        a, b, c = (f"ipc://{folder}/{name}" for name in "abc")
        start(stack, "peering_state", "b", "--at", b, "--peer", a, "--every", 10)
        others = ["--peer", b, "--peer", c, "--every", 10, "--count", 5]
        first = start(stack, "peering_state", "a", "--at", a, *others)
        equal(listening(first), a)
        sub = connected(zmq.SUB, a)
        name, free = sub.recv_multipart()
        equal((name, free.isdigit()), (b"a", True))
        equal({line.split(" has ")[0] for line in lines(first)}, {"b"})

        with context.socket(zmq.XPUB) as xpub:
            xpub.bind(c)
            only = start(stack, "peering_state", "d", "--at", FREE, "--peer", c, "--count", 1)
            equal(xpub.recv(), b"\x01")
            xpub.send_multipart([b"c", b"7"])
            equal(lines(only)[1:], ["c has 7 free workers"])


def peering_tasks(stack):
    places = ["--front", FREE, "--back", FREE, "--cloud", FREE]
    cloud, back, front_b = listening(start(stack, "peering_tasks", "b", *places), 3)
    lonely = start(stack, "peering_tasks", "a", *places, "--peer", "b", cloud)
    _, _, front_a = listening(lonely, 3)
    start(stack, "load_balancer", "worker", "anna", "--back", back)
    done = [f"request {number} done by anna" for number in range(1, 6)]
    for front in (front_a, front_b):
        equal(run("load_balancer", "client", "--count", 5, "--front", front), done)
    equal(asked(front_a, "from pyzmq"), ["from pyzmq done by anna"])

    # pyzmq is the other broker.
    router = context.socket(zmq.ROUTER)
    router.identity = b"c"
    router.bind(FREE)
    options = [*places, "--peer", "c", router.last_endpoint.decode()]
    _, _, front = listening(start(stack, "peering_tasks", "d", *options), 3)
    req = connected(zmq.REQ, front)
    req.send(b"help")
    broker, client, empty, request = router.recv_multipart()
    equal((broker, empty, request), (b"d", b"", b"help"))
    router.send_multipart([broker])
    router.send_multipart([broker, client, b"", b"helped"])
    equal(req.recv(), b"helped")


def helps(program):
    """Each has its examples in `--help`, and they name it."""
    text = "\n".join(run(program, "--help"))
    equal("Examples:" in text and f"  {program}" in text, True)


chosen = sys.argv[2:] or PROGRAMS
for program in chosen:
    try:
        with contextlib.ExitStack() as stack:
            globals()[program](stack)
            helps(program)
    except BaseException:
        print(f"in {program}:")
        raise
print(f"{len(chosen)} programs spoke to each other and to pyzmq")
