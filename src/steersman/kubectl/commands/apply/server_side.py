"""`apply --server-side`: the server merges; what client-side apply owned until now comes over to the same manager."""

from steersman.api.managed_fields import entries
from steersman.kubectl import writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.apply import patching
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

MANAGER = "kubectl"
_KEEPS_ANNOTATION = "kubectl-last-applied"
_RETRIES_MAX = 5
_ANNOTATION = ("f:metadata", "f:annotations", f"f:{last_applied.ANNOTATION}")

_ADVICE = """
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"""


async def apply(call: Call, info: Info, query: dict[str, str]) -> None:
    """Raises CommandError, StatusError."""
    query = query | {"force": "true" if call.flags["force-conflicts"] else "false"}
    data = (last_applied.encoded(info.object) + "\n").encode()
    subresource = call.flags.get("subresource", "")
    try:
        info.refresh(await writes.patch(call, info, writes.APPLY, data, query, subresource))
    except StatusError as refused:
        if refused.code == 415:
            raise CommandError(f"Server-side apply not available on the server: ({refused})") from refused
        if refused.reason == "Conflict":
            raise CommandError(f"{refused}{_ADVICE}") from refused
        raise
    patching.warn_if_deleting(call, info.object)
    await _come_over(call, info, data, query)


async def _come_over(call: Call, info: Info, data: bytes, query: dict[str, str]) -> None:
    try:
        await _keep_annotation(call, info, query)
    except StatusError as refused:
        call.write_error(
            f"Warning: failed while migrating last-applied-configuration annotation for server side apply: {refused}\n"
        )
        return
    try:
        if await _migrate(call, info, query):
            info.refresh(await writes.patch(call, info, writes.APPLY, data, query))
    except StatusError as refused:
        call.write_error(f"Warning: server rejected managed fields migration to Server-Side Apply: {refused}\n")


async def _keep_annotation(call: Call, info: Info, query: dict[str, str]) -> None:
    """The annotation stays where client-side apply left it, with an owner of its own."""
    text = last_applied.of(info.object)
    if query.get("fieldManager") != MANAGER or text is None or _owners(info.object, entries.APPLY):
        return
    meta = {"name": info.name, "annotations": {last_applied.ANNOTATION: text}}
    if info.namespace:
        meta["namespace"] = info.namespace
    obj = {"apiVersion": info.object["apiVersion"], "kind": info.object["kind"], "metadata": meta}
    body = (last_applied.encoded(obj) + "\n").encode()
    info.refresh(await writes.patch(call, info, writes.APPLY, body, query | {"fieldManager": _KEEPS_ANNOTATION}))


async def _migrate(call: Call, info: Info, query: dict[str, str]) -> bool:
    """Whether fields changed hands. Raises StatusError."""
    managers = {entry["manager"] for entry in _owners(info.object, entries.UPDATE)}
    query = {key: value for key, value in query.items() if key != "force"}
    for attempt in range(_RETRIES_MAX):
        fields = migrated(info.object, managers, query.get("fieldManager", MANAGER))
        if fields is None:
            return False
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": info.object["metadata"]["resourceVersion"]},
        ]
        try:
            info.refresh(await writes.patch(call, info, writes.JSON, patch, query))
            return True
        except StatusError as refused:
            if refused.reason != "Conflict" or attempt == _RETRIES_MAX - 1:
                raise
            info.refresh(await call.ask("GET", info.path))
    return False


def _owners(obj: Object, operation: str) -> list[Object]:
    """The entries of managedFields, written by this operation, that own the annotation of client-side apply."""
    return [
        entry
        for entry in (obj.get("metadata") or {}).get("managedFields") or ()
        if entry.get("operation") == operation
        and not entry.get("subresource")
        and _has(entry.get("fieldsV1") or {}, _ANNOTATION)
    ]


def _has(fields: Object, path: tuple[str, ...]) -> bool:
    for part in path:
        if part not in fields:
            return False
        fields = fields[part]
    return True


def migrated(obj: Object, managers: set[str], to: str) -> list[Object] | None:
    """managedFields in which `to` applied what these managers wrote; None where nothing changes. Pure."""
    found = list((obj.get("metadata") or {}).get("managedFields") or ())
    old = [
        entry
        for entry in found
        if entry.get("manager") in managers
        and entry.get("operation") == entries.UPDATE
        and not entry.get("subresource")
    ]
    if not old:
        return None
    mine = next(
        (
            entry
            for entry in found
            if entry.get("manager") == to and entry.get("operation") == entries.APPLY and not entry.get("subresource")
        ),
        None,
    )
    first = mine or old[0]
    fields = first.get("fieldsV1") or {}
    for entry in old:
        if entry is not first and entry.get("apiVersion") == first.get("apiVersion"):
            fields = _union(fields, entry.get("fieldsV1") or {})
    merged = {**first, "manager": to, "operation": entries.APPLY, "fieldsV1": _without(fields, _ANNOTATION)}
    return [merged if entry is first else entry for entry in found if entry is first or entry not in old]


def _union(one: Object, other: Object) -> Object:
    return {key: _union(one.get(key) or {}, other.get(key) or {}) for key in dict.fromkeys((*one, *other))}


def _without(fields: Object, path: tuple[str, ...]) -> Object:
    head, *rest = path
    if head not in fields:
        return fields
    if not rest:
        return {key: value for key, value in fields.items() if key != head}
    inner = _without(fields[head], tuple(rest))
    kept = {**fields, head: inner}
    return kept if inner else {key: value for key, value in kept.items() if key != head}
