"""In-place resize: what the machine asks for, and what the API sees of it."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import admission, instructions, pod_events, resize_rules, static_pods, status
from steersman.kubelet.instructions import Instruction
from steersman.kubelet.options import Options
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.test_agent import run
from tests.kubelet.test_pod_lifecycle import Dialogue, at
from tests.kubelet.world import container


def resources(cpu: str, memory: str = "64Mi") -> Object:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def wants(talk: Dialogue, wanted: Object) -> list[Instruction]:
    spec = talk.machine.pod["spec"]
    containers = [{**spec["containers"][0], "resources": wanted}, *spec["containers"][1:]]
    return talk.say(pod_events.PodChanged({**talk.machine.pod, "spec": {**spec, "containers": containers}}))


def shown(talk: Dialogue) -> tuple[Object, dict[str, str], Object]:
    """(resources, resize conditions with their reasons, allocatedResources)"""
    found = status.build(talk.machine, status.Node(), {}, at(0))
    one = found["containerStatuses"][0]
    said = {c["type"]: c.get("reason", "") for c in found["conditions"] if "Resize" in c["type"]}
    return one["resources"], said, one["allocatedResources"]


def running(**about: Any) -> Dialogue:
    talk = Dialogue(containers=[container(resources=resources("100m"), **about)])
    talk.prepare()
    talk.bring_up("main")
    return talk


def test_a_granted_resize_reaches_the_container() -> None:
    talk = running()
    assert wants(talk, resources("200m")) == [], "first the shell says whether there is room"
    assert shown(talk) == (resources("100m"), {}, resources("100m")["requests"])
    (resize,) = talk.say(pod_events.ResizeDecided())
    assert isinstance(resize, instructions.ResizePod)
    assert resize.containers == ("main",)
    assert resize.before["spec"]["containers"][0]["resources"] == resources("100m")
    assert resize.after["spec"]["containers"][0]["resources"] == resources("200m")
    assert shown(talk) == (resources("100m"), {"PodResizeInProgress": ""}, resources("200m")["requests"])
    talk.say(pod_events.PodResized(("main-0",)))
    assert shown(talk) == (resources("200m"), {}, resources("200m")["requests"])


def test_an_error_of_the_runtime_is_shown() -> None:
    talk = running()
    wants(talk, resources("200m"))
    talk.say(pod_events.ResizeDecided())
    talk.say(pod_events.PodResized(("main-0",), "no"))
    assert shown(talk)[:2] == (resources("100m"), {"PodResizeInProgress": "Error"})


@pytest.mark.parametrize("reason", ["Deferred", "Infeasible"])
def test_without_room_the_old_resources_stay_and_a_restart_uses_them(reason: str) -> None:
    talk = running()
    wants(talk, resources("9"))
    assert talk.say(pod_events.ResizeDecided(reason, "no room")) == []
    assert shown(talk) == (resources("100m"), {"PodResizePending": reason}, resources("100m")["requests"])
    talk.end("main", 1)
    assert talk.machine.by_name["main"].spec["resources"] == resources("100m")
    wants(talk, resources("100m"))
    talk.say(pod_events.ResizeDecided())
    assert shown(talk)[1] == {}, "asked back"


def test_a_policy_may_demand_a_restart() -> None:
    talk = running(resizePolicy=[{"resourceName": "memory", "restartPolicy": "RestartContainer"}])
    wants(talk, resources("100m", "128Mi"))
    grow, stop = talk.say(pod_events.ResizeDecided())
    assert isinstance(grow, instructions.ResizePod)
    assert (grow.containers, grow.keeps_room) == ((), True), "the pod's group first, it shrinks at the end"
    assert stop == instructions.StopContainer("main", "main-0", 30.0, "Container main resize requires restart")
    assert shown(talk)[1] == {"PodResizeInProgress": ""}
    assert talk.end("main", 137) == [instructions.PullImage("main")], "at once, without a backoff"
    (shrink,) = talk.bring_up("main", 1)
    assert isinstance(shrink, instructions.ResizePod)
    assert not shrink.keeps_room
    assert shown(talk) == (resources("100m", "128Mi"), {}, resources("100m", "128Mi")["requests"])


def test_room_is_counted_beside_the_others() -> None:
    node = admission.Node("node-1", {}, {"cpu": "2", "pods": "9"}, [{"cpu": 1000, "pods": 1}])
    assert admission.resize({"cpu": 1000, "pods": 1}, node) == ("", "")
    text = "Node didn't have enough resource: cpu, requested: 1001, used: 1000, capacity: 2000"
    assert admission.resize({"cpu": 1001, "pods": 1}, node) == ("Deferred", text)


# --- what can never be -------------------------------------------------------------------------------------------------


def pod_of(cpu: str, memory: str = "64Mi", limit: str = "", **about: Any) -> Object:
    """Guaranteed, or with another memory limit burstable."""
    wanted = resources(cpu, memory)
    wanted["limits"]["memory"] = limit or memory
    return world.pod(containers=[container(resources=wanted, **about.pop("container", {}))], **about)


NODE = {"cpu": "2", "memory": "1Gi"}
STATIC = Options(Path(), cpu_policy="static", memory_policy="Static")
RESTARTS = {"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]}


@pytest.mark.parametrize(
    ("wanted", "granted", "options", "swap", "wish"),
    [
        pytest.param(pod_of("2"), pod_of("1"), Options(Path()), 0, None, id="all of the node"),
        pytest.param(
            pod_of("2001m"),
            pod_of("1"),
            Options(Path()),
            0,
            "Node didn't have enough capacity: cpu, requested: 2001, capacity: 2000",
            id="more processors than there are",
        ),
        pytest.param(
            pod_of("9", "2Gi"),
            pod_of("1"),
            Options(Path()),
            0,
            f"Node didn't have enough capacity: memory, requested: {2 << 30}, capacity: {1 << 30}",
            id="memory is told first",
        ),
        pytest.param(
            pod_of("2"),
            pod_of("1"),
            STATIC,
            0,
            'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"',
            id="processors of its own",
        ),
        pytest.param(
            pod_of("1", "65Mi"),
            pod_of("1"),
            STATIC,
            0,
            'Resize is infeasible for Guaranteed Pods alongside Memory Manager policy "Static"',
            id="memory of its own",
        ),
        pytest.param(pod_of("2", limit="1Gi"), pod_of("1", limit="1Gi"), STATIC, 0, None, id="burstable ones share"),
        pytest.param(
            pod_of("1", "65Mi", "1Gi"),
            pod_of("1", limit="1Gi"),
            Options(Path()),
            1 << 30,
            "In-place resize of containers with swap is not supported.",
            id="who swaps",
        ),
        pytest.param(
            pod_of("1", "65Mi", "1Gi", container=RESTARTS),
            pod_of("1", limit="1Gi", container=RESTARTS),
            Options(Path()),
            1 << 30,
            None,
            id="who swaps, but begins anew",
        ),
        pytest.param(
            pod_of("2", limit="1Gi"), pod_of("1", limit="1Gi"), Options(Path()), 1 << 30, None, id="other than memory"
        ),
    ],
)
def test_never(wanted: Object, granted: Object, options: Options, swap: int, wish: str | None) -> None:
    found = resize_rules.never(wanted, granted, options, NODE, swap)
    assert (found.message if found else None) == wish


def test_a_static_pod_stays_as_its_file_says() -> None:
    wanted = pod_of("2")
    wanted["metadata"]["annotations"] = {static_pods.SOURCE: "file"}
    found = resize_rules.never(wanted, pod_of("1"), Options(Path()), NODE, 0)
    assert found == ("In-place resize of static-pods is not supported", "static_pod")


def test_the_order_of_those_that_wait() -> None:
    small, big = pod_of("100m"), pod_of("200m")
    burstable = pod_of("100m", limit="1Gi"), pod_of("200m", limit="1Gi")
    important = pod_of("200m", priority=5)
    waiting = [
        resize_rules.Waiting("new", big, small),
        resize_rules.Waiting("late", big, small, "2026-01-01T00:00:02Z"),
        resize_rules.Waiting("early", big, small, "2026-01-01T00:00:01Z"),
        resize_rules.Waiting("burstable", burstable[1], burstable[0], "2026-01-01T00:00:00Z"),
        resize_rules.Waiting("important", important, small, "2026-01-01T00:00:09Z"),
        resize_rules.Waiting("shrinks", small, big),
    ]
    assert resize_rules.order(waiting) == ["shrinks", "important", "early", "late", "new", "burstable"]
    assert resize_rules.order(reversed(waiting)) == resize_rules.order(waiting)


# --- resources of the pod itself -----------------------------------------------------------------------------------------


def test_a_pods_own_resources_change() -> None:
    talk = Dialogue(
        containers=[container(), container("side", resources=resources("50m"))], resources=resources("100m")
    )
    talk.prepare()
    talk.bring_up("main")
    talk.bring_up("side")

    def own() -> tuple[Object, Object, list[str]]:
        found = status.build(talk.machine, status.Node(), {}, at(0))
        said = [one["type"] for one in found["conditions"] if "Resize" in one["type"]]
        return found["resources"], found["allocatedResources"], said

    spec = talk.machine.pod["spec"]
    talk.say(pod_events.PodChanged({**talk.machine.pod, "spec": {**spec, "resources": resources("200m")}}))
    talk.say(pod_events.ResizeDecided("Deferred", "no room"))
    assert own() == (resources("100m"), resources("100m")["requests"], ["PodResizePending"])
    (resize,) = talk.say(pod_events.ResizeDecided())
    assert isinstance(resize, instructions.ResizePod)
    assert resize.containers == ("main", "side")
    assert (resize.before["spec"]["resources"], resize.after["spec"]["resources"]) == (
        resources("100m"),
        resources("200m"),
    )
    assert own() == (resources("100m"), resources("200m")["requests"], ["PodResizeInProgress"])
    talk.say(pod_events.PodResized(("main-0", "side-0")))
    assert own() == (resources("200m"), resources("200m")["requests"], [])


# --- on a node ---------------------------------------------------------------------------------------------------------


def test_a_deferred_resize_comes_when_there_is_room(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod("other", containers=[container(resources=resources("1"))])
            first = here.pod("web", containers=[container(resources=resources("500m"))])
            await here.until_running("web")
            bigger = {**first["spec"], "containers": [container(resources=resources("1500m"))]}
            now = here.api.get("pods", "web")
            assert now is not None
            here.api.put("pods", {**now, "spec": bigger})
            await here.until(lambda: "PodResizePending" in str(here.status()), 5)
            assert here.container()["resources"] == resources("500m")
            here.api.delete_pod("other")
            await here.until(lambda: here.container()["resources"] == resources("1500m"), 60)
            assert "PodResize" not in str(here.status()["conditions"])
            assert here.container()["restartCount"] == 0

    run(test, tmp_path)
