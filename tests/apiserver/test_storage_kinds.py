"""The life of every kind of storage through the API, as upstream's conformance tests lead it."""

from typing import Any

import pytest

from tests.apiserver import kit
from tests.apiserver.kit import MERGE

GROUP = "/apis/storage.k8s.io/v1"
CSI = {"driver": "d.example.com", "volumeHandle": "h"}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": CSI}
SOURCE = {"persistentVolumeName": "pv"}
KINDS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "classes": (f"{GROUP}/storageclasses", {"provisioner": "a/b"}, True),
    "attributes": (f"{GROUP}/volumeattributesclasses", {"driverName": "d", "parameters": {"a": "b"}}, True),
    "drivers": (f"{GROUP}/csidrivers", {"spec": {}}, True),
    "nodes": (f"{GROUP}/csinodes", {"spec": {"drivers": []}}, True),
    "attachments": (
        f"{GROUP}/volumeattachments",
        {"spec": {"attacher": "d.x", "nodeName": "n", "source": SOURCE}},
        True,
    ),
    "capacities": (
        f"{GROUP}/namespaces/default/csistoragecapacities",
        {"storageClassName": "x", "nodeTopology": {"matchLabels": {"a": "b"}}, "capacity": "1Gi"},
        False,
    ),
    "volumes": ("/api/v1/persistentvolumes", {"spec": VOLUME}, True),
}


@pytest.mark.parametrize(("path", "fields", "answers_object"), KINDS.values(), ids=KINDS.keys())
async def test_a_life(api: kit.Api, path: str, fields: dict[str, Any], answers_object: bool):
    made = await api.make(path, {"metadata": {"name": "one", "labels": {"e2e": "1"}}, **fields})
    assert (await api.ask("GET", f"{path}/one")).body == made
    patched = await api.ask("PATCH", f"{path}/one", {"metadata": {"labels": {"patched": "1"}}}, headers=MERGE)
    assert patched.body["metadata"]["labels"] == {"e2e": "1", "patched": "1"}
    changed = {**patched.body, "metadata": {**patched.body["metadata"], "annotations": {"updated": "1"}}}
    assert (await api.ask("PUT", f"{path}/one", changed)).status == 200
    listed = await api.ask("GET", f"{path}?labelSelector=patched=1")
    assert [one["metadata"]["name"] for one in listed.body["items"]] == ["one"]
    await api.ask("PATCH", f"{path}/one", {"metadata": {"finalizers": None}}, headers=MERGE)
    gone = await api.ask("DELETE", f"{path}/one")
    assert gone.status == 200
    assert (gone.body["kind"] != "Status") == answers_object
    assert (await api.ask("GET", f"{path}/one")).status == 404
    await api.make(path, {"metadata": {"name": "two", "labels": {"e2e": "1"}}, **fields})
    assert (await api.ask("DELETE", f"{path}?labelSelector=e2e=1")).status == 200


async def test_the_status_of_an_attachment_is_its_attachers(api: kit.Api):
    path, fields, _ = KINDS["attachments"]
    made = await api.make(path, {"metadata": {"name": "one"}, **fields, "status": {"attached": True}})
    assert made["status"] == {"attached": False}
    told = {"status": {"attached": True, "attachmentMetadata": {"a": "b"}}}
    assert (await api.ask("PATCH", f"{path}/one/status", told, headers=MERGE)).body["status"] == told["status"]
    refused = await api.ask("PATCH", f"{path}/one", {"spec": {"nodeName": "m"}}, headers=MERGE)
    assert "spec: Invalid value" in refused.body["message"]
    assert "field is immutable" in refused.body["message"]
