"""JSON of objects that upstream's kubectl holds as Go structs: fields in the order of their declaration, not of the alphabet.

Go's declarations follow the fields' protobuf numbers, but where a later field was put beside an older one: `MOVED`.
"""

import functools
from collections.abc import Mapping
from typing import Any

from steersman.api import go_fields
from steersman.kubectl.printers.plain import JsonPrinter
from steersman.meta.objects import Object

_FIRST = ("kind", "apiVersion")
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# Type → field → the field that it is declared behind ("" for none).
MOVED: dict[str, dict[str, str]] = {
    "batch.v1.CronJobSpec": {"timeZone": "schedule"},
    "batch.v1.JobSpec": {
        "podFailurePolicy": "activeDeadlineSeconds",
        "successPolicy": "podFailurePolicy",
        "backoffLimit": "successPolicy",
        "backoffLimitPerIndex": "backoffLimit",
        "maxFailedIndexes": "backoffLimitPerIndex",
    },
    "batch.v1.JobStatus": {"terminating": "failed", "failedIndexes": "completedIndexes"},
    "apps.v1.DeploymentStatus": {"readyReplicas": "updatedReplicas", "terminatingReplicas": "unavailableReplicas"},
    "core.v1.ConfigMap": {"immutable": "metadata"},
    "core.v1.Container": {
        "envFrom": "ports",
        "resizePolicy": "resources",
        "restartPolicy": "resizePolicy",
        "restartPolicyRules": "restartPolicy",
        "volumeDevices": "volumeMounts",
        "startupProbe": "readinessProbe",
        "terminationMessagePolicy": "terminationMessagePath",
    },
    "core.v1.PodSpec": {
        "initContainers": "volumes",
        "ephemeralContainers": "containers",
        "automountServiceAccountToken": "serviceAccount",
        "shareProcessNamespace": "hostIPC",
    },
    "core.v1.Secret": {"immutable": "metadata", "stringData": "data"},
    "core.v1.ServicePort": {"appProtocol": "protocol"},
    "core.v1.ServiceSpec": {"clusterIPs": "clusterIP", "ipFamilies": "sessionAffinityConfig"},
    "networking.v1.HTTPIngressPath": {"pathType": "path"},
    "networking.v1.IngressSpec": {"ingressClassName": ""},
}


class TypedJsonPrinter(JsonPrinter):
    """`type_name` as OpenAPI has it (`io.k8s.api.core.v1.EventList`), where the object does not say what it is."""

    def __init__(self, type_name: str = "", *, keep_managed_fields: bool = False) -> None:
        super().__init__(keep_managed_fields=keep_managed_fields, keep_order=True)
        self._type = type_name

    def print(self, obj: Object) -> str:
        return super().print(ordered(obj, self._type or type_of(obj)))


def type_of(obj: Object) -> str:
    """`io.k8s.api.rbac.v1.Role` for a Role of rbac.authorization.k8s.io/v1."""
    group, _, version = obj.get("apiVersion", "").rpartition("/")
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{obj.get('kind', '')}"


def ordered(value: Any, kind: str) -> Any:
    """The value with the fields of each struct in Go's order; maps in the alphabet's, what is not known as it stands."""
    kind = kind.lstrip("*!")
    if isinstance(value, list):
        return [ordered(one, kind.removeprefix("[]")) for one in value]
    if not isinstance(value, Mapping):
        return value
    if kind.startswith("map:"):
        return {key: ordered(value[key], kind.removeprefix("map:")) for key in sorted(value)}
    known = _fields(kind)
    if not known or kind.endswith("RawExtension"):
        return value
    value = _with_zeros(value, kind, known)
    declared = known if _FIRST[0] in known else dict.fromkeys((*_FIRST, *known))
    names = [*(name for name in declared if name in value), *(name for name in value if name not in declared)]
    return {name: ordered(value[name], known.get(name, "")) for name in names}


def _with_zeros(value: Mapping[str, Any], kind: str, known: Mapping[str, str]) -> Mapping[str, Any]:
    """What Go's JSON has of metadata although there is nothing in it."""
    if kind == _METADATA:
        return {"creationTimestamp": None, **value}
    if known.get("metadata", "").lstrip("!") == _METADATA and "metadata" not in value:
        return {"metadata": {}, **value}
    return value


@functools.cache
def _fields(kind: str) -> dict[str, str]:
    """Name → type, in Go's order; embedded structs in their place."""
    numbered = sorted(go_fields.table().get(kind, {}).items(), key=lambda item: int(item[0]))
    found: dict[str, str] = {}
    for _, (name, field) in numbered:
        found.update({name: field} if name else _fields(field.lstrip("*!")))
    for name, before in MOVED.get(kind.removeprefix("io.k8s.api."), {}).items():
        if name in found:
            found = _moved(found, name, before)
    return found


def _moved(fields: dict[str, str], name: str, before: str) -> dict[str, str]:
    order = [one for one in fields if one != name]
    order.insert(order.index(before) + 1 if before else 0, name)
    return {one: fields[one] for one in order}
