"""Objects are brought back to what they were."""

from typing import Any

import orjson
import pytest

from steersman.aio import clock as clocks
from steersman.aio import virtual_loop
from steersman.apiserver.past import rewinding
from steersman.meta.objects import Object
from steersman.store.contract import Entry, Event
from tests.apiserver import kit

FRESH = rewinding.Fresh(lambda: "fresh", "2026-01-01T00:00:00Z")


def obj(kind: str, name: str, uid: str, owner: str = "", going: bool = False, **more: Any) -> Object:
    meta: Object = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": "1"}
    if owner:
        meta["ownerReferences"] = [{"kind": "O", "name": owner, "uid": owner, "controller": True}]
    if going:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    meta |= more.pop("metadata", {})
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}


def event(key: str, before: Object | None, after: Object | None) -> Event:
    entry = None if before is None else Entry(key, orjson.dumps(before), 5, 5)
    return Event(key, orjson.dumps(after or before), 9, after is None, entry)


def counted(revision: str) -> Object:
    return obj("Deployment", "a", "1", metadata={"annotations": {"deployment.kubernetes.io/revision": revision}})


def decided(*events: Event) -> tuple[list[str], list[str], list[str]]:
    """Keys written, names deleted, keys that are taken."""
    plan = rewinding.decide(events, (), FRESH)
    return [put.key for put in plan.puts], [one.name for one in plan.unwanted], sorted(plan.taken)


MAP, POD, SET, NODE = (
    "/core/configmaps/default/a",
    "/core/pods/default/a",
    "/apps/replicasets/default/a",
    "/core/nodes/a",
)
NAMESPACE = "/core/namespaces/default"
EVENTS = "/core/events/default/a"

CASES = [
    pytest.param([event(MAP, obj("ConfigMap", "a", "1"), None)], ([MAP], [], []), id="what is gone comes back"),
    pytest.param([event(MAP, None, obj("ConfigMap", "a", "1"))], ([], ["a"], []), id="what is new goes"),
    pytest.param(
        [event(MAP, None, obj("ConfigMap", "a", "1", going=True))], ([], [], []), id="what is new and going is let go"
    ),
    pytest.param(
        [event(MAP, None, obj("ConfigMap", "a", "1")), event(MAP, obj("ConfigMap", "a", "1"), None)],
        ([], [], []),
        id="came and went",
    ),
    pytest.param(
        [event(MAP, obj("ConfigMap", "a", "1", data={"x": "1"}), obj("ConfigMap", "a", "1", data={"x": "2"}))],
        ([MAP], [], []),
        id="a change is changed back",
    ),
    pytest.param(
        [event(MAP, obj("ConfigMap", "a", "1", status={"x": 1}), obj("ConfigMap", "a", "1", status={"x": 2}))],
        ([], [], []),
        id="a status alone is left to who writes it",
    ),
    pytest.param(
        [event(MAP, obj("ConfigMap", "a", "1"), None), event(MAP, None, obj("ConfigMap", "a", "2"))],
        ([], ["a"], [MAP]),
        id="another one of the name goes first",
    ),
    pytest.param(
        [event(MAP, obj("ConfigMap", "a", "1"), obj("ConfigMap", "a", "1", going=True))],
        ([], [], [MAP]),
        id="going: waited for",
    ),
    pytest.param(
        [
            event(NAMESPACE, obj("Namespace", "default", "n"), obj("Namespace", "default", "n", going=True)),
            event(MAP, obj("ConfigMap", "a", "1"), None),
            event(SET, obj("ReplicaSet", "a", "2", owner="d"), None),
        ],
        ([], [], [MAP, NAMESPACE]),
        id="in a namespace that ends: waited for",
    ),
    pytest.param(
        [
            event(NAMESPACE, obj("Namespace", "default", "n"), None),
            event(MAP, obj("ConfigMap", "a", "1"), None),
        ],
        ([NAMESPACE, MAP], [], []),
        id="a namespace comes back before what is in it",
    ),
    pytest.param(
        [event(SET, obj("ReplicaSet", "a", "1", owner="d"), None)], ([], [], []), id="a controller's, which is there"
    ),
    pytest.param(
        [event(SET, obj("ReplicaSet", "a", "1", owner="d"), None), event(MAP, obj("Deployment", "b", "d"), None)],
        ([MAP, SET][::-1], [], []),
        id="a controller's, which comes back too",
    ),
    pytest.param(
        [event(SET, None, obj("ReplicaSet", "a", "1", owner="d"))], ([], [], []), id="new, but its controller was there"
    ),
    pytest.param(
        [event(POD, obj("Pod", "a", "1", owner="d"), None)], ([], [], []), id="a controller's pod is its own business"
    ),
    pytest.param([event(NODE, obj("Node", "a", "1"), None)], ([], [], []), id="a node that is gone stays gone"),
    pytest.param([event(NODE, None, obj("Node", "a", "1"))], ([], [], []), id="a new node stays"),
    pytest.param(
        [
            event(POD, obj("Pod", "a", "1", spec={"x": 1, "nodeName": "n"}), obj("Pod", "a", "2", spec={"x": 1})),
            event(POD, None, obj("Pod", "a", "2", spec={"x": 1})),
        ],
        ([], [], []),
        id="a pod that was made anew stays",
    ),
    pytest.param(
        [
            event(
                NODE,
                obj("Node", "a", "1", spec={}, metadata={"annotations": {"a": "1"}}),
                obj("Node", "a", "1", spec={}),
            )
        ],
        ([], [], []),
        id="a node's annotations tell of the machine",
    ),
    pytest.param(
        [event(NODE, obj("Node", "a", "1", spec={}), obj("Node", "a", "1", spec={"unschedulable": True}))],
        ([NODE], [], []),
        id="a node that was cordoned is not",
    ),
    pytest.param([event(EVENTS, None, obj("Event", "a", "1"))], ([], [], []), id="events are left alone"),
]


