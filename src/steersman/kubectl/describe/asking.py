"""What a description wants to see beside the object: asked of the server here, written by the kinds' own modules.

Lists are read in pieces of `chunk`. Where upstream shows what it got in spite of a refusal, so does this.
"""

import dataclasses
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

from steersman.kubectl.call import Call
from steersman.kubectl.describe.kinds import Describer
from steersman.kubectl.describe.writing import Seen, metadata, spec
from steersman.kubectl.problems import StatusError
from steersman.meta import owners, selectors
from steersman.meta.objects import Object

_SERVICE_NAME = "kubernetes.io/service-name"
_MIRROR = "kubernetes.io/config.mirror"
_HASH = "pod-template-hash"


async def look(call: Call, chosen: Describer, obj: Object, *, show_events: bool, chunk: int) -> Seen:
    """Raises StatusError."""
    seen = Seen(call.clock.now())
    if show_events and chosen.events:
        seen = dataclasses.replace(seen, events=await _events(call, obj, chunk))
    if chosen.asks:
        changes = await _ASKS[chosen.asks](call, obj, chunk)
        seen = dataclasses.replace(seen, **changes)
    return seen


async def every(call: Call, path: str, chunk: int, **selectors: str) -> list[Object]:
    """All items of a list. Raises StatusError."""
    items: list[Object] = []
    token = ""
    while True:
        page = await call.ask("GET", path, {**selectors, "limit": chunk, "continue": token})
        items += page.get("items") or []
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return items


def _in_namespace(obj: Object, plural: str, root: str = "/api/v1") -> str:
    return f"{root}/namespaces/{metadata(obj).get('namespace', '')}/{plural}"


async def _events(call: Call, obj: Object, chunk: int) -> list[Object]:
    """Of the object; a node's kubelet writes with the node's name as the uid."""
    found = metadata(obj)
    name, namespace, uid = found.get("name", ""), found.get("namespace", ""), found.get("uid", "")
    kind = obj.get("kind", "")
    uids = [uid, name] if kind == "Node" else [uid]
    if kind == "Pod":
        kind, uids = "", [(found.get("annotations") or {}).get(_MIRROR, uid)]
    path = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
    events: list[Object] = []
    for one in uids:
        fields = {
            "involvedObject.kind": kind,
            "involvedObject.name": name,
            "involvedObject.namespace": namespace,
            "involvedObject.uid": one,
        }
        always = ("involvedObject.name", "involvedObject.namespace")
        text = ",".join(f"{key}={value}" for key, value in fields.items() if value or key in always)
        try:
            events += await every(call, path, chunk, fieldSelector=text)
        except StatusError:
            continue  # who may not see events still sees the object
    return events


Asked = dict[str, Any]


async def _node(call: Call, obj: Object, chunk: int) -> Asked:
    name = metadata(obj).get("name", "")
    fields = f"spec.nodeName={name},status.phase!=Failed,status.phase!=Succeeded"
    others: dict[str, Any] = {}
    asked: Asked = {"others": others}
    try:
        asked["pods"] = await every(call, "/api/v1/pods", chunk, fieldSelector=fields)
    except StatusError as refused:
        if refused.reason != "Forbidden":
            raise
        asked["pods_error"] = str(refused)
    try:
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{urllib.parse.quote(name)}"
        others["lease"] = await call.ask("GET", path)
    except StatusError as refused:
        others["lease_error"] = str(refused)
    return asked


async def _pods(call: Call, obj: Object, chunk: int, selector: selectors.Selector) -> Asked:
    return {"pods": await every(call, _in_namespace(obj, "pods"), chunk, labelSelector=str(selector))}


async def _pods_of_selector(call: Call, obj: Object, chunk: int) -> Asked:
    return await _pods(call, obj, chunk, selectors.from_object(spec(obj).get("selector")))


async def _pods_of_pairs(call: Call, obj: Object, chunk: int) -> Asked:
    return await _pods(call, obj, chunk, selectors.from_map(spec(obj).get("selector")))


