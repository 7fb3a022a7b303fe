"""`…/scale`: the number of replicas of any scalable kind, seen as autoscaling/v1 Scale. Pure but for `Scaling`."""

from collections.abc import Callable
from typing import cast

import orjson

from steersman.api.managed_fields import scale as entries_of_scale
from steersman.api.managed_fields import sets
from steersman.apiserver import keys, metadata, negotiation, ownership, patching, writing
from steersman.apiserver.call import Call
from steersman.meta import errors, selectors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract


def of(obj: Object) -> Object:
    """The Scale of an object."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    seen: Object = {"replicas": status.get("replicas", 0)}
    text = str(_selector(obj["kind"], spec.get("selector")))
    if text:
        seen["selector"] = text
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in fields if field in meta},
        "spec": {"replicas": spec.get("replicas", 0)} if spec.get("replicas") else {},
        "status": seen,
    }


def _selector(kind: str, selector: Object | None) -> selectors.Selector:
    """A ReplicationController's is older than label selectors: a plain map."""
    if kind == "ReplicationController":
        return selectors.from_map(selector)
    return selectors.from_object(selector)


def scaled(obj: Object, scale: Object) -> Object:
    """The object with the replicas the Scale asks for; uid and resourceVersion of the Scale are preconditions."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name = obj["metadata"]["name"]
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise errors.bad_request("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32")
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise errors.invalid("Scale", name, [FieldError("spec.replicas", "FieldValueInvalid", why)], "autoscaling")
    given = scale.get("metadata") or {}
    meta = dict(obj["metadata"])
    meta.pop("resourceVersion", None)
    for field in ("resourceVersion", "uid"):
        if given.get(field):
            meta[field] = given[field]
    return {**obj, "metadata": meta, "spec": {**obj["spec"], "replicas": replicas}}


class Scaling:
    """`seen` makes the Scale of an object, `change` the object a Scale asks for, `replicas` is the field that changes:
    built-in kinds have one place for all."""

    def __init__(
        self,
        store: contract.Store,
        writer: writing.Writer,
        seen: Callable[[Object], Object] = of,
        change: Callable[[Object, Object], Object] = scaled,
        replicas: sets.Path = entries_of_scale.REPLICAS,
    ) -> None:
        self._store = store
        self._writer = writer
        self._seen = seen
        self._change = change
        self._replicas = replicas
        self._lens = writing.Lens(seen, change)

    async def answer(self, call: Call) -> messages.Response:
        if call.target.verb == "get":
            entry = await self._store.get(keys.key(call.kind, call.target.namespace, call.target.name))
            if entry is None:
                raise call.not_found()
            return negotiation.respond(call.form, self._seen(orjson.loads(entry.value)), pretty=call.pretty)
        if call.target.verb == "update":
            scale = _checked(call, negotiation.read_object(call.request))
            value = await self._writer.change_object(
                call, lambda old: self._scaled(call, scale, old), owned=True, lens=self._lens
            )
        else:
            patch = patching.read(call)
            value = await self._writer.change_object(
                call, lambda old: self._patched(call, patch, old), owned=True, lens=self._lens
            )
        return negotiation.respond(call.form, self._seen(cast(Object, orjson.loads(value))), pretty=call.pretty)

    def _scaled(self, call: Call, scale: Object, old: Object) -> Object:
        new = self._change(old, scale)
        ownership.put(new, self._writer.ownership.scaled(call, old, self._seen(old), scale, self._replicas))
        return new

    def _patched(self, call: Call, patch: patching.Patch, old: Object) -> Object:
        before = self._seen(old)
        if patch.media_type == patching.APPLY:
            merged, owners = self._writer.ownership.applied_scale(call, old, before, patch.body, self._replicas)
            scale = _checked(call, merged)
        else:
            scale = _checked(call, patching.apply_to_scale(call, patch, before))
            owners = self._writer.ownership.scaled(call, old, before, scale, self._replicas)
        if scale["metadata"].get("resourceVersion") == before["metadata"].get("resourceVersion"):
            scale["metadata"].pop("resourceVersion", None)  # the patch did not name it, so it is no precondition
        new = self._change(old, scale)
        ownership.put(new, owners)
        return new


def _checked(call: Call, scale: Object) -> Object:
    if not isinstance(scale.get("metadata", {}), dict) or not isinstance(scale.get("spec", {}), dict):
        raise errors.bad_request("the object provided is not a Scale")
    if scale.get("kind", "Scale") != "Scale":
        raise errors.bad_request(f"the object provided is unrecognized (must be of type Scale): {scale.get('kind')}")
    metadata.check_place(call, scale)
    return scale
