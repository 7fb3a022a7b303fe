"""Bring claims and volumes together, and say what becomes of a volume whose claim is gone.

Keeps true: a volume belongs to at most one claim and a claim to at most one volume, and both sides know it.
Reads: PersistentVolumeClaim, PersistentVolume, StorageClass, Pods of waiting claims.  Writes: both (binding, phases), the
class of claims that have none once there is a default one, recycler pods.
Leaves to others: making volumes (provisioners, told by annotation), choosing nodes (scheduler), finalizers (volume_protection).
Source: upstream's persistentvolume controller ("space shuttle style": every case is spelt out).
"""

from steersman.controllers.decision import Decision
from steersman.controllers.persistent_volume import claim, volume
from steersman.controllers.persistent_volume.claim import SeenClaim
from steersman.controllers.persistent_volume.volume import SeenVolume

__all__ = ["SeenClaim", "SeenVolume", "decide"]


def decide(seen: SeenClaim | SeenVolume) -> Decision:
    return claim.decide(seen) if isinstance(seen, SeenClaim) else volume.decide(seen)
