"""pyzmq's options in terms of this package's: integers and milliseconds there,
flags and seconds here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _native
from .._errors import OptionError, SecurityUnavailable
from . import _constants as c
from ._constants import SocketOption as O

_NO_LIMIT = 1 << 62


def _time(millis: int) -> float | None:
    return None if millis < 0 else millis / 1000


def _millis(seconds: float | None) -> int:
    return -1 if seconds is None else round(seconds * 1000)


def _positive(millis: int) -> float:
    return millis / 1000


def _same(value: Any) -> Any:
    return value


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


# To ours and back, by our name.
SIMPLE: dict[int, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    O.ROUTING_ID: ("identity", _same, _bytes),
    O.SNDHWM: ("send_high_water_mark", int, int),
    O.RCVHWM: ("receive_high_water_mark", int, int),
    O.LINGER: ("linger", _time, _millis),
    O.SNDTIMEO: ("send_timeout", _time, _millis),
    O.RCVTIMEO: ("receive_timeout", _time, _millis),
    O.HANDSHAKE_IVL: ("handshake_timeout", lambda ms: ms / 1000 or None, _millis),
    O.IMMEDIATE: ("immediate", bool, int),
    O.CONFLATE: ("conflate", bool, int),
    O.REQ_CORRELATE: ("req_correlate", bool, int),
    O.REQ_RELAXED: ("req_relaxed", bool, int),
    O.ROUTER_MANDATORY: ("router_mandatory", bool, int),
    O.ROUTER_HANDOVER: ("router_handover", bool, int),
    O.PROBE_ROUTER: ("probe_router", bool, int),
    O.XPUB_VERBOSE: ("xpub_verbose", bool, int),
    O.XPUB_VERBOSER: ("xpub_verboser", bool, int),
    O.XPUB_MANUAL: ("xpub_manual", bool, int),
    O.XPUB_NODROP: ("pub_no_drop", bool, int),
    O.INVERT_MATCHING: ("invert_matching", bool, int),
    O.XPUB_WELCOME_MSG: ("welcome_message", _same, _bytes),
    O.CONNECT_ROUTING_ID: ("connect_routing_id", _same, _bytes),
    O.BACKLOG: ("backlog", int, int),
    O.SNDBUF: ("send_buffer", lambda n: None if n <= 0 else n, lambda n: n or -1),
    O.RCVBUF: ("receive_buffer", lambda n: None if n <= 0 else n, lambda n: n or -1),
    O.TOS: ("traffic_class", lambda n: n or None, lambda n: n or 0),
    O.IPV6: (
        "ip_version",
        lambda on: "dual" if on else "v4-first",
        lambda version: int(version != "v4-first"),
    ),
    O.MAXMSGSIZE: (
        "max_frame_size",
        lambda n: _NO_LIMIT if n < 0 else n,
        lambda n: -1 if n >= _NO_LIMIT else n,
    ),
    O.TCP_KEEPALIVE: (
        "keepalive",
        lambda n: {-1: None, 0: False, 1: True}[n],
        lambda on: -1 if on is None else int(bool(on)),
    ),
    O.TCP_MAXRT: ("unacknowledged_timeout", lambda ms: ms / 1000 or None, _millis),
}

# What has no effect here, and its default: there is one I/O thread, and no
# multicast.
IGNORED = {O.AFFINITY: 0, O.RATE: 100}
_CURVE = {O.CURVE_SERVER, O.CURVE_PUBLICKEY, O.CURVE_SECRETKEY, O.CURVE_SERVERKEY}


def to_ours(option: int, value: Any, kept: dict[int, Any]) -> dict[str, Any]:
    """Our options of a change; ``kept`` holds what several make together."""
    kept[option] = value
    if option in _CURVE:
        return _curve(kept)
    if option in SIMPLE:
        name, ours, _ = SIMPLE[option]
        changes = {name: ours(value)}
        if option == O.MAXMSGSIZE:
            changes["max_message_size"] = changes[name]
        return changes
    if option in (O.RECONNECT_IVL, O.RECONNECT_IVL_MAX):
        first = kept.get(O.RECONNECT_IVL, 100)
        # libzmq: without a longest delay the first stays as it is.
        longest = kept.get(O.RECONNECT_IVL_MAX, 0) or first
        return {"reconnect_interval": (first / 1000, max(first, longest) / 1000)}
    if option in (O.HEARTBEAT_IVL, O.HEARTBEAT_TIMEOUT, O.HEARTBEAT_TTL):
        interval = kept.get(O.HEARTBEAT_IVL, 0)
        timeout, ttl = kept.get(O.HEARTBEAT_TIMEOUT, -1), kept.get(O.HEARTBEAT_TTL, 0)
        times = (_positive(interval), _time(timeout), _positive(ttl) or None)
        return {"heartbeat": times if interval else None}
    if option in (O.PLAIN_USERNAME, O.PLAIN_PASSWORD):
        name, password = (kept.get(o, "") for o in (O.PLAIN_USERNAME, O.PLAIN_PASSWORD))
        text = [v.decode() if isinstance(v, bytes) else v for v in (name, password)]
        return {"plain_client": tuple(text)}
    if option == O.PLAIN_SERVER:
        if value:
            raise SecurityUnavailable(
                "a PLAIN server needs names and passwords: set_options(plain_server={...})"
            )
        return {}
    if option in IGNORED:
        return {}
    raise OptionError(f"option {option} cannot be set")


def _curve(kept: dict[int, Any]) -> dict[str, Any]:
    """The keys that are there, once they are enough."""
    secret, server = kept.get(O.CURVE_SECRETKEY), kept.get(O.CURVE_SERVERKEY)
    if secret and kept.get(O.CURVE_SERVER):
        # Whom to let in is a matter of ZAP there, and without it everybody.
        return {"curve_server": (secret, None)}
    if secret and server:
        return {"curve_client": (server, secret)}
    return {}


def check_security(kept: dict[int, Any]) -> None:
    """Refuses to go on in clear where CURVE was begun and keys are missing."""
    if any(kept.get(option) for option in _CURVE) and not _curve(kept):
        raise SecurityUnavailable(
            "CURVE needs a secret key, and curve_server or the server's key"
        )
    public, secret = kept.get(O.CURVE_PUBLICKEY), kept.get(O.CURVE_SECRETKEY)
    if public and secret:
        given = public.encode() if isinstance(public, str) else public
        if given != _native.curve_public(secret) and len(given) == 40:
            raise OptionError("curve_publickey is not the key of curve_secretkey")


def from_ours(option: int, get: Callable[[str], Any], kept: dict[int, Any]) -> Any:
    """The value of an option as pyzmq tells it."""
    if option in kept and option not in (O.ROUTING_ID,):
        return kept[option]
    if option in SIMPLE:
        name, _, theirs = SIMPLE[option]
        return theirs(get(name))
    defaults = {
        O.RECONNECT_IVL: 100,
        O.RECONNECT_IVL_MAX: 0,
        O.HEARTBEAT_IVL: 0,
        O.HEARTBEAT_TIMEOUT: -1,
        O.HEARTBEAT_TTL: 0,
        O.MECHANISM: c.NULL,
        **IGNORED,
    }
    if option in defaults:
        return defaults[O(option)]
    raise OptionError(f"option {option} cannot be read")

