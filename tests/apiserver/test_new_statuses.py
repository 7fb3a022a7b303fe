"""Objects are born with a status, as upstream's structs are, and nobody owns it."""

from typing import Any

import pytest

from tests.apiserver import kit

CONTAINERS = [{"name": "c", "image": "i"}]
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": CONTAINERS}}
OF_APPS = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
OF_JOB = {"template": {"spec": {"containers": CONTAINERS, "restartPolicy": "Never"}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
IN = "namespaces/default"
APPS, BATCH = f"/apis/apps/v1/{IN}", f"/apis/batch/v1/{IN}"

KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "deployment": (f"{APPS}/deployments", OF_APPS, {}),
    "replica-set": (f"{APPS}/replicasets", OF_APPS, {"replicas": 0}),
    "stateful-set": (f"{APPS}/statefulsets", OF_APPS, {"replicas": 0, "availableReplicas": 0}),
    "daemon-set": (
        f"{APPS}/daemonsets",
        OF_APPS,
        {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
    ),
    "controller": (f"/api/v1/{IN}/replicationcontrollers", {"template": TEMPLATE}, {"replicas": 0}),
    "job": (f"{BATCH}/jobs", OF_JOB, {}),
    "cron-job": (f"{BATCH}/cronjobs", {"schedule": "* * * * *", "jobTemplate": {"spec": OF_JOB}}, {}),
    "service": (f"/api/v1/{IN}/services", {"ports": [{"port": 80}]}, {"loadBalancer": {}}),
    "budget": (
        f"/apis/policy/v1/{IN}/poddisruptionbudgets",
        {"minAvailable": 1},
        {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    ),
    "autoscaler": (
        f"/apis/autoscaling/v2/{IN}/horizontalpodautoscalers",
        {"maxReplicas": 2, "scaleTargetRef": TARGET},
        {"desiredReplicas": 0},
    ),
    "quota": (f"/api/v1/{IN}/resourcequotas", {"hard": {"pods": "1"}}, {}),
}


@pytest.mark.parametrize(("path", "spec", "status"), KINDS.values(), ids=KINDS.keys())
async def test_a_new_object_has_a_status_that_nobody_owns(
    api: kit.Api, path: str, spec: dict[str, Any], status: dict[str, Any]
):
    sent = {"metadata": {"name": "one"}, "spec": spec, "status": {"phase": "Mine", "replicas": 7}}
    made = await api.make(path, sent)
    assert made["status"] == status
    assert (await api.ask("GET", f"{path}/one")).body == made
    assert [owner for owner in made["metadata"]["managedFields"] if "f:status" in owner["fieldsV1"]] == []


async def test_a_custom_kind_has_the_status_it_is_given_and_no_other(api: kit.Api):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    names = {"plural": "ones", "kind": "One"}
    definition = {
        "metadata": {"name": "ones.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": names, "versions": [version]},
    }
    await api.make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    one = {"apiVersion": "example.com/v1", "kind": "One", "metadata": {"name": "a"}}
    assert "status" not in await api.make("/apis/example.com/v1/ones", one)


async def test_the_keys_of_the_token_issuer_are_told_as_a_key_set(api: kit.Api):
    answer = await api.ask("GET", "/openid/v1/jwks")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert [key["use"] for key in answer.body["keys"]] == ["sig"]