async def _pods_or_error(call: Call, obj: Object, chunk: int) -> Asked:
    try:
        return await _pods_of_selector(call, obj, chunk)
    except StatusError as refused:
        return {"pods_error": str(refused)}


async def _replica_sets(call: Call, obj: Object, chunk: int) -> Asked:
    """The deployment's own, the one of its template apart."""
    path = _in_namespace(obj, "replicasets", "/apis/apps/v1")
    selector = str(selectors.from_object(spec(obj).get("selector")))
    try:
        found = await every(call, path, chunk, labelSelector=selector)
    except StatusError:
        return {}
    mine = [one for one in found if owners.is_controlled_by(one, obj)]
    mine.sort(key=lambda one: (metadata(one).get("creationTimestamp", ""), metadata(one).get("name", "")))
    template = _without_hash(spec(obj).get("template") or {})
    new = next((one for one in mine if _without_hash(spec(one).get("template") or {}) == template), None)
    return {"others": {"old": [one for one in mine if one is not new], "new": [new] if new else []}}


def _without_hash(template: Object) -> Object:
    found = metadata(template)
    labels = {key: value for key, value in (found.get("labels") or {}).items() if key != _HASH}
    return {**template, "metadata": {**found, "labels": labels}}


async def _slices(call: Call, obj: Object, chunk: int) -> Asked:
    path = _in_namespace(obj, "endpointslices", "/apis/discovery.k8s.io/v1")
    try:
        found = await every(call, path, 0, labelSelector=f"{_SERVICE_NAME}={metadata(obj).get('name', '')}")
    except StatusError:
        found = []
    return {"others": {"slices": found}}


async def _backends(call: Call, obj: Object, chunk: int) -> Asked:
    from steersman.kubectl.describe import ingresses

    backends: dict[str, ingresses.Backend] = {}
    slices = _in_namespace(obj, "endpointslices", "/apis/discovery.k8s.io/v1")
    for name in ingresses.service_names(obj):
        try:
            found = await every(call, slices, 0, labelSelector=f"{_SERVICE_NAME}={name}")
            service = await call.ask("GET", f"{_in_namespace(obj, 'services')}/{urllib.parse.quote(name)}")
            backends[name] = ingresses.Backend(service, found)
        except StatusError as refused:
            backends[name] = ingresses.Backend(None, [], str(refused))
    return {"others": {"backends": backends}}


async def _users_of_claim(call: Call, obj: Object, chunk: int) -> Asked:
    from steersman.kubectl.describe import claims

    return {"pods": claims.users(obj, await every(call, _in_namespace(obj, "pods"), chunk))}


async def _quotas_and_limits(call: Call, obj: Object, chunk: int) -> Asked:
    """A server that has no quotas or limits is no failure."""
    others: dict[str, Any] = {}
    for key, plural in (("quotas", "resourcequotas"), ("limits", "limitranges")):
        try:
            path = f"/api/v1/namespaces/{metadata(obj).get('name', '')}/{plural}"
            others[key] = await every(call, path, chunk)
        except StatusError as refused:
            if refused.reason != "NotFound":
                raise
    return {"others": others}


async def _secrets(call: Call, obj: Object, chunk: int) -> Asked:
    try:
        return {"others": {"secrets": await every(call, _in_namespace(obj, "secrets"), chunk)}}
    except StatusError:
        return {}


_ASKS: dict[str, Callable[[Call, Object, int], Awaitable[Asked]]] = {
    "backends": _backends,
    "node": _node,
    "pods_of_pairs": _pods_of_pairs,
    "pods_of_selector": _pods_of_selector,
    "pods_or_error": _pods_or_error,
    "quotas_and_limits": _quotas_and_limits,
    "replica_sets": _replica_sets,
    "secrets": _secrets,
    "slices": _slices,
    "users_of_claim": _users_of_claim,
}
