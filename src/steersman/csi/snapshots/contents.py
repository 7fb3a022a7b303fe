"""From a VolumeSnapshot to its content and back: which class, what is to be made, what is told of it. Pure.

Source: external-snapshotter, whose words these are.
"""

import datetime
from collections.abc import Sequence

from steersman.api import volumes
from steersman.csi import making
from steersman.csi.snapshots.definitions import SNAPSHOT
from steersman.meta import objects, quantities, times
from steersman.meta.objects import Object
from steersman.serving.protobuf import Message

_PREFIX = "snapshot.storage.kubernetes.io/"
IS_DEFAULT = f"{_PREFIX}is-default-class"
PROTECTION = (f"{_PREFIX}volumesnapshot-as-source-protection", f"{_PREFIX}volumesnapshot-bound-protection")
CONTENT_PROTECTION = f"{_PREFIX}volumesnapshotcontent-bound-protection"
CLAIM_PROTECTION = f"{_PREFIX}pvc-as-source-protection"
BEING_DELETED = f"{_PREFIX}volumesnapshot-being-deleted"
SECRET = f"{making.PREFIX}snapshotter-secret"
_SECRET_NAME, _SECRET_NAMESPACE = f"{_PREFIX}deletion-secret-name", f"{_PREFIX}deletion-secret-namespace"


class RefusedError(Exception):
    """`reason` of the event; the text is upstream's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def class_for(snapshot: Object, classes: Sequence[Object], driver: str) -> Object:
    """The one it names, else the driver's default. Raises RefusedError."""
    name = snapshot["spec"].get("volumeSnapshotClassName")
    if name:
        found = next((one for one in classes if objects.name(one) == name), None)
        if found is None:
            missing = f'volumesnapshotclass.snapshot.storage.k8s.io \\"{name}\\" not found'
            why = f'failed to retrieve snapshot class {name} from the informer: "{missing}"'
            raise RefusedError("GetSnapshotClassFailed", f"Failed to get snapshot class with error {why}")
        return found
    usual = [one for one in classes if one["driver"] == driver and objects.annotations(one).get(IS_DEFAULT) == "true"]
    if len(usual) == 1:
        return usual[0]
    why = f"{len(usual)} default snapshot classes were found" if usual else "cannot find default snapshot class"
    raise RefusedError("SetDefaultSnapshotClassFailed", f"Failed to set default snapshot class with error {why}")


def name_for(snapshot: Object) -> str:
    return f"snapcontent-{objects.uid(snapshot)}"


def content_for(snapshot: Object, snapshot_class: Object, claim: Object | None, volume: Object | None) -> Object:
    """Raises RefusedError."""
    problem = _problem(snapshot, snapshot_class, claim, volume)
    if problem:
        raise RefusedError("SnapshotContentCreationFailed", f"Failed to create snapshot content with error {problem}")
    assert volume is not None
    meta: Object = {"name": name_for(snapshot), "finalizers": [CONTENT_PROTECTION]}
    if secret := making.secret_of(snapshot_class, SECRET):
        meta["annotations"] = {_SECRET_NAME: secret["name"], _SECRET_NAMESPACE: secret["namespace"]}
    spec = {
        "deletionPolicy": snapshot_class["deletionPolicy"],
        "driver": snapshot_class["driver"],
        "source": {"volumeHandle": volume["spec"]["csi"]["volumeHandle"]},
        "sourceVolumeMode": volumes.mode_of(volume),
        "volumeSnapshotClassName": objects.name(snapshot_class),
        "volumeSnapshotRef": {
            "apiVersion": SNAPSHOT.api_version,
            "kind": SNAPSHOT.kind,
            "namespace": objects.namespace(snapshot),
            "name": objects.name(snapshot),
            "uid": objects.uid(snapshot),
            "resourceVersion": objects.resource_version(snapshot),
        },
    }
    return {"apiVersion": SNAPSHOT.api_version, "kind": "VolumeSnapshotContent", "metadata": meta, "spec": spec}


def is_for(content: Object, snapshot: Object) -> bool:
    """Bound to it, or set aside for it (no uid yet)."""
    reference = content["spec"]["volumeSnapshotRef"]
    meant = (reference.get("namespace"), reference.get("name"))
    return meant == (objects.namespace(snapshot), objects.name(snapshot)) and reference.get("uid", "") in (
        "",
        objects.uid(snapshot),
    )


def request(content: Object, snapshot_class: Object | None, secrets: dict[str, str]) -> Message:
    """What is asked of the driver."""
    parameters = ((snapshot_class or {}).get("parameters") or {}).items()
    return {
        "source_volume_id": content["spec"]["source"]["volumeHandle"],
        "name": f"snapshot-{content['spec']['volumeSnapshotRef']['uid']}",
        "secrets": secrets,
        "parameters": {key: value for key, value in parameters if not key.startswith(making.PREFIX)},
    }


def taken(answer: Message) -> Object:
    """The content's status."""
    made = answer.get("snapshot") or {}
    created = made.get("creation_time") or {}
    return {
        "snapshotHandle": made.get("snapshot_id", ""),
        "creationTime": int(created.get("seconds", 0)) * 1_000_000_000 + int(created.get("nanos", 0)),
        "restoreSize": int(made.get("size_bytes", 0)),
        "readyToUse": bool(made.get("ready_to_use")),
        "error": None,
    }


def status_of(snapshot: Object, content: Object) -> Object:
    """What the snapshot says of its content."""
    found = content.get("status") or {}
    status: Object = {**(snapshot.get("status") or {}), "boundVolumeSnapshotContentName": objects.name(content)}
    status["readyToUse"] = bool(found.get("readyToUse"))
    if found.get("creationTime"):
        at = datetime.datetime.fromtimestamp(found["creationTime"] // 1_000_000_000, datetime.UTC)
        status["creationTime"] = times.format_seconds(at)
    if found.get("restoreSize") is not None:
        status["restoreSize"] = quantities.of_bytes(found["restoreSize"])
    return {**status, "error": found.get("error")}


def deletion_secret(content: Object) -> Object | None:
    said = objects.annotations(content)
    if not said.get(_SECRET_NAME):
        return None
    return {"name": said[_SECRET_NAME], "namespace": said.get(_SECRET_NAMESPACE, "")}


def is_source(snapshot: Object, claims: Sequence[Object]) -> bool:
    """A claim waits for a volume that is filled from it."""
    for claim in claims:
        source = claim["spec"].get("dataSource") or {}
        is_meant = (source.get("kind"), source.get("name")) == (SNAPSHOT.kind, objects.name(snapshot))
        if is_meant and (claim.get("status") or {}).get("phase") == "Pending":
            return True
    return False


def _problem(snapshot: Object, snapshot_class: Object, claim: Object | None, volume: Object | None) -> str:
    if claim is None:
        return f"snapshot controller failed to update {objects.name(snapshot)} on API server: cannot get claim from snapshot"
    if volume is None or not volumes.is_bound(claim):
        return f"the PVC {objects.name(claim)} is not yet bound to a PV, will not attempt to take a snapshot"
    driver = (volume["spec"].get("csi") or {}).get("driver")
    if driver != snapshot_class["driver"]:
        return f"driver of the PV {objects.name(volume)} is not that of class {objects.name(snapshot_class)}"
    return ""
