"""What becomes of one claim: bound, waiting, handed to a provisioner, or lost."""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds, volume_matching, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, Emit
from steersman.controllers.persistent_volume import binding
from steersman.meta import objects
from steersman.meta.objects import Object

NO_VOLUME = "no persistent volumes available for this claim and no storage class is set"
LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
LOST_VOLUME = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"
FIRST_CONSUMER = "waiting for first consumer to be created before binding"


@dataclasses.dataclass(frozen=True, slots=True)
class SeenClaim:
    """`named`: the volume in `spec.volumeName`. `candidates`: volumes of the claim's class, or set aside for it.
    `waiting_pods`: pods without a node that use the claim. `default_class`: the name of the cluster's default class."""

    claim: Object
    now: datetime.datetime
    named: Object | None = None
    candidates: Sequence[Object] = ()
    storage_class: Object | None = None
    default_class: str = ""
    waiting_pods: Sequence[str] = ()


def decide(seen: SeenClaim) -> Decision:
    if volumes.BIND_COMPLETED in objects.annotations(seen.claim):
        return _bound(seen)
    if objects.is_terminating(seen.claim):
        return Decision(why="being deleted, and never bound")
    return _named(seen) if seen.claim["spec"].get("volumeName") else _unbound(seen)


def _bound(seen: SeenClaim) -> Decision:
    """It had a volume. Data that is gone is never replaced by an empty volume without a word: such a claim is Lost."""
    claim, volume = seen.claim, seen.named
    if not claim["spec"].get("volumeName"):
        return _lost(claim, "ClaimLost", LOST_REFERENCE)
    if volume is None:
        return _lost(claim, "ClaimLost", LOST_VOLUME)
    owner = volumes.claim_of(volume)
    if owner and owner.get("uid") != objects.uid(claim):
        return _lost(claim, "ClaimMisbound", MISBOUND)
    return Decision(binding.bind(volume, claim, seen.now), "bound")


def _named(seen: SeenClaim) -> Decision:
    """Someone asked for one certain volume."""
    claim, volume = seen.claim, seen.named
    name = claim["spec"]["volumeName"]
    if volume is None:
        return _pending(claim, f"volume {name} is not there yet")
    if not volumes.claim_of(volume):
        why = volume_matching.mismatch(volume, claim)
        if why:
            message = f'Cannot bind to requested volume "{name}": {why}'
            return _pending(claim, why, Emit(claim, "Warning", "VolumeMismatch", message))
        return Decision(binding.bind(volume, claim, seen.now), f"volume {name} is free")
    if volumes.is_for(volume, claim):
        return Decision(binding.bind(volume, claim, seen.now), f"volume {name} is set aside for it")
    message = f'volume "{name}" already bound to a different claim.'
    return _pending(claim, message, Emit(claim, "Warning", "FailedBinding", message))


def _unbound(seen: SeenClaim) -> Decision:
    claim = seen.claim
    waits = volumes.binding_mode(seen.storage_class) == "WaitForFirstConsumer"
    found = volume_matching.find(claim, seen.candidates, waits=waits)
    if found is not None:
        return Decision(binding.bind(found, claim, seen.now), f"volume {objects.name(found)} matches")
    if seen.default_class and not volumes.has_class(claim):
        body = {"spec": {"storageClassName": seen.default_class}}
        return Decision((decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body),), "there is a default class now")
    if waits and volumes.SELECTED_NODE not in objects.annotations(claim):
        return _pending(claim, "waits for its first pod", _waiting(claim, seen.waiting_pods))
    if volumes.class_of(claim):
        return _provision(seen)
    return _pending(claim, "no volume matches", Emit(claim, "Normal", "FailedBinding", NO_VOLUME))


def _waiting(claim: Object, pods: Sequence[str]) -> Emit:
    if not pods:
        return Emit(claim, "Normal", "WaitForFirstConsumer", FIRST_CONSUMER)
    named = f"pod {pods[0]}" if len(pods) == 1 else f"pods {','.join(pods)}"
    return Emit(claim, "Normal", "WaitForPodScheduled", f"waiting for {named} to be scheduled")


def _provision(seen: SeenClaim) -> Decision:
    """Tell the provisioner of the class, by annotation."""
    claim, name = seen.claim, volumes.class_of(seen.claim)
    if seen.storage_class is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        return _pending(claim, text, Emit(claim, "Warning", "ProvisioningFailed", text))
    provisioner = str(seen.storage_class.get("provisioner", ""))
    if provisioner.startswith("kubernetes.io/"):
        text = f"no volume plugin matched name: {provisioner}"
        return _pending(claim, text, Emit(claim, "Warning", "ProvisioningFailed", text))
    wanted = {volumes.PROVISIONER: provisioner, volumes.BETA_PROVISIONER: provisioner}
    missing = {key: value for key, value in wanted.items() if objects.annotations(claim).get(key) != value}
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )
    told: tuple[Action, ...] = (Emit(claim, "Normal", "ExternalProvisioning", text),)
    if missing:
        body = {"metadata": {"annotations": missing}}
        told = (decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body), *told)
    return Decision((*told, *binding.claim_phase(claim, "Pending", None)), f"{provisioner} makes a volume")


def _pending(claim: Object, why: str, *told: Emit) -> Decision:
    return Decision((*told, *binding.claim_phase(claim, "Pending", None)), why)


def _lost(claim: Object, reason: str, message: str) -> Decision:
    """Told once, when it happens."""
    if volumes.is_lost(claim):
        return Decision(why="lost for good")
    told = Emit(claim, "Warning", reason, message)
    return Decision((*binding.claim_phase(claim, "Lost", None), told), message)
