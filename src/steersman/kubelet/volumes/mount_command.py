"""mount(8), for file systems that need a helper of their own: its words are what the user is told."""

import asyncio
from collections.abc import Sequence

from steersman.kubelet.volumes.volume import MountError

SECONDS_MAX = (
    120  # a server that does not answer: timeout(1) ends the wait (exit status 124), and the pod is tried again
)


async def mount(kind: str, source: str, target: str, options: Sequence[str] = ()) -> None:
    """Raises MountError in upstream's form."""
    arguments = ["-t", kind, *(("-o", ",".join(options)) if options else ()), source, target]
    try:
        process = await asyncio.create_subprocess_exec(
            "timeout",
            str(SECONDS_MAX),
            "mount",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as missing:
        raise MountError(f"mount failed: {missing}") from missing
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise MountError(
            f"mount failed: exit status {process.returncode}\nMounting command: mount\n"
            f"Mounting arguments: {' '.join(arguments)}\nOutput: {output.decode('utf-8', 'replace')}"
        )
