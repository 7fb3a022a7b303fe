"""`kubectl auth reconcile`: roles and bindings on the server grant at least what those in files do."""

import urllib.parse

from steersman.kubectl import builder, files, flags, flags_shared, printers, rbac_reconciling
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.kubectl.rbac_reconciling import Result
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.DRY_RUN,
    *flags_shared.filenames("to reconcile"),
    *flags_shared.PRINT,
    Flag("remove-extra-permissions", flags.BOOL, help="Take away what roles grant beyond the files."),
    Flag("remove-extra-subjects", flags.BOOL, help="Take out of bindings whom the files do not name."),
)
USAGE = "reconcile -f FILENAME"
HELP = """Bring roles and bindings to what files say.

What is missing is created, the namespace too. Roles get the permissions they lack, bindings the subjects; what they have beyond
the files stays, unless it is asked to go. Unlike "apply" this compares what rules allow, and not how they are written.
"""
EXAMPLES = """
# Roles and bindings of a file
{program} auth reconcile -f rbac.yaml
"""

GROUP, VERSION = "rbac.authorization.k8s.io", "v1"
PLURALS = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}
ATTEMPTS_MAX = 3  # an object that comes and goes meanwhile is not followed for ever


async def run(call: Call) -> int | None:
    if not files.from_flags(call.flags).given:
        raise CommandError("must specify one of -f and -k")
    if call.arguments:
        raise CommandError("no arguments are allowed")
    dry = _is_dry(call)
    printer = printers.make(call.flags, operation=f"reconciled{' (dry run)' if dry else ''}")
    # Without a server's word nothing is known of scopes: objects stay in the namespace that they name.
    query = builder.from_flags(call, local=True, fetch=False, keep_going=True, namespace="", enforce_namespace=False)

    async def reconcile(info: Info) -> None:
        obj = info.object
        _check_namespace(call, obj)
        if obj.get("apiVersion", "").partition("/")[0] != GROUP or obj.get("kind") not in PLURALS:
            return
        if obj["apiVersion"] != f"{GROUP}/{VERSION}":
            raise CommandError(f"only {GROUP}/{VERSION} is supported: not {obj['apiVersion']}, Kind={obj['kind']}")
        result = await _reconciled(call, obj, dry=dry)
        call.write(printer.print({**result.object, "apiVersion": obj["apiVersion"], "kind": obj["kind"]}))
        _tell(call, result)

    await (await builder.find(call, query)).visit(reconcile)
    return None


def _is_dry(call: Call) -> bool:
    match call.flags["dry-run"]:
        case "none" | "false":
            return False
        case "client" | "unchanged" | "true":
            return True
        case "server":
            raise CommandError("--dry-run=server for command reconcile is not supported yet")
    raise CommandError(
        f"error accessing --dry-run flag for command reconcile: Invalid dry-run value ({call.flags['dry-run']}). "
        'Must be "none", "server", or "client".'
    )


def _check_namespace(call: Call, obj: Object) -> None:
    said = (obj.get("metadata") or {}).get("namespace")
    if said and call.enforce_namespace and said != call.namespace:
        raise CommandError(
            f'the namespace from the provided object "{said}" does not match the namespace "{call.namespace}". '
            f"You must pass '--namespace={said}' to perform this operation."
        )


async def _reconciled(call: Call, wanted: Object, *, dry: bool) -> Result:
    remove = call.flags["remove-extra-subjects" if "roleRef" in wanted else "remove-extra-permissions"]
    for _ in range(ATTEMPTS_MAX):
        result = rbac_reconciling.decide(await _existing(call, wanted), wanted, remove_extra=remove)
        if result.is_protected or dry or not result.operation:
            return result
        try:
            return Result(
                await _carried_out(call, wanted, result),
                result.operation,
                missing=result.missing,
                extra=result.extra,
            )
        except StatusError as refused:
            again = {"create": "AlreadyExists", "update": "NotFound", "recreate": "Conflict"}
            if refused.reason != again[result.operation]:
                raise
    raise CommandError("exceeded maximum attempts")


async def _existing(call: Call, wanted: Object) -> Object | None:
    try:
        found: Object = await call.ask("GET", _path(wanted))
    except StatusError as refused:
        if refused.reason == "NotFound":
            return None
        raise
    return found


async def _carried_out(call: Call, wanted: Object, result: Result) -> Object:
    if result.operation == "update":
        updated: Object = await call.ask("PUT", _path(wanted), body=result.object)
        return updated
    if result.operation == "recreate":
        there = await _existing(call, wanted)
        if there is not None:
            preconditions = {"preconditions": {"uid": there["metadata"]["uid"]}}
            await call.ask("DELETE", _path(wanted), body=preconditions)
    namespace = wanted["metadata"].get("namespace")
    if namespace:
        await _ensure_namespace(call, namespace)
    created: Object = await call.ask("POST", _path(wanted).rpartition("/")[0], body=result.object)
    return created


async def _ensure_namespace(call: Call, name: str) -> None:
    """It is there, or made; who may not make it finds out when the role is created."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    try:
        await call.ask("GET", f"/api/v1/namespaces/{name}")
    except StatusError:
        try:
            await call.ask("POST", "/api/v1/namespaces", body=body)
        except StatusError as refused:
            if refused.reason not in ("AlreadyExists", "Forbidden"):
                raise


def _path(obj: Object) -> str:
    metadata = obj.get("metadata") or {}
    if not metadata.get("name"):
        raise CommandError("resource name may not be empty")
    space = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    return f"/apis/{GROUP}/{VERSION}{space}/{PLURALS[obj['kind']]}/{urllib.parse.quote(metadata['name'])}"


def _tell(call: Call, result: Result) -> None:
    """What was wanting and what was too much."""
    if not result.operation:
        return
    caveat = (
        ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)" if result.is_protected else ""
    )
    call.write_error(f"\treconciliation required {result.operation}{caveat}\n")
    binding = "roleRef" in result.object
    text = rbac_reconciling.subject_text if binding else rbac_reconciling.rule_text
    what = "subjects" if binding else "rules"
    removed = call.flags["remove-extra-subjects" if binding else "remove-extra-permissions"]
    for title, found in ((f"missing {what} added", result.missing), (f"extra {what} removed", result.extra)):
        if found and (removed or not title.startswith("extra")):
            call.write_error(f"\t{title}:\n" + "".join(f"\t\t{text(one)}\n" for one in found))
