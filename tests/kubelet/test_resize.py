"""In-place resize: what the machine asks for, and what the API sees of it."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import admission, instructions, pod_events, status
from steersman.kubelet.instructions import Instruction
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
    assert admission.resize({"cpu": 1001, "pods": 1}, node)[0] == "Deferred"
    text = "Node didn't have enough capacity: cpu, requested: 2001, capacity: 2000"
    assert admission.resize({"cpu": 2001, "pods": 1}, node) == ("Infeasible", text)


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
