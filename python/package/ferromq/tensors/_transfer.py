"""Sending and receiving tensors, for sockets of every kind."""

from __future__ import annotations

import itertools
from typing import Any, Literal

from .. import _native
from .._errors import HeaderError, TensorError
from ._out import Out
from ._payload import CHECKSUM, MORE_PARTS, STRIDED, Payload, payload_of
from ._tensor import Tensor

Ownership = Literal["copied", "owned", "borrowed"]
"""What a send may do with the tensor's memory.

``copied``, the default: it is yours again when the call returns.
``owned``: you never write to it again; no copy.
``borrowed``: you do not write to it before the tracker that is returned is done;
no copy.
"""

_WITH_TOPIC = {"PUB", "SUB", "XPUB", "XSUB"}
_WITH_IDENTITY = {"ROUTER", "SERVER", "PEER"}
_sequence = itertools.count()


def frames_of(
    tensor: Any,
    *,
    checksum: bool = False,
    contiguous: bool = False,
    stage: bool = False,
    tag: int = 0,
) -> tuple[bytes, Payload]:
    """The header and the payload of a tensor."""
    payload = payload_of(tensor, contiguous=contiguous, stage=stage)
    header = _native.TensorHeader(
        payload.dtype,
        payload.shape,
        payload.buffer,
        strides=payload.strides,
        offset=payload.offset,
        flags=(payload.flags & ~STRIDED) | (CHECKSUM if checksum else 0),
        sequence=next(_sequence),
        user_tag=tag,
    )
    return header.encode(), payload


def tensor_from(frames: list[_native.Frame], type_name: str) -> Tensor:
    """The tensor that a message holds; raises TensorError, and takes nothing."""
    frames = list(frames)
    topic = identity = None
    if type_name in _WITH_TOPIC and frames:
        topic = frames.pop(0).bytes
    if type_name in _WITH_IDENTITY and frames:
        identity = frames.pop(0).bytes
    if len(frames) != 2:
        raise HeaderError(f"a tensor is two frames, a header and a payload, not {len(frames)}")
    header = _native.parse_tensor_header(frames[0])
    payload = frames[1]
    if len(payload) != header.payload_len:
        raise HeaderError(
            f"a payload of {len(payload)} bytes where the header tells {header.payload_len}"
        )
    if header.flags & MORE_PARTS or header.part:
        raise TensorError("a tensor in parts: only whole ones are received here")
    if not header.matches(payload):
        raise TensorError("the payload's checksum differs from the header's")
    tensor = Tensor(header, payload, topic=topic, identity=identity)
    # An unknown type is told now, while the message can be put back.
    _ = tensor.dtype
    return tensor


def received(socket: _native.Socket, frames: list[_native.Frame], place: Out | None) -> Tensor:
    """The tensor in these frames, in its place; the socket keeps what is none."""
    try:
        tensor = tensor_from(frames, socket.type_name)
        if place is not None:
            place.take(tensor)
    except Exception:
        socket._keep(frames if place is None else place.apart(frames))
        raise
    return tensor


class TensorCalls(_native.Socket):
    """What sockets have for tensors."""

    def send_tensor(
        self,
        tensor: Any,
        *,
        topic: bytes | str | None = None,
        identity: bytes | None = None,
        ownership: Ownership = "copied",
        checksum: bool = False,
        contiguous: bool = False,
        stage: bool = False,
        tag: int = 0,
        timeout: float | None = None,
    ) -> _native.Tracker | None:
        """Sends a tensor with its type and shape. ``topic`` is for PUB, SUB, XPUB
        and XSUB, ``identity`` for ROUTER. With ``ownership="borrowed"`` it answers
        the tracker to wait for before the memory is changed."""
        front = address_frames(self.type_name, topic, identity)
        header, payload = frames_of(
            tensor, checksum=checksum, contiguous=contiguous, stage=stage, tag=tag
        )
        frames = [*front, header, payload.buffer]
        # A copy that was made already is nobody else's.
        if ownership == "copied" and not payload.copied:
            self.send_multipart(frames, timeout=timeout)
            return None
        tracker = self.send_borrowed(frames, timeout=timeout)
        return tracker if ownership == "borrowed" else None

    def recv_tensor(self, *, out: Any = None, timeout: float | None = None) -> Tensor:
        """Receives a tensor, without a copy; with ``out``, into an array or tensor of
        the same shape and type, which the answer then shows. That copies nothing
        either where ``out`` lies in C's order and is longer than 32 KiB, but for what
        was read together with the header; unless the tensor was on its way already, lies
        in another order, or came over shm, inproc or by CURVE. A message that is no tensor, or of a type unknown here, or that does
        not fit, raises a TensorError and can be received by another call."""
        if out is None:
            return received(self, self.recv_frames(timeout=timeout), None)
        place = Out(out)
        with place.offered_by(self) as offered:
            receive = self._recv_offered if offered else self.recv_frames
            frames = receive(timeout=timeout)
        return received(self, frames, place)


def address_frames(
    type_name: str, topic: bytes | str | None, identity: bytes | None
) -> list[bytes]:
    """The frames in front of a tensor, which are there exactly where the type of
    socket wants them."""
    if topic is not None and type_name not in _WITH_TOPIC:
        raise TensorError(f"a {type_name} socket sends tensors without a topic")
    if (identity is not None) != (type_name in _WITH_IDENTITY):
        raise TensorError(f"identity is for ROUTER, and needed there; this is a {type_name}")
    if type_name in _WITH_TOPIC:
        return [topic.encode() if isinstance(topic, str) else topic or b""]
    return [] if identity is None else [identity]
