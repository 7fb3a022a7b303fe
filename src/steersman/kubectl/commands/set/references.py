"""Where a variable's value comes from (`valueFrom`): in words, and what it comes to."""

import base64
from collections.abc import Mapping
from typing import Any

from steersman.kubectl.call import Call
from steersman.kubectl.problems import StatusError
from steersman.meta.objects import Object


class Unresolved(Exception):
    """The value is not there; the text says why."""


def text(source: Mapping[str, Any]) -> str:
    """`secret NAME, key KEY`."""
    if "fieldRef" in source:
        return f"field path {source['fieldRef'].get('fieldPath', '')}"
    if "resourceFieldRef" in source:
        ref = source["resourceFieldRef"]
        container = f"{ref['containerName']}/" if ref.get("containerName") else ""
        return f"resource field {container}{ref.get('resource', '')}"
    for field, kind in (("secretKeyRef", "secret"), ("configMapKeyRef", "configmap")):
        if field in source:
            return f"{kind} {source[field].get('name', '')}, key {source[field].get('key', '')}"
    return "invalid valueFrom"


async def value(call: Call, source: Mapping[str, Any], obj: Object, container: Object) -> str:
    """Raises Unresolved."""
    if "secretKeyRef" in source:
        return base64.b64decode(await _of_key(call, "secrets", source["secretKeyRef"])).decode(errors="replace")
    if "configMapKeyRef" in source:
        return await _of_key(call, "configmaps", source["configMapKeyRef"])
    if "fieldRef" in source:
        return _of_field(source["fieldRef"].get("fieldPath", ""), obj)
    if "resourceFieldRef" in source:
        return _of_resource(source["resourceFieldRef"], container)
    raise Unresolved("invalid valueFrom")


async def _of_key(call: Call, plural: str, ref: Mapping[str, str]) -> str:
    try:
        found = await call.ask("GET", f"/api/v1/namespaces/{call.namespace}/{plural}/{ref.get('name', '')}")
    except StatusError as refused:
        raise Unresolved(str(refused)) from refused
    data = found.get("data") or {}
    if ref.get("key") not in data:
        kind = {"secrets": "secret", "configmaps": "config map"}[plural]
        raise Unresolved(f"key {ref.get('key')} not found in {kind} {ref.get('name')}")
    return str(data[ref["key"]])


def _of_field(path: str, obj: Object) -> str:
    """Of the object's metadata, as far as it is known before there is a pod."""
    meta = obj.get("metadata") or {}
    field, bracket, key = path.removeprefix("metadata.").partition("['")
    if bracket:
        return str((meta.get(field) or {}).get(key.removesuffix("']"), ""))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(meta.get(field, ""))
    if path in ("metadata.labels", "metadata.annotations"):
        return "\n".join(f'{name}="{text}"' for name, text in sorted((meta.get(field) or {}).items()))
    raise Unresolved(f"unsupported fieldPath: {path}")


def _of_resource(ref: Mapping[str, Any], container: Object) -> str:
    from steersman.meta import quantities

    kind, _, name = str(ref.get("resource", "")).partition(".")
    amount = ((container.get("resources") or {}).get(kind) or {}).get(name)
    divisor = str(ref.get("divisor") or "1")
    if amount is None:
        return "0"
    unit = quantities.millis("1" if divisor == "0" else divisor)
    return str(-(-quantities.millis(amount) // unit))
