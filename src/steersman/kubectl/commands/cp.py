"""`kubectl cp`: files and folders into containers and out of them, by the container's own tar."""

import asyncio
import posixpath
import queue
import shlex
import tarfile
from pathlib import Path
from typing import IO, cast

from steersman.kubectl import archives, flags, pods, remote, targets
from steersman.kubectl.archives import FileSpec
from steersman.kubectl.call import Call
from steersman.kubectl.commands import exec as exec_verb
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, Exit
from steersman.meta.objects import Object

FLAGS = (
    targets.CONTAINER,
    Flag("no-preserve", flags.BOOL, help="Owners and modes of what is copied into the container are not kept."),
    Flag("retries", flags.INT, help="How often a copy out of a container is taken up again; negative is for ever."),
)
USAGE = "<file-spec-src> <file-spec-dest>"
HELP = """Copy files and folders to and from containers.

The container needs a 'tar'. Links and wildcards, or a container without tar: see the examples of 'exec'.
"""
EXAMPLES = """
# A local folder into a pod
{program} cp /tmp/site web-0:/srv/site

# Into a certain container, in another namespace
{program} cp /tmp/site demo/web-0:/srv/site -c main

# Out of a pod
{program} cp web-0:/var/log/app.log ./app.log

# With links, by tar itself
tar cf - site | {program} exec -i web-0 -- tar xf - -C /srv
"""
# Pieces of an archive that wait to be unpacked.
PIECES_WAITING_MAX = 64


async def run(call: Call) -> int | None:
    if len(call.arguments) != 2:
        raise CommandError("source and destination are required")
    source, destination = map(archives.parse_spec, call.arguments)
    if source.pod and destination.pod:
        raise CommandError("one of src or dest must be a local file specification")
    if not source.path or not destination.path:
        raise CommandError("filepath can not be empty")
    if source.pod:
        await _out(call, source, destination.path)
    elif destination.pod:
        await _in(call, source.path, destination)
    else:
        raise CommandError("one of src or dest must be a remote file specification")
    return None


async def _place(call: Call, spec: FileSpec, command: list[str], *, quiet: bool = False) -> remote.Place:
    """Raises StatusError, CommandError."""
    namespace = spec.namespace or call.namespace
    pod: Object = await call.ask("GET", f"/api/v1/namespaces/{namespace}/pods/{spec.pod}")
    phase = (pod.get("status") or {}).get("phase", "")
    if phase in exec_verb.COMPLETED:
        raise CommandError(f"cannot exec into a container in a completed pod; current phase is {phase}")
    container = call.flags["container"]
    if not container:
        found, notice = pods.default_container(pod)
        container = found["name"]
        if not quiet:
            call.write_error(notice)
    return remote.Place(pod, container, "exec", command)


# --- into a container ----------------------------------------------------------------------------------------------------


async def _in(call: Call, source: str, destination: FileSpec) -> None:
    if not Path(source).exists():
        raise CommandError(f"{source} doesn't exist in local filesystem")
    path = destination.path
    if await _is_folder(call, destination):
        path = posixpath.join(path, posixpath.basename(archives.clean(source)))
    path = posixpath.normpath(path)
    folder, name = posixpath.split(path)
    command = ["tar", "--no-same-permissions", "--no-same-owner"] if call.flags["no-preserve"] else ["tar"]
    place = await _place(call, destination, [*command, "-xmf", "-", "-C", folder or "."])
    pieces = archives.pack(source, name)
    failed: list[archives.CopyError] = []

    async def read() -> bytes:
        try:
            return next(pieces, b"")
        except archives.CopyError as broken:
            failed.append(broken)
            return b""

    code = await remote.run_with(call, place, read, call.write)
    if failed:
        raise failed[0]
    if code:
        raise Exit(remote.told(call.streams, code))


async def _is_folder(call: Call, spec: FileSpec) -> bool:
    place = await _place(call, spec, ["test", "-d", spec.path], quiet=True)

    def nothing(data: bytes) -> None:
        pass

    try:
        return await remote.run_with(call, place, None, nothing, nothing) == 0
    except CommandError:  # no `test` in the container
        return False


# --- out of a container --------------------------------------------------------------------------------------------------


async def _out(call: Call, source: FileSpec, destination: str) -> None:
    pipe = _Pipe()
    how = f'{call.program} exec -n "{source.namespace}" "{source.pod}" -- tar cf - "{source.path}" | tar xf -'
    to = archives.Unpacking(archives.remote_prefix(source.path), destination, how, call.write_error)
    unpacking = asyncio.create_task(asyncio.to_thread(_unpack, pipe, to))
    try:
        await _fetch(call, source, pipe)
    finally:
        pipe.end()
        await asyncio.wait([unpacking])
    unpacking.result()


def _unpack(pipe: "_Pipe", to: archives.Unpacking) -> None:
    try:
        archives.unpack(cast("IO[bytes]", pipe), to)
    finally:
        pipe.read()  # whatever becomes of it, nobody waits for room


async def _fetch(call: Call, source: FileSpec, pipe: "_Pipe") -> None:
    """As often as --retries says, each time from where the last one broke off."""
    retries = call.flags["retries"]
    attempt = 0
    while True:
        command = ["tar", "cf", "-", source.path]
        if retries:
            command = ["sh", "-c", f"tar cf - {shlex.quote(source.path)} | tail -c+{pipe.count + 1 if attempt else 0}"]
        place = await _place(call, source, command, quiet=attempt > 0)
        failed: CommandError | None = None
        try:
            code = await remote.run_with(call, place, None, pipe.write, call.write)  # its complaints, too, are output
            if code:
                raise Exit(remote.told(call.streams, code))
        except CommandError as broken:
            failed = broken
        if failed is None and pipe.is_whole:
            return
        if 0 <= retries <= attempt:
            if failed is not None:
                raise failed
            call.write(f"Dropping out copy after {attempt} retries\n")
            return
        attempt += 1
        call.write(f"Resuming copy at {pipe.count} bytes, retry {attempt}/{retries}\n")


class _Pipe:
    """What comes from the container, as a file for the thread that unpacks it."""

    def __init__(self) -> None:
        self.count = 0
        self._pieces: queue.Queue[bytes] = queue.Queue(PIECES_WAITING_MAX)
        self._last = b""
        self._rest = b""
        self._ended = False

    @property
    def is_whole(self) -> bool:
        """The end of an archive has come: two blocks of nothing."""
        return self.count > 0 and self.count % tarfile.BLOCKSIZE == 0 and self._last == bytes(2 * tarfile.BLOCKSIZE)

    def write(self, data: bytes) -> None:
        self.count += len(data)
        self._last = (self._last + data)[-2 * tarfile.BLOCKSIZE :]
        self._pieces.put(data)

    def end(self) -> None:
        self._pieces.put(b"")

    def read(self, size: int = -1) -> bytes:
        """As many as are asked for, fewer only at the end; without a size nothing, once the end has come."""
        if size < 0:
            while not self._ended:
                self._ended = not self._pieces.get()
            return b""
        found = bytearray(self._rest)
        while not self._ended and len(found) < size:
            piece = self._pieces.get()
            self._ended = not piece
            found += piece
        self._rest = bytes(found[size:])
        return bytes(found[:size])
