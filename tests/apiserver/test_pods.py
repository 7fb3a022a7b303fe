"""What is special about pods: admission, graceful deletion, binding, eviction, containers."""

import datetime

import pytest

from steersman.aio import clock as clocks
from steersman.apiserver import deletion, event_expiry
from steersman.meta import errors
from tests.apiserver import kit
from tests.apiserver.kit import MERGE, PODS


@pytest.fixture
async def ready(api: kit.Api) -> kit.Api:
    await kit.with_account(api)
    return api


async def test_a_new_pod_is_complete(ready: kit.Api):
    spec = (await ready.make(PODS, kit.pod("p")))["spec"]
    assert spec["serviceAccountName"] == "default"
    volume = spec["volumes"][0]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    mount = spec["containers"][0]["volumeMounts"][0]
    assert (mount["mountPath"], mount["readOnly"]) == ("/var/run/secrets/kubernetes.io/serviceaccount", True)
    assert [(one["key"], one["tolerationSeconds"]) for one in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")


async def test_no_token_where_none_is_wanted(ready: kit.Api):
    spec = (await ready.make(PODS, kit.pod("p", automountServiceAccountToken=False)))["spec"]
    assert "volumes" not in spec


async def test_priority_of_a_class(ready: kit.Api):
    spec = (await ready.make(PODS, kit.pod("p", priorityClassName="system-node-critical")))["spec"]
    assert spec["priority"] == 2000001000
    refused = await ready.ask("POST", PODS, kit.pod("q", priorityClassName="nope"))
    assert refused.refusal == (403, "Forbidden", 'pods "q" is forbidden: no PriorityClass with name nope was found')


async def bind(api: kit.Api, name: str, node: str = "n1"):
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
    return await api.ask("POST", f"{PODS}/{name}/binding", body)


async def test_binding_once(ready: kit.Api):
    await ready.make(PODS, kit.pod("p"))
    assert (await bind(ready, "p")).status == 201
    bound = (await ready.ask("GET", f"{PODS}/p")).body
    assert bound["spec"]["nodeName"] == "n1"
    condition = bound["status"]["conditions"][0]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    again = await bind(ready, "p", "n2")
    assert again.refusal == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    )


async def test_a_pod_without_a_node_goes_at_once(ready: kit.Api):
    await ready.make(PODS, kit.pod("p"))
    assert (await ready.ask("DELETE", f"{PODS}/p")).body["kind"] == "Pod"
    assert (await ready.ask("GET", f"{PODS}/p")).status == 404


