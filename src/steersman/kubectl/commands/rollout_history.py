"""`kubectl rollout history`: the revisions that there were, or one of them."""

from steersman.kubectl import builder, flags, flags_shared, printers, rollout_revisions, rollouts
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS = (
    *flags_shared.filenames("to look at"),
    Flag("revision", flags.INT, help="Show this revision's pod template."),
    flags_shared.SELECTOR,
    *flags_shared.PRINT,
)
USAGE = "(TYPE NAME | TYPE/NAME) [flags]"
HELP = """Show the revisions of a rollout, and why each was made, where that was written down.
"""
EXAMPLES = """
# All revisions of a Deployment
{program} rollout history deployment/web

# What a DaemonSet's third looked like
{program} rollout history daemonset/logs --revision=3
"""


async def run(call: Call) -> None:
    query = rollouts.query(call)
    if call.flags["revision"] < 0:
        raise CommandError(f"revision must be a positive integer: {call.flags['revision']}")
    await (await builder.find(call, query)).visit(lambda info: _show(call, info))


async def _show(call: Call, info: Info) -> None:
    rollouts.check_has_revisions(info, "history viewer", "history")
    number = call.flags["revision"]
    revisions = await rollouts.revisions(call, info.object)
    if call.flags["output"]:
        printer = printers.make(call.flags)
        by_number = {revision.number: revision for revision in revisions}
        chosen = (
            [rollout_revisions.numbered(revisions, number)] if number else [by_number[n] for n in sorted(by_number)]
        )
        for revision in chosen:
            call.write(printer.print(rollout_revisions.as_object(info.object, revision)))
        return
    if number:
        text = rollouts.template_text(call, rollout_revisions.numbered(revisions, number).template)
        operation = f"with revision #{number}\n{text}"
    else:
        operation = f"\n{rollout_revisions.table(revisions)}"
    call.write(printers.make(call.flags, operation=operation).print(info.object))
