"""One object that is there: what was applied last, what is wanted and what is live become a patch; the server applies it."""

import json
from typing import Any

from steersman.api import schema
from steersman.kubectl import go_yaml, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import deletion
from steersman.kubectl.merging import json_merge, last_applied, patch_types, strategic
from steersman.kubectl.merging.patch_types import PatchTypes
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

# How often a patch is made anew after somebody else was faster, and how long is waited from the second time on.
RETRIES_MAX = 5
PAUSE_SECONDS = 1.0
# How long an object that is deleted to be made anew may take to go, where --timeout says nothing.
GONE_SECONDS = deletion.A_WEEK_SECONDS


def missing(info: Info, program: str) -> str:
    """What is said of an object that nobody applied before."""
    command = f"{program} apply"
    return (
        f"Warning: resource {info.resource.plural}/{info.name} is missing the {last_applied.ANNOTATION} annotation which is "
        f"required by {command}. {command} should only be used on resources created declaratively by either {program} create "
        f"--save-config or {command}. The missing annotation will be patched automatically.\n"
    )


def warn_if_deleting(call: Call, obj: Object) -> None:
    meta = obj.get("metadata") or {}
    if meta.get("deletionTimestamp"):
        call.write_error(
            f"Warning: Detected changes to resource {meta.get('name', '')} which is currently being deleted.\n"
        )


def full_name(info: Info) -> str:
    """As upstream's errors name an object that it works on."""
    resource = info.resource
    place = f"{resource.group}/{resource.version}"
    return (
        f'Resource: "{place}, Resource={resource.plural}", GroupVersionKind: "{place}, Kind={resource.kind}"\n'
        f'Name: "{info.name}", Namespace: "{info.namespace}"'
    )


async def patch(
    call: Call, info: Info, wanted: Object, query: dict[str, str], *, cascade: str
) -> tuple[Object, Object]:
    """(what was sent, the object as it is now). Raises CommandError, StatusError."""
    made: Object = {}
    live = info.object
    for attempt in range(RETRIES_MAX + 1):
        try:
            media_type, made = await compute(call, info, wanted, live)
            if not made:
                return made, live
            return made, await writes.patch(call, info, media_type, _encoded(made), query)
        except StatusError as refused:
            if refused.reason == "Conflict" and attempt < RETRIES_MAX:
                await call.clock.sleep(PAUSE_SECONDS if attempt else 0)
                live = await call.ask("GET", info.path)
                continue
            if refused.reason in ("Conflict", "Invalid") and call.flags.get("force"):
                return wanted, await _make_anew(call, info, wanted, live, query, cascade)
            what = f"applying patch:\n{_encoded(made).decode()}\nto:\n{full_name(info)}\nfor:"
            raise writes.with_source(what, info.source, refused) from refused
    raise AssertionError("the last attempt returns or raises")


async def compute(call: Call, info: Info, wanted: Object, live: Object) -> tuple[str, Object]:
    """(media type, patch). Raises CommandError."""
    text = last_applied.of(live)
    original: Object = json.loads(text) if text else {}
    types = await types_of(call, info) if call.flags.get("openapi-patch", True) else _built_in(info)
    if types is None:
        return writes.MERGE, json_merge.three_way(original, wanted, live)
    try:
        return writes.STRATEGIC, strategic.three_way(
            types, original, wanted, live, overwrite=call.flags.get("overwrite", True)
        )
    except strategic.Conflict as conflict:
        why = (
            f"patch:\n{go_yaml.dump(conflict.patch)}\nconflicts with changes made from original to current:\n"
            f"{go_yaml.dump(conflict.changed)}\n"
        )
        for spec in ("openapi v3 spec", "openapi spec"):  # upstream tries one after the other
            call.write_error(f"warning: error calculating patch from {spec}: {why}\n")
        raise _not_made(info, original, wanted, live, why) from conflict
    except strategic.NoMergeKey as wrong:
        raise _not_made(info, original, wanted, live, str(wrong)) from wrong


def _not_made(info: Info, original: Object, wanted: Object, live: Object, why: str) -> Exception:
    texts = "\n".join(
        f"{name}:\n{last_applied.encoded(value)}\n"
        for name, value in (("original", original), ("modified", wanted), ("current", live))
    )
    inner = f'error when patching "{info.source}": creating patch with:\n{texts}\nfor:: {why}'
    return writes.with_source(f"applying patch:\n\nto:\n{full_name(info)}\nfor:", info.source, CommandError(inner))


async def types_of(call: Call, info: Info) -> PatchTypes | None:
    """The kind's types where it takes strategic merge patches: as the server's OpenAPI says, else as we know them."""
    resource = info.resource
    document = await _document(call, resource.root.lstrip("/"))
    if document is None:
        return _built_in(info)
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    for path in document.get("paths", {}).values():
        found = path.get("patch")
        if found and found.get("x-kubernetes-group-version-kind") == wanted:
            if writes.STRATEGIC not in (found.get("requestBody") or {}).get("content", {}):
                return None
            return patch_types.of_document(document, resource.group, resource.version, resource.kind)
    return _built_in(info)


async def _document(call: Call, path: str) -> Any:
    """The OpenAPI document of a group and version, asked once; None for servers that have none."""
    kept: dict[str, Any] = call.__dict__.setdefault("openapi_documents", {})
    if path not in kept:
        try:
            index = kept.get("") or await call.ask("GET", "/openapi/v3")
            kept[""] = index
            where = index["paths"][path]["serverRelativeURL"]
            url, _, text = where.partition("?")
            kept[path] = await call.ask("GET", url, dict(pair.split("=", 1) for pair in text.split("&") if pair))
        except (StatusError, KeyError):
            kept[path] = None
    return kept[path]


def _built_in(info: Info) -> PatchTypes | None:
    types = schema.of_release()
    root = types.definition_of(info.resource.group, info.resource.version, info.resource.kind)
    return PatchTypes(types.definitions, root) if root is not None else None


async def _make_anew(
    call: Call, info: Info, wanted: Object, live: Object, query: dict[str, str], cascade: str
) -> Object:
    """`--force`: deleted and created; the old one is brought back where the new one is refused."""
    uid = await deletion.delete(call, info, cascade, call.flags["grace-period"])
    await deletion.wait(call, [(info, uid)], call.flags["timeout"] or GONE_SECONDS)
    try:
        return await writes.create(call, info, wanted, query)
    except StatusError as refused:
        try:
            return await writes.create(call, info, live, query)
        except StatusError as again:
            raise CommandError(
                f"An error occurred force-replacing the existing object with the newly provided one:\n\n{refused}.\n\n"
                f"Additionally, an error occurred attempting to restore the original object:\n\n{again}"
            ) from again


def _encoded(value: Any) -> bytes:
    return last_applied.encoded(value).encode()
