import datetime

import pytest

from steersman.api import kinds
from steersman.api.printing import tables
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)
STAMP = "2026-01-01T00:00:00Z"
MODES = ["ReadWriteMany", "ReadWriteOnce"]
CLAIMED = {"claimRef": {"namespace": "default", "name": "data"}, "persistentVolumeReclaimPolicy": "Delete"}

ROWS = {
    "volume": (
        kinds.PERSISTENT_VOLUME,
        {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": MODES, **CLAIMED}, "status": {"phase": "Bound"}},
        "x|1Gi|RWO,RWX|Delete|Bound|default/data||<unset>||5m|<unset>",
    ),
    "claim": (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {
            "spec": {"volumeName": "pv", "storageClassName": "fast", "volumeMode": "Filesystem"},
            "status": {"phase": "Bound", "capacity": {"storage": "2Gi"}, "accessModes": MODES},
        },
        "x|Bound|pv|2Gi|RWO,RWX|fast|<unset>|5m|Filesystem",
    ),
    "waiting claim": (
        kinds.PERSISTENT_VOLUME_CLAIM,
        {"spec": {"accessModes": MODES}, "status": {"phase": "Pending"}},
        "x|Pending|||||<unset>|5m|<unset>",
    ),
    "class": (
        kinds.STORAGE_CLASS,
        {"provisioner": "rancher.io/local-path", "volumeBindingMode": "WaitForFirstConsumer"},
        "x|rancher.io/local-path|Delete|WaitForFirstConsumer|false|5m",
    ),
    "driver": (
        kinds.CSI_DRIVER,
        {"spec": {"attachRequired": False, "volumeLifecycleModes": ["Persistent", "Ephemeral"]}},
        "x|False|False|False|<unset>|False|Persistent,Ephemeral|5m",
    ),
    "node": (kinds.CSI_NODE, {"spec": {"drivers": [{"name": "a"}]}}, "x|1|5m"),
    "capacity": (kinds.CSI_STORAGE_CAPACITY, {"storageClassName": "fast"}, "x|fast|<unset>"),
    "attachment": (
        kinds.VOLUME_ATTACHMENT,
        {"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}},
        "x|d|pv|n|False|5m",
    ),
    "attributes": (kinds.VOLUME_ATTRIBUTES_CLASS, {"driverName": "d"}, "x|d|5m"),
}


@pytest.mark.parametrize(("kind", "fields", "expect"), ROWS.values(), ids=ROWS.keys())
def test_rows(kind, fields, expect):
    assert row(kind, fields) == expect


def test_the_default_class_says_so_and_what_is_going_is_terminating():
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    assert row(kinds.STORAGE_CLASS, {"provisioner": "p"}, **default).startswith("x (default)|p|")
    going = row(kinds.PERSISTENT_VOLUME_CLAIM, {"status": {"phase": "Bound"}}, deletionTimestamp=STAMP)
    assert going.startswith("x|Terminating|")


def row(kind, fields, **meta) -> str:
    obj = builders.of_kind(kind, **fields)
    obj["metadata"] |= {"creationTimestamp": STAMP, **meta}
    return "|".join(str(cell) for cell in tables.row(kind, obj, NOW)["cells"])
