"""`kubectl patch`: fields of an object changed by a strategic merge patch, a merge patch or a JSON patch."""

import json
import pathlib
from typing import Any

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import BOOL, Flag, Values
from steersman.kubectl.merging import locally
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

UNSUPPORTED_MEDIA_TYPE = 415
_TYPES = {"json": writes.JSON, "merge": writes.MERGE, "strategic": writes.STRATEGIC}

FLAGS = (
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-patch"),
    *flags_shared.filenames("identifying the resource to update"),
    Flag("local", BOOL, help="Patch what the file says, not what the server has."),
    Flag("patch", short="p", help="The patch, JSON or YAML."),
    Flag("patch-file", help="The file that holds the patch."),
    record.FLAG,
    flags_shared.SUBRESOURCE,
    Flag("type", default="strategic", help="What the patch is; one of [json merge strategic]."),
    *flags_shared.PRINT,
)
USAGE = "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]"
HELP = "Update fields of a resource by a strategic merge patch, a JSON merge patch, or a JSON patch."
EXAMPLES = """
# A node by a strategic merge patch
{program} patch node k8s-node-1 -p '{"spec":{"unschedulable":true}}'

# The first container's image by a JSON patch
{program} patch pod valid-pod --type=json -p '[{"op": "replace", "path": "/spec/containers/0/image", "value": "new image"}]'
"""


async def run(call: Call) -> None:
    flags = call.flags
    how = writes.dry_run(call)
    media_type = check(call, how)
    body = parse(flags)
    query = writes.parameters(how, manager=flags["field-manager"])
    found = await builder.find(call, builder.from_flags(call, keep_going=True, local=flags["local"]))
    count = 0

    async def patch(info: Info) -> None:
        nonlocal count
        count += 1
        if flags["local"] or how == writes.CLIENT:
            obj = locally.patched(info.object, flags["type"].lower(), decoded(body))
        else:
            obj = await _patched(call, info, media_type, encoded(body), query)
            cause = record.patch(call)
            if cause is not None:
                obj = await writes.patch(call, info, writes.MERGE, cause, query)
        done = writes.operation(operation(info.object, obj), how)
        call.write(printers.make(flags, operation=done).print(obj))

    await found.visit(patch)
    if not count:
        raise CommandError("no objects passed to patch")


async def _patched(call: Call, info: Info, media_type: str, body: bytes, query: dict[str, str]) -> Object:
    """Raises StatusError, CommandError for kinds that take no such patches."""
    try:
        return await writes.patch(call, info, media_type, body, query, call.flags["subresource"])
    except StatusError as refused:
        if refused.code != UNSUPPORTED_MEDIA_TYPE:
            raise
        kind = f"{info.resource.group}/{info.resource.version}, Kind={info.resource.kind}"
        raise CommandError(f"{media_type} is not supported by {kind}: {refused}") from refused


def check(call: Call, how: str) -> str:
    """The media type of the patch. Raises CommandError."""
    flags = call.flags
    if flags["patch"] and flags["patch-file"]:
        raise CommandError("cannot specify --patch and --patch-file together")
    if not flags["patch"] and not flags["patch-file"]:
        raise CommandError("must specify --patch or --patch-file containing the contents of the patch")
    if flags["local"] and call.arguments:
        raise CommandError("cannot specify --local and server resources")
    if flags["local"] and how == writes.SERVER:
        raise CommandError("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
    if flags["type"] and flags["type"].lower() not in _TYPES:
        raise CommandError(f'--type must be one of [json merge strategic], not "{flags["type"]}"')
    return _TYPES[flags["type"].lower() or "strategic"]


def parse(flags: Values) -> Any:
    """The patch that is given, or in the file. Raises CommandError."""
    from steersman.kubectl import go_yaml

    text: str | bytes = flags["patch"]
    if flags["patch-file"]:
        try:
            text = pathlib.Path(flags["patch-file"]).read_bytes()
        except OSError as wrong:
            why = (wrong.strerror or str(wrong)).lower()
            raise CommandError(f"unable to read patch file: open {flags['patch-file']}: {why}") from wrong
    if text.lstrip()[:1] in ("{", b"{"):  # passed on as it is: the server says what is wrong with it
        return text.encode() if isinstance(text, str) else text
    try:
        return next(go_yaml.read_all(text), None)
    except go_yaml.BadYaml as wrong:
        raise CommandError(f"unable to parse {json.dumps(flags['patch'])}: {wrong}") from wrong


def decoded(body: Any) -> Any:
    """Raises CommandError."""
    try:
        return json.loads(body) if isinstance(body, bytes) else body
    except ValueError as wrong:
        raise CommandError(f"invalid JSON document: {wrong}") from wrong


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def operation(before: Object, after: Object) -> str:
    return "patched" if before != after else "patched (no change)"
