"""Who is let in: by tables, by a function, by addresses."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import ferromq
from ferromq import Context, Socket

ANYWHERE = "tcp://127.0.0.1:*"


def refused(server: Socket) -> None:
    """Waits until somebody was turned away."""
    while not server.statistics().authentications_failed:
        pass
    assert not server.statistics().connected


def test_a_function_decides_on_names_and_passwords(context: Context) -> None:
    asked: list[dict[str, Any]] = []

    def decide(request: dict[str, Any]) -> str | bool:
        asked.append(request)
        return "alice@example" if request["password"] == b"open sesame" else False

    context.set_authenticator(decide)
    server = context.socket(ferromq.PULL, plain_server="zap", zap_domain="house")
    endpoint = server.bind(ANYWHERE)
    good = context.socket(ferromq.PUSH, plain_client=("alice", "open sesame"))
    good.connect(endpoint)
    good.send(b"hello")
    frame = server.recv_frame(timeout=30)
    assert frame.peer is not None
    assert frame.peer.user_id == "alice@example"
    assert asked[0]["username"] == "alice"
    assert (asked[0]["domain"], asked[0]["mechanism"]) == ("house", "PLAIN")
    assert asked[0]["address"] == "127.0.0.1"
    bad = context.socket(ferromq.PUSH, plain_client=("alice", "sesame"), linger=0)
    bad.connect(endpoint)
    while not server.statistics().authentications_failed:
        pass
    assert server.statistics().connected == 1


def test_a_function_decides_on_keys(context: Context) -> None:
    keys = ferromq._native.curve_keypair(), ferromq._native.curve_keypair()
    (server_public, server_secret), (known, secret) = keys
    context.set_authenticator(lambda request: request["key"] == known)
    server = context.socket(ferromq.PULL, curve_server=(server_secret, "zap"))
    endpoint = server.bind(ANYWHERE)
    client = context.socket(ferromq.PUSH, curve_client=(server_public, secret))
    client.connect(endpoint)
    client.send(b"encrypted")
    assert server.recv(timeout=30) == b"encrypted"
    client.close()
    while server.statistics().connected:
        pass
    other = ferromq._native.curve_keypair()[1]
    stranger = context.socket(ferromq.PUSH, curve_client=(server_public, other), linger=0)
    stranger.connect(endpoint)
    refused(server)


def test_what_the_function_raises_is_a_no(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def decide(request: dict[str, Any]) -> bool:
        raise KeyError("expected by the test")

    context.set_authenticator(decide)
    server = context.socket(ferromq.PULL, zap_domain="global")
    client = context.socket(ferromq.PUSH, linger=0)
    client.connect(server.bind(ANYWHERE))
    refused(server)
    assert isinstance(told[0].exc_value, KeyError)

    def deny(request: dict[str, Any]) -> bool:
        raise PermissionError("not you")

    context.set_authenticator(deny)
    told.clear()
    other = context.socket(ferromq.PULL, zap_domain="global")
    client.connect(other.bind(ANYWHERE))
    refused(other)
    assert not told


def test_a_function_that_knows_its_context_does_not_keep_it() -> None:
    import gc
    import weakref

    context = Context()
    context.set_authenticator(lambda request: context.closed)
    gone = weakref.ref(context)
    context.term()
    del context
    gc.collect()
    assert gone() is None


def test_authentication_can_be_required(context: Context) -> None:
    context.require_authentication()
    with pytest.raises(ferromq.Unauthenticated) as told:
        context.socket(ferromq.PULL).bind(ANYWHERE)
    assert told.value.endpoint == ANYWHERE
    with pytest.raises(PermissionError):
        context.socket(ferromq.PUSH).connect("tcp://127.0.0.1:9")
    context.socket(ferromq.PULL, plain_server={"a": "b"}).bind(ANYWHERE)


def test_addresses_are_kept_out(context: Context) -> None:
    server = context.socket(ferromq.PULL, deny_addresses=["127.0.0.0/8"])
    client = context.socket(ferromq.PUSH, linger=0)
    client.connect(server.bind(ANYWHERE))
    while not server.statistics().addresses_refused:
        pass
    with pytest.raises(ValueError, match="allow_addresses"):
        context.socket(ferromq.PULL, allow_addresses=["everybody"])


def test_subscriptions_are_limited(context: Context) -> None:
    pub = context.socket(ferromq.PUB, max_subscriptions=2)
    sub = context.socket(ferromq.SUB, reconnect_interval=30.0)
    for topic in ("a", "b", "c"):
        sub.subscribe(topic)
    sub.connect(pub.bind(ANYWHERE))
    while not pub.statistics().violations:
        pass
