"""The indexes controllers share, so that no decision has to scan all objects of a kind."""

from collections.abc import Iterable

from steersman.api.kind import Kind
from steersman.client.cache import Cache
from steersman.controllers.loop import Index
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.meta.selectors import Selector

CONTROLLER = "controller-uid"
OWNER = "owner-uid"
ORPHANS = "orphans-of-namespace"
LABEL = "namespace-label"
NODE = "node-name"


def by_controller(kind: Kind) -> Index:
    """Objects by the uid of their controller."""
    return Index(kind, CONTROLLER, _controller)


def by_owner(kind: Kind) -> Index:
    """Objects by the uids of all their owners."""
    return Index(kind, OWNER, lambda obj: [str(reference.get("uid", "")) for reference in owners.of(obj)])


def orphans(kind: Kind) -> Index:
    """Objects without a controller, by namespace."""
    return Index(kind, ORPHANS, lambda obj: () if owners.controller_of(obj) else (objects.namespace(obj),))


def by_label(kind: Kind) -> Index:
    """Objects by each of their labels, within a namespace."""
    return Index(kind, LABEL, _labels)


def by_node(kind: Kind) -> Index:
    """Pods by the node they are bound to; empty for those that are not."""
    return Index(kind, NODE, lambda obj: (str((obj.get("spec") or {}).get("nodeName", "")),))


def selected(cache: Cache, namespace: str, selector: Selector) -> list[Object]:
    """The objects a selector matches, found by the first label it asks for (needs `by_label`)."""
    exact = next((one for one in selector.requirements if one.operator in ("=", "==") and len(one.values) == 1), None)
    where = f"{namespace}/{exact.key}={exact.values[0]}" if exact else ""
    candidates = cache.by_index(LABEL, where) if where else cache.list(namespace)
    return [obj for obj in candidates if selector.matches(objects.labels(obj))]


def _controller(obj: Object) -> Iterable[str]:
    uid = owners.controller_uid(obj)
    return (uid,) if uid else ()


def _labels(obj: Object) -> list[str]:
    space = objects.namespace(obj)
    return [f"{space}/{key}={value}" for key, value in objects.labels(obj).items()]
