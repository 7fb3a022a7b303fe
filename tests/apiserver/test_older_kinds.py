"""Kinds older than the garbage collector: what a DELETE leaves, and a selector that is a plain map."""

import pytest

from steersman.meta.objects import Object
from tests.apiserver import kit

JOBS = "/apis/batch/v1/namespaces/default/jobs"
CONTROLLERS = "/api/v1/namespaces/default/replicationcontrollers"
WARNING = (
    '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or '
    'set propagationPolicy=Orphan to suppress this warning"'
)


def job(name: str) -> Object:
    spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/hello:1"}]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("query", "warning", "finalizers"),
    [
        ("", WARNING, ["orphan"]),
        ("propagationPolicy=Background", None, None),
        ("propagationPolicy=Orphan", None, ["orphan"]),
        ("propagationPolicy=Foreground", None, ["foregroundDeletion"]),
        ("orphanDependents=false", None, None),
    ],
)
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/pi"], ids=["all", "one"])
async def test_a_job_deleted_as_of_old_leaves_its_pods(api: kit.Api, query, warning, finalizers, path):
    await api.make(JOBS, job("pi"))
    answer = await api.ask("DELETE", path, query=query)
    assert answer.status == 200
    assert answer.headers.get("warning") == warning
    left = await api.ask("GET", f"{JOBS}/pi")
    assert (left.body["metadata"]["finalizers"] if left.status == 200 else None) == finalizers


async def test_a_replication_controller(api: kit.Api):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": kit.pod("x")["spec"]}
    await api.make(CONTROLLERS, {"metadata": {"name": "web"}, "spec": {"template": template}})
    scale = (await api.ask("GET", f"{CONTROLLERS}/web/scale")).body
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 0, "selector": "app=web"})
    answer = await api.ask("DELETE", f"{CONTROLLERS}/web")
    assert answer.headers.get("warning") is None
    assert answer.body["metadata"]["finalizers"] == ["orphan"]
