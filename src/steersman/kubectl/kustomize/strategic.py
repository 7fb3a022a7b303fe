"""Strategic merge patches as kustomize applies them: what is new in a list goes to its front. Pure.

The types of built-in kinds say which lists are merged by which keys; lists of other kinds are replaced.
Source: kyaml's merge2.
"""

from collections.abc import Callable
from typing import Any

from steersman.api import schema
from steersman.meta.objects import Object

_PATCH = "$patch"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"

Definition = schema.Definition


class _Gone:
    """What is left of a thing that the patch deletes."""


GONE = _Gone()


def apply(obj: Object, patch: Object) -> Any:
    """The patched object, or GONE where the patch deletes it whole."""
    types = schema.of_release()
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    definition = types.definition_of(group, version, str(obj.get("kind") or ""))
    return _Merge(types).maps(obj, patch, definition)


class _Merge:
    def __init__(self, types: schema.Schema) -> None:
        self._types = types

    def maps(self, old: dict[str, Any], patch: dict[str, Any], definition: Definition | None) -> Any:
        match patch.get(_PATCH):
            case "delete":
                return GONE
            case "replace":
                return _clean(patch)
        result = dict(old)
        for key, value in patch.items():
            if key == _PATCH or key.startswith("$setElementOrder/") or key == "$retainKeys":
                continue
            if key.startswith(_DELETE_PRIMITIVES):
                field = key.removeprefix(_DELETE_PRIMITIVES)
                result[field] = [item for item in result.get(field) or () if item not in value]
                continue
            merged = self._value(result.get(key), value, self._types.field(definition, key))
            if merged is GONE or merged is None:
                result.pop(key, None)
            else:
                result[key] = merged
        retained = patch.get("$retainKeys")
        return {key: value for key, value in result.items() if key in retained} if retained else result

    def _value(self, old: Any, patch: Any, definition: Definition | None) -> Any:
        if isinstance(patch, dict):
            return self.maps(old if isinstance(old, dict) else {}, patch, definition)
        if isinstance(patch, list) and isinstance(old, list):
            return self._list(old, patch, definition)
        return _clean(patch)

    def _list(self, old: list[Any], patch: list[Any], definition: Definition | None) -> Any:
        strategy = str((definition or {}).get("x-kubernetes-patch-strategy", ""))
        if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
            return [_clean(item) for item in patch if not (isinstance(item, dict) and _PATCH in item)]
        if "merge" not in strategy:
            return _clean(patch)
        keys = _keys(definition or {}, [*old, *patch])
        if not keys:
            return [*(item for item in patch if item not in old), *old]
        return self._keyed(old, patch, self._types.items(definition), keys)

    def _keyed(self, old: list[Any], patch: list[Any], items: Definition | None, keys: tuple[str, ...]) -> list[Any]:
        result = list(old)
        new: list[Any] = []
        for item in patch:
            same = _same(item, keys)
            at = next((place for place, one in enumerate(result) if same(one)), None)
            merged = self.maps(result[at] if at is not None else {}, item, items)
            if at is None:
                new += [merged] if merged is not GONE else []
            elif merged is GONE:
                del result[at]
            else:
                result[at] = merged
        return [*new, *result]


def _keys(definition: Definition, items: list[Any]) -> tuple[str, ...]:
    """The fields that tell items apart: all of the type's keys where some item has them all, else its merge key."""
    if not any(isinstance(item, dict) for item in items):
        return ()
    several = tuple(definition.get("x-kubernetes-list-map-keys") or ())
    if several and any(isinstance(item, dict) and all(key in item for key in several) for item in items):
        return several
    key = str(definition.get("x-kubernetes-patch-merge-key", ""))
    return (key,) if key else several


def _same(item: Any, keys: tuple[str, ...]) -> Callable[[Any], bool]:
    wanted = [item.get(key) for key in keys]
    return lambda other: isinstance(other, dict) and [other.get(key) for key in keys] == wanted


def _clean(value: Any) -> Any:
    """Without directives and nulls."""
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items() if inner is not None and not key.startswith("$")}
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
    return value
