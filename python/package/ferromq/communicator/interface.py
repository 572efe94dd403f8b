"""The communicator in the style of socket ids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from .._errors import TimedOut, WrongParts
from ..tensors import Tensor
from ._callbacks import Failure
from ._config import ZmqConfig
from ._engine import Engine, Entry, Kind, tensor_parts
from ._server import Request

Callback = Callable[[dict[str, Any]], Any]


class ZmqInterface:
    """Sockets by id. Calls answer True, or what they were asked for; whatever goes
    wrong raises."""

    def __init__(self) -> None:
        self._engine = Engine()

    # Sockets.

    def initialize(self, config: ZmqConfig | None = None) -> bool:
        """Begins."""
        self._engine.start(config or ZmqConfig())
        return True

    def shutdown(self) -> bool:
        """Closes every socket; what they have to send is sent within the linger."""
        self._engine.stop()
        return True

    def create_socket(self, kind: Kind) -> int:
        """A socket; its id."""
        return self._engine.create(kind)

    def close_socket(self, socket_id: int) -> bool:
        """Closes a socket."""
        self._engine.close(socket_id)
        return True

    def bind(self, socket_id: int, endpoint: str) -> str:
        """Accepts connections; answers the real endpoint."""
        return self._engine.entry(socket_id).socket.bind(self._engine.config.endpoint(endpoint))

    def connect(self, socket_id: int, endpoint: str) -> bool:
        """Connects, now and whenever the connection is lost."""
        self._engine.entry(socket_id).socket.connect(self._engine.config.endpoint(endpoint))
        return True

    def unbind(self, socket_id: int, endpoint: str) -> bool:
        """Stops accepting at an endpoint as ``bind`` answered it."""
        self._engine.entry(socket_id).socket.unbind(self._engine.config.endpoint(endpoint))
        return True

    def disconnect(self, socket_id: int, endpoint: str) -> bool:
        """Ends a connection."""
        self._engine.entry(socket_id).socket.disconnect(self._engine.config.endpoint(endpoint))
        return True

    def start_server(self, socket_id: int) -> bool:
        """Does nothing: a bound socket serves."""
        self._engine.entry(socket_id)
        return True

    # State.

    def socket_type(self, socket_id: int) -> str:
        """What it was made as."""
        return self._engine.entry(socket_id).kind

    def is_bound(self, socket_id: int) -> bool:
        """Whether it is bound anywhere."""
        return bool(self._engine.entry(socket_id).socket.bound)

    def is_connected(self, socket_id: int) -> bool:
        """Whether a peer is connected right now."""
        return self._engine.entry(socket_id).socket.statistics().connected > 0

    def endpoints(self, socket_id: int) -> list[str]:
        """Where it is bound, then where connected."""
        return self._engine.entry(socket_id).socket.endpoints

    def wait_for_peers(self, socket_id: int, count: int = 1, timeout: float = 5.0) -> bool:
        """Waits until peers are connected; raises TimedOut."""
        self._engine.entry(socket_id).socket.wait_for_peers(count, timeout)
        return True

    # Request and reply.

    def request(self, socket_id: int, data: Any, timeout: float | None = None) -> bytes:
        """Asks, and answers the reply. Any number of threads may."""
        client = self._engine.of_kind(socket_id, "REQ").client
        assert client is not None
        return _one(client.request([data], timeout))

    async def request_async(
        self, socket_id: int, data: Any, timeout: float | None = None
    ) -> bytes:
        """The same, awaited."""
        return _one(await self._request_awaited(socket_id, [data], timeout))

    def reply(self, socket_id: int, data: Any, request: Request | None = None) -> bool:
        """Answers ``request``; without one, the callback's own if this is called
        in a callback, else the request that waits longest. From any thread."""
        server = self._engine.of_kind(socket_id, "REP").server
        assert server is not None
        server.reply(request or server.pick(), [data])
        return True

    async def reply_async(
        self, socket_id: int, data: Any, request: Request | None = None
    ) -> bool:
        """The same, awaited."""
        entry = self._engine.of_kind(socket_id, "REP")
        await self._engine.reply_awaited(entry, request, [data])
        return True

    # Topics.

    def publish(self, socket_id: int, topic: str | bytes, data: Any) -> bool:
        """Sends to who subscribed to a prefix of ``topic``."""
        entry = self._engine.of_kind(socket_id, "PUB", "XPUB")
        self._engine.send(entry, [_bytes(topic), data])
        return True

    async def publish_async(self, socket_id: int, topic: str | bytes, data: Any) -> bool:
        """The same, awaited."""
        entry = self._engine.of_kind(socket_id, "PUB", "XPUB")
        await self._engine.send_awaited(entry, [_bytes(topic), data])
        return True

    def subscribe(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """Receive what starts with ``prefix``; without a subscription, nothing."""
        self._engine.of_kind(socket_id, "SUB", "XSUB").socket.subscribe(prefix)
        return True

    def unsubscribe(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """Takes one ``subscribe`` back."""
        self._engine.of_kind(socket_id, "SUB", "XSUB").socket.unsubscribe(prefix)
        return True

    async def subscribe_async(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """As ``subscribe``, which does not wait."""
        return self.subscribe(socket_id, prefix)

    async def unsubscribe_async(self, socket_id: int, prefix: str | bytes = b"") -> bool:
        """As ``unsubscribe``, which does not wait."""
        return self.unsubscribe(socket_id, prefix)

    # Other messages.

    def push(self, socket_id: int, data: Any) -> bool:
        """Sends to one of the workers that are there and have room."""
        self._engine.send(self._engine.of_kind(socket_id, "PUSH"), [data])
        return True

    async def push_async(self, socket_id: int, data: Any) -> bool:
        """The same, awaited."""
        await self._engine.send_awaited(self._engine.of_kind(socket_id, "PUSH"), [data])
        return True

    def send(self, socket_id: int, data: Any) -> bool:
        """Sends a message, or a list as its frames."""
        self._engine.send(self._sending(socket_id), _parts(data))
        return True

    async def send_async(self, socket_id: int, data: Any) -> bool:
        """The same, awaited."""
        await self._engine.send_awaited(self._sending(socket_id), _parts(data))
        return True

    def receive(self, socket_id: int, timeout: float | None = None) -> dict[str, Any]:
        """The next message, as a callback would be told of it."""
        entry = self._receiving(socket_id)
        return entry.message_of(entry.socket.recv_frames(timeout=timeout))

    async def receive_async(self, socket_id: int, timeout: float | None = None) -> dict[str, Any]:
        """The same, awaited."""
        entry = self._receiving(socket_id)
        return entry.message_of(await entry.awaited.recv_frames(timeout=timeout))

    # Tensors.

    def send_tensor(
        self, socket_id: int, tensor: Any, topic: str | bytes = b"", *, stage: bool = False
    ) -> bool:
        """Sends a tensor with its type and shape. On a REP it is a reply; for a
        tensor as a request see ``request_tensor``."""
        entry = self._engine.entry(socket_id)
        frames = self._tensor_frames(entry, tensor, topic, stage)
        if entry.server is not None:
            entry.server.reply(entry.server.pick(), frames)
        else:
            self._engine.send(entry, frames)
        return True

    async def send_tensor_async(
        self, socket_id: int, tensor: Any, topic: str | bytes = b"", *, stage: bool = False
    ) -> bool:
        """The same, awaited."""
        entry = self._engine.entry(socket_id)
        frames = self._tensor_frames(entry, tensor, topic, stage)
        if entry.server is not None:
            await self._engine.reply_awaited(entry, None, frames)
        else:
            await self._engine.send_awaited(entry, frames)
        return True

    def request_tensor(
        self, socket_id: int, tensor: Any, timeout: float | None = None
    ) -> list[bytes]:
        """Asks with a tensor; answers the reply's frames."""
        client = self._engine.of_kind(socket_id, "REQ").client
        assert client is not None
        return client.request(tensor_parts(tensor, False), timeout)

    async def request_tensor_async(
        self, socket_id: int, tensor: Any, timeout: float | None = None
    ) -> list[bytes]:
        """The same, awaited."""
        return await self._request_awaited(socket_id, tensor_parts(tensor, False), timeout)

    def recv_tensor(
        self, socket_id: int, timeout: float | None = None, *, out: Any = None
    ) -> Tensor:
        """The next tensor. What is none can be received by ``receive``."""
        return self._receiving(socket_id).socket.recv_tensor(timeout=timeout, out=out)

    async def recv_tensor_async(
        self, socket_id: int, timeout: float | None = None, *, out: Any = None
    ) -> Tensor:
        """The same, awaited."""
        return await self._receiving(socket_id).awaited.recv_tensor(timeout=timeout, out=out)

    # Callbacks.

    def set_receive_callback(self, socket_id: int, callback: Callback) -> bool:
        """``callback`` is given a dict (``source``, ``data``, ``topic``, and on a
        REP ``request``), on a thread of the socket's own. On a REP, bytes that it
        returns are the reply."""
        entry = self._engine.entry(socket_id)
        entry.on_message = callback
        entry.listen()
        return True

    def set_subscribe_callback(self, socket_id: int, callback: Callback) -> bool:
        """The same for SUB and XSUB."""
        self._engine.of_kind(socket_id, "SUB", "XSUB")
        return self.set_receive_callback(socket_id, callback)

    def set_pull_callback(self, socket_id: int, callback: Callback) -> bool:
        """The same for PULL."""
        self._engine.of_kind(socket_id, "PULL")
        return self.set_receive_callback(socket_id, callback)

    def set_tensor_receive_callback(self, socket_id: int, callback: Callback) -> bool:
        """``callback`` is given a dict with ``shape``, ``dtype`` and ``tensor``
        too, for messages that are tensors; others go to the other callback."""
        entry = self._engine.entry(socket_id)
        entry.on_tensor = callback
        entry.listen()
        return True

    def set_error_callback(self, socket_id: int, callback: Callable[[Failure], Any]) -> bool:
        """Who is told what a callback raised, and of messages that none takes;
        the log of ``ferromq.communicator`` otherwise."""
        entry = self._engine.entry(socket_id)
        entry.on_failure = callback
        if entry.dispatcher is not None:
            entry.dispatcher.on_failure = callback
        return True

    # Habits.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    async def _request_awaited(
        self, socket_id: int, parts: list[Any], timeout: float | None
    ) -> list[bytes]:
        client = self._engine.of_kind(socket_id, "REQ").client
        assert client is not None
        patience = client.timeout if timeout is None else timeout
        # To send may have to wait for a peer, to receive does not block.
        loop = asyncio.get_running_loop()
        number, future = await loop.run_in_executor(None, client.submit, parts)
        try:
            async with asyncio.timeout(patience):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if isinstance(error, TimedOut):
                raise
            raise TimedOut(f"no reply within {patience} s") from None
        finally:
            client.forget(number)

    def _sending(self, socket_id: int) -> Entry:
        kinds = ("PAIR", "DEALER", "ROUTER", "PUSH", "PUB", "XPUB", "XSUB")
        return self._engine.of_kind(socket_id, *kinds)

    def _receiving(self, socket_id: int) -> Entry:
        kinds = ("PAIR", "DEALER", "ROUTER", "PULL", "SUB", "XSUB", "XPUB", "REP")
        return self._engine.of_kind(socket_id, *kinds)

    def _tensor_frames(
        self, entry: Entry, tensor: Any, topic: str | bytes, stage: bool
    ) -> list[Any]:
        frames = tensor_parts(tensor, stage)
        if entry.server is not None:
            return frames
        if entry.kind in ("PUB", "XPUB", "XSUB"):
            return [_bytes(topic), *frames]
        self._sending(entry.number)
        return frames


def _one(frames: list[bytes]) -> bytes:
    if len(frames) != 1:
        raise WrongParts(f"a reply of {len(frames)} frames, where one was awaited")
    return frames[0]


def _parts(data: Any) -> list[Any]:
    return list(data) if isinstance(data, list | tuple) else [data]


def _bytes(topic: str | bytes) -> bytes:
    return topic.encode("utf-8", "surrogateescape") if isinstance(topic, str) else topic


__all__ = ["ZmqInterface"]
