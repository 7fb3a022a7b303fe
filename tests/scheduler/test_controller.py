"""The scheduler against a real API server in virtual time, with a network between them that can fail."""

from typing import Any

import pytest

from steersman.aio import tasks
from steersman.api import kinds
from steersman.apiserver.admission import switches
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.client.transport import InProcessTransport
from steersman.meta import conditions, errors
from steersman.scheduler import controller, pods
from steersman.store.memory import MemoryStore
from steersman.testing.driver import VirtualDriver
from steersman.testing.objects_api import AsyncObjects, Objects
from tests.scheduler.builders import node, pod
from tests.scheduler.test_figures import figures


class Network(InProcessTransport):
    """`answers`: what becomes of the next bindings: an error to raise instead of sending, or after sending."""

    def __init__(self, handler):
        super().__init__(handler, "system:admin", ("system:masters",))
        self.instead: list[Exception] = []
        self.afterwards: list[Exception] = []
        self.bindings = 0

    async def request(self, request):
        if not request.path.endswith("/binding"):
            return await super().request(request)
        self.bindings += 1
        if self.instead:
            raise self.instead.pop(0)
        response = await super().request(request)
        if self.afterwards:
            raise self.afterwards.pop(0)
        return response


class Stage:
    def __init__(self):
        self.driver = VirtualDriver()
        options = Options(admission=switches.of("", "TaintNodesByCondition"))  # no controller here takes the taint away
        self.server = ApiServer(MemoryStore(), clock=self.driver.clock, options=options)
        self.network = Network(self.server.handle)
        self.client = Client(self.network, clock=self.driver.clock)
        self.objects = Objects(AsyncObjects(self.client, self.driver.clock), self.driver)
        self.running: tasks.Tasks | None = None

    async def begin(self):
        await self.server.start()
        await self.client.create(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, "default")
        self.running = tasks.Tasks("stage")
        caches = Caches(self.client, self.driver.clock)
        recorder = Recorder(self.client, self.driver.clock, pods.DEFAULT_SCHEDULER)
        self.scheduler = controller.Scheduler(self.client, caches, self.driver.clock, recorder, pods.DEFAULT_SCHEDULER)
        self.running.start("scheduler", controller.run_one(self.scheduler, recorder))
        self.running.start("caches", caches.run())

    async def end(self):
        if self.running is not None:
            await self.running.close()
        await self.server.close()

    def advance(self, seconds=1.0):
        self.driver.run(self.driver.clock.sleep(seconds))

    def create(self, *objects):
        for obj in objects:
            if "nodeName" in obj["spec"] or "containers" in obj["spec"]:
                self.objects.create({**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "uid"}})
            else:
                self.objects.create({"apiVersion": "v1", "kind": "Node", **obj})
                self.objects.patch("nodes", {"status": obj["status"]}, obj["metadata"]["name"], subresource="status")

    def node_of(self, name):
        return self.objects.get("pods", name)["spec"].get("nodeName", "")

    def events_of(self, name):
        found = self.objects.list("events", fields=f"involvedObject.name={name}")
        return [(event["type"], event["reason"], event["message"]) for event in found]


@pytest.fixture
def stage():
    stage = Stage()
    try:
        stage.driver.run(stage.begin())
        yield stage
    finally:
        stage.driver.run(stage.end())
        stage.driver.close()


SCHEDULED = ("Normal", "Scheduled", "Successfully assigned default/web-1 to node1")
TOO_FEW = (
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
    "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
)


def test_a_pod_gets_a_node(stage):
    stage.create(node("node1"), pod("web-1"))
    stage.advance()
    assert stage.node_of("web-1") == "node1"
    assert stage.events_of("web-1") == [SCHEDULED]


def test_a_pod_that_fits_nowhere_says_why_and_is_tried_when_something_changes(stage):
    stage.create(node("small", cpu="1"), pod("web-1", cpu="2"))
    stage.advance()
    assert stage.events_of("web-1") == [("Warning", "FailedScheduling", TOO_FEW)]
    condition = conditions.get(stage.objects.get("pods", "web-1"), "PodScheduled")
    assert condition is not None
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", TOO_FEW)
    stage.create(node("node1"))
    stage.advance(0.1)
    assert stage.node_of("web-1") == "node1"
    assert conditions.is_true(stage.objects.get("pods", "web-1"), "PodScheduled")


