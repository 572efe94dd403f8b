"""Chapter 2."""

import signal

import zmq
from checking import bound, context, equal

from .tools import FREE, asked, connected, lines, listening, run, start


def two_sockets(stack):
    expected = [f"task: task {n}" for n in range(1, 11)] + [
        f"news: piece {n}" for n in range(1, 11)
    ]
    for how in ("reader", "poller"):
        feed = start(stack, f"two_sockets feed --tasks {FREE} --news {FREE}")
        tasks, news = listening(feed, 2)
        said = run(f"two_sockets {how} --count 20 --tasks {tasks} --news {news}")
        equal(sorted(said), sorted(expected))
        equal(lines(feed), [])

        # pyzmq feeds one socket after the other.
        push, tasks = bound(zmq.PUSH)
        xpub, news = bound(zmq.XPUB)
        both = start(
            stack, f"two_sockets {how} --count 3 --tasks {tasks} --news {news}"
        )
        xpub.recv()
        for socket, text in ((xpub, "news: 1"), (push, "task: 2"), (xpub, "news: 3")):
            socket.send_string(text.split()[1])
            equal(both.stdout.readline().strip(), text)
        equal(lines(both), [])


def tasks_stop(stack):
    size = "--count 100 --workers 2"
    sink = start(stack, f"tasks_stop sink {size} --results {FREE} --control {FREE}")
    results, control = listening(sink, 2)
    ventilator = start(stack, f"tasks_stop ventilator {size} --tasks {FREE}")
    endpoint = listening(ventilator)
    places = f"--tasks {endpoint} --results {results} --control {control}"
    worker = start(stack, f"tasks_stop worker {places}")
    pull, push = connected(zmq.PULL, endpoint), connected(zmq.PUSH, results)
    for _ in range(50):
        push.send(b"%d" % int(pull.recv()) ** 2)
    total = f"100 results, their sum is {sum(n**2 for n in range(101))}"
    equal(sink.stdout.readline().strip(), total)
    # Only now pyzmq subscribes: the word to stop waits for it.
    equal(connected(zmq.SUB, control).recv(), b"stop")
    equal(lines(worker), ["told to stop after 50 tasks"])
    equal(lines(sink), [])
    equal(lines(ventilator), [])


def broker(stack):
    front, back = listening(
        start(stack, f"broker middle --front {FREE} --back {FREE}"), 2
    )
    # What makes no sense is left out, and the broker goes on.
    odd = connected(zmq.DEALER, back)
    odd.send(b"to nobody")
    odd.close()
    start(stack, f"broker service --back {back}")
    client = run(f"broker client --count 3 --front {front}")
    equal(client, [f"{number}: World" for number in (1, 2, 3)])
    equal(asked(front, "Hello"), ["World"])


def threaded_server(stack):
    endpoint = listening(
        start(stack, f"threaded_server server --threads 3 --endpoint {FREE}")
    )
    client = run(f"threaded_server client --count 6 --endpoint {endpoint}")
    equal(sorted(client), sorted([f"World from thread {n}" for n in (1, 2, 3)] * 2))
    equal(asked(endpoint, "x")[0].startswith("x from thread "), True)


def relay(_stack):
    equal(
        run("relay --steps 4"),
        [*(f"step {n}" for n in range(1, 5)), "the end got: ready, 1, 2, 3, 4"],
    )


def synchronised(stack):
    options = f"--subscribers 2 --count 5000 --news {FREE} --sync {FREE}"
    publisher = start(stack, f"synchronised publisher {options}")
    news, sync = listening(publisher, 2)
    subscriber = start(stack, f"synchronised subscriber --news {news} --sync {sync}")
    with context.socket(zmq.SUB) as sub:
        sub.rcvhwm = 0
        sub.subscribe(b"")
        sub.connect(news)
        equal(sub.recv(), b"hello?")
        equal(asked(sync, "here"), ["welcome"])
        received = list(iter(sub.recv, b"end"))
    equal(
        [it for it in received if it != b"hello?"], [b"%d" % n for n in range(1, 5001)]
    )
    equal(lines(subscriber), ["5000 updates received"])
    equal(lines(publisher), ["5000 updates published to 2 subscribers"])


def envelopes(stack):
    endpoint = listening(
        start(stack, f"envelopes publisher --every 1 --endpoint {FREE}")
    )
    said = run(f"envelopes subscriber B --count 3 --endpoint {endpoint}")
    equal({line.split(" (")[0] for line in said}, {"[B] this is what B hears"})
    sub = connected(zmq.SUB, endpoint)
    equal({len(sub.recv_multipart()) for _ in range(4)}, {3})


def interrupt(stack):
    for number in (signal.SIGINT, signal.SIGTERM):
        server = start(stack, f"interrupt --endpoint {FREE}")
        endpoint = listening(server)
        equal(asked(endpoint, "Hello"), ["Hello World"])
        equal(
            run(f"hello_world client --count 1 --endpoint {endpoint}"),
            ["1: Hello Hello World"],
        )
        server.send_signal(number)
        equal(lines(server), ["interrupted after 2 requests: tidied up"])
