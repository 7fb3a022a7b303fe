"""Volumes, claims and storage.k8s.io: upstream's paths and texts, and what may change later."""

import pytest

from steersman.api import kinds
from tests.api import builders

VOLUME, CLAIM = kinds.PERSISTENT_VOLUME, kinds.PERSISTENT_VOLUME_CLAIM
TERM = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
AFFINITY = {"required": {"nodeSelectorTerms": [TERM]}}
CSI = {"csi": {"driver": "d.example.com", "volumeHandle": "1"}, "hostPath": None}


def volume(**spec):
    known = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    return builders.of_kind(VOLUME, spec={key: value for key, value in (known | spec).items() if value is not None})


def claim(size="1Gi", phase="Pending", **spec):
    known = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    spec = {key: value for key, value in (known | spec).items() if value is not None}
    return builders.of_kind(CLAIM, spec=spec, status={"phase": phase})


def of(kind, **fields):
    return builders.of_kind(kind, **fields)


RIGHT = {
    "host path": (VOLUME, volume()),
    "local": (VOLUME, volume(hostPath=None, local={"path": "/x"}, nodeAffinity=AFFINITY)),
    "csi": (VOLUME, volume(**CSI, volumeMode="Block", volumeAttributesClassName="gold")),
    "claim": (CLAIM, claim(selector={"matchLabels": {"a": "b"}}, storageClassName="x")),
    "one pod's": (CLAIM, claim(accessModes=["ReadWriteOncePod"])),
    "class": (kinds.STORAGE_CLASS, of(kinds.STORAGE_CLASS, provisioner="Rancher.io/local-path")),
    "attributes": (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        of(kinds.VOLUME_ATTRIBUTES_CLASS, driverName="d.example.com", parameters={"iops": "9"}),
    ),
    "driver": (kinds.CSI_DRIVER, of(kinds.CSI_DRIVER, spec={})),
    "node": (kinds.CSI_NODE, of(kinds.CSI_NODE, spec={"drivers": [{"name": "d.x", "nodeID": "n"}]})),
    "capacity": (kinds.CSI_STORAGE_CAPACITY, of(kinds.CSI_STORAGE_CAPACITY, storageClassName="x", capacity="1Gi")),
    "attachment": (
        kinds.VOLUME_ATTACHMENT,
        of(
            kinds.VOLUME_ATTACHMENT,
            spec={"attacher": "d.x", "nodeName": "n", "source": {"persistentVolumeName": "pv"}},
        ),
    ),
}


@pytest.mark.parametrize(("kind", "obj"), RIGHT.values(), ids=RIGHT.keys())
def test_right(kind, obj):
    assert builders.refused(kind, obj) == []


WRONG = {
    "no source": (VOLUME, volume(hostPath=None), "spec: Required value: must specify a volume type"),
    "two sources": (
        VOLUME,
        volume(nfs={"server": "s", "path": "/"}),
        "spec.nfs: Forbidden: may not specify more than 1 volume type",
    ),
    "no size": (VOLUME, volume(capacity=None), "spec.capacity: Required value"),
    "zero": (
        VOLUME,
        volume(capacity={"storage": "0"}),
        'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
    ),
    "other sizes": (
        VOLUME,
        volume(capacity={"storage": "1", "cpu": "1"}),
        'spec.capacity: Unsupported value: {"storage":"1","cpu":"1"}: supported values: "storage"',
    ),
    "no modes": (VOLUME, volume(accessModes=None), "spec.accessModes: Required value"),
    "unknown mode": (
        VOLUME,
        volume(accessModes=["X"]),
        'spec.accessModes: Unsupported value: "X": supported values: "ReadOnlyMany", "ReadWriteMany", '
        '"ReadWriteOnce", "ReadWriteOncePod"',
    ),
    "one pod and others": (
        CLAIM,
        claim(accessModes=["ReadWriteOncePod", "ReadWriteOnce"]),
        "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
    ),
    "local anywhere": (
        VOLUME,
        volume(hostPath=None, local={"path": "/x"}),
        "spec.nodeAffinity: Required value: Local volume requires node affinity",
    ),
    "up": (
        VOLUME,
        volume(hostPath={"path": "/a/../b"}),
        "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
    ),
    "recycled root": (
        VOLUME,
        volume(hostPath={"path": "/"}, persistentVolumeReclaimPolicy="Recycle"),
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ),
    "policy": (
        VOLUME,
        volume(persistentVolumeReclaimPolicy="Burn"),
        'spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain"',
    ),
    "csi without handle": (
        VOLUME,
        volume(hostPath=None, csi={"driver": "d.x"}),
        "spec.csi.volumeHandle: Required value",
    ),
    "claim without size": (CLAIM, claim(resources={}), "spec.resources[storage]: Required value"),
    "claim of half a byte": (
        CLAIM,
        claim("500m"),
        'spec.resources[storage]: Invalid value: "500m": must be an integer',
    ),
    "claim without modes": (
        CLAIM,
        claim(accessModes=None),
        "spec.accessModes: Required value: at least 1 access mode is required",
    ),
    "a source of no kind": (
        CLAIM,
        claim(dataSourceRef={"kind": "Pod", "name": "x"}),
        "spec.dataSourceRef: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup",
    ),
    "class of nobody": (kinds.STORAGE_CLASS, of(kinds.STORAGE_CLASS), "provisioner: Required value"),
    "class that recycles": (
        kinds.STORAGE_CLASS,
        of(kinds.STORAGE_CLASS, provisioner="a/b", reclaimPolicy="Recycle"),
        'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
    ),
    "class of two topologies alike": (
        kinds.STORAGE_CLASS,
        of(
            kinds.STORAGE_CLASS,
            provisioner="a/b",
            allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}] * 2,
        ),
        'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""',
    ),
    "attributes without any": (
        kinds.VOLUME_ATTRIBUTES_CLASS,
        of(kinds.VOLUME_ATTRIBUTES_CLASS, driverName="d"),
        "parameters: Required value: must contain at least one key/value pair",
    ),
    "attachment of nothing": (
        kinds.VOLUME_ATTACHMENT,
        of(kinds.VOLUME_ATTACHMENT, spec={"attacher": "d.x", "nodeName": "n"}),
        "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
    ),
    "two drivers of a name": (
        kinds.CSI_NODE,
        of(kinds.CSI_NODE, spec={"drivers": [{"name": "d.x", "nodeID": "n"}] * 2}),
        'spec.drivers[1].name: Duplicate value: "d.x"',
    ),
    "driver of short tokens": (
        kinds.CSI_DRIVER,
        of(kinds.CSI_DRIVER, spec={"tokenRequests": [{"audience": "a", "expirationSeconds": 9}]}),
        "spec.tokenRequests[0].expirationSeconds: Invalid value: 9: may not specify a duration less than 10 minutes",
    ),
    "negative capacity": (
        kinds.CSI_STORAGE_CAPACITY,
        of(kinds.CSI_STORAGE_CAPACITY, storageClassName="x", capacity="-1"),
        'capacity: Invalid value: "-1": must be greater than or equal to 0',
    ),
}


