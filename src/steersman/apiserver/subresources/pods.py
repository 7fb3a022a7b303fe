"""binding and ephemeralcontainers of pods."""

import copy
import dataclasses
from typing import cast

import orjson

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.defaults import pods as defaults
from steersman.api.validation import fields, pods
from steersman.apiserver import negotiation, patching, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.admission.service_accounts import MIRROR
from steersman.apiserver.call import Call
from steersman.meta import conditions, errors, labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.serving import messages

_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class Pods:
    def __init__(self, writer: writing.Writer, admission: chain.Chain, clock: clocks.Clock) -> None:
        self._writer = writer
        self._admission = admission
        self._clock = clock

    async def bind(self, call: Call) -> messages.Response:
        """The scheduler's word: this pod runs on that node. Raises StatusError 409 when it is bound already."""
        binding = negotiation.read_object(call.request)
        _node_of(call, binding)
        review = Review(call, "CREATE", self._writer.typed(call, binding))
        await self._admission.admit(review)
        node, meta = _node_of(call, review.new), review.new["metadata"]
        _check(call, node, meta)
        await self._writer.change_object(call, lambda pod: self._bound(call, pod, node, meta), lens=None)
        return negotiation.respond(call.form, _CREATED, 201)

    async def bind_named(self, call: Call) -> messages.Response:
        """The same by a Binding that names the pod: what schedulers did before `pods/binding`."""
        meta = self._writer.read(call)["metadata"]
        if not meta.get("name"):
            cause = FieldError(
                "metadata.name", "FieldValueRequired", "Required value: name or generateName is required"
            )
            raise errors.invalid("Binding", "", [cause])
        target = call.target._replace(resource="pods", subresource="binding", name=str(meta["name"]))
        return await self.bind(dataclasses.replace(call, target=target, kind=kinds.POD))

    def _bound(self, call: Call, pod: Object, node: str, binding_meta: Object) -> Object:
        spec, meta = pod.get("spec") or {}, dict(pod["metadata"])
        name = meta["name"]
        if meta.get("deletionTimestamp"):
            raise errors.conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
        if spec.get("nodeName"):
            raise errors.conflict("pods/binding", name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
        if spec.get("schedulingGates"):
            raise errors.conflict("pods/binding", name, f"pod {name} has non-empty .spec.schedulingGates")
        uid = binding_meta.get("uid")
        if uid and uid != meta.get("uid"):
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.get('uid')}"
            raise errors.conflict("pods/binding", name, why)
        meta.pop("resourceVersion", None)
        for field in ("annotations", "labels"):
            if isinstance(binding_meta.get(field), dict):
                meta[field] = {**(meta.get(field) or {}), **binding_meta[field]}
        status = pod.get("status") or {}
        scheduled = conditions.set(
            status.get("conditions") or (), conditions.make("PodScheduled", "True"), self._clock.now()
        )
        return {
            **pod,
            "metadata": meta,
            "spec": {**spec, "nodeName": node},
            "status": {
                name: value for name, value in (status | {"conditions": scheduled}).items() if name != _NOMINATED
            },
        }

    async def ephemeral_containers(self, call: Call) -> messages.Response:
        """Only adds to spec.ephemeralContainers; everything else of the body is ignored."""
        if call.target.verb == "update":
            body = orjson.dumps(self._writer.read(call))
            return await self._writer.change(call, lambda old: _with_ephemeral(old, orjson.loads(body)))
        patch = patching.read(call)
        return await self._writer.change(
            call, lambda old: _with_ephemeral(old, self._writer.decode(call, patching.apply(call, patch, old)))
        )


_NOMINATED = "nominatedNodeName"  # a pod that has a node waits for none (KEP-5278)


def _with_ephemeral(old: Object, given: Object) -> Object:
    wanted = copy.deepcopy((given.get("spec") or {}).get("ephemeralContainers") or [])
    for one in wanted:
        defaults.default_container(one)
    present = (old.get("spec") or {}).get("ephemeralContainers") or []
    spec = {**cast(Object, old["spec"]), "ephemeralContainers": wanted}
    path = "spec.ephemeralContainers"
    causes = pods.validate_spec(spec, "spec", is_pod=True)
    if MIRROR in (old["metadata"].get("annotations") or {}):
        causes = [fields.forbidden("", "static pods do not support ephemeral containers")]
    by_name = {one.get("name"): one for one in wanted}
    for one in present:
        if (kept := by_name.get(one["name"])) != one:
            word = "removed" if kept is None else "changed"
            causes.append(fields.forbidden(path, f'existing ephemeral containers "{one["name"]}" may not be {word}\n'))
    if causes:
        raise errors.invalid("Pod", old["metadata"]["name"], causes)
    return {**old, "metadata": _at_version_of(given, old), "spec": spec}


def _at_version_of(given: Object, old: Object) -> Object:
    """The old metadata; a resourceVersion of the body stays a precondition."""
    version = given["metadata"].get("resourceVersion")
    return {**old["metadata"], "resourceVersion": version} if version else dict(old["metadata"])


def _check(call: Call, node: str, meta: Object) -> None:
    """What a Binding puts on the pod has to be right for a pod: no later write of it could mend that."""
    causes = fields.each_invalid("target.name", node, names.subdomain_errors(node))
    causes += labels.validate(meta.get("labels") or {}, "metadata.labels")
    causes += labels.validate_annotations(meta.get("annotations") or {}, "metadata.annotations")
    if causes:
        raise errors.invalid("Binding", call.target.name, causes)


def _node_of(call: Call, binding: Object) -> str:
    target = binding.get("target")
    name = (binding.get("metadata") or {}).get("name", "") if isinstance(binding.get("metadata", {}), dict) else ""
    if name and name != call.target.name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    if not isinstance(target, dict) or not isinstance(target.get("name", ""), str) or not target.get("name"):
        cause = FieldError("target.name", "FieldValueRequired", "Required value")
        raise errors.invalid("Binding", call.target.name, [cause])
    if target.get("kind", "Node") not in ("Node", ""):
        why = f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
        raise errors.invalid("Binding", call.target.name, [FieldError("target.kind", "FieldValueNotSupported", why)])
    return str(target["name"])
