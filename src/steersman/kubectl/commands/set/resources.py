"""`set resources`."""

from collections.abc import Mapping

from steersman.kubectl import record, writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import quota
from steersman.kubectl.commands.set import updating
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError, raise_all
from steersman.meta.objects import Object

FLAGS = (
    *updating.FLAGS,
    record.FLAG,
    Flag("containers", short="c", default="*", help="The containers whose names match; * stands for any letters."),
    Flag("limits", help="Limits by commas: cpu=100m,memory=256Mi."),
    Flag("requests", help="Requests by commas: cpu=100m,memory=256Mi."),
)
USAGE = "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]"
HELP = "Specify compute resource requirements (CPU, memory) for any resource that defines a pod template."
EXAMPLES = """
{program} set resources deployment nginx --limits=cpu=200m,memory=512Mi --requests=cpu=100m,memory=256Mi
"""


async def run(call: Call) -> None:
    flags = call.flags
    how = writes.dry_run(call)
    infos = await updating.find(call, call.arguments)
    wanted = check(flags, how)
    missing: list[Exception] = []

    def change(obj: Object) -> None:
        if not set_resources(updating.pod_spec(obj), flags["containers"], wanted):
            missing.append(CommandError(f"unable to find container named {flags['containers']}"))

    update = updating.Update(
        change, "resource requirements updated", "failed to patch resources update to pod template "
    )
    await updating.update(call, infos, update)
    raise_all(missing)


def check(flags: Values, how: str) -> dict[str, dict[str, str]]:
    """Limits and requests. Raises CommandError."""
    if flags["all"] and flags["selector"]:
        raise CommandError("cannot set --all and --selector at the same time")
    if not flags["limits"] and not flags["requests"]:
        raise CommandError("you must specify an update to requests or limits (in the form of --requests/--limits)")
    if flags["local"] and how == writes.SERVER:
        raise CommandError(updating.NO_LOCAL_SERVER)
    return {field: quota.resource_list(flags[field]) for field in ("limits", "requests")}


def set_resources(spec: Object, pattern: str, wanted: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a container's name matches."""
    found = updating.containers(spec, pattern)
    for container in found:
        resources = container.setdefault("resources", {})
        for field, amounts in wanted.items():
            if amounts:
                resources[field] = {**(resources.get(field) or {}), **amounts}
    return bool(found)
