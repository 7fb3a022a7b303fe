"""What a node may change of a PersistentVolumeClaim: how far its volume has grown. Pure.

A refusal shows what else would change as upstream does: a unified diff of its internal types, written as JSON.
"""

import difflib
import json
from typing import Any

from steersman.meta.objects import Object

_GROWTH = ("allocatedResourceStatuses", "allocatedResources", "capacity", "conditions")
_METADATA = (
    *("name", "generateName", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp"),
    *("deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
)
# Fields in the order of the types, with what is shown of one that is not there.
_SPEC: dict[str, Any] = {
    "accessModes": None, "selector": None, "resources": {}, "volumeName": "", "storageClassName": None, "volumeMode": None,
    "dataSource": None, "dataSourceRef": None, "volumeAttributesClassName": None,
}  # fmt: skip
_STATUS: dict[str, Any] = {
    "phase": "", "accessModes": None, "capacity": None, "conditions": None, "allocatedResources": None,
    "allocatedResourceStatuses": None, "currentVolumeAttributesClassName": None, "modifyVolumeStatus": None,
}  # fmt: skip
_MAPS = ("labels", "annotations", "limits", "requests")  # written in the order of their keys
_PARTS: dict[str, dict[str, Any]] = {
    "resources": {"limits": None, "requests": None},
    "dataSource": {"apiGroup": None, "kind": "", "name": ""},
    "dataSourceRef": {"apiGroup": None, "kind": "", "name": "", "namespace": None},
    "modifyVolumeStatus": {"targetVolumeAttributesClassName": "", "status": ""},
}


def status(node: str, new: Object, old: Object) -> str:
    """Why this node may not write it; "" when it may."""
    shown, was = _shown(new), _shown(old)
    if shown == was:
        return ""
    why = f'node "{node}" is not allowed to update fields other than status.quantity and status.conditions'
    return f"{why}: {_difference(was, shown)}"


def _shown(claim: Object) -> Object:
    """Without what may change, and what no two writes have in common."""
    meta, status = (
        claim["metadata"],
        {key: one for key, one in (claim.get("status") or {}).items() if key not in _GROWTH},
    )
    of_meta = {field: meta[field] for field in _METADATA if meta.get(field)}
    of_meta |= {field: dict(sorted(of_meta[field].items())) for field in _MAPS if field in of_meta}
    return {**of_meta, "Spec": _typed(claim.get("spec") or {}, _SPEC), "Status": _typed(status, _STATUS)}


def _typed(part: Object, fields: dict[str, Any]) -> Object:
    found = {}
    for field, absent in fields.items():
        value = part.get(field) or absent
        if field in _PARTS and value is not None:
            value = _typed(value, _PARTS[field])
        elif field in _MAPS and value is not None:
            value = dict(sorted(value.items()))
        found[_go_name(field)] = value
    return found


def _go_name(field: str) -> str:
    return "APIGroup" if field == "apiGroup" else field[0].upper() + field[1:]


def _difference(old: Object, new: Object) -> str:
    _, _, *told = difflib.unified_diff(_lines(old), _lines(new))  # names of files, of which there are none, come first
    return "".join(told)


def _lines(obj: Object) -> list[str]:
    return [f"{line}\n" for line in json.dumps(obj, indent=2, ensure_ascii=False).split("\n")]
