"""Bandwidth annotations: read, refused, and felt."""

import pathlib
import socket
import threading
import time

import pytest

from steersman.network import bandwidth, namespaces
from tests.network import lab

LIMITS = [
    pytest.param("1M", bandwidth.Limit(125_000, 65_536, 68_661), id="a megabit"),
    pytest.param("10G", bandwidth.Limit(1_250_000_000, 25_000_000, 56_250_000), id="ten gigabits"),
    pytest.param("", None, id="none"),
]


@pytest.mark.parametrize(("text", "expected"), LIMITS)
def test_limits(text, expected):
    assert bandwidth.limits({bandwidth.EGRESS: text} if text else {}) == (None, expected)


@pytest.mark.parametrize(
    ("text", "words"), [("1", "unreasonably small"), ("2P", "unreasonably large"), ("fast", "ingress-bandwidth")]
)
def test_what_cannot_be_meant(text, words):
    with pytest.raises(bandwidth.Unreasonable, match=words):
        bandwidth.limits({bandwidth.INGRESS: text})


def megabits_per_second(source: lab.Pod, target: lab.Pod, size: int) -> float:
    with namespaces.open_socket(target.namespace, socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("0.0.0.0", 5001))
        listener.listen()

        def send() -> None:
            with namespaces.open_socket(source.namespace, socket.AF_INET, socket.SOCK_STREAM) as channel:
                channel.connect((target.address, 5001))
                channel.sendall(bytes(size))

        sender = threading.Thread(target=send)
        sender.start()
        connection, _ = listener.accept()
        with connection:
            began, received = time.monotonic(), 0
            while data := connection.recv(1 << 16):
                received += len(data)
        sender.join()
        return received * 8 / (time.monotonic() - began) / 1e6


@pytest.mark.root
@pytest.mark.slow
async def test_a_pod_is_as_fast_as_it_may_be(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        free = await here.add_pod(one, "free")
        slow = await here.add_pod(one, "slow", ingress_bandwidth="8M", egress_bandwidth="16M")
        size = 400_000  # the first 64 kB are the burst
        assert megabits_per_second(free, slow, size) < 12
        assert megabits_per_second(slow, free, size) < 24
