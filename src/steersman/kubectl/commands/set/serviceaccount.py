"""`set serviceaccount`."""

from steersman.kubectl import record, writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands.set import updating
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (*(flag for flag in updating.FLAGS if flag.name != "selector"), record.FLAG)
USAGE = "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT"
HELP = "Update the service account of pod template resources."
EXAMPLES = """
{program} set serviceaccount deployment nginx-deployment serviceaccount1
"""


async def run(call: Call) -> None:
    if not call.arguments:
        raise CommandError("serviceaccount is required")
    *resources, account = call.arguments
    infos = await updating.find(call, resources)
    if call.flags["local"] and writes.dry_run(call) == writes.SERVER:
        raise CommandError(updating.NO_LOCAL_SERVER)

    def change(obj: Object) -> None:
        updating.pod_spec(obj)["serviceAccountName"] = account

    update = updating.Update(
        change, "serviceaccount updated", "failed to patch ServiceAccountName ", skips_unchanged=False
    )
    await updating.update(call, infos, update)
