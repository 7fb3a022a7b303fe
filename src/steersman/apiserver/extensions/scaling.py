"""`…/scale` of a custom kind: the paths its definition names, read and written as a Scale. Pure."""

from collections.abc import Callable
from typing import Any

from steersman.apiserver.subresources import scale
from steersman.meta import errors
from steersman.meta.objects import Object

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def seen_by(paths: Object) -> Callable[[Object], Object]:
    """Object → Scale. Raises StatusError 500, as upstream, where the object does not say how many it wants."""
    spec, status = _names(paths["specReplicasPath"]), _names(paths["statusReplicasPath"])
    selector = _names(paths.get("labelSelectorPath", ""))

    def of(obj: Object) -> Object:
        wanted = _value(obj, spec)
        if wanted is None:
            raise errors.internal(f'the spec replicas field "{paths["specReplicasPath"]}" does not exist')
        seen: Object = {"replicas": _value(obj, status) or 0}
        text = _value(obj, selector) if selector else None
        if text:
            seen["selector"] = text
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {field: obj["metadata"][field] for field in _META if field in obj["metadata"]},
            "spec": {"replicas": wanted} if wanted else {},
            "status": seen,
        }

    return of


def change_by(paths: Object) -> Callable[[Object, Object], Object]:
    """(object, Scale) → the object with as many replicas as the Scale says."""
    spec = _names(paths["specReplicasPath"])

    def changed(obj: Object, wanted: Object) -> Object:
        checked = scale.scaled({**obj, "spec": {}}, wanted)
        placed = _placed(obj, spec, checked["spec"]["replicas"])
        return {**placed, "metadata": checked["metadata"]}

    return changed


def _names(path: str) -> list[str]:
    return path.strip(".").split(".") if path else []


def _value(obj: Object, names: list[str]) -> Any:
    value: Any = obj
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _placed(obj: Object, names: list[str], value: Any) -> Object:
    """A copy with the value at that place."""
    first, *rest = names
    inner = obj.get(first)
    return {**obj, first: _placed(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}
