"""`apply set-last-applied`: the annotation is made what a file says, and nothing else is changed."""

import json

from steersman.kubectl import builder, flags_shared, printers, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import BOOL, LIST, Flag
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, StatusError

FLAGS = (
    Flag("create-annotation", BOOL, help="Make the annotation where there is none."),
    flags_shared.DRY_RUN,
    Flag(
        "filename",
        LIST,
        short="f",
        help="File, folder or URL that contains the last-applied-configuration annotations.",
    ),
    *flags_shared.PRINT,
)
USAGE = "-f FILENAME"
HELP = "Set the latest last-applied-configuration annotations to what a file contains, as if it had been applied."
EXAMPLES = """
{program} apply set-last-applied -f deploy.yaml
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    found = await builder.find(call, builder.from_flags(call, arguments=()))

    async def put(info: Info) -> None:
        text = last_applied.encoded(info.object) + "\n"
        name, source = info.name, info.source
        try:
            live = await call.ask("GET", info.path)
        except StatusError as refused:
            raise writes.with_source(
                f"retrieving current configuration of:\n{info}\nfrom server for:", source, refused
            ) from refused
        if last_applied.of(live) is None and not call.flags["create-annotation"]:
            raise CommandError(
                f"no last-applied-configuration annotation found on resource: {name}, to create the annotation, run the "
                "command with --create-annotation"
            )
        changes = last_applied.of(live) != text
        if how != writes.CLIENT and changes:
            body = {"metadata": {"annotations": {last_applied.ANNOTATION: text}}}
            live = await writes.patch(call, info, writes.MERGE, json.dumps(body).encode(), writes.parameters(how))
        call.write(printers.make(call.flags, operation=writes.operation("configured", how)).print(live))

    await found.visit(put)