def test_a_pod_without_any_node_waits_for_one(stage):
    stage.create(pod("web-1"))
    stage.advance()
    assert stage.events_of("web-1") == [("Warning", "FailedScheduling", "no nodes available to schedule pods")]
    stage.create(node("node1"))
    stage.advance()
    assert stage.node_of("web-1") == "node1"


def test_room_made_by_a_deleted_pod_is_used(stage):
    stage.create(node("node1", pods="1"), pod("old", on="node1"))
    stage.advance()
    stage.create(pod("web-1"))
    stage.advance()
    assert stage.node_of("web-1") == ""
    stage.objects.delete("pods", "old", grace_seconds=0)
    stage.advance()
    assert stage.node_of("web-1") == "node1"


def test_room_of_a_pod_that_ended_is_used(stage):
    stage.create(node("node1", pods="1"), pod("old", on="node1"))
    stage.objects.patch("pods", {"status": {"phase": "Succeeded"}}, "old", subresource="status")
    stage.create(pod("web-1"))
    stage.advance()
    assert stage.node_of("web-1") == "node1"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"schedulerName": "other"}, id="another scheduler's"),
        pytest.param({"schedulingGates": [{"name": "example.com/wait"}]}, id="gated"),
    ],
)
def test_pods_left_alone(stage, more):
    stage.create(node("node1"), pod("web-1", **more))
    stage.advance(30)
    assert stage.node_of("web-1") == ""
    assert stage.events_of("web-1") == []


def test_a_pod_is_placed_once_its_last_gate_is_gone(stage):
    stage.create(node("node1"), pod("web-1", schedulingGates=[{"name": "example.com/wait"}]))
    stage.advance()
    stage.objects.patch("pods", {"spec": {"schedulingGates": []}}, "web-1")
    stage.advance()
    assert stage.node_of("web-1") == "node1"


def test_many_pods_never_overfill_nodes(stage):
    stage.create(*(node(f"node{i}", pods="10") for i in range(3)))
    stage.create(*(pod(f"web-{i}") for i in range(35)))
    stage.advance()
    nodes = [one["spec"].get("nodeName") for one in stage.objects.list("pods")]
    assert sorted(nodes.count(f"node{i}") for i in range(3)) == [10, 10, 10]
    assert nodes.count(None) == 5


def test_a_refused_binding_is_tried_again(stage):
    stage.network.instead.append(errors.conflict("pods/binding", "web-1", "try again"))
    stage.create(node("node1", pods="1"), pod("web-1"))
    stage.advance(0.5)
    assert stage.node_of("web-1") == ""
    stage.advance(1)
    assert stage.node_of("web-1") == "node1"
    assert stage.events_of("web-1")[0][2].startswith('binding rejected: running Bind plugin "DefaultBinder": ')


def test_a_binding_whose_answer_was_lost_counts(stage):
    """The pod is bound, the scheduler does not know: the watch tells it, and the room is not given away twice."""
    stage.network.afterwards.append(Unreachable("connection lost"))
    stage.create(node("node1", pods="1"), pod("web-1"), pod("web-2"))
    stage.advance(30)
    assert stage.node_of("web-1") == "node1"
    assert stage.node_of("web-2") == ""
    assert stage.network.bindings == 1


def test_a_pod_deleted_and_made_again_while_waiting_is_placed_as_the_new_one(stage):
    stage.create(pod("web-1", cpu="100"))
    stage.advance()
    stage.objects.delete("pods", "web-1", grace_seconds=0)
    stage.create(pod("web-1"), node("node1"))
    stage.advance()
    assert stage.node_of("web-1") == "node1"


def test_a_refusal_is_written_once_as_long_as_it_stays_the_same(stage):
    stage.create(node("small", cpu="1"), pod("web-1", cpu="2"))
    stage.advance()
    version = stage.objects.get("pods", "web-1")["metadata"]["resourceVersion"]
    stage.create(node("small2", cpu="1"))
    stage.objects.delete("nodes", "small2")
    stage.advance(400)
    assert stage.objects.get("pods", "web-1")["metadata"]["resourceVersion"] != version  # 0/2 nodes, then 0/1 again
    version = stage.objects.get("pods", "web-1")["metadata"]["resourceVersion"]
    stage.advance(400)
    assert stage.objects.get("pods", "web-1")["metadata"]["resourceVersion"] == version


