"""Pods, their claims and the volumes behind them, as the world has them."""

from steersman.api import kinds, local_path
from steersman.api import volumes as storage
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.simulation.history import World, node_of, pod_is_over


def claims(world: World, pod: Object) -> list[Object]:
    """Those that there are."""
    found = world.of(kinds.PERSISTENT_VOLUME_CLAIM)
    named = (found.get(f"{objects.namespace(pod)}/{name}") for name in storage.claim_names(pod))
    return [claim for claim in named if claim is not None]


def users(world: World, claim: Object) -> list[Object]:
    """Pods that have a node and have not ended."""
    space, name = objects.namespace(claim), objects.name(claim)
    return [
        pod
        for pod in world.of(kinds.POD).values()
        if objects.namespace(pod) == space
        and node_of(pod)
        and not pod_is_over(pod)
        and name in storage.claim_names(pod)
    ]


def is_for_one_pod(claim: Object) -> bool:
    return "ReadWriteOncePod" in storage.access_modes(claim)


def node_of_volume(world: World, claim: Object) -> str:
    """Where its data are; "" when it has no volume, or one that is gone."""
    volume = world.of(kinds.PERSISTENT_VOLUME).get(str(claim["spec"].get("volumeName") or ""))
    return local_path.node_of(volume) if volume is not None else ""
