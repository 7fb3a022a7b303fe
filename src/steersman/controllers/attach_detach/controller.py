"""What the attach/detach controller watches and sees; keys are names of nodes."""

from collections.abc import Iterable

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.controllers import indexes, pods
from steersman.controllers.attach_detach import decide
from steersman.controllers.attach_detach.decide import Seen, Wanted
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.persistent_volume import controller as binder
from steersman.meta import objects
from steersman.meta.objects import Object

_NODE = "attachment-node"
_VOLUME = "attachment-volume"


def controller() -> Controller:
    return Controller(
        name="attachdetach-controller",
        watches=(
            Watch(kinds.POD, keys_of_pod, _pod_matters),
            Watch(
                kinds.PERSISTENT_VOLUME_CLAIM, keys_of_claim, lambda old, new: new is not None and volumes.is_bound(new)
            ),
            Watch(kinds.PERSISTENT_VOLUME, keys_of_volume, lambda old, new: old is None),
            Watch(kinds.VOLUME_ATTACHMENT, lambda caches, obj: (str(obj["spec"]["nodeName"]),)),
            Watch(kinds.NODE, lambda caches, obj: (objects.name(obj),), _node_matters),
            Watch(kinds.CSI_DRIVER),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(
            indexes.by_node(kinds.POD),
            binder.used_claims(),
            Index(kinds.VOLUME_ATTACHMENT, _NODE, lambda obj: (str(obj["spec"]["nodeName"]),)),
            Index(kinds.VOLUME_ATTACHMENT, _VOLUME, lambda obj: (_volume_of(obj),)),
        ),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    return (pods.node_name(pod),) if pods.node_name(pod) and volumes.claim_names(pod) else ()


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    users = caches.of(kinds.POD).by_index(binder.USED_CLAIM, objects.key(claim))
    return {pods.node_name(pod) for pod in users} - {""}


def keys_of_volume(caches: Caches, volume: Object) -> Iterable[str]:
    for key in binder.claim_of_volume(volume):
        users = caches.of(kinds.POD).by_index(binder.USED_CLAIM, key)
        yield from {pods.node_name(pod) for pod in users} - {""}


def observe(look: Look, key: str) -> Seen | None:
    cache = look.caches.of(kinds.VOLUME_ATTACHMENT)
    own = {_volume_of(one): one for one in cache.by_index(_NODE, key)}
    wanted = _wanted(look.caches, key)
    if not own and not wanted:
        return None
    elsewhere = {}
    for one in wanted:
        name = objects.name(one.volume)
        others = (str(two["spec"]["nodeName"]) for two in cache.by_index(_VOLUME, name))
        other = next((node for node in others if node != key), "")
        if other:
            elsewhere[name] = other
    return Seen(key, look.caches.of(kinds.NODE).get(key), wanted, own, elsewhere)


def _wanted(caches: Caches, node: str) -> list[Wanted]:
    """A pod needs its volumes until it has ended, or is gone."""
    users: dict[str, list[Object]] = {}
    claims, known = caches.of(kinds.PERSISTENT_VOLUME_CLAIM), caches.of(kinds.PERSISTENT_VOLUME)
    for pod in caches.of(kinds.POD).by_index(indexes.NODE, node):
        for name in () if pods.is_finished(pod) else volumes.claim_names(pod):
            claim = claims.get(f"{objects.namespace(pod)}/{name}")
            if claim is not None and volumes.is_bound(claim):
                users.setdefault(str(claim["spec"]["volumeName"]), []).append(pod)
    found = [(known.get(name), using) for name, using in sorted(users.items())]
    return [Wanted(volume, using) for volume, using in found if volume is not None and _is_attached(caches, volume)]


def _is_attached(caches: Caches, volume: Object) -> bool:
    """CSI drivers attach unless they say that they do not."""
    source = volume["spec"].get("csi")
    if not source:
        return False
    driver = caches.of(kinds.CSI_DRIVER).get(source["driver"])
    return driver is None or bool(driver["spec"].get("attachRequired", True))


def _volume_of(attachment: Object) -> str:
    return str((attachment["spec"].get("source") or {}).get("persistentVolumeName", ""))


def _pod_matters(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return True
    return (pods.phase(old), pods.node_name(old)) != (pods.phase(new), pods.node_name(new))


def _node_matters(old: Object | None, new: Object | None) -> bool:
    return new is None or _facts(old) != _facts(new)


def _facts(node: Object | None) -> object:
    spec, status = (node or {}).get("spec") or {}, (node or {}).get("status") or {}
    return status.get("volumesInUse"), status.get("volumesAttached"), spec.get("taints")
