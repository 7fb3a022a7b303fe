"""What the provisioner of `local-path` watches and sees. Keys with a slash are claims, the others volumes."""

from collections.abc import Iterable

from steersman.api import kinds, local_path, volumes
from steersman.client.cache import Caches
from steersman.controllers.local_path import decide
from steersman.controllers.local_path.decide import SeenClaim, SeenStart, SeenVolume
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

START = "*"  # no object has this key
_OF_NODE, _ASKED = "local-path-node", "local-path-wishes"


def controller() -> Controller:
    return Controller(
        name=local_path.PROVISIONER,
        watches=(
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, lambda caches, obj: (objects.key(obj),), _claim_matters),
            Watch(kinds.PERSISTENT_VOLUME, keys_of_volume),
            Watch(kinds.STORAGE_CLASS),
            Watch(kinds.NODE, keys_of_node, _node_matters),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.PERSISTENT_VOLUME, _OF_NODE, _node_of), Index(kinds.NODE, _ASKED, local_path.wishes)),
        first_keys=(START,),
    )


def keys_of_volume(caches: Caches, volume: Object) -> Iterable[str]:
    return (objects.name(volume),) if local_path.is_ours(volume) else ()


def keys_of_node(caches: Caches, node: Object) -> Iterable[str]:
    """Those that have to do with it: all when it goes, those whose folder it was asked to remove."""
    named = caches.of(kinds.PERSISTENT_VOLUME).by_index(_OF_NODE, objects.name(node))
    return {*map(objects.name, named), *local_path.wishes(node)}


def observe(look: Look, key: str) -> SeenStart | SeenClaim | SeenVolume | None:
    classes, nodes, made = (look.caches.of(kind) for kind in (kinds.STORAGE_CLASS, kinds.NODE, kinds.PERSISTENT_VOLUME))
    if key == START:
        return SeenStart(classes.get(local_path.CLASS))
    if "/" not in key:
        volume = made.get(key)
        if volume is None or not local_path.is_ours(volume):
            return SeenVolume(key, None, next(iter(nodes.by_index(_ASKED, key)), None))
        return SeenVolume(key, volume, nodes.get(local_path.node_of(volume)))
    claim = look.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(key)
    if claim is None or not _is_waiting(claim):
        return None
    chosen = objects.annotations(claim).get(volumes.SELECTED_NODE, "")
    return SeenClaim(
        claim,
        classes.get(volumes.class_of(claim)),
        nodes.get(chosen) if chosen else None,
        made.get(decide.volume_name(claim)),
    )


def _is_waiting(claim: Object) -> bool:
    ours = objects.annotations(claim).get(volumes.PROVISIONER) == local_path.PROVISIONER
    return ours and not claim["spec"].get("volumeName")


def _claim_matters(old: Object | None, new: Object | None) -> bool:
    return new is not None and _is_waiting(new)


def _node_matters(old: Object | None, new: Object | None) -> bool:
    return new is None or local_path.wishes(old) != local_path.wishes(new)


def _node_of(volume: Object) -> Iterable[str]:
    return (local_path.node_of(volume),) if local_path.is_ours(volume) else ()
