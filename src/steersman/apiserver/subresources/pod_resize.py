"""resize of pods: CPU and memory of a pod that runs already, and of its containers.

Everything else of the body is ignored; the kubelet decides when, and whether, the node has room.
Source: upstream's podResizeStrategy and ValidatePodResize.
"""

from typing import Any

import orjson

from steersman.api import strategies
from steersman.api.validation import fields, pods
from steersman.apiserver import patching, writing
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.serving import messages

RESIZED = ("cpu", "memory")
_ONLY = "only cpu and memory resources are mutable"


class Resizing:
    def __init__(self, writer: writing.Writer) -> None:
        self._writer = writer

    async def answer(self, call: Call) -> messages.Response:
        if call.target.verb == "get":
            return await self._writer.change(call, lambda old: old)
        if call.target.verb == "update":
            body = orjson.dumps(self._writer.read(call))
            return await self._writer.change(call, lambda old: resized(old, orjson.loads(body)))
        patch = patching.read(call)
        return await self._writer.change(
            call, lambda old: resized(old, self._writer.decode(call, patching.apply(call, patch, old)))
        )


def resized(old: Object, given: Object) -> Object:
    """`old` with the resources of `given`. Raises StatusError 422."""
    was, wanted = old["spec"], given.get("spec") or {}
    spec = {**was}
    causes: list[FieldError] = []
    for field in ("containers", "initContainers"):
        before, after = was.get(field) or [], wanted.get(field) or []
        if [one["name"] for one in before] != [one.get("name") for one in after]:
            causes.append(
                fields.forbidden(f"spec.{field}", "containers may not be added, removed, renamed or reordered")
            )
        elif before:
            spec[field] = [
                {**one, "resources": new.get("resources") or {}} for one, new in zip(before, after, strict=True)
            ]
            for index, (one, new) in enumerate(zip(before, spec[field], strict=True)):
                causes += _check(field, index, one, new)
    if (wanted.get("resources") or {}) != (was.get("resources") or {}):
        spec["resources"] = wanted.get("resources") or {}
        causes += _check_own(was.get("resources") or {}, spec["resources"])
    causes = causes or pods.validate_spec(spec, "spec", is_pod=True)
    was_class, is_class = strategies.qos_class(was), strategies.qos_class(spec)
    if not causes and was_class != is_class:
        why = f'Invalid value: "{is_class}": Pod QOS Class may not change as a result of resizing'
        causes = [FieldError("spec", "FieldValueInvalid", why)]
    if causes:
        raise errors.invalid("Pod", old["metadata"]["name"], causes)
    version = given["metadata"].get("resourceVersion")
    meta = {**old["metadata"], "resourceVersion": version} if version else dict(old["metadata"])
    return {**old, "metadata": meta, "spec": spec}


def _check_own(was: Object, wanted: Object) -> list[FieldError]:
    """Resources of the pod itself (KEP-5419)."""
    if was and not wanted:
        return [fields.forbidden("spec.resources", "pod-level resources cannot be removed")]
    causes = []
    for which in ("requests", "limits"):
        before, after = was.get(which) or {}, wanted.get(which) or {}
        if any(name in before and name not in after for name in RESIZED):
            causes.append(fields.forbidden(f"spec.resources.{which}", f"pod-level resource {which} cannot be removed"))
        elif any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - set(RESIZED)):
            causes.append(fields.forbidden("spec", _ONLY))
    return causes


def _check(field: str, index: int, old: Object, new: Object) -> list[FieldError]:
    path = f"spec.{field}[{index}].resources"
    was, wanted = old.get("resources") or {}, new["resources"]
    if was == wanted:
        return []
    if field == "initContainers" and old.get("restartPolicy") != "Always":
        return [fields.forbidden(path, "resources of init containers that run once are immutable")]
    causes = []
    for which in ("limits", "requests"):
        before: dict[str, Any] = was.get(which) or {}
        after: dict[str, Any] = wanted.get(which) or {}
        if any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - set(RESIZED)):
            causes.append(fields.forbidden("spec", _ONLY))
        if any(name in before and name not in after for name in RESIZED):
            causes.append(fields.forbidden(f"{path}.{which}", f"resource {which} cannot be removed"))
    if (was.get("claims") or []) != (wanted.get("claims") or []):
        causes.append(fields.forbidden("spec", _ONLY))
    return causes
