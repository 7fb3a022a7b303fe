"""What the attach/detach controller watches and sees; keys are names of nodes."""

import datetime
from collections.abc import Iterable

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.controllers import indexes, pods
from steersman.controllers.attach_detach import decide
from steersman.controllers.attach_detach.decide import Elsewhere, Held, Seen, Wanted
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.persistent_volume import controller as binder
from steersman.csi import naming
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

_NODE = "attachment-node"
_VOLUME = "attachment-volume"


def controller() -> Controller:
    memory = _Memory()
    return Controller(
        name="attachdetach-controller",
        watches=(
            Watch(kinds.POD, keys_of_pod, _pod_matters),
            Watch(
                kinds.PERSISTENT_VOLUME_CLAIM, keys_of_claim, lambda old, new: new is not None and volumes.is_bound(new)
            ),
            Watch(kinds.PERSISTENT_VOLUME, keys_of_volume, lambda old, new: old is None),
            Watch(kinds.VOLUME_ATTACHMENT, lambda caches, obj: (str(obj["spec"]["nodeName"]),)),
            Watch(kinds.NODE, lambda caches, obj: (objects.name(obj),), _node_matters, memory.note_node),
            Watch(kinds.CSI_DRIVER),
        ),
        observe=memory.observe,
        decide=decide.decide,
        indexes=(
            indexes.by_node(kinds.POD),
            binder.used_claims(),
            Index(kinds.VOLUME_ATTACHMENT, _NODE, lambda obj: (str(obj["spec"]["nodeName"]),)),
            Index(kinds.VOLUME_ATTACHMENT, _VOLUME, lambda obj: (_volume_of(obj),)),
        ),
    )


class _Memory:
    """What no object says: nodes that are gone as they were, since when volumes are not needed where they are, and who was told
    that another node has a volume. Without it (at a start) a node gets its time anew, and nothing of a node that is gone is
    believed to be unmounted."""

    def __init__(self) -> None:
        self._gone: dict[str, Object] = {}
        self._unwanted: dict[str, dict[str, datetime.datetime]] = {}  # node → volume → since
        self._told: dict[str, frozenset[str]] = {}

    def note_node(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._gone.pop(objects.name(new), None)
        elif old is not None:
            self._gone[objects.name(old)] = old

    def observe(self, look: Look, key: str) -> Seen | None:
        attachments = look.caches.of(kinds.VOLUME_ATTACHMENT).by_index(_NODE, key)
        ours = {_volume_of(one): (one, name) for one in attachments if (name := _unique_name(look.caches, one))}
        wanted = _wanted(look.caches, key)
        known = {objects.name(one.volume) for one in wanted}
        before = self._unwanted.pop(key, {})
        since = {name: before.get(name, look.now) for name in ours if name not in known}
        held = {name: Held(one, unique, since.get(name)) for name, (one, unique) in ours.items()}
        if since:
            self._unwanted[key] = since
        node = look.caches.of(kinds.NODE).get(key)
        told = self._told.pop(key, frozenset())
        if not held and not wanted:
            self._gone.pop(key, None)
            return None
        elsewhere = {name: other for name in known if (other := _elsewhere(look.caches, key, name)) is not None}
        last = node if node is not None else self._gone.get(key)
        seen = Seen(key, last, wanted, held, look.now, elsewhere, told, is_gone=node is None)
        if waiting := decide.blocked(seen):
            self._told[key] = frozenset(objects.name(one.volume) for one in waiting)
        return seen


def _elsewhere(caches: Caches, node: str, volume_name: str) -> Elsewhere | None:
    attachments = caches.of(kinds.VOLUME_ATTACHMENT).by_index(_VOLUME, volume_name)
    nodes = {str(one["spec"]["nodeName"]) for one in attachments if _unique_name(caches, one)} - {node}
    volume = caches.of(kinds.PERSISTENT_VOLUME).get(volume_name)
    if not nodes or volume is None:
        return None
    claims = binder.claim_of_volume(volume)
    users = [pod for key in claims for pod in caches.of(kinds.POD).by_index(binder.USED_CLAIM, key)]
    return Elsewhere([pod for pod in users if pods.node_name(pod) in nodes and not pods.is_finished(pod)])


def _unique_name(caches: Caches, attachment: Object) -> str:
    """Of the volume of an attachment that is this controller's, or its twin's; empty for those of others."""
    said = objects.annotations(attachment).get(decide.UNIQUE_NAME, "")
    volume = caches.of(kinds.PERSISTENT_VOLUME).get(_volume_of(attachment)) if not said else None
    source = volume["spec"].get("csi") if volume is not None else None
    if not source:
        return said
    driver, handle = source["driver"], source["volumeHandle"]
    is_ours = objects.name(attachment) == naming.attachment(handle, driver, attachment["spec"]["nodeName"])
    return naming.in_use(driver, handle) if is_ours else ""


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    return (pods.node_name(pod),) if pods.node_name(pod) and volumes.claim_names(pod) else ()


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    users = caches.of(kinds.POD).by_index(binder.USED_CLAIM, objects.key(claim))
    return {pods.node_name(pod) for pod in users} - {""}


def keys_of_volume(caches: Caches, volume: Object) -> Iterable[str]:
    for key in binder.claim_of_volume(volume):
        users = caches.of(kinds.POD).by_index(binder.USED_CLAIM, key)
        yield from {pods.node_name(pod) for pod in users} - {""}


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
    ready = conditions.is_true(node or {}, "Ready")
    return status.get("volumesInUse"), status.get("volumesAttached"), spec.get("taints"), ready
