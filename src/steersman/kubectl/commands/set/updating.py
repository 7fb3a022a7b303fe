"""What all verbs of `set` share: finding objects, making the patch of what changed, sending or printing it."""

import copy
import dataclasses
import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from steersman.api import schema
from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending
from steersman.kubectl.flags import BOOL, Flag
from steersman.kubectl.merging import json_merge, last_applied, strategic
from steersman.kubectl.merging.patch_types import PatchTypes
from steersman.kubectl.problems import CommandError, StatusError, raise_all
from steersman.meta.objects import Object

FLAGS = (
    Flag("all", BOOL, help="All resources of the types, in the namespace."),
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-set"),
    *flags_shared.filenames("identifying the resource to get from a server"),
    Flag("local", BOOL, help="Do not ask the server; the objects come from files."),
    flags_shared.SELECTOR,
    *flags_shared.PRINT,
)
NEEDS_RESOURCES = "one or more resources must be specified as <resource> <name> or <resource>/<name>"
NO_LOCAL_SERVER = "cannot specify --local and --dry-run=server - did you mean --dry-run=client?"

# Where the pods' specification stands.
_POD_SPECS = {
    ("", "Pod"): ("spec",),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """`change` changes the copy it gets, or raises CommandError. `failed` stands before what a server refuses."""

    change: Callable[[Object], None]
    done: str
    failed: str
    named_errors: bool = True
    skips_unchanged: bool = True


async def find(call: Call, arguments: Sequence[str]) -> list[Info]:
    """Raises CommandError, StatusError."""
    local = call.flags["local"]
    named = tuple(arguments) if not local else ()
    query = builder.from_flags(call, arguments=named, keep_going=True, latest=not local, local=local)
    infos = await (await builder.find(call, query)).infos()
    for info in infos:
        check_built_in(info)
    return infos


def check_built_in(info: Info) -> None:
    """Raises CommandError for a custom kind: nothing is known of its fields."""
    resource = info.resource
    if schema.of_release().name_of(resource.group, resource.version, resource.kind) is None:
        raise CommandError(
            f'no kind "{resource.kind}" is registered for version "{resource.api_version}" in scheme '
            '"pkg/scheme/scheme.go:28"'
        )


async def update(call: Call, infos: Iterable[Info], wanted: Update) -> None:
    """Raises what went wrong, at the end."""
    how = writes.dry_run(call)
    printer = printers.make(call.flags, operation=writes.operation(wanted.done, how))
    failed: list[Exception] = []
    for info in infos:
        new = copy.deepcopy(info.object)
        try:
            wanted.change(new)
            new = record.recorded(call, new)
            patch = two_way(info.object, new)
            if not patch and wanted.skips_unchanged:
                continue
            if call.flags["local"] or how == writes.CLIENT:
                new = typed(new)
            else:
                query = writes.parameters(how, manager=call.flags["field-manager"])
                new = await writes.patch(call, info, writes.STRATEGIC, last_applied.encoded(patch).encode(), query)
            call.write(printer.print(new))
        except CommandError as wrong:
            name = f"{info.resource.kind.lower() if call.flags['local'] else info.resource.plural}/{info.name}"
            failed.append(CommandError(f"{name} {wrong}") if wanted.named_errors else wrong)
        except StatusError as refused:
            failed.append(CommandError(f"{wanted.failed}{refused}") if wanted.failed else refused)
    raise_all(failed)


def two_way(old: Object, new: Object) -> Object:
    """The strategic merge patch of a built-in kind; a merge patch of another."""
    types = schema.of_release()
    group, _, version = str(old.get("apiVersion", "")).rpartition("/")
    root = types.definition_of(group, version, str(old.get("kind", "")))
    if root is None:
        return json_merge.two_way(old, new)
    return strategic.two_way(PatchTypes(types.definitions, root), old, new)


def pod_spec(obj: Object) -> Object:
    """Raises CommandError for what makes no pods."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    path = _POD_SPECS.get((group, str(obj.get("kind", ""))))
    if path is None:
        raise CommandError(f"the object is not a pod or does not have a pod template: {sending.go_type(obj)}")
    found = obj
    for field in path:
        found = found.setdefault(field, {})
    return found


def containers(spec: Object, pattern: str = "*", *, init_first: bool = False) -> list[Object]:
    """Those whose names match (only `*` is special)."""
    of_kind = [
        [one for one in spec.get(field) or () if fnmatch.fnmatchcase(one.get("name", ""), _only_stars(pattern))]
        for field in ("containers", "initContainers")
    ]
    return of_kind[1] + of_kind[0] if init_first else of_kind[0] + of_kind[1]


def _only_stars(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


_UPDATES = {"Deployment": "strategy", "DaemonSet": "updateStrategy", "StatefulSet": "updateStrategy"}
_STATUS: dict[str, Object] = {
    "DaemonSet": {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "ReplicaSet": {"replicas": 0},
    "ReplicationController": {"replicas": 0},
    "Service": {"loadBalancer": {}},
}
_WITHOUT_STATUS = ("RoleBinding", "ClusterRoleBinding")


def typed(obj: Object) -> Object:
    """An object that no server has seen, with the zeros that upstream's typed objects print."""
    kind = str(obj.get("kind", ""))
    obj = copy.deepcopy(obj)
    _metadata(obj)
    spec: Any = obj.get("spec") or {}
    if kind in _UPDATES:
        spec.setdefault(_UPDATES[kind], {})
    if kind == "CronJob":
        _metadata(spec.setdefault("jobTemplate", {}))
        spec = spec["jobTemplate"].setdefault("spec", {})
    if isinstance(spec.get("template"), dict):
        _metadata(spec["template"])
        spec = spec["template"].setdefault("spec", {})
    for container in containers(spec):
        container.setdefault("resources", {})
    if kind == "Service":
        for port in spec.get("ports") or ():
            port.setdefault("targetPort", 0)
    if kind not in _WITHOUT_STATUS:
        obj.setdefault("status", dict(_STATUS.get(kind, {})))
    return obj


def _metadata(holder: Object) -> None:
    holder["metadata"] = {"creationTimestamp": None, **(holder.get("metadata") or {})}