@pytest.mark.parametrize(("kind", "obj", "expect"), WRONG.values(), ids=WRONG.keys())
def test_wrong(kind, obj, expect):
    assert expect in builders.refused(kind, obj)


ONLY = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
CLASS = {"provisioner": "a/b", "parameters": {"x": "y"}}
UPDATES = {
    "a volume's name, once": (CLAIM, claim(), claim(volumeName="pv"), []),
    "another volume": (CLAIM, claim(volumeName="a"), claim(volumeName="b"), [ONLY]),
    "a class, once": (CLAIM, claim(), claim(storageClassName="x"), []),
    "another class": (CLAIM, claim(storageClassName="a"), claim(storageClassName="b"), [ONLY]),
    "growing unbound": (CLAIM, claim(), claim("2Gi"), [ONLY]),
    "growing bound": (CLAIM, claim(phase="Bound"), claim("2Gi", phase="Bound"), []),
    "modes": (CLAIM, claim(phase="Bound"), claim(phase="Bound", accessModes=["ReadOnlyMany"]), [ONLY]),
    "volume's place": (
        VOLUME,
        volume(),
        volume(hostPath={"path": "/other"}),
        ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
    ),
    "volume's size": (VOLUME, volume(), volume(capacity={"storage": "9Gi"}), []),
    "volume's nodes, once": (VOLUME, volume(), volume(nodeAffinity=AFFINITY), []),
    "class": (
        kinds.STORAGE_CLASS,
        of(kinds.STORAGE_CLASS, **CLASS),
        of(kinds.STORAGE_CLASS, **CLASS, volumeBindingMode="WaitForFirstConsumer", reclaimPolicy="Retain"),
        [
            "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
            'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
        ],
    ),
    "class may let volumes grow": (
        kinds.STORAGE_CLASS,
        of(kinds.STORAGE_CLASS, **CLASS),
        of(kinds.STORAGE_CLASS, **CLASS, allowVolumeExpansion=True),
        [],
    ),
    "driver": (
        kinds.CSI_DRIVER,
        of(kinds.CSI_DRIVER, spec={"attachRequired": True}),
        of(kinds.CSI_DRIVER, spec={"attachRequired": False}),
        ["spec.attachedRequired: Invalid value: false: field is immutable"],
    ),
    "how many fit on a node": (
        kinds.CSI_NODE,
        of(kinds.CSI_NODE, spec={"drivers": [{"name": "d.x", "nodeID": "n"}]}),
        of(kinds.CSI_NODE, spec={"drivers": [{"name": "d.x", "nodeID": "n", "allocatable": {"count": 3}}]}),
        [],
    ),
}


@pytest.mark.parametrize(("kind", "old", "new", "expect"), UPDATES.values(), ids=UPDATES.keys())
def test_updates(kind, old, new, expect):
    before = builders.stored(kind, old)
    if "status" in old:
        before["status"] = old["status"]
    assert builders.refused(kind, new, before) == expect
