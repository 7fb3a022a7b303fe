"""Plain objects in the API's own shape, and the few questions everyone asks of them.

An object from the cache or the store is never changed in place: build a new one.
"""

from typing import Any

Object = dict[str, Any]


def name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def namespace(obj: Object) -> str:
    """Empty for cluster-scoped objects."""
    return str(obj["metadata"].get("namespace", ""))


def key(obj: Object) -> str:
    """`namespace/name`, or `name` for cluster-scoped objects."""
    meta = obj["metadata"]
    space = meta.get("namespace")
    return f"{space}/{meta['name']}" if space else str(meta["name"])


def split_key(text: str) -> tuple[str, str]:
    """The reverse of `key`: (namespace, name)."""
    space, _, last = text.rpartition("/")
    return space, last


def uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def resource_version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def revision(obj: Object) -> int:
    """The store revision of the object's last write; 0 where it has none yet."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def is_terminating(obj: Object) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None
