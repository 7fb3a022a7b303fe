"""`kubectl diff`: what applying files would change, shown by the program `diff` or another of one's choice."""

import asyncio
import os
import pathlib
import re
import shutil
import tempfile

from steersman.kubectl import builder, flags_shared, go_yaml, problems, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.apply import manifests, patching, pruning, server_side
from steersman.kubectl.flags import BOOL, INT, STRINGS, Flag
from steersman.kubectl.merging import last_applied
from steersman.kubectl.printers import plain
from steersman.kubectl.problems import CommandError, StatusError, UsageError
from steersman.meta.objects import Object

# How often an object that changes under us is looked at again before it is taken as it is.
LOOKS_MAX = 4
_ARGUMENT = re.compile(r"^[a-zA-Z0-9-=]+$")
_MASK, _BEFORE, _AFTER = "***", "*** (before)", "*** (after)"

FLAGS = (
    Flag("concurrency", INT, 1, help="How many objects to look at at one time."),
    flags_shared.field_manager(manifests.CLIENT_SIDE),
    *flags_shared.filenames("contains the configuration to diff"),
    Flag("force-conflicts", BOOL, help="With --server-side: change also what others own."),
    Flag("prune", BOOL, help="Show what would be pruned, too."),
    Flag("prune-allowlist", STRINGS, help="The only kinds to prune, as <group/version/kind>; may be given again."),
    flags_shared.SELECTOR,
    Flag("server-side", BOOL, help="Let the server apply."),
    flags_shared.SHOW_MANAGED_FIELDS,
)
USAGE = "-f FILENAME"
HELP = """Diff configurations specified by file name or stdin between what there is and what would be applied.

KUBECTL_EXTERNAL_DIFF names another program than `diff -u -N`, perhaps with flags. The exit code is 0 without differences, 1 with
some, and greater than 1 where something failed.
"""
EXAMPLES = """
{program} diff -f pod.json

cat service.yaml | {program} diff -f -
"""


async def run(call: Call) -> int | None:
    try:
        return await _run(call)
    except problems.TOLD as error:
        if isinstance(error, problems.Exit):
            raise
        return call.tell(error) + 1  # 1 says that there are differences


async def _run(call: Call) -> int:
    flags = call.flags
    if call.arguments:
        raise UsageError(f"Unexpected args: [{' '.join(call.arguments)}]")
    if not flags["filename"] and not flags["kustomize"]:
        raise CommandError("must specify one of -f and -k")
    if flags["force-conflicts"] and not flags["server-side"]:
        raise CommandError("--force-conflicts only works with --server-side")
    kinds = await pruning.allowed(call, flags["prune-allowlist"]) if flags["prune"] else []
    where = call.environment.get("TMPDIR")
    live, merged = (pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=where)) for name in ("LIVE", "MERGED"))
    try:
        visited: set[str] = set()
        namespaces: set[str] = set()

        async def one(info: Info) -> None:
            old, new = await _versions(call, info)
            if old is not None:
                visited.add(old["metadata"].get("uid", ""))
                patching.warn_if_deleting(call, old)
            if info.resource.namespaced:
                namespaces.add(info.namespace)
            _write(call, live, merged, info, old, new)

        await (await builder.find(call, builder.from_flags(call, arguments=()))).visit(one)
        for resource in kinds:
            for namespace in sorted(namespaces) if resource.namespaced else ("",):
                for obj in await pruning.candidates(call, resource, namespace, visited):
                    _file(live, builder.info_of(resource, obj)).write_text(_text(call, obj))
        return await _show(call, str(live), str(merged))
    finally:
        shutil.rmtree(live, ignore_errors=True)
        shutil.rmtree(merged, ignore_errors=True)


async def _versions(call: Call, info: Info) -> tuple[Object | None, Object]:
    """(what there is, what it would be). Raises StatusError, CommandError."""
    for look in range(LOOKS_MAX):
        old = await _live(call, info)
        try:
            return old, await _merged(call, info, old, locked=look < LOOKS_MAX - 1)
        except StatusError as refused:
            if refused.reason != "Conflict" or look == LOOKS_MAX - 1:
                raise
    raise AssertionError("the last look returns or raises")


async def _live(call: Call, info: Info) -> Object | None:
    try:
        found: Object = await call.ask("GET", info.path)
    except StatusError as refused:
        if refused.reason != "NotFound":
            raise
        return None
    return found


async def _merged(call: Call, info: Info, old: Object | None, *, locked: bool) -> Object:
    flags = call.flags
    manager = flags["field-manager"]
    if flags["server-side"]:
        if not flags.changed("field-manager"):
            manager = server_side.MANAGER
        query = writes.parameters(writes.SERVER, manager=manager)
        query |= {"force": "true" if flags["force-conflicts"] else "false"}
        body = (last_applied.encoded(info.object) + "\n").encode()
        return await writes.patch(call, info, writes.APPLY, body, query)
    query = writes.parameters(writes.SERVER, manager=manager)
    if old is None:
        return await writes.create(call, info, info.object, query)
    media_type, patch = await patching.compute(call, info, last_applied.without(info.object), old)
    if not patch:
        return old
    if locked:
        version = old["metadata"].get("resourceVersion", "")
        patch = {**patch, "metadata": {**(patch.get("metadata") or {}), "resourceVersion": version}}
    return await writes.patch(call, info, media_type, patch, query)


def _write(call: Call, live: pathlib.Path, merged: pathlib.Path, info: Info, old: Object | None, new: Object) -> None:
    if new.get("kind") == "Secret" and new.get("apiVersion") == "v1":
        old, new = masked(old, new)
    if old is not None:
        _file(live, info).write_text(_text(call, old))
    _file(merged, info).write_text(_text(call, new))


def masked(old: Object | None, new: Object) -> tuple[Object | None, Object]:
    """Secrets with their values hidden, but not whether they differ. Pure."""
    before, after = (old or {}).get("data") or {}, new.get("data") or {}
    shown_old, shown_new = dict.fromkeys(before, _MASK), dict.fromkeys(after, _MASK)
    for key in before:
        if key in after and before[key] != after[key]:
            shown_old[key], shown_new[key] = _BEFORE, _AFTER
    return (
        {**old, "data": shown_old} if old is not None and before else old,
        {**new, "data": shown_new} if after else new,
    )


def _file(folder: pathlib.Path, info: Info) -> pathlib.Path:
    resource = info.resource
    parts = (resource.group, resource.version, resource.kind, info.namespace, info.name)
    return folder / ".".join(parts if resource.group else parts[1:])


def _text(call: Call, obj: Object) -> str:
    return go_yaml.dump(obj if call.flags["show-managed-fields"] else plain.without_managed_fields(obj))


async def _show(call: Call, live: str, merged: str) -> int:
    """Run the program; its exit code says whether there are differences. Raises CommandError."""
    program, *arguments = command(call.environment.get("KUBECTL_EXTERNAL_DIFF", ""))
    path = shutil.which(program, path=call.environment.get("PATH", os.defpath))
    if path is None:
        raise CommandError(f'failed to run "{program}": executable file not found in $PATH')
    process = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        live,
        merged,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(call.environment),
    )
    out, err = await process.communicate()
    call.write(out)
    call.write_error(err)
    code = process.returncode or 0
    if code > 1:
        raise CommandError(f'failed to run "{program}": exit status {code}')
    return code


def command(wanted: str) -> list[str]:
    """The program and its flags; what is no flag in the variable is left out. Pure."""
    if not wanted:
        return ["diff", "-u", "-N"]
    program, *arguments = wanted.split(" ")
    return [program, *(argument for argument in arguments if _ARGUMENT.match(argument))]
