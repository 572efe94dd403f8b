"""The communicator that is awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._config import ZmqConfig
from ._engine import Kind
from .interface import ZmqInterface

Callback = Callable[[str, Any, str], Any]


class ZmqCommunicator:
    """As ``ZmqInterface``, on one implementation: ``send_data`` is awaited, and
    callbacks take ``(source, data, topic)``."""

    def __init__(self) -> None:
        self._interface = ZmqInterface()

    def initialize(self, pool_size: int = 10, config: ZmqConfig | None = None) -> bool:
        """Begins."""
        return self._interface.initialize(config or ZmqConfig(pool_size=pool_size))

    def shutdown(self) -> bool:
        """Closes every socket."""
        return self._interface.shutdown()

    def create_socket(self, kind: Kind) -> int:
        """A socket; its id."""
        return self._interface.create_socket(kind)

    def close_socket(self, socket_id: int) -> bool:
        """Closes a socket."""
        return self._interface.close_socket(socket_id)

    def bind(self, socket_id: int, endpoint: str) -> str:
        """Accepts connections; without a scheme the endpoint is tcp. Answers the
        real endpoint."""
        return self._interface.bind(socket_id, endpoint)

    def connect(self, socket_id: int, endpoint: str) -> bool:
        """Connects; without a scheme the endpoint is tcp."""
        return self._interface.connect(socket_id, endpoint)

    def subscribe(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """Receive what starts with ``prefix``."""
        return self._interface.subscribe(socket_id, prefix)

    def unsubscribe(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """Takes one ``subscribe`` back."""
        return self._interface.unsubscribe(socket_id, prefix)

    async def send_data(
        self, socket_id: int, data: Any, topic: str | bytes | None = None
    ) -> bytes | bool:
        """Sends. On a REQ it answers the reply, on a REP it is one; PUB and XPUB
        take a ``topic``."""
        kind = self._interface.socket_type(socket_id)
        if kind == "REQ":
            return await self._interface.request_async(socket_id, data)
        if kind == "REP":
            return await self._interface.reply_async(socket_id, data)
        if kind in ("PUB", "XPUB"):
            return await self._interface.publish_async(socket_id, topic or b"", data)
        return await self._interface.send_async(socket_id, data)

    async def send_tensor(
        self, socket_id: int, tensor: Any, topic: str | bytes = b""
    ) -> bool:
        """Sends a tensor."""
        return await self._interface.send_tensor_async(socket_id, tensor, topic)

    def set_receive_callback(self, socket_id: int, callback: Callback) -> bool:
        """``callback(source, data, topic)``, on a thread of the socket's own; on a
        REP, bytes that it returns are the reply."""

        def told(message: dict[str, Any]) -> Any:
            return callback(message["source"], message["data"], message["topic"])

        return self._interface.set_receive_callback(socket_id, told)

    @property
    def interface(self) -> ZmqInterface:
        """The same sockets in the other style."""
        return self._interface
