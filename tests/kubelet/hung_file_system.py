"""A FUSE file system whose server takes every request and answers none: who looks at it waits in the kernel, deaf to signals."""

import contextlib
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from steersman.containers import syscalls

MNT_FORCE = 1
INIT = 26  # the first request of all, which is answered
REQUEST_MOST = 1 << 17


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Until the end, when everybody who waits gets an error."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        pytest.skip("needs FUSE")
    folder.mkdir()
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    syscalls.mount("hung", str(folder), "fuse", 0, options)
    server = threading.Thread(target=_serve, args=(device,))
    server.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # busy, but the kernel gives up all requests, and the server
            syscalls.unmount(str(folder), MNT_FORCE)
        syscalls.unmount(str(folder))
        server.join()
        os.close(device)


def _serve(device: int) -> None:
    while True:
        try:
            request = os.read(device, REQUEST_MOST)
        except OSError:  # it is mounted no more
            return
        _, what, number = struct.unpack_from("=IIQ", request)
        if what == INIT:
            answer = struct.pack("=IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 10, 10, 1 << 16, 1, 32, 0, 0)
            os.write(device, struct.pack("=IiQ", 16 + len(answer), 0, number) + answer)
