"""What the verbs of `rollout` share: their objects, the revisions that there are, a template as text, a patch and its word.

Leaves to others: progress and revisions themselves (`rollout_progress`, `rollout_revisions`: pure).
"""

from collections.abc import Callable

from steersman.kubectl import builder, printers, problems, rollout_revisions, writes
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError, StatusError
from steersman.kubectl.rollout_progress import RolloutError, group_kind
from steersman.kubectl.rollout_revisions import Revision
from steersman.meta import selectors
from steersman.meta.objects import Object

# Kinds of upstream's visitor that have no revisions; others it has never heard of.
_WITHOUT_REVISIONS = {
    ("apps", "ReplicaSet"),
    ("", "ReplicationController"),
    ("", "Pod"),
    ("batch", "Job"),
    ("batch", "CronJob"),
}
_WITH_REVISIONS = {("apps", "Deployment"), ("apps", "DaemonSet"), ("apps", "StatefulSet")}


def query(call: Call) -> Query:
    """Raises CommandError."""
    if not call.arguments and not call.flags["filename"] and not call.flags["kustomize"]:
        raise CommandError("required resource not specified")
    return builder.from_flags(call, everything=True, latest=True, keep_going=True)


def check_has_revisions(info: Info, viewer: str, retrieving: str) -> None:
    """Raises RolloutError."""
    key = (info.resource.group, info.resource.kind)
    if key in _WITH_REVISIONS:
        return
    name = group_kind(*key)
    if key in _WITHOUT_REVISIONS:
        raise RolloutError(f'no {viewer} has been implemented for "{name}"')
    group, kind = key
    raise RolloutError(f'error retrieving {retrieving} for "{name}", no visitor method exists for {{{group} {kind}}}')


async def revisions(call: Call, obj: Object) -> list[Revision]:
    """Raises StatusError."""
    selector = selectors.format(selectors.from_object(obj["spec"].get("selector")))
    kept = "replicasets" if obj["kind"] == "Deployment" else "controllerrevisions"
    path = f"/apis/apps/v1/namespaces/{obj['metadata']['namespace']}/{kept}"
    found = await call.ask("GET", path, {"labelSelector": selector})
    kind = found.get("kind", "").removesuffix("List")
    items = [{"apiVersion": "apps/v1", "kind": kind, **item} for item in found.get("items") or []]
    if obj["kind"] == "Deployment":
        return rollout_revisions.of_replica_sets(obj, items)
    return rollout_revisions.of_controller_revisions(obj, items)


def template_text(call: Call, template: Object) -> str:
    from steersman.kubectl.describe import pod_templates
    from steersman.kubectl.describe.writing import Description, Seen

    description = Description(Seen(call.clock.now()))
    pod_templates.write(description, template)
    return description.unaligned()


Decide = Callable[[Object], Object]
"""The strategic merge patch for an object; raises RolloutError with what ends the sentence `deployments.apps "web" …`."""


async def patch_all(call: Call, decide: Decide, done: str) -> None:
    """Every object that is named, each with its own patch; what goes wrong with one does not stop the others."""
    found, error = await (await builder.find(call, query(call))).collected()
    failed = list(error.errors) if isinstance(error, problems.Several) else [error] if error is not None else []
    for info in found:
        try:
            patch = decide(info.object)
        except RolloutError as refused:
            failed.append(CommandError(f'error: {info.resource.qualified} "{info.name}" {refused}'))
            continue
        if not patch:
            failed.append(
                CommandError(
                    f"failed to create patch for {info.name}: if restart has already been triggered within the past second, "
                    "please wait before attempting to trigger another"
                )
            )
            continue
        parameters = writes.parameters(writes.NONE, manager=call.flags["field-manager"])
        try:
            info.refresh(await writes.patch(call, info, writes.STRATEGIC, patch, parameters))
        except StatusError as refused:
            failed.append(CommandError(f"failed to patch: {refused}"))
            continue
        call.write(printers.make(call.flags, operation=done).print(info.object))
    problems.raise_all(failed)
