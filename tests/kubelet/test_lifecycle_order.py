"""The order in which a pod's containers start, run hooks and end: upstream's `container_lifecycle_test.go`, in virtual time."""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import runtime
from steersman.containers.fake import FakeRuntime
from steersman.meta.objects import Object
from tests.aio import virtual
from tests.kubelet import world
from tests.kubelet.world import container, sidecar

PREFIX = "fake.steersman.dev/"
NEVER: dict[str, Any] = {"restartPolicy": "Never"}
HOOK: Object = {"preStop": {"exec": {"command": ["preStop"]}}}
LIVENESS: Object = {"livenessProbe": {"exec": {"command": ["liveness"]}, "periodSeconds": 1, "failureThreshold": 1}}
STARTUP: Object = {"startupProbe": {"exec": {"command": ["startup"]}, "periodSeconds": 5, "failureThreshold": 1}}
OTHER_IMAGE = "localhost/other:1"

Deed = Callable[[world.World], None]


class Watched(FakeRuntime):
    """Notes what it is asked for and what happens to its containers, with the second of it."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.began = clock.monotonic()
        self.seen: list[str] = []
        self.names: dict[str, str] = {}

    def note(self, container_id: str, what: str) -> None:
        self.seen.append(f"{self._clock.monotonic() - self.began:.0f} {self.names[container_id]} {what}")

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        made = await super().create_container(sandbox_id, config)
        self.names[made] = config.name
        return made

    async def start_container(self, container_id: str) -> None:
        await super().start_container(container_id)
        self.note(container_id, "starts")

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        self.note(container_id, "is told")
        await super().stop_container(container_id, grace_seconds)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        self.note(container_id, command[0])
        return await super().exec_sync(container_id, command, timeout_seconds)

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        async for event in super().events():
            if event.kind == "stopped" and event.container_id:
                self.note(event.container_id, "ends")
            yield event


def script(**wanted: Any) -> dict[str, str]:
    """`run_seconds__main=1` is the annotation that lets the container `main` run for a second."""
    found = {}
    for key, value in wanted.items():
        what, _, name = key.partition("__")
        found[f"{PREFIX}{what.replace('_', '-')}" + (f".{name.replace('_', '-')}" if name else "")] = (
            value if isinstance(value, str) else json.dumps(value)
        )
    return found


def does(command: str, seconds: float = 0, exit_code: int = 0) -> dict[str, Any]:
    return {command: {"seconds": seconds, "exit_code": exit_code}}


@dataclasses.dataclass(frozen=True)
class Case:
    """`deeds` are done at their second. `end` is the last phase the API was told, with each container's last exit code."""

    pod: Object
    timeline: str
    end: str = ""
    deeds: tuple[tuple[float, Deed], ...] = ()
    seconds: float = 120


def delete(here: world.World) -> None:
    here.api.delete_pod("web")


def delete_in(seconds: int) -> Deed:
    return lambda here: here.api.delete_pod("web", seconds)


def another_image(field: str, index: int = 0) -> Deed:
    def change(here: world.World) -> None:
        pod = here.api.get("pods", "web")
        assert pod is not None
        changed = [{**one, "image": OTHER_IMAGE} if n == index else one for n, one in enumerate(pod["spec"][field])]
        here.api.put("pods", {**pod, "spec": {**pod["spec"], field: changed}})

    return change


def three_sidecars(hooks: bool = False, **about: Any) -> list[Object]:
    return [sidecar(f"side-{n}", **({"lifecycle": HOOK} if hooks else {}), **about) for n in (1, 2, 3)]


UP = "0 side-1 starts, 0 side-2 starts, 0 side-3 starts, 0 main starts"

