"""`kubectl rollout undo`: an earlier revision becomes the newest."""

from steersman.kubectl import builder, flags, flags_shared, printers, rollout_revisions, rollouts, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import StatusError
from steersman.kubectl.rollout_progress import RolloutError

FLAGS = (
    flags_shared.DRY_RUN,
    *flags_shared.filenames("to roll back"),
    flags_shared.SELECTOR,
    Flag("to-revision", flags.INT, help="The revision to go back to; 0 is the one before the newest."),
    *flags_shared.PRINT,
)
USAGE = "(TYPE NAME | TYPE/NAME) [flags]"
HELP = """Roll back to an earlier revision.
"""
EXAMPLES = """
# The one before
{program} rollout undo deployment/web

# A certain one
{program} rollout undo daemonset/logs --to-revision=3

# Would the server take it?
{program} rollout undo --dry-run=server deployment/web
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    query = rollouts.query(call)

    async def undo(info: Info) -> None:
        operation = writes.operation(await _undo(call, info, how), how)
        call.write(printers.make(call.flags, operation=operation).print(info.object))

    await (await builder.find(call, query)).visit(undo)


async def _undo(call: Call, info: Info, how: str) -> str:
    """What has happened, in words. Raises RolloutError, StatusError."""
    rollouts.check_has_revisions(info, "rollbacker", "rollbacker")
    obj, number = info.object, call.flags["to-revision"]
    is_deployment = info.resource.kind == "Deployment"
    revisions = await rollouts.revisions(call, obj)
    revision = rollout_revisions.pick(info.resource.kind, info.name, revisions, number)
    if how == writes.CLIENT:
        if is_deployment:
            return rollouts.template_text(call, revision.source["spec"]["template"])
        return f"will roll back to {rollouts.template_text(call, revision.template)}"
    if is_deployment and obj["spec"].get("paused"):
        raise RolloutError(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
        )
    if rollout_revisions.is_current(obj, revision):
        return f"skipped rollback (current template already matches revision {number})"
    media_type = writes.JSON if is_deployment else writes.STRATEGIC
    patch = rollout_revisions.patch(obj, revision)
    try:
        await writes.patch(call, info, media_type, patch, writes.parameters(how))
    except StatusError as refused:
        raise RolloutError(f"failed restoring revision {number}: {refused}") from refused
    return "rolled back"
