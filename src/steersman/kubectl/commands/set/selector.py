"""`set selector`: which pods a Service has."""

import dataclasses

from steersman.kubectl import flags_shared, record, writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import poddisruptionbudget
from steersman.kubectl.commands.set import updating
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_OWN = ("filename", "recursive", "kustomize", "selector")

FLAGS = (
    *(flag for flag in updating.FLAGS if flag.name not in _OWN),
    *(
        dataclasses.replace(flag, default=True) if flag.name == "recursive" else flag
        for flag in flags_shared.filenames("identifying the resource", kustomize=False)
    ),
    record.FLAG,
    Flag("resource-version", help="Change it only while this is its resourceVersion; for a single resource."),
)
USAGE = "(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]"
HELP = "Set the selector on a resource: only Services have one that may be set, and only of equalities."
EXAMPLES = """
{program} set selector service/my-svc environment=qa
"""


async def run(call: Call) -> None:
    flags = call.flags
    selector = None
    resources: list[str] = []
    if call.arguments:
        *resources, text = call.arguments
        selector = poddisruptionbudget.parse_selector(text)
    infos = await updating.find(call, resources)
    if flags["local"] and writes.dry_run(call) == writes.SERVER:
        raise CommandError(updating.NO_LOCAL_SERVER)
    if selector is None:
        raise CommandError("one selector is required")
    wanted: Object = selector

    def change(obj: Object) -> None:
        set_selector(obj, wanted)
        if flags["resource-version"]:
            obj["metadata"]["resourceVersion"] = flags["resource-version"]

    update = updating.Update(change, "selector updated", "", named_errors=False, skips_unchanged=False)
    await updating.update(call, infos, update)


def set_selector(obj: Object, selector: Object) -> None:
    """Raises CommandError."""
    if (obj.get("apiVersion"), obj.get("kind")) != ("v1", "Service"):
        raise CommandError("setting a selector is only supported for Services")
    expressions = selector.get("matchExpressions")
    if expressions:
        shown = " ".join(
            f"{{{one['key']} {one['operator']} [{' '.join(one.get('values') or ())}]}}" for one in expressions
        )
        raise CommandError(f"match expression [{shown}] not supported on this object")
    obj.setdefault("spec", {})["selector"] = selector.get("matchLabels") or {}