CASES: dict[str, Case] = {
    "init containers one by one": Case(
        world.pod(
            inits=[container("first"), container("second")],
            annotations=script(run_seconds=1),
            **NEVER,
        ),
        "0 first starts, 1 first ends, 1 second starts, 2 second ends, 2 main starts, 3 main ends",
        "Succeeded first=0 second=0 main=0",
    ),
    "nothing after an init container that fails for good": Case(
        world.pod(
            inits=[container("first"), sidecar()],
            annotations=script(run_seconds=1, exit_code=1),
            **NEVER,
        ),
        "0 first starts, 1 first ends",
        "Failed first=1",
    ),
    "an init container again until it does well": Case(
        world.pod(
            inits=[container("first")],
            annotations=script(run_seconds__first=1, exit_code__first="1,1,0"),
            restartPolicy="OnFailure",
        ),
        "0 first starts, 1 first ends, 1 first starts, 2 first ends, 12 first starts, 13 first ends, 13 main starts",
        "Running first=0",
    ),
    "sidecars around init containers": Case(
        world.pod(
            inits=[container("first"), sidecar("side-1"), container("second"), sidecar("side-2")],
            annotations=script(run_seconds__first=1, run_seconds__second=1, run_seconds__main=1),
            **NEVER,
        ),
        "0 first starts, 1 first ends, 1 side-1 starts, 1 second starts, 2 second ends, 2 side-2 starts, 2 main starts, "
        "3 main ends, 3 side-2 is told, 3 side-2 ends, 3 side-1 is told, 3 side-1 ends",
        "Succeeded first=0 side-1=0 second=0 side-2=0 main=0",
    ),
    "sidecars end from the last, each with its time": Case(
        world.pod(inits=three_sidecars(), annotations=script(run_seconds__main=5, stop_seconds=5), **NEVER),
        f"{UP}, 5 main ends, 5 side-3 is told, 10 side-3 ends, 10 side-2 is told, 15 side-2 ends, 15 side-1 is told, "
        "20 side-1 ends",
        "Succeeded side-1=0 side-2=0 side-3=0 main=0",
    ),
    "all hooks at once, then one by one": Case(
        world.pod(
            inits=three_sidecars(hooks=True),
            annotations=script(run_seconds__main=5, stop_seconds=5, exec=does("preStop", 1)),
            **NEVER,
        ),
        f"{UP}, 5 main ends, 5 side-3 preStop, 5 side-2 preStop, 5 side-1 preStop, 6 side-3 is told, 11 side-3 ends, "
        "11 side-2 is told, 16 side-2 ends, 16 side-1 is told, 21 side-1 ends",
        "Succeeded side-1=0 side-2=0 side-3=0 main=0",
    ),
    "hooks that take all the time": Case(
        world.pod(
            inits=three_sidecars(hooks=True),
            annotations=script(run_seconds__main=5, stop_seconds=5, exec=does("preStop", 1000)),
            **NEVER,
        ),
        f"{UP}, 5 main ends, 5 side-3 preStop, 5 side-2 preStop, 5 side-1 preStop, 35 side-3 is told, 35 side-2 is told, "
        "35 side-1 is told, 37 side-3 ends, 37 side-2 ends, 37 side-1 ends",
        "Succeeded side-1=137 side-2=137 side-3=137 main=0",
    ),
    "a main container that takes all the time": Case(
        world.pod(
            inits=three_sidecars(),
            annotations=script(stop_seconds=20, stop_seconds__side_2=1),
            terminationGracePeriodSeconds=5,
            **NEVER,
        ),
        f"{UP}, 10 main is told, 15 main ends, 15 side-3 is told, 15 side-2 is told, 15 side-1 is told, 16 side-2 ends, "
        "17 side-3 ends, 17 side-1 ends",
        "Failed side-1=137 side-2=0 side-3=137 main=137",
        deeds=((10, delete),),
    ),
    "a sidecar that takes all the time": Case(
        world.pod(
            inits=three_sidecars(),
            annotations=script(stop_seconds=1, stop_seconds__side_2=20),
            terminationGracePeriodSeconds=5,
            **NEVER,
        ),
        f"{UP}, 10 main is told, 11 main ends, 11 side-3 is told, 12 side-3 ends, 12 side-2 is told, 15 side-1 is told, "
        "15 side-2 ends, 16 side-1 ends",
        "Succeeded side-1=0 side-2=137 side-3=0 main=0",
        deeds=((10, delete),),
    ),
    "a sidecar whose hook takes all the time": Case(
        world.pod(
            inits=three_sidecars(hooks=True),
            annotations=script(
                stop_seconds=1,
                stop_seconds__side_2=20,
                exec=does("preStop", 1),
                exec__side_2=does("preStop", 30),
            ),
            terminationGracePeriodSeconds=5,
            **NEVER,
        ),
        f"{UP}, 10 main is told, 10 side-3 preStop, 10 side-2 preStop, 10 side-1 preStop, 11 main ends, 11 side-3 is told, "
        "12 side-3 ends, 15 side-2 is told, 15 side-1 is told, 16 side-1 ends, 17 side-2 ends",
        "Succeeded side-1=0 side-2=137 side-3=0 main=0",
        deeds=((10, delete),),
    ),
    "a main container whose hook takes all the time": Case(
        world.pod(
            containers=[container(lifecycle=HOOK)],
            annotations=script(stop_seconds=20, exec=does("preStop", 20)),
            terminationGracePeriodSeconds=5,
            **NEVER,
        ),
        "0 main starts, 10 main preStop, 15 main is told, 17 main ends",
        "Failed main=137",
        deeds=((10, delete),),
    ),
    "a sidecar's failure is not the pod's": Case(
        world.pod(inits=three_sidecars(), annotations=script(stop_exit_code__side_2=1), **NEVER),
        f"{UP}, 10 main is told, 10 main ends, 10 side-3 is told, 10 side-3 ends, 10 side-2 is told, 10 side-2 ends, "
        "10 side-1 is told, 10 side-1 ends",
        "Succeeded side-1=0 side-2=1 side-3=0 main=0",
        deeds=((10, delete),),
    ),
    "a deleted pod whose sidecars never began": Case(
        world.pod(
            inits=[container("first"), *three_sidecars(hooks=True)],
            annotations=script(stop_seconds__first="never"),
            **NEVER,
        ),
        "0 first starts, 10 first is told, 13 first ends",
        deeds=((10, delete_in(3)),),
    ),
    "less time than it was given at first": Case(
        world.pod(inits=[sidecar(lifecycle=HOOK)], annotations=script(stop_seconds="never", exec=does("preStop", 20))),
        "0 side starts, 0 main starts, 10 main is told, 10 side preStop, 15 main is told, 16 side is told, 17 main ends, "
        "18 side ends",
        deeds=((10, delete), (15, delete_in(1))),
    ),
    "nothing starts while a container is stopped": Case(
        world.pod(
            inits=[sidecar(**LIVENESS)],
            containers=[container(lifecycle=HOOK, **LIVENESS)],
            annotations=script(
                exec__main=does("preStop", 40) | does("liveness"),
                liveness__main="10-",
                liveness__side="1-",
                stop_seconds=1,
                stop_exit_code__main=0,
            ),
            terminationGracePeriodSeconds=100,
            **NEVER,
        ),
        "0 side starts, 0 main starts, 2 side is told, 3 side ends, 3 side starts, 4 side is told, 5 side ends, "
        "11 main preStop, 51 main is told, 52 main ends",
        "Succeeded side=0 main=0",
    ),
    "a sidecar that must start over holds the next back": Case(
        world.pod(
            inits=[sidecar(lifecycle=HOOK, **STARTUP)],
            annotations=script(exec=does("preStop", 1) | does("startup", exit_code=1)),
        ),
        "0 side starts, 0 side startup, 0 side preStop, 1 side is told, 1 side ends, "
        "1 side starts, 1 side startup, 1 side preStop, 2 side is told, 2 side ends, "
        "12 side starts, 12 side startup, 12 side preStop, 13 side is told, 13 side ends",
        "Pending side=0",
        seconds=30,
    ),
    "a new image for a running container": Case(
        world.pod(containers=[container(), container("beside")], **NEVER),
        "0 main starts, 0 beside starts, 10 main is told, 10 main ends, 10 main starts",
        "Running main=0 image-of-main=localhost/other:1",
        deeds=((10, another_image("containers")),),
    ),
    "a new image for a sidecar beside an init container": Case(
        world.pod(inits=[sidecar(), container("first")], annotations=script(run_seconds__first=20), **NEVER),
        "0 side starts, 0 first starts, 10 side is told, 10 side ends, 10 side starts, 20 first ends, 20 main starts",
        "Running side=0 first=0 image-of-side=localhost/other:1",
        deeds=((10, another_image("initContainers")),),
    ),
    "a new image for an init container that runs": Case(
        world.pod(inits=[container("first")], annotations=script(run_seconds__first=20)),
        "0 first starts, 20 first ends, 20 main starts",
        "Running first=0 image-of-first=localhost/hello:1",
        deeds=((10, another_image("initContainers")),),
    ),
    "a new image for an init container that is done": Case(
        world.pod(inits=[container("first")], annotations=script(run_seconds__first=1)),
        "0 first starts, 1 first ends, 1 main starts",
        "Running first=0 image-of-first=localhost/hello:1",
        deeds=((10, another_image("initContainers")),),
    ),
    "a new image for a container that waits for its turn": Case(
        world.pod(inits=[container("first")], annotations=script(run_seconds__first=20)),
        "0 first starts, 20 first ends, 20 main starts",
        "Running first=0 image-of-main=localhost/other:1",
        deeds=((10, another_image("containers")),),
    ),
    "a new image for a container that ends": Case(
        world.pod(annotations=script(stop_seconds=20)),
        "0 main starts, 10 main is told, 30 main ends",
        deeds=((10, delete), (12, another_image("containers"))),
    ),
    "a new image ends the backoff": Case(
        world.pod(annotations=script(run_seconds=0, exit_code=1)),
        "0 main starts, 0 main ends, 0 main starts, 0 main ends, 5 main starts, 5 main ends, 15 main starts, 15 main ends",
        deeds=((5, another_image("containers")),),
        seconds=20,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_in_order(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    seen, end = play(case, tmp_path)
    assert ", ".join(seen) == case.timeline
    assert set(case.end.split()) <= set(end.split()), end


def play(case: Case, folder: Path) -> tuple[list[str], str]:
    found: list[tuple[list[str], str]] = []

    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, folder)
        here.runtime = watched = Watched(clock)
        async with here.running():
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"))
            watched.began = clock.monotonic()
            here.api.put("pods", json.loads(json.dumps(case.pod)))
            for at, deed in case.deeds:
                await clock.sleep(at - (clock.monotonic() - watched.began))
                deed(here)
            await clock.sleep(case.seconds - (clock.monotonic() - watched.began))
            found.append((watched.seen, _end(here.api.statuses("web")[-1])))

    virtual.run(body)
    return found[0]


def _end(status: Object) -> str:
    found = [status["phase"]]
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        ended = one["state"].get("terminated") or one["lastState"].get("terminated")
        found += [f"{one['name']}={ended['exitCode']}"] if ended else []
        found.append(f"image-of-{one['name']}={one['image']}")
    return " ".join(found)
