"""`apply edit-last-applied`: the annotation in one's editor."""

import json
from collections.abc import Sequence

from steersman.kubectl import builder, editing, flags_shared, printers, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.apply.manifests import CLIENT_SIDE
from steersman.kubectl.editing import Results
from steersman.kubectl.merging import json_merge, last_applied
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.field_manager(CLIENT_SIDE),
    *flags_shared.filenames("to use to edit the resource"),
    flags_shared.VALIDATE,
    writes.WINDOWS_LINE_ENDINGS,
    *flags_shared.PRINT,
)
USAGE = "(RESOURCE/NAME | -f FILENAME)"
HELP = "Edit the latest last-applied-configuration annotations of resources from the default editor."
EXAMPLES = """
{program} apply edit-last-applied deployment/nginx
"""


async def run(call: Call) -> None:
    fields = writes.validation(call.flags)
    found = await builder.find(call, builder.from_flags(call, latest=True, keep_going=True))
    kept: list[Info] = []
    for info in await found.infos():
        text = last_applied.of(info.object)
        if text is not None:
            kept.append(Info(info.resource, info.namespace, info.name, json.loads(text)))
    if not kept:
        raise CommandError(
            "no last-applied-configuration annotation found on resources, to create the annotation, use command "
            f"`{call.program} apply set-last-applied --create-annotation`"
        )

    async def use(before: list[Info], edited: list[Object], results: Results) -> None:
        for obj in edited:
            await _one(call, before, obj, fields)

    await editing.Session(call, use, editing.LAST_APPLIED_HEADER).run(kept)


async def _one(call: Call, before: Sequence[Info], obj: Object, fields: str) -> None:
    """Raises CommandError, StatusError."""
    uid = (obj.get("metadata") or {}).get("uid")
    info = next((one for one in before if (one.object.get("metadata") or {}).get("uid") == uid), None)
    if info is None:
        raise CommandError(f"no original object found for {json.dumps(obj)}")
    if json_merge.same(obj, info.object):
        call.write(printers.make(call.flags, operation="skipped").print(obj))
        return
    body = {"metadata": {"annotations": {last_applied.ANNOTATION: last_applied.encoded(obj) + "\n"}}}
    query = writes.parameters(writes.NONE, manager=call.flags["field-manager"], fields=fields)
    await writes.patch(call, info, writes.MERGE, body, query)
    call.write(printers.make(call.flags, operation="edited").print(obj))
