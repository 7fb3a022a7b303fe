"""What a new volume is to be filled with: the volume of another claim, or a snapshot. Pure.

Source: external-provisioner, whose refusals these are. Snapshots are custom resources (`snapshot.storage.k8s.io`), defined by
whoever runs a snapshot controller.
"""

import dataclasses

from steersman.api import volumes
from steersman.csi.snapshots.definitions import GROUP, SNAPSHOT
from steersman.meta import objects, quantities
from steersman.meta.objects import Object
from steersman.serving.protobuf import Message

MODE_CHANGE = "snapshot.storage.kubernetes.io/allow-volume-mode-change"
SOURCE_PROTECTION = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection"

_NOT_BOUND = "claim in dataSource not bound or invalid"


class SourceError(Exception):
    """It cannot be used, or not yet. The text is what upstream would say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Capability:
    """What a driver has to be able to do, and what is said when it cannot."""

    name: str
    without: str


CAPABILITIES = {
    "PersistentVolumeClaim": Capability("CLONE_VOLUME", "CSI driver does not support clone operations"),
    "VolumeSnapshot": Capability("CREATE_DELETE_SNAPSHOT", "CSI driver does not support snapshot restore"),
}


def of(claim: Object) -> Object | None:
    """The claim's source where it is a claim or a snapshot."""
    source = claim["spec"].get("dataSourceRef") or claim["spec"].get("dataSource")
    return source if source and _is_ours(source) else None


def is_known(claim: Object) -> bool:
    """It has no source, or one of those. All others are for populators, which make the volume themselves."""
    source = claim["spec"].get("dataSourceRef") or claim["spec"].get("dataSource")
    return source is None or _is_ours(source)


def of_claim(claim: Object, storage_class: Object, name: str, source: Object | None, volume: Object | None) -> Message:
    """Raises SourceError."""
    if source is None:
        text = f'persistentvolumeclaim "{name}" not found'
        raise SourceError(f'error getting PVC {name} (namespace "{objects.namespace(claim)}") from api server: {text}')
    phase = (source.get("status") or {}).get("phase")
    if phase != "Bound":
        raise SourceError(f"the PVC DataSource {name} must have a status of Bound.  Got {phase}")
    if objects.is_terminating(source):
        raise SourceError(f"the PVC DataSource {name} is currently being deleted")
    wanted, there = volumes.requested_bytes(claim), volumes.requested_bytes(source)
    if wanted < there:
        raise SourceError(
            "error, new PVC request must be greater than or equal in size to the specified PVC data source, requested "
            f"{wanted} but source is {there}"
        )
    handle = ((volume or {}).get("spec") or {}).get("csi") or {}
    is_bound = (volume or {}).get("status", {}).get("phase") == "Bound" and volumes.is_for(volume or {}, source)
    if handle.get("driver") != storage_class.get("provisioner") or not is_bound:
        raise SourceError(_NOT_BOUND)
    was, wish = volumes.mode_of(volume or {}), volumes.mode_of(claim)
    if was != wish:
        raise SourceError(
            "the source PVC and destination PVCs must have the same volume mode for cloning.  "
            f"Source is {was}, but new PVC requested {wish}"
        )
    return {"volume": {"volume_id": handle["volumeHandle"]}}


def of_snapshot(
    claim: Object, storage_class: Object, name: str, snapshot: Object | None, content: Object | None
) -> Message:
    """Raises SourceError."""
    if snapshot is None:
        text = f'{SNAPSHOT.plural}.{GROUP} "{name}" not found'
        raise SourceError(f"error getting snapshot {name} from api server: {text}")
    if objects.is_terminating(snapshot) and SOURCE_PROTECTION not in (snapshot["metadata"].get("finalizers") or ()):
        raise SourceError(f"snapshot {name} is being deleted")
    status, spec = snapshot.get("status") or {}, (content or {}).get("spec") or {}
    reference = spec.get("volumeSnapshotRef") or {}
    meant = (reference.get("uid"), reference.get("namespace"), reference.get("name"))
    is_its = meant == (objects.uid(snapshot), objects.namespace(snapshot), objects.name(snapshot))
    if not is_its or spec.get("driver") != storage_class.get("provisioner"):
        raise SourceError(f"snapshot {name} not bound")
    if not status.get("readyToUse"):
        raise SourceError(f"snapshot {name} is not Ready")
    handle = ((content or {}).get("status") or {}).get("snapshotHandle")
    if not handle:
        raise SourceError(f"snapshot handle {name} is not available")
    wanted, there = volumes.requested_bytes(claim), quantities.whole(status.get("restoreSize") or 0)
    if wanted < there:
        raise SourceError(
            f"requested volume size {wanted} is less than the size {there} for the source snapshot {name}"
        )
    was = spec.get("sourceVolumeMode")
    if was and was != volumes.mode_of(claim):
        _check_mode_change(claim, content or {})
    return {"snapshot": {"snapshot_id": handle}}


def _check_mode_change(claim: Object, content: Object) -> None:
    """A block device that becomes a file system is an attack on the kernel, unless somebody vouches for it."""
    said = objects.annotations(content).get(MODE_CHANGE)
    if said in ("1", "t", "T", "true", "TRUE", "True"):
        return
    why = "annotation is not present" if said is None else "is set to false"
    raise SourceError(
        f"requested volume {objects.key(claim)} modifies the mode of the source volume but does not have permission to do "
        f"so. {MODE_CHANGE} {why} on snapshotcontent {objects.name(content)}"
    )


def _is_ours(source: Object) -> bool:
    kind = (source.get("apiGroup") or "", source.get("kind"))
    return kind in (("", "PersistentVolumeClaim"), (GROUP, "VolumeSnapshot")) and not source.get("namespace")
