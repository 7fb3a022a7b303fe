"""StatefulSets: order, halts, bursts, rolling updates with partitions, pods that cannot run."""

import functools
import itertools

from tests.conformance import servers
from tests.conformance.live import IMAGE, Object, Space, condition, names, pod, wait, workload

SETS = "apps/v1/statefulsets"
OTHER_IMAGE = "localhost/hello:2"
HEALTHY = "touch /ok; exec sleep 100000"
PROBE = {"exec": {"command": ["test", "-f", "/ok"]}, "periodSeconds": 1, "failureThreshold": 1, "successThreshold": 1}


def stateful(space: Space, replicas: int, probed: bool = False, **spec: object) -> str:
    servers.service(space, "test", clusterIP="None", selector={"name": "ss"}, ports=[{"port": 80}])
    body = workload("ss", replicas, HEALTHY, serviceName="test", **spec)
    if probed:
        body["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = PROBE
    space.create(SETS, body)
    return space.path(SETS, "ss")


def pods(space: Space) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in space.items("pods", labelSelector="name=ss")}


def ready(space: Space, count: int) -> None:
    def look() -> bool:
        found = pods(space)
        good = all(
            condition(one, "Ready") == "True" and not one["metadata"].get("deletionTimestamp") for one in found.values()
        )
        return found.keys() == {f"ss-{n}" for n in range(count)} and good

    wait(f"{count} are ready", look)


def image(space: Space, name: str) -> None:
    change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}}
    space.api.patch(space.path(SETS, "ss"), change, "strategic")


def images(space: Space) -> list[str]:
    return [one["spec"]["containers"][0]["image"] for _, one in sorted(pods(space).items())]


def revisions(space: Space) -> list[str]:
    return [one["metadata"]["labels"]["controller-revision-hash"] for _, one in sorted(pods(space).items())]


def unhealthy(space: Space, name: str) -> None:
    space.sh(name, "rm -f /ok")
    wait("it is not ready", lambda: condition(space.get("pods", name), "Ready") == "False")


def healthy_or_gone(space: Space, name: str) -> None:
    """Of pods that have to go, the only one that is not healthy goes as it is: it may be faster than we are."""
    try:
        space.sh(name, "touch /ok")
    except AssertionError:
        found = pods(space).get(name)
        assert found is None or found["metadata"].get("deletionTimestamp")


def test_order_and_halts(space: Space) -> None:
    address = stateful(space, 1, probed=True)
    ready(space, 1)
    unhealthy(space, "ss-0")
    begin = space.api.get(space.path("pods"))["metadata"]["resourceVersion"]
    space.api.patch(f"{address}/scale", {"spec": {"replicas": 3}})
    wait("it is seen", lambda: space.api.get(address)["status"]["observedGeneration"] == 2)
    assert pods(space).keys() == {"ss-0"}
    space.sh("ss-0", "touch /ok")
    ready(space, 3)
    for name in sorted(pods(space)):
        unhealthy(space, name)
    space.api.patch(f"{address}/scale", {"spec": {"replicas": 0}})
    wait("it is seen", lambda: space.api.get(address)["status"]["observedGeneration"] == 3)
    assert len(pods(space)) == 3
    for name in sorted(pods(space)):
        healthy_or_gone(space, name)
    wait("none is left", lambda: not pods(space))
    with space.api.watch(space.path("pods"), resourceVersion=begin, labelSelector="name=ss") as events:
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in events_until(events, "ss-0")]
    order = [one for one in seen if one[0] != "MODIFIED"]
    assert order == [
        ("ADDED", "ss-1"),
        ("ADDED", "ss-2"),
        ("DELETED", "ss-2"),
        ("DELETED", "ss-1"),
        ("DELETED", "ss-0"),
    ]


def events_until(events, name: str):
    for event in events:
        yield event
        if event["type"] == "DELETED" and event["object"]["metadata"]["name"] == name:
            return


