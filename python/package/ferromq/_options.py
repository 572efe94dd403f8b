"""The options of a socket. Times are seconds; None is for ever."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class SocketOptions(TypedDict, total=False):
    """What ``Context.socket`` and ``Socket.set_options`` take."""

    name: str
    identity: bytes | str
    send_high_water_mark: int
    receive_high_water_mark: int
    send_bytes_limit: int | None
    linger: float | None
    send_timeout: float | None
    receive_timeout: float | None
    reconnect_interval: float | tuple[float, float]
    handshake_timeout: float | None
    authentication_timeout: float | None
    heartbeat: float | tuple[float, float | None, float | None] | None
    max_frame_size: int
    max_message_size: int
    max_parts: int
    max_subscriptions: int
    max_subscription_bytes: int
    max_total_subscriptions: int
    immediate: bool
    conflate: bool
    req_correlate: bool
    req_relaxed: bool
    router_mandatory: bool
    router_handover: bool
    probe_router: bool
    connect_routing_id: bytes | str
    xpub_verbose: bool
    xpub_verboser: bool
    xpub_manual: bool
    pub_no_drop: bool
    welcome_message: bytes | str
    invert_matching: bool
    crc: bool
    by_reference: bool
    extensions: bool
    switch: bool
    fabric: Literal["unused", "between-machines", "preferred"] | None
    plain_client: tuple[str, str]
    curve_client: tuple[bytes | str, bytes | str]
    curve_server: tuple[bytes | str, list[bytes | str] | list[bytes] | Literal["zap"] | None]
    plain_server: dict[str, str] | Literal["zap"]
    zap_domain: str
    allow_addresses: list[str]
    deny_addresses: list[str]
    properties: dict[str, bytes | str]
    keepalive: bool | tuple[float | None, float | None, int | None] | None
    nodelay: bool
    send_buffer: int | None
    receive_buffer: int | None
    backlog: int
    ip_version: str
    traffic_class: int | None
    unacknowledged_timeout: float | None
    local_users: str


DEFAULTS: dict[str, Any] = {
    "name": "",
    "identity": b"",
    "send_high_water_mark": 1000,
    "receive_high_water_mark": 1000,
    "send_bytes_limit": 32 << 20,
    "linger": 30.0,
    "send_timeout": None,
    "receive_timeout": None,
    "reconnect_interval": (0.1, 30.0),
    "handshake_timeout": 10.0,
    "authentication_timeout": 2.0,
    "heartbeat": None,
    "max_frame_size": 4 << 30,
    "max_message_size": 4 << 30,
    "max_parts": 1024,
    "max_subscriptions": 1 << 20,
    "max_subscription_bytes": 64 << 20,
    "max_total_subscriptions": 1 << 22,
    "immediate": False,
    "conflate": False,
    "req_correlate": False,
    "req_relaxed": False,
    "router_mandatory": False,
    "router_handover": False,
    "probe_router": False,
    "connect_routing_id": b"",
    "xpub_verbose": False,
    "xpub_verboser": False,
    "xpub_manual": False,
    "pub_no_drop": False,
    "welcome_message": b"",
    "invert_matching": False,
    "crc": False,
    "by_reference": True,
    "extensions": True,
    "switch": True,
    "fabric": None,
    "allow_addresses": [],
    "deny_addresses": [],
    "keepalive": None,
    "nodelay": True,
    "send_buffer": None,
    "receive_buffer": None,
    "backlog": 1024,
    "ip_version": "v4-first",
    "traffic_class": None,
    "unacknowledged_timeout": None,
    "local_users": "same",
}
