"""The page of all calls is what the package has: ``FERROMQ_WRITE_LISTS=1`` writes it."""

from __future__ import annotations

import ast
import enum
import inspect
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ferromq
import ferromq.asyncio
import ferromq.communicator
import ferromq.zmq
from ferromq import _native, _options

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/python/reference.md"
STUBS = Path(_native.__file__).parent / "_native.pyi"

HEAD = """# All calls of the Python package

Made of the package's own words by `FERROMQ_WRITE_LISTS=1 python -m pytest
python/tests/test_reference.py`, which otherwise sees that nothing is missing here. Times are
seconds; None is for ever.
"""
SHOWN: dict[str, list[Any]] = {
    "ferromq": [
        ferromq.Context,
        ferromq.Socket,
        ferromq.Frame,
        ferromq.Peer,
        ferromq.Tracker,
        ferromq.Poller,
        ferromq.Monitor,
        ferromq.Event,
        ferromq.Statistics,
        ferromq.PeerStatistics,
        ferromq.Traffic,
        ferromq.Tensor,
        ferromq.TensorHeader,
    ],
    "ferromq.asyncio": [
        ferromq.asyncio.Context,
        ferromq.asyncio.Socket,
        ferromq.asyncio.Poller,
    ],
    "ferromq.communicator": [
        ferromq.ZmqInterface,
        ferromq.ZmqCommunicator,
        ferromq.ZmqConfig,
        ferromq.communicator.Request,
        ferromq.communicator.Failure,
    ],
}


def stubs() -> dict[str, dict[str, ast.FunctionDef]]:
    """The native module's functions by class."""
    tree = ast.parse(STUBS.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        node.name: {it.name: it for it in node.body if isinstance(it, ast.FunctionDef)}
        for node in classes
    }


NATIVE = stubs()


def stub_of(cls: type, name: str) -> ast.FunctionDef | None:
    for base in cls.__mro__:
        if inspect.isfunction(vars(base).get(name)):
            # Python's own, whatever its class is called.
            return None
        if name in vars(base):
            return NATIVE.get(base.__name__, {}).get(name)
    return None


def signature(cls: type, name: str, member: Any) -> str:
    stub = stub_of(cls, name)
    if stub is not None:
        arguments = ast.unparse(stub.args)
        answer = "" if stub.returns is None else f" -> {ast.unparse(stub.returns)}"
        for first in ("self, /, ", "self, /", "self, ", "self"):
            if arguments.startswith(first):
                arguments = arguments.removeprefix(first)
                break
        return f"{name}({arguments}){answer}"
    function = inspect.unwrap(member)
    told = inspect.signature(function)
    parameters = [it for it in told.parameters.values() if it.name not in ("self", "cls")]
    # Annotations are texts, and shown in quotes; defaults keep theirs.
    text = re.sub(r"""(: |-> )(['"])(.*?)\2""", r"\1\3", str(told.replace(parameters=parameters)))
    prefix = "await " if inspect.iscoroutinefunction(function) else ""
    return f"{prefix}{name}{text}"


def sentence(member: Any) -> str:
    return " ".join((inspect.getdoc(member) or "").split())


def members(cls: type) -> Iterator[tuple[str, Any]]:
    seen = {}
    for base in reversed(cls.__mro__[:-1]):
        if base.__module__.startswith(("ferromq", "builtins")):
            seen.update({name: it for name, it in vars(base).items() if name[0] != "_"})
    yield from sorted(seen.items())


def entries(cls: type) -> Iterator[str]:
    fields = getattr(cls, "__dataclass_fields__", {})
    if fields:
        told = ", ".join(f"`{field.name}: {field.type}`" for field in fields.values())
        yield f"Fields: {told}."
    for name, member in members(cls):
        if name in fields:
            continue
        if isinstance(member, classmethod | staticmethod):
            member = member.__func__
        if callable(member):
            head = signature(cls, name, member)
        elif (text := sentence(member)) and not isinstance(member, enum.Enum):
            head = name
        else:
            continue
        text = sentence(member)
        assert text, f"{cls.__name__}.{name} says nothing about itself"
        yield f"- `{head}`: {text}"


def wrapped(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(
        text, 92, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def is_ours(it: Any) -> bool:
    made = getattr(it, "__module__", "ferromq")
    return not inspect.ismodule(it) and made not in ("typing", "__future__")


def page() -> str:
    lines = [HEAD]
    for module, classes in SHOWN.items():
        for cls in classes:
            lines += class_section(module, cls)
    lines += option_section()
    lines += exception_section()
    lines += zmq_section()
    return "\n".join(lines) + "\n"


def class_section(module: str, cls: type) -> Iterator[str]:
    yield f"## {module}.{cls.__name__}\n"
    yield wrapped(sentence(cls)) + "\n"
    listed = [wrapped(entry) for entry in entries(cls)]
    if listed and listed[0].startswith("Fields"):
        yield listed.pop(0) + "\n"
    if listed:
        yield "\n".join(listed) + "\n"


def option_section() -> Iterator[str]:
    yield "## Options\n"
    yield wrapped(
        "Keywords of `Context.socket` and `set_options`; what each does is in "
        "[Options](../manual/options.md), by the same names."
    )
    yield "\n| Option | Type | Default |\n|---|---|---|"
    for name, kind in _options.SocketOptions.__annotations__.items():
        told = getattr(kind, "__forward_arg__", str(kind)).replace("|", "or")
        default = repr(_options.DEFAULTS[name]) if name in _options.DEFAULTS else ""
        yield f"| `{name}` | {told} | {default} |"


def exception_section() -> Iterator[str]:
    yield "\n## Exceptions\n"
    for name in ferromq.__all__:
        it = getattr(ferromq, name)
        if isinstance(it, type) and issubclass(it, ferromq.Error):
            bases = [base.__name__ for base in it.__mro__[1:-3]]
            known = f" ({', '.join(bases)})" if bases else ""
            yield wrapped(f"- `{name}`{known}: {sentence(it)}")


def zmq_section() -> Iterator[str]:
    yield "\n## ferromq.zmq\n"
    told = {name: it for name, it in vars(ferromq.zmq).items() if name[0] != "_"}
    names = [name for name, it in told.items() if is_ours(it)]
    plain = [name for name in names if not name.isupper()]
    yield wrapped(f"pyzmq's names, as there: {quoted(plain)}.") + "\n"
    yield wrapped(f"Constants: {quoted([it for it in names if it.isupper()])}.")


def test_all_calls_are_on_their_page() -> None:
    made = page()
    if os.environ.get("FERROMQ_WRITE_LISTS"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, "write it anew: FERROMQ_WRITE_LISTS=1"


def test_every_name_is_shown() -> None:
    classes = {cls.__name__ for shown in SHOWN.values() for cls in shown}
    for name in ferromq.__all__:
        it = getattr(ferromq, name)
        if isinstance(it, type) and not issubclass(it, ferromq.Error | enum.Enum | dict):
            assert name in classes or it is ferromq.SocketOptions, name
