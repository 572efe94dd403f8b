"""The same messages through this package and pyzmq, in turn, in one run.

    python benches/compare.py [--rounds 5] [--only TEXT] [--rust PROGRAM]
                              [--write ../docs/PYTHON.md]

With both sides on one core, and with a core for each; ours over connections that move to
shared memory, as they do, and over TCP. Each figure is the median of the rounds, with the
lowest and highest behind it: how far they are apart is how noisy the machine was. With
`--rust`, which is the example `long_messages`, tensors also beside what Rust moves.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from measures import (
    Place,
    awaited,
    rate,
    round_trip,
    round_trip_of_processes,
    rusts,
    stay_on,
    tensors,
)

CORES = sorted(os.sched_getaffinity(0))


PLACES = [
    *([Place("a core each", CORES[0], CORES[1])] if len(CORES) > 1 else []),
    Place("one core", CORES[0], CORES[0]),
]


class Case(NamedTuple):
    """What is measured, in which unit, and what is wanted of the ratio."""

    name: str
    unit: str
    wanted: str
    measure: Callable[[bool, Place], float]
    rusts: Callable[[str, Place], float] | None = None
    """Of which Python is to reach 0.95."""


MIB = 1 << 20
MB = MIB / 1e6
BATCH = 500
TENSORS = 600
"""So many that new memory, of which a block costs what a dozen messages do, matters little."""
CASES = [
    Case(
        "64 B, `send` and `recv` one by one",
        "msg/s",
        "1.6",
        lambda ours, at: rate(ours, at, 64, 1_000_000 if ours else 300_000),
    ),
    Case(
        "64 B, `send_batch` and `recv_batch` against one by one",
        "msg/s",
        "3",
        lambda ours, at: rate(ours, at, 64, 2_000_000 if ours else 300_000, BATCH * ours),
    ),
    Case("10 MiB", "MB/s", "", lambda ours, at: rate(ours, at, 10 * MIB, 300) * 10 * MB),
    Case(
        "10 MiB tensors",
        "MB/s",
        "",
        lambda ours, at: tensors(ours, at, 10 * MIB, TENSORS if ours else 300) * 10 * MB,
        lambda program, at: rusts(program, at, 10 * MIB, TENSORS) * 10 * MB,
    ),
    Case(
        "round trip, two processes",
        "us",
        "0.6",
        lambda ours, at: round_trip_of_processes(ours, at, 3_000),
    ),
    Case("round trip, two threads", "us", "0.6", lambda ours, at: round_trip(ours, at, 3_000)),
    Case(
        "the same with time-outs set",
        "us",
        "0.6",
        lambda ours, at: round_trip(ours, at, 3_000, timeouts=True),
    ),
    Case(
        "asyncio, 64 B",
        "msg/s",
        "8",
        lambda ours, at: awaited(ours, at, 100_000 if ours else 15_000),
    ),
    Case(
        "asyncio, round trip", "us", "0.5", lambda ours, at: awaited(ours, at, 3_000, trip=True)
    ),
]
# Each with FERROMQ_SWITCH; and the rival of either of ours.
OURS = {"ferromq": None, "ferromq, TCP": "0"}
RUSTS = {"Rust": None, "Rust, TCP": "0"}
BESIDE_PYZMQ = ("pyzmq", "pyzmq")
BESIDE_RUST = ("Rust", "Rust, TCP")


def measured(case: Case, place: Place, rounds: int, rust: str) -> dict[str, list[float]]:
    """Each contender's figures, ascending; Rust's if there is its program."""
    contenders: dict[str, str | None] = {**OURS, "pyzmq": None}
    if case.rusts is not None and rust:
        contenders |= RUSTS
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, switch in contenders.items():
            os.environ.pop("FERROMQ_SWITCH", None)
            if switch is not None:
                os.environ["FERROMQ_SWITCH"] = switch
            stay_on(place.here)
            if case.rusts is not None and name in RUSTS:
                found[name].append(case.rusts(rust, place))
            else:
                found[name].append(case.measure(name in OURS, place))
    return {name: sorted(values) for name, values in found.items()}


def told(unit: str, value: float) -> str:
    """A figure as a reader wants it."""
    if unit == "us":
        return f"{value:.0f} us"
    if unit == "MB/s":
        return f"{value / 1000:.1f} GB/s"
    return f"{value / 1e6:.1f} M/s" if value >= 1e6 else f"{value / 1e3:.0f} k/s"


def rows_of(case: Case, of_places: list[dict[str, list[float]]]) -> list[str]:
    """The lines of the table."""
    rows = [row(case, BESIDE_PYZMQ, case.wanted, of_places)]
    if "Rust" in of_places[0]:
        beside_rust = case._replace(name=f"{case.name} against Rust's `send_bytes` and `recv`")
        rows.append(row(beside_rust, BESIDE_RUST, "0.95", of_places))
    return rows


def row(
    case: Case, rivals: tuple[str, str], goal: str, of_places: list[dict[str, list[float]]]
) -> str:
    """A line of the table: ratios to the rivals at the same place."""
    cells = []
    for name, rival in zip(OURS, rivals, strict=True):
        for found in of_places:
            ours, theirs = (statistics.median(found[it]) for it in (name, rival))
            cells.append(f"{ours / theirs:.2f} ({told(case.unit, ours)})")
    limit = "at most" if case.unit == "us" else "at least"
    wanted = f"{limit} {goal}" if goal else ""
    others = []
    for rival in dict.fromkeys(rivals):
        there = ", ".join(told(case.unit, statistics.median(it[rival])) for it in of_places)
        others.append(f"TCP: {there}" if rival == "Rust, TCP" else there)
    return f"| {case.name} | {wanted} | {' | '.join(cells)} | {'; '.join(others)} |"


def table(rows: list[str]) -> str:
    """All of it, as Markdown."""
    places = [place.name for place in PLACES]
    columns = [*places, *(f"TCP, {name}" for name in places)]
    head = f"| | wanted | {' | '.join(columns)} | theirs |"
    line = "|" + "---|" * (len(columns) + 3)
    return "\n".join([head, line, *rows])


BEGIN, END = "<!-- begin: written by benches/compare.py -->", "<!-- end -->"


def write(page: Path, text: str) -> None:
    """Puts the table between the marks of a page."""
    pattern = re.compile(f"(?<={re.escape(BEGIN)}\n\n).*?(?=\n\n{re.escape(END)})", re.S)
    before = page.read_text()
    if not pattern.search(before):
        raise SystemExit(f"{page} has no {BEGIN}")
    page.write_text(pattern.sub(lambda _: text, before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument("--write", type=Path, help="a page to put the table into")
    parser.add_argument("--rust", default="", help="the example `long_messages`")
    arguments = parser.parse_args()
    began = time.monotonic()
    rows = []
    for case in CASES:
        if arguments.only not in case.name:
            continue
        found = [measured(case, place, arguments.rounds, arguments.rust) for place in PLACES]
        for place, figures in zip(PLACES, found, strict=True):
            for name, values in figures.items():
                middle = f"{statistics.median(values):>12,.0f}"
                spread = f"({values[0]:,.0f}..{values[-1]:,.0f})"
                print(f"{case.name:<56} {place.name:<12} {name:<13} {middle} {case.unit} {spread}")
        rows += rows_of(case, found)
        print(rows[-1], flush=True)
    text = table(rows)
    print(text)
    print(f"took {time.monotonic() - began:.0f} s")
    if arguments.write is not None:
        write(arguments.write, text)


if __name__ == "__main__":
    main()
