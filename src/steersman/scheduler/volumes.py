"""The scheduler's picture of claims and volumes: what the caches say, and what it has promised meanwhile.

Keeps true: a volume is promised to one claim, a claim to one volume or node; a promise ends when the caches show it kept.
Written by the controller (what the caches say) and by `decide` (its placements), read by the filters. Pure.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from steersman.api import volumes
from steersman.meta import objects, owners
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimUse:
    """A pod's use of a claim, by namespace/name. `pod_uid` is the pod's when the claim has to be its own (ephemeral)."""

    key: str
    pod_uid: str = ""

    @property
    def name(self) -> str:
        return objects.split_key(self.key)[1]


@dataclasses.dataclass(frozen=True, slots=True)
class InlineCsi:
    """A CSI volume that lives and dies with the pod."""

    driver: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What has to happen to a pod's claims before it can be bound to its node: volumes that are there go to claims
    (volume → claim), the others are to be made on the node."""

    node: str
    matched: Mapping[str, str] = dataclasses.field(default_factory=dict)
    provisioned: tuple[str, ...] = ()


def inline_of(pod: Object) -> tuple[InlineCsi, ...]:
    listed = pod["spec"].get("volumes") or ()
    return tuple(InlineCsi(one["csi"].get("driver", ""), one.get("name", "")) for one in listed if one.get("csi"))


def uses_of(pod: Object) -> tuple[ClaimUse, ...]:
    space, found = objects.namespace(pod), []
    for volume in pod["spec"].get("volumes") or ():
        name = volumes.claim_name(pod, volume)
        if name:
            found.append(ClaimUse(f"{space}/{name}", objects.uid(pod) if volume.get("ephemeral") is not None else ""))
    return tuple(found)


class Volumes:
    """Claims by namespace/name, volumes, classes, drivers, capacities and CSINodes by name."""

    def __init__(self) -> None:
        self.claims: dict[str, Object] = {}
        self.volumes: dict[str, Object] = {}
        self.classes: dict[str, Object] = {}
        self.csi_nodes: dict[str, Object] = {}
        self.drivers: dict[str, Object] = {}
        self.capacities: dict[str, Object] = {}
        self.users: dict[str, dict[str, None]] = {}  # claim → keys of pods on a node that use it
        self._free: dict[str, dict[str, None]] = {}  # class → names of volumes that no claim has
        self._set_aside: dict[str, dict[str, None]] = {}  # claim → names of volumes that say they are its
        self._promised_volumes: dict[str, str] = {}  # volume → claim
        self._promised_to: dict[str, str] = {}  # claim → volume
        self._promised_nodes: dict[str, str] = {}  # claim → node

    # What the caches say

    def set_claim(self, key: str, claim: Object | None) -> None:
        if claim is None:
            self.claims.pop(key, None)
            self._drop_promises(key)
            return
        self.claims[key] = claim
        if claim["spec"].get("volumeName"):
            self._drop_promises(key)

    def set_volume(self, name: str, volume: Object | None) -> None:
        old = self.volumes.pop(name, None)
        if old is not None:
            self._place(old).pop(name, None)
        if volume is None or volumes.claim_of(volume):
            self._drop_promises(self._promised_volumes.get(name, ""))
        if volume is not None:
            self.volumes[name] = volume
            self._place(volume)[name] = None

    def use(self, pod: str, uses: Iterable[ClaimUse]) -> None:
        for one in uses:
            self.users.setdefault(one.key, {})[pod] = None

    def leave(self, pod: str, uses: Iterable[ClaimUse]) -> None:
        for one in uses:
            pods = self.users.get(one.key, {})
            pods.pop(pod, None)
            if not pods:
                self.users.pop(one.key, None)

    # What is asked

    def claim(self, use: ClaimUse) -> Object | None:
        return self.claims.get(use.key)

    def class_of(self, claim: Object) -> Object | None:
        name = volumes.class_of(claim)
        return self.classes.get(name) if name else None

    def volume_of(self, claim: Object) -> Object | None:
        return self.volumes.get(claim["spec"].get("volumeName") or "")

    def candidates(self, claim: Object) -> list[Object]:
        """Volumes that could be the claim's: free ones of its class that are promised to nobody else, and those set aside."""
        key = objects.key(claim)
        names = [*self._free.get(volumes.class_of(claim), ()), *self._set_aside.get(key, ())]
        return [self.volumes[name] for name in names if self._promised_volumes.get(name, key) == key]

    def node_of(self, claim: Object) -> str:
        """The node the claim's volume is to be made on, as promised or written; empty for none yet."""
        return self._promised_nodes.get(objects.key(claim)) or objects.annotations(claim).get(volumes.SELECTED_NODE, "")

    def promised_volume(self, claim: Object) -> Object | None:
        return self.volumes.get(self._promised_to.get(objects.key(claim), ""))

    # What is promised

    def promise(self, plan: Plan) -> None:
        for volume, claim in plan.matched.items():
            self._promised_volumes[volume] = claim
            self._promised_to[claim] = volume
        self._promised_nodes.update(dict.fromkeys(plan.provisioned, plan.node))

    def take_back(self, plan: Plan) -> None:
        for claim in (*plan.matched.values(), *plan.provisioned):
            self._drop_promises(claim)

    def _drop_promises(self, claim: str) -> None:
        self._promised_nodes.pop(claim, None)
        self._promised_volumes.pop(self._promised_to.pop(claim, ""), None)

    def _place(self, volume: Object) -> dict[str, None]:
        """Where its name is kept."""
        reference = volumes.claim_of(volume)
        if not reference:
            return self._free.setdefault(volumes.class_of(volume), {})
        return self._set_aside.setdefault(f"{reference.get('namespace', '')}/{reference.get('name', '')}", {})


def is_owned(claim: Object, use: ClaimUse) -> bool:
    return not use.pod_uid or owners.controller_uid(claim) == use.pod_uid