def test_a_binding_that_never_arrived_is_tried_again(stage):
    stage.network.instead.append(Unreachable("connection refused"))
    stage.create(node("node1"), pod("web-1"))
    stage.advance(30)
    assert stage.node_of("web-1") == "node1"
    assert stage.network.bindings == 2


def urgent(name, **more):
    return {**pod(name, cpu="4", **more), "spec": {**pod(name, cpu="4", **more)["spec"], "priorityClassName": "urgent"}}


def fill_and_want_more(stage):
    meta = {"name": "urgent"}
    stage.objects.create(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": meta, "value": 1000}
    )
    stage.create(node("node1"), pod("web-1", cpu="4"))
    stage.advance()
    stage.create(urgent("important"))
    stage.advance()


def test_a_less_important_pod_makes_room(stage):
    fill_and_want_more(stage)

    victim, waiting = stage.objects.get("pods", "web-1"), stage.objects.get("pods", "important")
    told = conditions.get(victim, "DisruptionTarget")
    assert told is not None
    assert (told["status"], told["reason"]) == ("True", "PreemptionByScheduler")
    assert told["observedGeneration"] == victim["metadata"]["generation"] - 1  # its deletion is a generation of its own
    assert told["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    assert victim["metadata"]["deletionGracePeriodSeconds"] == 30
    preempted = f"Preempted by pod {waiting['metadata']['uid']} on node node1"
    assert stage.events_of("web-1")[-1] == ("Normal", "Preempted", preempted)
    assert waiting["status"]["nominatedNodeName"] == "node1"
    refused = ("Warning", "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")
    assert stage.events_of("important") == [refused]

    stage.create(pod("late", cpu="1"))
    stage.objects.delete("pods", "web-1", grace_seconds=0)
    stage.advance(5)
    scheduled = stage.objects.get("pods", "important")
    assert scheduled["spec"]["nodeName"] == "node1"
    assert "nominatedNodeName" not in scheduled["status"]
    assert stage.node_of("late") == ""


def test_a_pod_that_waits_for_nothing_any_more_says_so(stage):
    """The room it was promised went to somebody more important, who bound himself there."""
    fill_and_want_more(stage)
    stage.create(urgent("first", nodeName="node1"))
    stage.objects.delete("pods", "web-1", grace_seconds=0)
    stage.advance(10)
    assert "nominatedNodeName" not in stage.objects.get("pods", "important")["status"]


# --- groups of pods ---

GANG = {"apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PodGroup", "metadata": {"name": "g"}}
IN_GANG: dict[str, Any] = {"schedulingGroup": {"podGroupName": "g"}}


def gang(stage, count, **more):
    stage.objects.create({**GANG, "spec": {"schedulingPolicy": {"gang": {"minCount": count}}, **more}})


def condition_of_gang(stage):
    found = conditions.get(stage.objects.get("podgroups", "g"), "PodGroupInitiallyScheduled")
    return (found["status"], found["reason"]) if found is not None else None


def test_a_gang_waits_for_its_group_and_for_its_pods_and_then_goes_at_once(stage):
    stage.create(node("node1"), pod("web-1", **IN_GANG), pod("web-2", **IN_GANG))
    stage.advance()
    assert not stage.node_of("web-1")
    gang(stage, 3)
    stage.advance(30)
    assert not stage.node_of("web-1")
    assert stage.events_of("web-1") == []
    assert condition_of_gang(stage) is None
    stage.create(pod("web-3", **IN_GANG))
    stage.advance()
    assert [stage.node_of(f"web-{number}") for number in (1, 2, 3)] == ["node1"] * 3
    assert stage.events_of("web-1") == [SCHEDULED]
    assert condition_of_gang(stage) == ("True", "Scheduled")
    stage.create(pod("web-4", cpu="100", **IN_GANG))
    stage.advance()
    assert condition_of_gang(stage) == ("True", "Scheduled")


def test_a_gang_without_room_waits_as_one_until_there_is(stage):
    gang(stage, 3)
    stage.create(node("node1", cpu="2"), *(pod(f"web-{number}", **IN_GANG, cpu="1") for number in range(3)))
    stage.advance()
    assert condition_of_gang(stage) == ("False", "Unschedulable")
    assert not any(stage.node_of(f"web-{number}") for number in range(3))
    stage.create(node("node2", cpu="1"))
    stage.advance()
    assert sorted(stage.node_of(f"web-{number}") for number in range(3)) == ["node1", "node1", "node2"]


def test_a_gang_that_wants_less_is_tried_again(stage):
    gang(stage, 3)
    stage.create(node("node1", cpu="2"), *(pod(f"web-{number}", **IN_GANG, cpu="1") for number in range(3)))
    stage.advance()
    patch = {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
    stage.objects.patch("podgroups", patch, "g")
    stage.advance()
    assert sum(bool(stage.node_of(f"web-{number}")) for number in range(3)) == 2
    stage.objects.patch("nodes", {"status": {"allocatable": {"cpu": "3"}}}, "node1", subresource="status")
    stage.advance(2)
    assert sum(bool(stage.node_of(f"web-{number}")) for number in range(3)) == 3


def test_a_pod_of_a_gang_whose_binding_is_refused_is_tried_again(stage):
    stage.network.instead.append(errors.conflict("pods/binding", "web-1", "try again"))
    gang(stage, 2)
    stage.create(node("node1"), pod("web-1", **IN_GANG), pod("web-2", **IN_GANG))
    stage.advance(5)
    assert [stage.node_of(name) for name in ("web-1", "web-2")] == ["node1"] * 2


def test_a_gang_makes_room_for_itself(stage):
    for name, value in (("low", 1), ("high", 9)):
        of_class = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        stage.objects.create({**of_class, "value": value})
    stage.create(node("node1", cpu="2"))
    stage.create(*(pod(f"low-{number}", cpu="1", priorityClassName="low") for number in range(2)))
    stage.advance()
    gang(stage, 2, priorityClassName="high")
    stage.create(*(pod(f"web-{n}", cpu="1", priorityClassName="high", **IN_GANG) for n in (1, 2)))
    stage.advance(0.5)
    uid = stage.objects.get("podgroups", "g")["metadata"]["uid"]
    preempted = ("Normal", "Preempted", f"Preempted by podgroup {uid} on node node1")
    assert preempted in stage.events_of("low-0")
    assert preempted in stage.events_of("low-1")
    for one in stage.objects.list("pods"):
        if one["metadata"]["name"].startswith("low"):
            stage.objects.delete("pods", one["metadata"]["name"], grace_seconds=0)
    stage.advance(3)
    assert [stage.node_of(name) for name in ("web-1", "web-2")] == ["node1"] * 2


# --- devices ---

GPU_CLASS: dict[str, Any] = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.test'"}}]},
}


def devices_of(node, *names, **more):
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    offered = [{"name": name, **more} for name in names]
    spec = {"driver": "gpu.test", "nodeName": node, "pool": pool, "devices": offered}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": node}, "spec": spec}


def claiming(stage, name, *expressions, **more):
    asked = {"deviceClassName": "gpu", "selectors": [{"cel": {"expression": one}} for one in expressions], **more}
    spec = {"devices": {"requests": [{"name": "one", "exactly": asked}]}}
    made = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": name}, "spec": spec}
    return stage.objects.create(made)


def user(name, claim="c", **more):
    return pod(name, resourceClaims=[{"name": "d", "resourceClaimName": claim}], **more)


def claim_status(stage, name="c"):
    return stage.objects.get("resourceclaims", name).get("status") or {}


def test_a_claim_gets_its_device_before_the_pod_gets_its_node(stage):
    stage.objects.create(GPU_CLASS)
    claiming(stage, "c")
    stage.create(node("node1"), node("node2"), user("web-1"))
    stage.advance()
    why = "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: "
    [(_, _, text)] = stage.events_of("web-1")
    assert text == why + "0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    stage.objects.create(devices_of("node2", "gpu-0"))
    stage.advance(2)
    assert stage.node_of("web-1") == "node2"
    status = claim_status(stage)
    [result] = status["allocation"]["devices"]["results"]
    assert (result["pool"], result["device"]) == ("node2", "gpu-0")
    assert [one["name"] for one in status["reservedFor"]] == ["web-1"]


def test_an_allocation_on_the_wrong_node_is_given_up_when_nobody_uses_it(stage):
    stage.objects.create(GPU_CLASS)
    stage.objects.create(devices_of("node1", "gpu-0"))
    stage.objects.create(devices_of("node2", "gpu-0"))
    claiming(stage, "c")
    stage.create(node("node1"), user("web-1"))
    stage.advance()
    assert stage.node_of("web-1") == "node1"
    taken = claim_status(stage)["allocation"]
    stage.create(node("node2"), user("web-2", nodeSelector={"kubernetes.io/hostname": "node2"}))
    stage.advance(20)
    assert stage.node_of("web-2") == ""
    assert claim_status(stage)["allocation"] == taken
    claim = stage.objects.get("resourceclaims", "c")
    claim["status"].pop("reservedFor")
    stage.objects.patch("resourceclaims", {"status": {"reservedFor": None}}, "c", subresource="status")
    stage.advance(20)
    assert stage.node_of("web-2") == "node2"
    told = [text for _, reason, text in stage.events_of("web-2") if reason == "FailedScheduling"]
    assert any("deallocation of ResourceClaim completed, preemption: " in text for text in told)
    assert claim_status(stage)["allocation"]["devices"]["results"][0]["pool"] == "node2"


def test_a_selector_that_goes_wrong_keeps_the_pod_pending(stage):
    stage.objects.create(GPU_CLASS)
    stage.objects.create(devices_of("node1", "gpu-0", attributes={"there": {"bool": True}}))
    stage.objects.create(devices_of("node2", "gpu-0"))
    claiming(stage, "c", "device.attributes['gpu.test'].there")
    stage.create(node("node1"), node("node2"), user("web-1"))
    stage.advance()
    condition = conditions.get(stage.objects.get("pods", "web-1"), "PodScheduled")
    assert condition is not None
    assert condition["reason"] == "SchedulerError"
    text = (
        'running "DynamicResources" filter plugin: claim default/c: selector #0: CEL runtime error: no such key: there'
    )
    assert condition["message"] == text
    assert stage.node_of("web-1") == ""


def test_a_shared_device_has_a_name_for_each_share(stage):
    stage.objects.create(GPU_CLASS)
    capacity = {"memory": {"value": "10Gi"}}
    stage.objects.create(devices_of("node1", "gpu-0", allowMultipleAllocations=True, capacity=capacity))
    for name in ("c", "d", "e"):
        claiming(stage, name, capacity={"requests": {"memory": "4Gi"}})
    stage.create(node("node1"), user("web-1"), user("web-2", "d"), user("web-3", "e"))
    stage.advance(2)
    assert sorted(bool(stage.node_of(f"web-{number}")) for number in (1, 2, 3)) == [False, True, True]
    found = [claim_status(stage, name).get("allocation") for name in ("c", "d", "e")]
    results = [one["devices"]["results"][0] for one in found if one is not None]
    assert len({one["shareID"] for one in results}) == 2
    assert [one["consumedCapacity"] for one in results] == [{"memory": "4Gi"}] * 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_device_that_has_to_be_got_ready_is_waited_for(stage, fails):
    stage.objects.create(GPU_CLASS)
    slow: dict[str, Any] = {"bindingConditions": ["attached"], "bindingFailureConditions": ["lost"]}
    stage.objects.create(devices_of("node1", "gpu-0", **slow))
    claiming(stage, "c")
    stage.create(node("node1"), user("web-1"))
    stage.advance(20)
    [result] = claim_status(stage)["allocation"]["devices"]["results"]
    assert result["bindingConditions"] == ["attached"]
    assert stage.node_of("web-1") == ""
    told = {"type": "lost" if fails else "attached", "status": "True", "reason": "r", "message": "m"}
    said = {"conditions": [{**told, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    of_device = {"driver": "gpu.test", "pool": "node1", "device": "gpu-0", **said}
    stage.objects.patch("resourceclaims", {"status": {"devices": [of_device]}}, "c", subresource="status")
    stage.advance(0.5)
    if fails:
        failed = 'running PreBind plugin "DynamicResources": claim c binding failed'
        assert ("Warning", "FailedScheduling", failed) in stage.events_of("web-1")
        stage.advance(5)
        assert "devices" not in claim_status(stage)
    else:
        assert stage.node_of("web-1") == "node1"


def wanting(name):
    made = pod(name)
    made["spec"]["containers"][0]["resources"] = {"requests": {"x.io/gpu": "1"}, "limits": {"x.io/gpu": "1"}}
    return made


def test_an_extended_resource_is_served_by_devices_where_the_node_does_not_count_it(stage):
    stage.objects.create({**GPU_CLASS, "spec": {**GPU_CLASS["spec"], "extendedResourceName": "x.io/gpu"}})
    stage.objects.create(devices_of("node1", "gpu-0"))
    stage.create(node("node1"), wanting("web-1"), wanting("web-2"))
    stage.advance(2)
    assert sorted(stage.node_of(name) for name in ("web-1", "web-2")) == ["", "node1"]
    served, other = ("web-1", "web-2") if stage.node_of("web-1") else ("web-2", "web-1")
    told = stage.objects.get("pods", served)["status"]["extendedResourceClaimStatus"]
    mapping = {"containerName": "main", "resourceName": "x.io/gpu", "requestName": "container-0-request-0"}
    assert told["requestMappings"] == [mapping]
    claim = stage.objects.get("resourceclaims", told["resourceClaimName"])
    assert claim["metadata"]["name"].startswith(f"{served}-extended-resources-")
    assert claim["metadata"]["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
    [result] = claim["status"]["allocation"]["devices"]["results"]
    assert (result["request"], result["device"]) == ("container-0-request-0", "gpu-0")
    why = "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, preemption: "
    assert stage.events_of(other)[0][2].startswith(why)
    stage.create(node("node2", allocatable={"x.io/gpu": "1"}))
    stage.advance(2)
    assert stage.node_of(other) == "node2"
    assert "extendedResourceClaimStatus" not in stage.objects.get("pods", other)["status"]


def test_devices_of_an_attempt_that_failed_are_given_up(stage):
    stage.objects.create({**GPU_CLASS, "spec": {**GPU_CLASS["spec"], "extendedResourceName": "x.io/gpu"}})
    stage.objects.create(devices_of("node1", "gpu-0"))
    stage.network.instead.append(errors.conflict("pods/binding", "web-1", "try again"))
    stage.create(node("node1"), wanting("web-1"))
    stage.advance(30)
    assert stage.node_of("web-1") == "node1"
    [claim] = stage.objects.list("resourceclaims")
    told = stage.objects.get("pods", "web-1")["status"]["extendedResourceClaimStatus"]
    assert told["resourceClaimName"] == claim["metadata"]["name"]


def test_a_pod_without_its_claims_is_not_tried(stage):
    stage.objects.create(GPU_CLASS)
    stage.objects.create(devices_of("node1", "gpu-0"))
    stage.create(node("node1"), user("web-1"), user("web-2", "d"))
    stage.advance(30)
    assert stage.events_of("web-1") == []
    assert conditions.get(stage.objects.get("pods", "web-1"), "PodScheduled") is None
    stage.objects.delete("pods", "web-2", grace_seconds=0)
    claiming(stage, "d")
    claiming(stage, "c")
    stage.advance()
    assert stage.node_of("web-1") == "node1"
    assert stage.events_of("web-1") == [SCHEDULED]


def test_monitoring_is_told_of_pods(stage):
    gated = pod("gated")
    gated["spec"]["schedulingGates"] = [{"name": "example.org/wait"}]
    stage.network.instead.append(errors.StatusError(errors.status(409, "Conflict", "no luck")))
    stage.create(node("node1", cpu="1"), pod("fits", cpu="1"), pod("does-not", cpu="1"), gated)
    stage.advance(10)
    found = figures(stage.scheduler.samples())
    pending = {queue: found["scheduler_pending_pods", queue] for queue in ("active", "unschedulable", "gated")}
    assert pending == {"active": 0, "unschedulable": 1, "gated": 1}
    assert found["scheduler_schedule_attempts_total", "default-scheduler", "scheduled"] == 1
    assert found["scheduler_schedule_attempts_total", "default-scheduler", "error"] == 1
    assert found["scheduler_schedule_attempts_total", "default-scheduler", "unschedulable"] >= 1