def test_bursts(space: Space) -> None:
    address = stateful(space, 1, probed=True, podManagementPolicy="Parallel")
    ready(space, 1)
    unhealthy(space, "ss-0")
    space.api.patch(f"{address}/scale", {"spec": {"replicas": 3}})
    wait("all are there", lambda: len(pods(space)) == 3)
    for name in ("ss-1", "ss-2"):
        space.running(name)
    unhealthy(space, "ss-1")
    space.api.patch(f"{address}/scale", {"spec": {"replicas": 0}})
    wait("none is left", lambda: not pods(space))
    wait("it is told", lambda: space.api.get(address)["status"].get("replicas") == 0)


def test_rolling_update_and_back(space: Space) -> None:
    address = stateful(space, 3)
    ready(space, 3)
    status = space.api.get(address)["status"]
    assert status["currentRevision"] == status["updateRevision"]
    first = status["currentRevision"]
    begin = space.api.get(space.path("pods"))["metadata"]["resourceVersion"]
    image(space, OTHER_IMAGE)

    def rolled() -> bool:
        now = space.api.get(address)["status"]
        return bool(now["currentRevision"] == now["updateRevision"] != first and now.get("updatedReplicas") == 3)

    wait("it is rolled", rolled)
    assert images(space) == [OTHER_IMAGE] * 3
    with space.api.watch(space.path("pods"), resourceVersion=begin, labelSelector="name=ss") as events:
        order = [
            event["object"]["metadata"]["name"] for event in events_until(events, "ss-0") if event["type"] == "DELETED"
        ]
    assert order == ["ss-2", "ss-1", "ss-0"]
    second = space.api.get(address)["status"]["currentRevision"]
    image(space, IMAGE)
    wait("it is back", lambda: space.api.get(address)["status"]["currentRevision"] == first)
    ready(space, 3)
    assert images(space) == [IMAGE] * 3
    assert names(space.items("apps/v1/controllerrevisions")) == {first, second}


def test_partitions(space: Space) -> None:
    """A canary, the deleted keep their side of the partition, then the rest in phases."""
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    address = stateful(space, 3, updateStrategy=partition)
    ready(space, 3)
    old = space.api.get(address)["status"]["currentRevision"]
    image(space, OTHER_IMAGE)
    new = wait(
        "a revision",
        lambda: (lambda now: now if now != old else "")(space.api.get(address)["status"]["updateRevision"]),
    )
    assert revisions(space) == [old] * 3
    change = functools.partial(space.api.patch, address)
    change({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}})
    wait("the canary", lambda: revisions(space) == [old, old, new])
    ready(space, 3)
    for name in ("ss-0", "ss-2"):
        space.api.delete(space.path("pods", name), {"gracePeriodSeconds": 0})
    wait("deleted ones", lambda: len(pods(space)) == 3)
    ready(space, 3)
    assert revisions(space) == [old, old, new]
    for number in (1, 0):
        change({"spec": {"updateStrategy": {"rollingUpdate": {"partition": number}}}})
        expect = [old] * number + [new] * (3 - number)
        wait(f"partition {number}", lambda: revisions(space) == expect)
        ready(space, 3)
    wait("it is told", lambda: space.api.get(address)["status"]["currentRevision"] == new)


def test_a_pod_that_cannot_run_is_made_again(space: Space) -> None:
    """Its port is taken on the node it must go to; when it is free the set's pod runs."""
    node = space.api.items("/api/v1/nodes")[1]["metadata"]["name"]
    port = {"containerPort": 21017, "hostPort": 21017, "name": "conflict"}
    taken = pod("taker", nodeName=node)
    taken["spec"]["containers"][0]["ports"] = [port]
    space.create("pods", taken)
    space.running("taker")
    body = workload("ss", 1, HEALTHY, serviceName="test")
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = [port]
    body["spec"]["template"]["spec"]["nodeName"] = node
    with space.api.watch(space.path("pods"), labelSelector="name=ss") as events:
        space.create(SETS, body)
        uids = {
            event["object"]["metadata"]["uid"]
            for event in itertools.takewhile(lambda event: event["type"] != "DELETED", events)
        }
    assert len(uids) == 1
    space.api.delete(space.path("pods", "taker"), {"gracePeriodSeconds": 0})
    ready(space, 1)
    assert pods(space)["ss-0"]["metadata"]["uid"] not in uids
