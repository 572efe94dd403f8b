"""The communicator over real verbs: run in the machine of tests/rdma-vm, by `cargo
xtask test --rdma`. There is no pytest in there, and no numpy."""

from __future__ import annotations

import array
import os
import queue
from typing import Any

os.environ["MC_RPC_PROTOCOL"] = "rdma"

import ferromq
from ferromq import ZmqConfig, ZmqInterface, ZmqSocketType

_, FAR = os.environ["FERROMQ_RDMA_BED"].split()
MEBIBYTE = 1 << 20


def linked(mq: ZmqInterface, bound: ZmqSocketType, connected: ZmqSocketType) -> tuple[int, int]:
    """Two sockets of which neither says a scheme: the variable does."""
    first, second = mq.create_socket(bound), mq.create_socket(connected)
    endpoint = mq.bind(first, f"{FAR}:*")
    assert endpoint.startswith(f"rdma://{FAR}:"), endpoint
    mq.connect(second, endpoint.removeprefix("rdma://"))
    mq.wait_for_peers(first, 1, 30)
    return first, second


def a_request_is_answered(mq: ZmqInterface) -> None:
    rep, req = linked(mq, ZmqSocketType.REP, ZmqSocketType.REQ)
    mq.set_receive_callback(rep, lambda told: told["data"][::-1])
    for size in (1, 5000, 4 * MEBIBYTE, 3):
        data = bytes(size - 1) + b"!"
        assert mq.request(req, data) == data[::-1]


def tensors_arrive_with_type_and_shape(mq: ZmqInterface) -> None:
    pull, push = linked(mq, ZmqSocketType.PULL, ZmqSocketType.PUSH)
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    mq.set_tensor_receive_callback(pull, told.put)
    numbers = array.array("f", range(MEBIBYTE // 4))
    tensor = memoryview(numbers).cast("B").cast("f", [512, 512])
    for _ in range(3):
        assert mq.send_tensor(push, tensor)
        came = told.get(timeout=30)
        assert (came["shape"], came["dtype"]) == ((512, 512), "float32")
        assert content(came["tensor"]) == numbers.tobytes()


def content(tensor: ferromq.Tensor) -> bytes:
    return bytes(tensor.payload.buffer)[tensor.header.offset :]


def a_tensor_goes_by_reference() -> None:
    with ferromq.Context() as context:
        pull, push = context.socket(ferromq.PULL), context.socket(ferromq.PUSH)
        push.connect(pull.bind(f"rdma://{FAR}:*"))
        push.wait_for_peers(timeout=30)
        numbers = array.array("d", range(MEBIBYTE // 8))
        push.send_tensor(numbers)
        assert content(pull.recv_tensor()) == numbers.tobytes()
        assert push.statistics().traffic.references_sent == 1
        assert pull.statistics().traffic.references_received == 1


def main() -> None:
    with ZmqInterface() as mq:
        mq.initialize(ZmqConfig(receive_timeout=30, send_timeout=30))
        for test in (a_request_is_answered, tensors_arrive_with_type_and_shape):
            test(mq)
            print(f"{test.__name__} ... ok", flush=True)
    a_tensor_goes_by_reference()
    print("a_tensor_goes_by_reference ... ok", flush=True)


if __name__ == "__main__":
    main()
