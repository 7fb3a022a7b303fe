"""What the binder decides about claims and volumes, and that deciding again after applying changes nothing."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import volume_matching, volumes
from steersman.controllers.decision import Create, Delete, Emit, Patch, UpdateStatus
from steersman.controllers.persistent_volume import decide
from steersman.controllers.persistent_volume.decide import SeenClaim, SeenVolume
from steersman.meta import objects
from tests.controllers import shapes
from tests.controllers.volume_shapes import WAITS, claim, reference, storage_class, volume

DONE = {"annotations": {volumes.BIND_COMPLETED: "yes"}}
PROVISIONED: Any = {"annotations": {volumes.PROVISIONED_BY: "example.com/disk"}}
NODE = {"annotations": {volumes.SELECTED_NODE: "n"}}


def told(seen) -> list[Any]:
    """The decision in short: (what, value) in order."""
    found: list[Any] = []
    for action in decide.decide(seen).actions:
        match action:
            case Emit():
                found.append((action.reason, action.message))
            case UpdateStatus():
                found.append((action.kind.kind, action.obj["status"]["phase"]))
            case Patch():
                body = {key: value for key, value in action.patch.items() if value}
                found.append(("patch", action.kind.short_names[0], body))
            case Create():
                found.append(("create", objects.name(action.obj)))
            case Delete():
                found.append(("delete", action.name))
    return found


def seen_claim(of=None, **more) -> SeenClaim:
    return SeenClaim(of or claim(), shapes.NOW, **more)


WAIT = "waiting for first consumer to be created before binding"
NONE = "no persistent volumes available for this claim and no storage class is set"
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by the system "
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)
MARKED = {
    "metadata": {"annotations": {volumes.PROVISIONER: "example.com/disk", volumes.BETA_PROVISIONER: "example.com/disk"}}
}

CLAIMS = {
    "nothing there": (seen_claim(claim(storageClassName="")), [("FailedBinding", NONE)]),
    "no class of that name": (
        seen_claim(),
        [("ProvisioningFailed", 'storageclass.storage.k8s.io "manual" not found')],
    ),
    "provisioned by someone": (
        seen_claim(storage_class=storage_class()),
        [("patch", "pvc", MARKED), ("ExternalProvisioning", EXTERNAL)],
    ),
    "nobody provisions": (
        seen_claim(storage_class=storage_class(provisioner="kubernetes.io/no-provisioner")),
        [("ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner")],
    ),
    "waits for a pod": (seen_claim(storage_class=storage_class(**WAITS)), [("WaitForFirstConsumer", WAIT)]),
    "waits for pods that are there": (
        seen_claim(storage_class=storage_class(**WAITS), waiting_pods=["a", "b"]),
        [("WaitForPodScheduled", "waiting for pods a,b to be scheduled")],
    ),
    "waited long enough": (
        seen_claim(claim(meta=NODE), storage_class=storage_class(**WAITS)),
        [("patch", "pvc", MARKED), ("ExternalProvisioning", EXTERNAL)],
    ),
    "a free volume does not end the waiting": (
        seen_claim(storage_class=storage_class(**WAITS), candidates=[volume()]),
        [("WaitForFirstConsumer", WAIT)],
    ),
    "one set aside does": (
        seen_claim(storage_class=storage_class(**WAITS), candidates=[volume(claimRef=reference(claim()))]),
        [
            ("PersistentVolume", "Bound"),
            (
                "patch",
                "pvc",
                {
                    "spec": {"volumeName": "pv"},
                    "metadata": {"annotations": {volumes.BOUND_BY_CONTROLLER: "yes", volumes.BIND_COMPLETED: "yes"}},
                },
            ),
            ("PersistentVolumeClaim", "Bound"),
        ],
    ),
    "a default class came": (
        seen_claim(claim(storageClassName=None), default_class="fast"),
        [("patch", "pvc", {"spec": {"storageClassName": "fast"}})],
    ),
    "no class is wanted": (
        seen_claim(claim(storageClassName=""), default_class="fast"),
        [("FailedBinding", NONE)],
    ),
    "the named volume is missing": (seen_claim(claim(volumeName="pv")), []),
    "the named volume is too small": (
        seen_claim(claim(size="2Gi", volumeName="pv"), named=volume()),
        [("VolumeMismatch", 'Cannot bind to requested volume "pv": requested PV is too small')],
    ),
    "the named volume is another's": (
        seen_claim(claim(volumeName="pv"), named=volume(claimRef=reference(claim("other", uid="o")))),
        [("FailedBinding", 'volume "pv" already bound to a different claim.')],
    ),
    "its reference is gone": (
        seen_claim(claim(meta=DONE, phase="Bound")),
        [
            ("PersistentVolumeClaim", "Lost"),
            ("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"),
        ],
    ),
    "its volume is gone": (
        seen_claim(claim(meta=DONE, phase="Bound", volumeName="pv")),
        [
            ("PersistentVolumeClaim", "Lost"),
            ("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        ],
    ),
    "lost is told once": (seen_claim(claim(meta=DONE, phase="Lost", volumeName="pv")), []),
    "two of one volume": (
        seen_claim(
            claim(meta=DONE, phase="Bound", volumeName="pv"),
            named=volume(claimRef=reference(claim("other", uid="o"))),
        ),
        [
            ("PersistentVolumeClaim", "Lost"),
            ("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"),
        ],
    ),
    "deleted before it was bound": (
        seen_claim(claim(meta={"deletionTimestamp": shapes.STAMP}), candidates=[volume()]),
        [],
    ),
}


@pytest.mark.parametrize(("seen", "expect"), CLAIMS.values(), ids=CLAIMS.keys())
def test_claims(seen, expect):
    assert told(seen) == expect


def test_a_volume_is_taken_before_the_claim_is_told():
    of = claim(size="500Mi")
    actions = decide.decide(seen_claim(of, candidates=[volume("large", "5Gi"), volume("pv")])).actions
    patch, phase = actions
    assert isinstance(patch, Patch)
    assert patch.name == "pv"
    assert patch.resource_version == "6"
    assert patch.patch["spec"]["claimRef"]["uid"] == "c1"
    assert patch.patch["metadata"]["annotations"] == {volumes.BOUND_BY_CONTROLLER: "yes"}
    assert isinstance(phase, UpdateStatus)
    assert phase.obj["status"] == {"phase": "Bound", "lastPhaseTransitionTime": shapes.STAMP}
    reserved = volume(claimRef=reference(of), phase="Bound")
    told_claim, status = decide.decide(seen_claim(of, candidates=[reserved])).actions
    assert isinstance(told_claim, Patch)
    assert told_claim.patch["spec"] == {"volumeName": "pv"}
    assert isinstance(status, UpdateStatus)
    wanted = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    assert status.obj["status"] == wanted


OF = claim(volumeName="pv", meta=DONE, phase="Bound")
BOUND: Any = {"claimRef": reference(OF), "phase": "Bound"}
ELSEWHERE = claim(volumeName="other", meta=DONE, phase="Bound")
BY_US: Any = {"annotations": {volumes.BOUND_BY_CONTROLLER: "yes"}}

VOLUMES = {
    "new": (SeenVolume(volume(phase="Pending"), shapes.NOW), [("PersistentVolume", "Available")]),
    "free": (SeenVolume(volume(), shapes.NOW), []),
    "set aside": (
        SeenVolume(volume(phase="Pending", claimRef=reference(OF, uid=False)), shapes.NOW, OF),
        [("PersistentVolume", "Available")],
    ),
    "bound": (SeenVolume(volume(**BOUND), shapes.NOW, OF), []),
    "released": (SeenVolume(volume(**BOUND), shapes.NOW), [("PersistentVolume", "Released")]),
    "another claim of the name": (
        SeenVolume(volume(**BOUND), shapes.NOW, claim(uid="c2")),
        [("PersistentVolume", "Released")],
    ),
    "kept": (SeenVolume(volume(claimRef=reference(OF), phase="Released"), shapes.NOW), []),
    "deleted by who made it": (
        SeenVolume(
            volume(claimRef=reference(OF), phase="Released", persistentVolumeReclaimPolicy="Delete", meta=PROVISIONED),
            shapes.NOW,
        ),
        [],
    ),
    "made by hand": (
        SeenVolume(
            volume(claimRef=reference(OF), phase="Released", persistentVolumeReclaimPolicy="Delete"), shapes.NOW
        ),
        [
            ("PersistentVolume", "Failed"),
            ("VolumeFailedDelete", "host_path deleter only supports /tmp/.+ but received provided /data"),
        ],
    ),
    "scratch": (
        SeenVolume(
            volume(
                claimRef=reference(OF),
                phase="Released",
                persistentVolumeReclaimPolicy="Delete",
                hostPath={"path": "/tmp/x"},
            ),
            shapes.NOW,
        ),
        [("delete", "pv")],
    ),
    "recycled": (
        SeenVolume(
            volume(claimRef=reference(OF), phase="Released", persistentVolumeReclaimPolicy="Recycle"), shapes.NOW
        ),
        [("create", "recycler-for-pv")],
    ),
    "recycled and empty": (
        SeenVolume(
            volume(claimRef=reference(OF), phase="Released", persistentVolumeReclaimPolicy="Recycle", meta=BY_US),
            shapes.NOW,
            recycler={
                "metadata": {"name": "recycler-for-pv", "namespace": "default"},
                "status": {"phase": "Succeeded"},
            },
        ),
        [
            ("VolumeRecycled", "Volume recycled"),
            (
                "patch",
                "pv",
                {"metadata": {"annotations": {volumes.BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": None}},
            ),
            ("PersistentVolume", "Available"),
            ("delete", "recycler-for-pv"),
        ],
    ),
    "its claim took another": (
        SeenVolume(volume(**BOUND, meta=BY_US), shapes.NOW, ELSEWHERE),
        [
            (
                "patch",
                "pv",
                {"metadata": {"annotations": {volumes.BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": None}},
            ),
            ("PersistentVolume", "Available"),
        ],
    ),
    "made for a claim that took another": (
        SeenVolume(volume(**BOUND, meta=PROVISIONED, persistentVolumeReclaimPolicy="Delete"), shapes.NOW, ELSEWHERE),
        [("PersistentVolume", "Released")],
    ),
}


@pytest.mark.parametrize(("seen", "expect"), VOLUMES.values(), ids=VOLUMES.keys())
def test_volumes(seen, expect):
    assert told(seen) == expect


MISMATCHES = {
    "fits": ({}, ""),
    "size": ({"size": "500Mi"}, "requested PV is too small"),
    "class": ({"storageClassName": "x"}, "storageClassName does not match"),
    "mode": ({"volumeMode": "Block"}, "incompatible volumeMode"),
    "access": ({"accessModes": ["ReadOnlyMany"]}, "incompatible accessMode"),
    "deleted": ({"meta": {"deletionTimestamp": shapes.STAMP}}, 'the volume is marked for deletion "pv"'),
}


@pytest.mark.parametrize(("change", "expect"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_a_volume_that_does_not_fit_is_not_found_either(change, expect):
    of = volume(**change)
    assert volume_matching.mismatch(of, claim()) == expect
    assert (volume_matching.find(claim(), [of]) is None) == bool(expect)


def test_labels_are_asked_for():
    of = claim(selector={"matchLabels": {"disk": "ssd"}})
    ssd = volume("ssd", "9Gi", meta={"labels": {"disk": "ssd"}})
    assert volume_matching.find(of, [volume("hdd"), ssd]) is ssd


def test_a_volume_of_another_node_is_none():
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}
    local = volume(nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
    here, there = (volume_matching.Node(name, {"kubernetes.io/hostname": name}) for name in ("n1", "n2"))
    assert volume_matching.find_on_node(claim(), [local], here) is local
    assert volume_matching.find_on_node(claim(), [local], there) is None
    assert volume_matching.find_on_node(claim(), [local], here, taken={"pv"}) is None


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    modes=st.lists(
        st.sets(st.sampled_from(["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"]), min_size=1), min_size=6, max_size=6
    ),
    wanted=st.integers(1, 9),
)
def test_the_smallest_that_will_do_of_those_that_can_least(sizes, modes, wanted):
    pairs = zip(sizes, modes, strict=False)
    there = [volume(f"pv{index}", f"{size}Gi", accessModes=sorted(mode)) for index, (size, mode) in enumerate(pairs)]
    found = volume_matching.find(claim(size=f"{wanted}Gi"), there)
    enough = [
        (len(mode), size)
        for size, mode in zip(sizes, modes, strict=False)
        if size >= wanted and "ReadWriteOnce" in mode
    ]
    assert (found is None) == (not enough)
    if found is not None:
        best = min(enough)
        assert (len(volumes.access_modes(found)), volumes.capacity_bytes(found) >> 30) == best
