"""Claims and volumes on their way in: default class, protection, growing, phases."""

from tests.apiserver import kit
from tests.apiserver.kit import MERGE

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def claim(name: str = "data", size: str = "1Gi", **spec: object) -> dict[str, object]:
    requests = {"resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], **requests, **spec}}


def storage_class(name: str, *, default: bool = False, **fields: object) -> dict[str, object]:
    annotations = {DEFAULT: "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "provisioner": "example.com/disk", **fields}


async def test_a_claim_without_a_word_about_its_class_gets_the_default_one(api: kit.Api):
    assert "storageClassName" not in (await api.make(CLAIMS, claim("early")))["spec"]
    await api.make(CLASSES, storage_class("slow"))
    await api.make(CLASSES, storage_class("fast", default=True))
    assert (await api.make(CLAIMS, claim("data")))["spec"]["storageClassName"] == "fast"
    assert (await api.make(CLAIMS, claim("none", storageClassName="")))["spec"]["storageClassName"] == ""
    assert (await api.make(CLAIMS, claim("slow", storageClassName="slow")))["spec"]["storageClassName"] == "slow"


async def test_a_claim_in_use_is_protected(api: kit.Api):
    made = await api.make(CLAIMS, claim())
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert (made["status"], made["spec"]["volumeMode"]) == ({"phase": "Pending"}, "Filesystem")
    gone = await api.ask("DELETE", f"{CLAIMS}/data")
    assert (gone.status, gone.body["kind"]) == (200, "PersistentVolumeClaim")
    assert "deletionTimestamp" in (await api.ask("GET", f"{CLAIMS}/data")).body["metadata"]


async def test_a_claim_grows_where_its_class_allows_it(api: kit.Api):
    await api.make(CLASSES, storage_class("fixed"))
    await api.make(CLASSES, storage_class("grows", allowVolumeExpansion=True))
    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    for name in ("fixed", "grows"):
        await api.make(CLAIMS, claim(name, storageClassName=name))
        early = await api.ask("PATCH", f"{CLAIMS}/{name}", more, headers=MERGE)
        assert (early.status, early.body["reason"]) == (422, "Invalid")
        bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
        assert (await api.ask("PATCH", f"{CLAIMS}/{name}/status", bound, headers=MERGE)).status == 200
    refused = await api.ask("PATCH", f"{CLAIMS}/fixed", more, headers=MERGE)
    assert refused.refusal == (
        403,
        "Forbidden",
        'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize",
    )
    assert (await api.ask("PATCH", f"{CLAIMS}/grows", more, headers=MERGE)).status == 200
    less = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    shrunk = await api.ask("PATCH", f"{CLAIMS}/grows", less, headers=MERGE)
    assert "field can not be less than status.capacity" in shrunk.body["message"]


async def test_a_volume_tells_since_when_it_is_in_its_phase(api: kit.Api):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}
    made = await api.make(VOLUMES, {"metadata": {"name": "pv"}, "spec": spec})
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert made["status"]["phase"] == "Pending"
    assert made["status"]["lastPhaseTransitionTime"] == made["metadata"]["creationTimestamp"]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made["spec"]["hostPath"] == {"path": "/data", "type": ""}
    long_ago = {"status": {"phase": "Available", "lastPhaseTransitionTime": "2020-01-01T00:00:00Z"}}
    told = await api.ask("PATCH", f"{VOLUMES}/pv/status", long_ago, headers=MERGE)
    assert told.body["status"]["lastPhaseTransitionTime"] == "2020-01-01T00:00:00Z"
    moved = await api.ask("PATCH", f"{VOLUMES}/pv/status", {"status": {"phase": "Released"}}, headers=MERGE)
    assert moved.body["status"]["lastPhaseTransitionTime"] > "2020-01-01T00:00:00Z"


async def test_a_source_of_data_is_told_in_both_fields(api: kit.Api):
    other = {"kind": "PersistentVolumeClaim", "name": "other"}
    assert (await api.make(CLAIMS, claim("a", dataSource=other)))["spec"]["dataSourceRef"] == other
    assert (await api.make(CLAIMS, claim("b", dataSourceRef=other)))["spec"]["dataSource"] == other
    dropped = await api.make(CLAIMS, claim("c", dataSource={"apiGroup": "x.io", "kind": "Disk", "name": "d"}))
    assert "dataSource" not in dropped["spec"]
