"""Sending and receiving tensors, for sockets of every kind."""

from __future__ import annotations

import sys
from typing import Any, Literal

from .. import _native
from .._errors import HeaderError, TensorError
from ._out import Out
from ._payload import CHECKSUM, STRIDED, payload_of
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


def frames_of(
    tensor: Any,
    *,
    checksum: bool = False,
    contiguous: bool = False,
    stage: bool = False,
    tag: int = 0,
) -> tuple[bytes, Any, bool]:
    """The header and the payload of a tensor, and whether that is a copy which nobody else
    has."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(tensor) is numpy.ndarray:
        plain = _native._plain_header(tensor, not not checksum, tag)
        if plain is not None:
            return plain, tensor, False
    payload = payload_of(tensor, contiguous=contiguous, stage=stage)
    header = _native.TensorHeader(
        payload.dtype,
        payload.shape,
        payload.buffer,
        strides=payload.strides,
        offset=payload.offset,
        flags=(payload.flags & ~STRIDED) | (CHECKSUM if checksum else 0),
        sequence=_native._next_sequence(),
        user_tag=tag,
    )
    return header.encode(), payload.buffer, payload.copied


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
    header = _native._whole_header(frames[0], frames[1])
    tensor = Tensor(header, frames[1], topic=topic, identity=identity)
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
        if (
            ownership == "copied"
            and topic is None
            and identity is None
            and self._send_plain(tensor, not not checksum, tag, timeout)
        ):
            return None
        front = address_frames(self.type_name, topic, identity)
        header, payload, copied = frames_of(
            tensor, checksum=checksum, contiguous=contiguous, stage=stage, tag=tag
        )
        frames = [*front, header, payload]
        # A copy that was made already is nobody else's.
        if ownership == "copied" and not copied:
            self.send_multipart(frames, timeout=timeout)
            return None
        tracker = self.send_borrowed(frames, timeout=timeout)
        return tracker if ownership == "borrowed" else None

    def recv_tensor(self, *, out: Any = None, timeout: float | None = None) -> Tensor:
        """Receives a tensor, without a copy; with ``out``, into an array or tensor of
        the same shape and type, which the answer then shows. That copies nothing
        either where ``out`` lies in C's order and is longer than 32 KiB, but for what
        was read together with the header; unless the tensor was on its way already, lies
        in another order, or came over shm, inproc or by CURVE. A message that is no tensor,
        or of a type unknown here, or that does not fit, raises a TensorError and can be
        received by another call."""
        if out is None:
            found = self._recv_plain(timeout)
            if isinstance(found, tuple):
                return Tensor(*found)
            return received(self, found, None)
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
