"""The kinds of snapshots, and their CustomResourceDefinitions: read from `definitions.yaml`.

They are upstream's: where a cluster has external-snapshotter's own definitions, those stay.
"""

import importlib.resources
from collections.abc import Iterator

import yaml

from steersman.api.custom import building
from steersman.api.kind import Kind
from steersman.meta.objects import Object

GROUP = "snapshot.storage.k8s.io"
SNAPSHOT = Kind(GROUP, "v1", "VolumeSnapshot", "volumesnapshots", "volumesnapshot")
CONTENT = Kind(
    GROUP, "v1", "VolumeSnapshotContent", "volumesnapshotcontents", "volumesnapshotcontent", namespaced=False
)
CLASS = Kind(GROUP, "v1", "VolumeSnapshotClass", "volumesnapshotclasses", "volumesnapshotclass", namespaced=False)

_APPROVED = "https://github.com/kubernetes-csi/external-snapshotter/pull/814"


def all_definitions() -> Iterator[Object]:
    text = importlib.resources.files(__package__).joinpath("definitions.yaml").read_text()
    for one in yaml.safe_load(text)["definitions"]:
        yield building.definition(GROUP, _APPROVED, one)
