"""Chapter 1."""

import zmq
from checking import bound, context, equal

from .tools import FREE, asked, connected, lines, listening, run, start


def hello_world(stack):
    endpoint = listening(start(stack, f"hello_world server --endpoint {FREE}"))
    client = run(f"hello_world client --count 5 --endpoint {endpoint}")
    equal(client, [f"{number}: Hello World" for number in range(1, 6)])
    equal(asked(endpoint, "Hello"), ["World"])


def version(_stack):
    name, speaks = run("version")
    equal(name.split()[0], "FerroMQ")
    equal("ZMTP 3.1" in speaks, True)


def weather(stack):
    endpoint = listening(start(stack, f"weather server --every 1 --endpoint {FREE}"))
    *readings, mean = run(f"weather client 4 --endpoint {endpoint}")
    equal(len(readings), 10)
    equal(
        mean.startswith("place 4: ") and mean.endswith("°C in the mean of 10 readings"),
        True,
    )
    with context.socket(zmq.SUB) as sub:
        sub.subscribe(b"42 ")
        sub.connect(endpoint)
        equal({sub.recv().split()[0] for _ in range(10)}, {b"42"})

    xpub, endpoint = bound(zmq.XPUB)
    client = start(stack, f"weather client 7 --count 2 --endpoint {endpoint}")
    equal(xpub.recv(), b"\x017 ")
    for reading in (b"7 20", b"77 90", b"7 21"):
        xpub.send(reading)
    equal(
        lines(client), ["20 °C", "21 °C", "place 7: 20.5 °C in the mean of 2 readings"]
    )


def tasks(stack):
    sink = start(stack, f"tasks sink --results {FREE}")
    results = listening(sink)
    options = f"--count 50 --longest 2 --workers 2 --tasks {FREE} --results {results}"
    ventilator = start(stack, f"tasks ventilator {options}")
    endpoint = listening(ventilator)
    start(stack, f"tasks worker --tasks {endpoint} --results {results}")
    pull, push = connected(zmq.PULL, endpoint), connected(zmq.PUSH, results)
    for _ in range(25):
        equal(int(pull.recv()) <= 2, True)
        push.send(b"done")
    equal(lines(sink)[0].split(" ms")[0].rsplit(" ", 1)[0], "50 tasks done in")
    equal(lines(ventilator)[0].startswith("50 tasks of "), True)
