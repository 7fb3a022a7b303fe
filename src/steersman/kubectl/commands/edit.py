"""`kubectl edit`: objects of the server in one's editor; what was changed is sent as a patch."""

import json
from collections.abc import Sequence

from steersman.kubectl import builder, editing, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.apply import patching
from steersman.kubectl.editing import Results
from steersman.kubectl.flags import BOOL, Flag
from steersman.kubectl.merging import json_merge, last_applied, strategic
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.field_manager("kubectl-edit"),
    *flags_shared.filenames("to use to edit the resource"),
    Flag("output-patch", BOOL, help="Print the patch where something was edited."),
    record.FLAG,
    writes.SAVE_CONFIG,
    flags_shared.SUBRESOURCE,
    flags_shared.VALIDATE,
    writes.WINDOWS_LINE_ENDINGS,
    *flags_shared.PRINT,
)
USAGE = "(RESOURCE/NAME | -f FILENAME)"
HELP = """Edit a resource from the default editor: the one that KUBE_EDITOR or EDITOR names, else vi.

What the server finds not valid is opened again, with what is wrong in comments.
"""
EXAMPLES = """
# A service
{program} edit svc/docker-registry

# With another editor
KUBE_EDITOR="nano" {program} edit svc/docker-registry
"""


async def run(call: Call) -> None:
    fields = writes.validation(call.flags)
    if not call.arguments and not call.flags["filename"] and not call.flags["kustomize"]:
        raise CommandError(builder.MISSING)
    found = await builder.find(call, builder.from_flags(call, latest=True, keep_going=True))
    infos = await found.infos()
    if not infos:
        raise CommandError("edit cancelled, no objects found")

    async def use(before: list[Info], edited: list[Object], results: Results) -> None:
        for obj in edited:
            await _one(call, before, obj, results, fields)

    await editing.Session(call, use).run(infos)


async def _one(call: Call, before: Sequence[Info], obj: Object, results: Results, fields: str) -> None:
    """Raises CommandError."""
    uid = (obj.get("metadata") or {}).get("uid")
    info = next((one for one in before if one.object["metadata"].get("uid") == uid), None)
    if info is None:
        raise CommandError(f"no original object found for {json.dumps(obj)}")
    namespace = (obj.get("metadata") or {}).get("namespace", "")
    if info.resource.namespaced and namespace != info.namespace:
        raise CommandError(
            f'the namespace from the provided object "{namespace}" does not match the namespace "{info.namespace}". You must '
            f"pass '--namespace={namespace}' to perform this operation."
        )
    obj = record.recorded(call, obj)
    fields_of_managers = info.object["metadata"].get("managedFields")
    if fields_of_managers is not None:
        obj = {**obj, "metadata": {**obj["metadata"], "managedFields": fields_of_managers}}
    if call.flags["save-config"]:
        obj = last_applied.annotated(obj)
    if json_merge.same(obj, info.object):
        call.write(printers.make(call.flags, operation="skipped").print(obj))
        return
    media_type, patch = await difference(call, info, obj)
    if call.flags["output-patch"]:
        call.print(f"Patch: {last_applied.encoded(patch)}")
    query = writes.parameters(writes.NONE, manager=call.flags["field-manager"], fields=fields)
    body = last_applied.encoded(patch).encode()
    try:
        new = await writes.patch(call, info, media_type, body, query, call.flags.get("subresource", ""))
    except StatusError as refused:
        call.write_error(results.refused(info, refused))
        return
    info.refresh(new)
    call.write(printers.make(call.flags, operation="edited").print(new))


async def difference(call: Call, info: Info, edited: Object) -> tuple[str, Object]:
    """(media type, patch) of what was edited. Raises CommandError where it would be another object."""
    types = await patching.types_of(call, info)
    if types is None:
        media_type, patch = writes.MERGE, json_merge.two_way(info.object, edited)
    else:
        media_type, patch = writes.STRATEGIC, strategic.two_way(types, info.object, edited)
    if "apiVersion" in patch or "kind" in patch or "name" in (patch.get("metadata") or {}):
        raise CommandError("At least one of apiVersion, kind and name was changed")
    return media_type, patch


async def create(call: Call, how: str, fields: str) -> None:
    """`create --edit`: each object is edited before it is created."""
    query = writes.parameters(how, manager=call.flags["field-manager"], fields=fields)
    found = await builder.find(call, builder.from_flags(call, arguments=(), keep_going=True))

    async def one(info: Info) -> None:
        async def use(before: list[Info], edited: list[Object], results: Results) -> None:
            for obj in edited:
                if call.flags["save-config"]:
                    obj = last_applied.annotated(obj)
                new = builder.info_of(info.resource, obj)
                new.namespace = new.namespace or info.namespace
                made = await writes.create(call, new, obj, query)
                call.write(printers.make(call.flags, operation=writes.operation("created", how)).print(made))

        await editing.Session(call, use).run([info])

    await found.visit(one)