@pytest.mark.parametrize(("events", "expected"), CASES)
def test_what_is_written_and_what_is_deleted(events: list[Event], expected: Any) -> None:
    assert decided(*events) == expected


def test_what_is_written_back_is_not_decided_again() -> None:
    assert not rewinding.decide([event(MAP, obj("ConfigMap", "a", "1"), None)], {MAP}, FRESH).puts


def test_a_changed_spec_is_a_new_generation_in_the_state_of_now() -> None:
    then = obj("Service", "a", "1", metadata={"generation": 3}, spec={"x": 1}, status={"seen": 3})
    now = obj("Service", "a", "1", metadata={"generation": 7}, spec={"x": 2}, status={"seen": 7})
    (put,) = rewinding.decide([event(MAP, then, now)], (), FRESH).puts
    written = orjson.loads(put.head + b"9" + put.tail)
    assert (written["spec"], written["status"], written["metadata"]["generation"]) == ({"x": 1}, {"seen": 7}, 8)
    assert put.expect == 9


def test_a_pod_of_its_own_comes_back_as_a_new_one() -> None:
    then = obj(
        "Pod", "a", "1", spec={"nodeName": "n1", "containers": []}, status={"phase": "Running", "qosClass": "Burstable"}
    )
    (put,) = rewinding.decide([event(POD, then, None)], (), FRESH).puts
    written = orjson.loads(put.head + b"9" + put.tail)
    assert (written["metadata"]["uid"], written["spec"]) == ("fresh", {"containers": []})
    assert written["status"] == {"phase": "Pending", "qosClass": "Burstable"}


async def test_a_rewind_brings_back_changes_and_losses_and_deletes_what_is_new() -> None:
    async with kit.Api() as api:
        await api.make(kit.MAPS, kit.config_map("kept", said="one"))
        lost = await api.make(kit.MAPS, kit.config_map("lost", said="here"))
        service: Object = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        made = await api.make(kit.SERVICES, service)
        then = api.store.revision
        await api.ask("PATCH", f"{kit.MAPS}/kept", {"data": {"said": "two"}}, headers=kit.MERGE)
        await api.ask("DELETE", f"{kit.MAPS}/lost")
        await api.ask("DELETE", f"{kit.SERVICES}/web")
        await api.make(kit.MAPS, kit.config_map("new"))

        told = (await api.ask("POST", f"/steersman/rewind/{then}", query="dryRun=All")).body
        assert "/core/configmaps/default/kept" in told["restored"]
        assert (await api.ask("GET", f"{kit.MAPS}/kept")).body["data"] == {"said": "two"}

        told = (await api.ask("POST", f"/steersman/rewind/{then}")).body
        assert [one["name"] for one in told["deleted"]] == ["new"]
        assert told["taken"] == []
        assert (await api.ask("GET", f"{kit.MAPS}/kept")).body["data"] == {"said": "one"}
        assert (await api.ask("GET", f"{kit.MAPS}/lost")).body["metadata"]["uid"] == lost["metadata"]["uid"]
        assert (await api.ask("GET", f"{kit.MAPS}/new")).status == 404
        back = (await api.ask("GET", f"{kit.SERVICES}/web")).body
        assert back["spec"] == made["spec"]
        other = {"metadata": {"name": "other"}, "spec": {**service["spec"], "clusterIP": made["spec"]["clusterIP"]}}
        assert "provided IP is already allocated" in (await api.ask("POST", kit.SERVICES, other)).body["message"]
        cause = await api.store.cause(int(back["metadata"]["resourceVersion"]))
        assert cause is not None
        assert (cause.who, cause.verb, cause.because) == ("admin", "rewind", then)


def test_what_stands_in_the_way_for_good_is_told() -> None:
    loop = virtual_loop.VirtualLoop()

    async def story() -> Object:
        async with kit.Api(clock=clocks.VirtualClock(loop)) as api:
            body = kit.config_map("held")
            body["metadata"]["finalizers"] = ["example.com/hold"]
            await api.make(kit.MAPS, body)
            then = api.store.revision
            await api.ask("DELETE", f"{kit.MAPS}/held")
            return (await api.ask("POST", f"/steersman/rewind/{then}")).body

    told = loop.run_until_complete(story())
    loop.close()
    assert (told["restored"], told["taken"]) == ([], ["/core/configmaps/default/held"])


@pytest.mark.parametrize(
    ("method", "path", "peer", "status"),
    [
        ("GET", "/steersman/rewind/1", kit.ADMIN, 405),
        ("POST", "/steersman/rewind/1", kit.BOB, 403),
        ("POST", "/steersman/rewind/tomorrow", kit.ADMIN, 400),
        ("POST", "/steersman/rewind/1?dryRun=Some", kit.ADMIN, 422),
    ],
)
async def test_wrong_requests_are_refused(api: kit.Api, method: str, path: str, peer: Any, status: int) -> None:
    assert (await api.ask(method, path, peer=peer)).status == status