async def test_a_pod_on_a_node_gets_its_grace_period(ready: kit.Api):
    await ready.make(PODS, kit.pod("p", terminationGracePeriodSeconds=7))
    await bind(ready, "p")
    marked = (await ready.ask("DELETE", f"{PODS}/p")).body["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 7
    longer = (await ready.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=60")).body["metadata"]
    assert longer == marked
    shorter = (await ready.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=3")).body["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 3
    assert shorter["deletionTimestamp"] < marked["deletionTimestamp"]
    assert (await ready.ask("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})).status == 200
    assert (await ready.ask("GET", f"{PODS}/p")).status == 404


async def test_who_deletes_may_give_more_grace_than_the_pod_asks_for(ready: kit.Api):
    await ready.make(PODS, kit.pod("p", terminationGracePeriodSeconds=0))
    await bind(ready, "p")
    marked = (await ready.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=30")).body["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 30
    assert (await ready.ask("DELETE", f"{PODS}/p?gracePeriodSeconds=0")).status == 200
    assert (await ready.ask("GET", f"{PODS}/p")).status == 404


async def test_status_of_a_dying_pod_can_be_written(ready: kit.Api):
    await ready.make(PODS, kit.pod("p"))
    await bind(ready, "p")
    await ready.ask("DELETE", f"{PODS}/p")
    patched = await ready.ask("PATCH", f"{PODS}/p/status", {"status": {"phase": "Failed"}}, headers=MERGE)
    assert (patched.status, patched.body["status"]["phase"]) == (200, "Failed")
    assert patched.body["metadata"]["deletionTimestamp"]


async def test_eviction_deletes(ready: kit.Api):
    await ready.make(PODS, kit.pod("p"))
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    assert (await ready.ask("POST", f"{PODS}/p/eviction", body)).status == 201
    assert (await ready.ask("GET", f"{PODS}/p")).status == 404


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"])],
    ids=lambda value: str(value),
)
async def test_propagation_becomes_a_finalizer(api: kit.Api, policy, finalizers):
    await api.make(kit.DEPLOYMENTS, kit.deployment("d"))
    marked = await api.ask("DELETE", f"{kit.DEPLOYMENTS}/d", {"propagationPolicy": policy})
    assert marked.body["metadata"]["finalizers"] == finalizers
    assert marked.body["metadata"]["generation"] == 2
    background = await api.ask("DELETE", f"{kit.DEPLOYMENTS}/d", {"propagationPolicy": "Background"})
    assert background.status == 200
    assert (await api.ask("GET", f"{kit.DEPLOYMENTS}/d")).status == 404


def test_delete_options_are_checked():
    for body, text in (
        ({"propagationPolicy": "Now"}, "propagationPolicy: Unsupported value"),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
        ({"dryRun": ["x"]}, "dryRun: Unsupported value"),
    ):
        with pytest.raises(errors.StatusError, match=text):
            deletion.options_of(body, {})


async def test_old_events_are_forgotten(api: kit.Api):
    def event(name: str, at: str):
        involved = {"kind": "Pod", "namespace": "default", "name": "p"}
        return {
            "metadata": {"name": name},
            "involvedObject": involved,
            "lastTimestamp": at,
            "reason": "r",
            "type": "Normal",
        }

    path = "/api/v1/namespaces/default/events"
    await api.make(path, event("new", "2999-01-01T00:00:00Z"))
    before = (await api.ask("GET", path)).body["items"]
    entries = (await api.store.list("/core/events/")).entries
    at = datetime.datetime(2998, 1, 1, tzinfo=datetime.UTC)
    assert event_expiry.expired(entries, at) == []
    assert event_expiry.expired(entries, at.replace(year=3001)) == list(entries)
    await event_expiry.EventExpiry(api.store, clocks.SystemClock()).sweep()
    assert (await api.ask("GET", path)).body["items"] == before
    await event_expiry.EventExpiry(api.store, _Later()).sweep()
    assert (await api.ask("GET", path)).body["items"] == []


class _Later(clocks.SystemClock):
    """A thousand years on."""

    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(days=366 * 1000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target": {"name": "No Name"}}, 'target.name: Invalid value: "No Name": a lowercase RFC 1123 subdomain'),
        ({"metadata": {"labels": {"a b": "c"}}}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
    ],
)
async def test_a_binding_puts_nothing_on_a_pod_that_no_pod_may_have(api: kit.Api, changes, expected):
    await kit.with_account(api)
    await api.make(kit.PODS, kit.pod("p"))
    answer = await api.ask("POST", f"{kit.PODS}/p/binding", {"target": {"name": "n"}} | changes)
    assert answer.status == 422
    assert expected in answer.body["message"]
    assert "nodeName" not in (await api.ask("GET", f"{kit.PODS}/p")).body["spec"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{kit.PODS}/p/binding", {"target": []}),
        (f"{kit.PODS}/p/eviction", {"metadata": True}),
        (f"{kit.PODS}/p/eviction", {"deleteOptions": {"preconditions": 1}}),
        ("/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"audiences": [1]}}),
    ],
)
async def test_bodies_of_subresources_have_types(api: kit.Api, path, body):
    await kit.with_account(api)
    await api.make(kit.PODS, kit.pod("p"))
    answer = await api.ask("POST", path, body)
    assert answer.status in (400, 422), answer.raw


PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
GROUPS = "/apis/scheduling.k8s.io/{}/namespaces/default/{}"
GANG = {"schedulingPolicy": {"gang": {"minCount": 2}}}


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha3"])
async def test_priorities_of_groups(ready: kit.Api, version: str):
    high = {"metadata": {"name": "high"}, "value": 7, "preemptionPolicy": "Never"}
    await ready.make(PRIORITY_CLASSES, high)
    place = GROUPS.format(version, "podgroups")
    named = await ready.make(place, {"metadata": {"name": "g"}, "spec": {**GANG, "priorityClassName": "high"}})
    assert (named["spec"]["priority"], named["spec"]["preemptionPolicy"]) == (7, "Never")
    assert named["metadata"]["finalizers"] == ["scheduling.k8s.io/podgroup-protection"]
    other = await ready.make(place, {"metadata": {"name": "h"}, "spec": GANG})
    assert (other["spec"]["priority"], other["spec"]["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    refused = await ready.ask("POST", place, {"metadata": {"name": "i"}, "spec": {**GANG, "priority": 3}})
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    template = {"name": "t", **GANG, "priorityClassName": "high"}
    spec = {"podGroupTemplates": [template]}
    workload = await ready.make(GROUPS.format(version, "workloads"), {"metadata": {"name": "w"}, "spec": spec})
    assert workload["spec"]["podGroupTemplates"][0]["priority"] == 7


async def test_the_group_of_a_pod(ready: kit.Api):
    for group, why in (({}, "must specify one of: `podGroupName`"), ({"podGroupName": "A_b"}, "RFC 1123 subdomain")):
        refused = await ready.ask("POST", PODS, kit.pod("p", schedulingGroup=group))
        assert refused.status == 422
        assert why in refused.body["message"]
    made = await ready.make(PODS, kit.pod("p", schedulingGroup={"podGroupName": "g"}))
    made["spec"]["schedulingGroup"] = {"podGroupName": "h"}
    assert (await ready.ask("PUT", f"{PODS}/p", made)).status == 422
