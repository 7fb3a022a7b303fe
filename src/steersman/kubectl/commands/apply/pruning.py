"""`apply --prune`: what was applied once, is selected, and was not in the files this time, is deleted."""

from steersman.kubectl import klog, printers, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import deletion
from steersman.kubectl.discovery import Resource
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

# Without an allow list. (apiVersion, kind)
NAMESPACED = (
    ("v1", "ConfigMap"),
    ("v1", "Endpoints"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
)
CLUSTER_SCOPED = (("v1", "Namespace"), ("v1", "PersistentVolume"))
_DEPRECATED = (
    "Deprecated: kubectl apply will no longer prune non-namespaced resources by default when used with the --namespace flag in a "
    "future release. To preserve the current behaviour, list the resources you want to target explicitly in the "
    "--prune-allowlist flag."
)


async def allowed(call: Call, listed: tuple[str, ...]) -> list[Resource]:
    """The kinds that may be pruned. Raises CommandError."""
    discovery = await call.discovery()
    kinds = []
    for text in listed:
        parts = text.split("/")
        if len(parts) != 3:
            raise CommandError(f"invalid GroupVersionKind format: {text}, please follow <group/version/kind>")
        group, version, kind = parts
        kinds.append((version if group in ("", "core") else f"{group}/{version}", kind))
    if not listed:
        call.write_error(klog.line("W", "prune.go:71", _DEPRECATED, call.clock.now()))
    found = []
    for api_version, kind in kinds or (*NAMESPACED, *CLUSTER_SCOPED):
        resource = discovery.find_kind(api_version, kind)
        if resource is None:
            raise CommandError(f'no matches for kind "{kind}" in version "{api_version}"')
        found.append(resource)
    return found


async def prune(call: Call, kinds: list[Resource], visited: set[str], namespaces: set[str], how: str) -> None:
    """Raises CommandError."""
    for namespace in sorted(namespaces):
        for resource in kinds:
            if resource.namespaced:
                await _kind(call, resource, namespace, visited, how)
    for resource in kinds:
        if not resource.namespaced:
            await _kind(call, resource, "", visited, how)


async def candidates(call: Call, resource: Resource, namespace: str, visited: set[str]) -> list[Object]:
    """What was applied once and is selected, but has not been visited. Raises StatusError."""
    page = await call.ask("GET", resource.path(namespace), {"labelSelector": call.flags["selector"]})
    return [
        {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        for obj in page.get("items") or ()
        if last_applied.of(obj) is not None and obj["metadata"].get("uid") not in visited
    ]


async def _kind(call: Call, resource: Resource, namespace: str, visited: set[str], how: str) -> None:
    printer = printers.make(call.flags, operation=writes.operation("pruned", how))
    try:
        for obj in await candidates(call, resource, namespace, visited):
            if how != writes.CLIENT:
                info = Info(resource, namespace, obj["metadata"]["name"], obj)
                await deletion.delete(call, info, deletion.cascade(call.flags), call.flags["grace-period"], how)
            call.write(printer.print(obj))
    except StatusError as refused:
        where = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        scope = "namespaced" if resource.namespaced else "nonNamespaced"
        raise CommandError(f"error pruning {scope} object {where}: {refused}") from refused
