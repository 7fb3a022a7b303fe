"""Connections into a pod's network."""

import asyncio
import contextlib
import socket
import threading

import pytest

from steersman.containers.oci import pod_network


async def test_a_connection_that_nobody_waits_for_any_more_is_closed(monkeypatch: pytest.MonkeyPatch):
    """Its thread comes too late: an open socket would keep the pod's namespace for as long as the kubelet lives."""
    connected, called_off = threading.Event(), threading.Event()

    def connect_slowly(path: str, family: int, address: str, port: int) -> socket.socket:
        made = socket.create_connection((address, port))
        connected.set()
        called_off.wait(10)
        return made

    monkeypatch.setattr(pod_network, "_connected", connect_slowly)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connecting = asyncio.create_task(pod_network.connect("", listening.getsockname()[1]))
        await asyncio.to_thread(connected.wait, 10)
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
        called_off.set()
        peer, _ = listening.accept()
        with peer:
            peer.settimeout(10)
            assert await asyncio.to_thread(peer.recv, 1) == b""
