"""Fields by path, as kustomize's own tables name them: `spec/template/spec/containers[]/image`. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from steersman.meta.objects import Object


class FieldSpec(NamedTuple):
    """A field of the kinds that match; empty parts match everything. `create`: make it where it is not."""

    path: str
    kind: str = ""
    group: str = ""
    version: str = ""
    create: bool = False

    def selects(self, obj: Object) -> bool:
        group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
        return self.kind in ("", obj.get("kind")) and self.group in ("", group) and self.version in ("", version)


def split(path: str) -> list[str]:
    """`a/b\\/c` has two parts."""
    return [part.replace("\0", "/") for part in path.replace("\\/", "\0").split("/") if part]


def change(obj: Any, parts: list[str], setter: Callable[[Any], Any], *, create: Any = None) -> None:
    """Set every field that the path leads to, through lists, to what `setter` makes of its value.

    `create` is what a field that is not there is first made (None: such are left alone).
    """
    if isinstance(obj, list):
        for item in obj:
            change(item, parts, setter, create=create)
        return
    if not isinstance(obj, dict) or not parts:
        return
    key = parts[0].removesuffix("[]")
    listed = parts[0].endswith("[]")
    if obj.get(key) is None:
        if create is None or listed:
            return
        obj[key] = create if len(parts) == 1 else {}
    if len(parts) > 1:
        change(obj[key], parts[1:], setter, create=create)
    elif isinstance(obj[key], list) and not isinstance(create, list):
        obj[key] = [setter(item) for item in obj[key]]
    else:
        obj[key] = setter(obj[key])


def merge_texts(pairs: Mapping[str, str]) -> Callable[[Any], Any]:
    """A setter of labels or annotations."""
    return lambda before: {**(before or {}), **pairs}
