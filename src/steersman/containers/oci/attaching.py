"""Attach: the container's own streams, copied by the shim to pipes of ours."""

import os
from collections.abc import Awaitable, Callable

from steersman.containers.oci import sessions, shim_client, statuses
from steersman.containers.runtime import RuntimeFailure


async def attach(
    client: shim_client.ShimClient,
    record: statuses.ContainerRecord,
    folder: str,
    wait_exit: Callable[[], Awaitable[int]],
    *,
    stdin: bool,
) -> sessions.Session:
    """`folder` holds the container's FIFOs. Raises RuntimeFailure (AttachError)."""
    (out_r, out_w), (err_r, err_w) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    try:
        _, passed = await client.ask_for_descriptors("attach", (out_w, err_w), container=record.id)
    except BaseException as failed:
        os.close(out_r)
        os.close(err_r)
        if isinstance(failed, shim_client.Refused | shim_client.ShimGone):
            raise RuntimeFailure("AttachError", str(failed)) from failed
        raise
    finally:
        os.close(out_w)
        os.close(err_w)
    terminal = passed[0] if passed else -1

    async def release() -> None:
        """Nothing: an attached container goes on."""

    async def end_stdin() -> None:
        if record.stdin_once:
            await client.ask("close_stdin", container=record.id)

    return sessions.Session(
        {sessions.STDOUT: out_r, sessions.STDERR: err_r},
        _open_stdin(record, folder, terminal) if stdin and record.stdin else -1,
        terminal=terminal,
        wait_exit=wait_exit,
        release=release,
        end_stdin=end_stdin,
    )


def _open_stdin(record: statuses.ContainerRecord, folder: str, terminal: int) -> int:
    if record.tty:
        return terminal
    return os.open(os.path.join(folder, "stdin"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
