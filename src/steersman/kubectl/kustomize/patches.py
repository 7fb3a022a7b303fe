"""`patches`, `patchesStrategicMerge`, `patchesJson6902`: what they are, and which resources they change. Pure."""

import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from steersman.api.patches import json_patch
from steersman.kubectl import go_yaml
from steersman.kubectl.kustomize import documents, strategic
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.resources import Id, Resource, Resources, id_of
from steersman.meta import errors, selectors
from steersman.meta.objects import Object

_SELECTOR_FIELDS = ("group", "version", "kind", "name", "namespace")


def parse(text: str) -> tuple[list[Object], list[Any]]:
    """(strategic merge patches, operations of a JSON patch); one of both is empty. Raises ValueError."""
    found = (
        [json.loads(text)]
        if text.lstrip().startswith("[")
        else [one for one in documents.read_all(text) if one is not None]
    )
    if len(found) == 1 and isinstance(found[0], list):
        operations = found[0]
        if all(isinstance(one, dict) and isinstance(one.get("path"), str) and one.get("op") for one in operations):
            return [], operations
        raise ValueError("not a patch")
    if not found or not all(isinstance(one, dict) and one.get("kind") for one in found):
        raise ValueError("not a patch")
    return found, []


def apply(resources: Resources, text: str, entry: Mapping[str, Any]) -> None:
    """One entry of `patches`, whose `text` may be in a file. Raises KustomizeError."""
    target, options = entry.get("target"), entry.get("options") or {}
    try:
        merges, operations = parse(text)
    except ValueError as wrong:
        source = f"path: {json.dumps(entry['path'])}" if entry.get("path") else f"patch: {json.dumps(text)}"
        raise KustomizeError(
            f"trouble configuring builtin PatchTransformer with config: `\n{go_yaml.dump(dict(entry))}`: "
            f"unable to parse SM or JSON patch from [{source}]"
        ) from wrong
    if merges and target is None:
        for patch in merges:
            merge(resources, patch, by_identity(resources, patch), options)
        return
    if target is None:
        raise KustomizeError("must specify a target for JSON patch")
    found = select(resources, target)
    if merges and len(merges) > 1:
        raise KustomizeError(
            "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field"
        )
    for resource in found:
        if merges:
            merge(resources, merges[0], resource, options)
        else:
            operate(resource, operations)


def by_identity(resources: Resources, patch: Object) -> Resource:
    """The one resource that the patch names. Raises KustomizeError."""
    wanted = id_of(patch)
    found = resources.with_any_id(wanted)
    if len(found) == 1:
        return found[0]
    why = f"no matches for Id {wanted}" if not found else f"multiple matches for Id {wanted}"
    failed = f"{why}; failed to find unique target for patch {wanted}"
    raise KustomizeError(f'no resource matches strategic merge patch "{wanted}": {failed}')


def merge(resources: Resources, patch: Object, resource: Resource, options: Mapping[str, Any]) -> None:
    found = strategic.apply(resource.obj, patch)
    if found is strategic.GONE:
        resources.remove(resource)
        return
    resource.remember()
    _keep_identity(found, resource, options)
    resource.obj = found


def operate(resource: Resource, operations: list[Any]) -> None:
    """A JSON patch may change the name, too. Raises KustomizeError."""
    try:
        found = json_patch.apply(copy.deepcopy(resource.obj), operations)
    except errors.StatusError as wrong:
        causes = (wrong.status.get("details") or {}).get("causes") or ()
        why = causes[0]["message"] if causes else str(wrong)
        raise KustomizeError(_failed(operations, why)) from wrong
    resource.remember()
    resource.obj = found


def _failed(operations: list[Any], why: str) -> str:
    """The one operation of a patch is named, as kustomize does."""
    first = operations[0]
    return f"error in {first['op']} for path: '{first['path']}': {why}" if first["op"] == "remove" else why


def _keep_identity(found: Object, resource: Resource, options: Mapping[str, Any]) -> None:
    """A patch changes the kind or the name only where it may."""
    old = resource.obj
    if not options.get("allowKindChange"):
        found["kind"] = old.get("kind")
    meta = found.setdefault("metadata", {})
    if not options.get("allowNameChange"):
        for field in ("name", "namespace"):
            before = (old.get("metadata") or {}).get(field)
            if before is None:
                meta.pop(field, None)
            else:
                meta[field] = before


def select(resources: Resources, target: Mapping[str, Any]) -> list[Resource]:
    """The resources that a target chooses: by whole-word patterns over every id they had, and by labels. Raises KustomizeError."""
    patterns = {}
    for field in _SELECTOR_FIELDS:
        try:
            patterns[field] = re.compile(f"^(?:{target[field]})$").match if target.get(field) else None
        except re.error as wrong:
            raise KustomizeError(f"error parsing regexp: {wrong}") from wrong
    return [
        resource
        for resource in resources
        if any(_fits(one, patterns) for one in resource.ids()) and _labelled(resource, target)
    ]


def _fits(found: Id, patterns: Mapping[str, Any]) -> bool:
    return all(pattern is None or pattern(getattr(found, field)) for field, pattern in patterns.items())


def _labelled(resource: Resource, target: Mapping[str, Any]) -> bool:
    for field, key in (("labels", "labelSelector"), ("annotations", "annotationSelector")):
        text = target.get(key)
        if text and not selectors.parse(text).matches(resource.metadata.get(field) or {}):
            return False
    return True


def all_of(texts: Iterable[str]) -> list[Object]:
    """The patches of `patchesStrategicMerge`. Raises KustomizeError."""
    found: list[Object] = []
    for text in texts:
        try:
            merges, _ = parse(text)
        except ValueError as wrong:
            raise KustomizeError(f"unable to parse SM or JSON patch from [{text.strip()}]") from wrong
        found += merges
    return found
