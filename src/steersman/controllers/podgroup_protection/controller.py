"""What PodGroup protection watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds, pod_groups
from steersman.client.cache import Caches
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.podgroup_protection import decide
from steersman.controllers.podgroup_protection.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object

MEMBERS = "pod-group"  # pods by the key of the group that they name


def controller() -> Controller:
    return Controller(
        name="podgroup-protection-controller",
        watches=(
            Watch(kinds.POD_GROUP_V1BETA1, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.POD, keys_of_pod),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.POD, MEMBERS, _named),),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    key = pod_groups.group_of(pod)
    if key:
        group = caches.of(kinds.POD_GROUP_V1BETA1).get(key)
        if group is not None and objects.is_terminating(group):
            yield key


async def observe(look: Look, key: str) -> Seen | None:
    group = look.caches.of(kinds.POD_GROUP_V1BETA1).get(key)
    return Seen(group, look.caches.of(kinds.POD).by_index(MEMBERS, key)) if group is not None else None


def _named(pod: Object) -> tuple[str, ...]:
    key = pod_groups.group_of(pod)
    return (key,) if key else ()
