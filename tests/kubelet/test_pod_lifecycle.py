"""The machine by itself: a dialogue of events and instructions, and properties for every order of events."""

import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steersman.containers import runtime
from steersman.kubelet import container_lifecycle, instructions, pod_events, status
from steersman.kubelet.container_lifecycle import Phase
from steersman.kubelet.instructions import Instruction
from steersman.kubelet.pod_lifecycle import HANDLERS, PodMachine
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.world import container, sidecar

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def at(seconds: float) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def pod(**about: Any) -> Object:
    made = world.pod(**about)
    made["metadata"]["uid"] = "uid-1"
    return made


def container_status(name: str, number: int = 0, **about: Any) -> runtime.ContainerStatus:
    known = {
        "id": f"{name}-{number}",
        "sandbox_id": "sandbox",
        "pod_uid": "uid-1",
        "name": name,
        "attempt": number,
        "state": runtime.State.RUNNING,
        "image": "localhost/hello:1",
        "image_id": "localhost/hello@sha256:1",
        "created_at": START,
        "started_at": START,
    }
    return runtime.ContainerStatus(**{**known, **about})


class Dialogue:
    """Play the shell's part, event by event."""

    def __init__(self, **about: Any) -> None:
        self.machine = PodMachine(pod(**about))
        self.now = 0.0

    def say(self, event: pod_events.Event) -> list[Instruction]:
        out = self.machine.handle(event, at(self.now))
        self.machine.check_invariants()
        return [one for one in out if not isinstance(one, instructions.RecordEvent)]

    def start(self) -> list[Instruction]:
        return self.say(pod_events.PodChanged(self.machine.pod))

    def prepare(self) -> None:
        self.start()
        self.say(pod_events.VolumesMounted())
        self.say(pod_events.SandboxReady("sandbox", ("10.244.0.2",)))

    def bring_up(self, name: str, number: int = 0) -> list[Instruction]:
        self.say(pod_events.ImagePulled(name, "localhost/hello@sha256:1"))
        self.say(pod_events.ContainerCreated(name, f"{name}-{number}"))
        return self.say(pod_events.ContainerStarted(name, f"{name}-{number}", container_status(name, number)))

    def end(self, name: str, code: int, number: int = 0) -> list[Instruction]:
        over = container_status(name, number, state=runtime.State.EXITED, exit_code=code, finished_at=at(self.now))
        return self.say(pod_events.ContainerChanged(over))


def test_a_start_step_by_step() -> None:
    talk = Dialogue()
    assert talk.start() == [
        instructions.MountVolumes(),
        instructions.RunSandbox(0),
        instructions.PullImage("main"),
    ], "volumes, sandbox and image do not wait for each other"
    assert talk.say(pod_events.ImagePulled("main", "id")) == []
    assert talk.say(pod_events.VolumesMounted()) == []
    ready = talk.say(pod_events.SandboxReady("sandbox", ("10.244.0.2",)))
    assert ready == [instructions.CreateContainer("main", "sandbox", 0)]
    assert talk.say(pod_events.ContainerCreated("main", "main-0")) == [instructions.StartContainer("main", "main-0")]
    assert talk.say(pod_events.ContainerStarted("main", "main-0", container_status("main"))) == []
    assert status.phase(talk.machine) == "Running"


def test_the_second_container_starts_after_the_hook_of_the_first() -> None:
    hook = {"postStart": {"exec": {"command": ["true"]}}}
    talk = Dialogue(containers=[container(lifecycle=hook), container("second")])
    talk.prepare()
    talk.say(pod_events.ImagePulled("second", "id"))
    talk.say(pod_events.ContainerCreated("second", "second-0"))
    assert talk.bring_up("main") == [instructions.RunPostStart("main", "main-0")]
    done = talk.say(pod_events.PostStartEnded("main", "main-0"))
    assert done == [instructions.StartContainer("second", "second-0")]


def test_a_failed_hook_kills_the_container() -> None:
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    talk = Dialogue(containers=[container(lifecycle=hook)])
    talk.prepare()
    talk.bring_up("main")
    out = talk.say(pod_events.PostStartEnded("main", "main-0", "PostStartHook failed"))
    assert out == [instructions.StopContainer("main", "main-0", 30.0, "FailedPostStartHook")]
    assert talk.end("main", 137) == [instructions.PullImage("main")], "and it is tried again"


def with_ephemeral(talk: Dialogue, *specs: Object) -> list[Instruction]:
    changed = {**talk.machine.pod, "spec": {**talk.machine.pod["spec"], "ephemeralContainers": list(specs)}}
    return talk.say(pod_events.PodChanged(changed))


def test_an_ephemeral_container_joins_a_running_pod_and_is_never_restarted() -> None:
    talk = Dialogue()
    talk.prepare()
    talk.bring_up("main")
    assert with_ephemeral(talk, container("look", targetContainerName="main")) == [instructions.PullImage("look")]
    assert talk.say(pod_events.ImagePulled("look", "id")) == [instructions.CreateContainer("look", "sandbox", 0)]
    assert talk.say(pod_events.ContainerCreated("look", "look-0")) == [instructions.StartContainer("look", "look-0")]
    talk.say(pod_events.ContainerStarted("look", "look-0", container_status("look")))
    assert talk.end("look", 1) == []
    shown = status.build(talk.machine, status.Node(), {}, at(0))
    assert [one["name"] for one in shown["containerStatuses"]] == ["main"]
    (look,) = shown["ephemeralContainerStatuses"]
    assert look["state"]["terminated"]["exitCode"] == 1
    assert not look["ready"]
    assert {one["type"]: one["status"] for one in shown["conditions"]}["Ready"] == "True", "it does not count"


def test_an_ephemeral_container_waits_for_its_target_and_ends_with_the_pod() -> None:
    talk = Dialogue(restartPolicy="Never")
    talk.prepare()
    assert with_ephemeral(talk, container("look", targetContainerName="main")) == []
    assert instructions.PullImage("look") in talk.bring_up("main")
    talk.bring_up("look")
    (stop,) = talk.end("main", 0)
    assert isinstance(stop, instructions.StopContainer)
    assert stop.container == "look", "what it looked into is over"


def test_an_evicted_pod_fails_soon_and_says_that_the_node_wanted_it() -> None:
    talk = Dialogue(terminationGracePeriodSeconds=30)
    talk.prepare()
    talk.bring_up("main")
    (stop,) = talk.say(pod_events.PodFailed("Evicted", "too much", grace_seconds=1.0, disrupts=True))
    assert stop == instructions.StopContainer("main", "main-0", 1.0, "Stopping container main")
    talk.end("main", 137)
    shown = status.build(talk.machine, status.Node(), {}, at(0))
    assert (shown["phase"], shown["reason"], shown["message"]) == ("Failed", "Evicted", "too much")
    said = {one["type"]: one.get("reason") for one in shown["conditions"]}
    assert said["DisruptionTarget"] == "TerminationByKubelet"


BEGIN_ANEW = {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}


def test_a_rule_begins_everything_anew_without_hooks() -> None:
    hook = {"preStop": {"exec": {"command": ["bye"]}}}
    talk = Dialogue(
        inits=[container("init")],
        containers=[container("one", restartPolicyRules=[BEGIN_ANEW]), container("two", lifecycle=hook)],
        restartPolicy="Never",
    )
    talk.prepare()
    talk.bring_up("init")
    talk.end("init", 0)
    talk.bring_up("one")
    talk.bring_up("two")
    stop = talk.end("one", 42)
    assert stop == [
        instructions.StopContainer(
            "two", "two-0", 0.0, "Container two will be restarted: all containers of the pod are", run_hook=False
        )
    ]
    assert shown_restarting(talk) == "True"
    assert talk.end("two", 137) == [instructions.PullImage("init")], "with the first init container"
    assert shown_restarting(talk) == "False"
    shown = status.build(talk.machine, status.Node(), {}, at(talk.now))["containerStatuses"]
    text = "The container is removed because RestartAllContainers in place"
    for one in shown:
        assert one["restartCount"] == 1
        assert one["state"] == {"waiting": {"reason": "RestartingAllContainers", "message": text}}
        last = one["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"], last["message"]) == (137, "RestartingAllContainers", text)
    talk.bring_up("init", 1)
    talk.end("init", 0, 1)
    talk.bring_up("one", 1)
    talk.bring_up("two", 1)
    assert [one.phase for one in talk.machine.containers] == [Phase.EXITED, Phase.RUNNING, Phase.RUNNING]


def shown_restarting(talk: Dialogue) -> str:
    shown = status.build(talk.machine, status.Node(), {}, at(talk.now))["conditions"]
    return next(str(one["status"]) for one in shown if one["type"] == status.RESTARTING)


def test_a_pod_that_begins_anew_can_be_deleted_meanwhile() -> None:
    talk = Dialogue(containers=[container("one", restartPolicyRules=[BEGIN_ANEW]), container("two")])
    talk.prepare()
    talk.bring_up("one")
    talk.bring_up("two")
    talk.end("one", 42)
    gone = talk.machine.pod["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5}
    talk.say(pod_events.PodChanged({**talk.machine.pod, "metadata": gone}))
    assert talk.end("two", 137) == [instructions.RemoveSandboxes()]


def test_a_startup_probe_holds_back_readiness_and_the_next_container() -> None:
    talk = Dialogue(inits=[sidecar(startupProbe={"exec": {"command": ["true"]}})])
    talk.prepare()
    talk.bring_up("side")
    assert talk.machine.container("main").phase is Phase.WAITING  # type: ignore[union-attr]
    out = talk.say(pod_events.ProbeChanged("side", "side-0", "startup", success=True))
    assert out == [instructions.PullImage("main")]


@pytest.mark.parametrize(
    ("rules", "policy", "code", "restarts"),
    [
        ([], "Always", 0, True),
        ([], "OnFailure", 0, False),
        ([], "OnFailure", 1, True),
        ([], "Never", 1, False),
        ([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], "Never", 42, True),
        ([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}], "Never", 1, False),
        ([{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [42]}}], "Never", 1, True),
    ],
)
def test_restart_policy(rules: list[Object], policy: str, code: int, restarts: bool) -> None:
    one = container_lifecycle.containers_of(pod(containers=[container(restartPolicyRules=rules)]))[0]
    assert container_lifecycle.should_restart(one, policy, code) is restarts


def test_backoff_is_forgotten_after_ten_good_minutes() -> None:
    talk = Dialogue()
    talk.prepare()
    talk.bring_up("main")
    talk.end("main", 1)
    talk.bring_up("main", 1)
    talk.now = 5
    talk.end("main", 1, 1)
    assert talk.machine.again_at() == at(15)
    talk.now = 15
    talk.say(pod_events.TimerFired())
    talk.bring_up("main", 2)
    talk.now = 15 + 601
    assert talk.end("main", 1, 2) == [instructions.PullImage("main")]


def test_a_pod_that_is_deleted_before_it_started_leaves_nothing() -> None:
    talk = Dialogue()
    talk.start()
    deleted = {**talk.machine.pod, "metadata": {**talk.machine.pod["metadata"], "deletionTimestamp": "x"}}
    assert talk.say(pod_events.PodChanged(deleted)) == []
    assert talk.say(pod_events.SandboxReady("sandbox")) == [instructions.RemoveSandboxes()]
    assert talk.say(pod_events.ImagePulled("main", "id")) == []
    assert talk.say(pod_events.SandboxRemoved()) == [instructions.UnmountVolumes()]
    assert talk.say(pod_events.VolumesUnmounted()) == [instructions.DeletePod()]
    assert talk.machine.gone


def test_every_event_has_a_handler() -> None:
    assert set(HANDLERS) == set(pod_events.Event.__args__)


def test_phases_form_one_machine() -> None:
    assert set(container_lifecycle.PHASES) == set(Phase)
    reached = {Phase.WAITING}
    while new := {later for phase in reached for later in container_lifecycle.PHASES[phase]} - reached:
        reached |= new
    assert reached == set(Phase)


# --- properties ----------------------------------------------------------------------------------------------------------


class Node:
    """A node on paper that answers instructions in an order, and with outcomes, that Hypothesis draws."""

    def __init__(self, machine: PodMachine, data: st.DataObject) -> None:
        self.machine = machine
        self.data = data
        self.waiting: list[Instruction] = []
        self.containers: dict[str, runtime.ContainerStatus] = {}
        self.sandboxes: dict[str, bool] = {}
        self.made: set[str] = set()
        self.now = 0.0
        self.deleted = False

    def say(self, event: pod_events.Event) -> None:
        self.take(self.machine.handle(event, at(self.now)))

    def take(self, out: list[Instruction]) -> None:
        self.machine.check_invariants()
        self.waiting += [one for one in out if not isinstance(one, instructions.RecordEvent)]
        built = status.build(self.machine, status.Node("172.30.0.2"), {}, at(self.now))
        assert built["phase"] in ("Pending", "Running", "Succeeded", "Failed")
        alive = [one for one in self.containers.values() if one.state is runtime.State.RUNNING]
        assert len({one.name for one in alive}) == len(alive), "never two instances of one container"

    def works(self) -> bool:
        return self.data.draw(st.integers(0, 9), label="works") < 8

    def carry_out_one(self) -> None:
        index = self.data.draw(st.integers(0, len(self.waiting) - 1), label="which")
        one = self.waiting.pop(index)
        getattr(self, f"do_{type(one).__name__}")(one)

    def do_MountVolumes(self, _: Any) -> None:  # noqa: N802
        self.say(pod_events.VolumesMounted())

    def do_UnmountVolumes(self, _: Any) -> None:  # noqa: N802
        self.say(pod_events.VolumesUnmounted())

    def do_RunSandbox(self, one: instructions.RunSandbox) -> None:  # noqa: N802
        if not self.works():
            self.say(pod_events.SandboxFailed("no"))
            return
        self.sandboxes[f"sandbox-{one.attempt}"] = True
        self.say(pod_events.SandboxReady(f"sandbox-{one.attempt}", ("10.244.0.2",)))

    def do_StopSandbox(self, one: instructions.StopSandbox) -> None:  # noqa: N802
        self.lose(one.id)
        self.say(pod_events.SandboxStopped(one.id))

    def do_RemoveSandboxes(self, _: Any) -> None:  # noqa: N802
        for sandbox in list(self.sandboxes):
            self.lose(sandbox)
        self.sandboxes.clear()
        self.say(pod_events.SandboxRemoved())

    def do_PullImage(self, one: instructions.PullImage) -> None:  # noqa: N802
        if self.works():
            self.say(pod_events.ImagePulled(one.container, "id"))
        else:
            self.say(pod_events.ImageFailed(one.container, "ErrImagePull", "no"))

    def do_CreateContainer(self, one: instructions.CreateContainer) -> None:  # noqa: N802
        if self.works() and self.sandboxes.get(one.sandbox_id):
            made = container_status(
                one.container, one.attempt, state=runtime.State.CREATED, started_at=None, sandbox_id=one.sandbox_id
            )
            assert made.id not in self.made, "an attempt is never made twice"
            self.made.add(made.id)
            self.containers[made.id] = made
            self.say(pod_events.ContainerCreated(one.container, made.id))
        else:
            self.say(pod_events.ContainerCreateFailed(one.container, "CreateContainerError", "no"))

    def do_StartContainer(self, one: instructions.StartContainer) -> None:  # noqa: N802
        found = self.containers.get(one.id)
        if found is not None and found.state is runtime.State.CREATED and self.works():
            self.change(found, state=runtime.State.RUNNING, started_at=at(self.now))
            self.say(pod_events.ContainerStarted(one.container, one.id, self.containers[one.id]))
        else:
            if found is not None:
                self.change(found, state=runtime.State.EXITED, exit_code=128, finished_at=at(self.now))
            failed = pod_events.ContainerStartFailed(
                one.container, one.id, "RunContainerError", "no", self.containers.get(one.id)
            )
            self.say(failed)

    def do_RunPostStart(self, one: instructions.RunPostStart) -> None:  # noqa: N802
        self.say(pod_events.PostStartEnded(one.container, one.id, "" if self.works() else "no"))

    def do_RunPreStop(self, one: instructions.RunPreStop) -> None:  # noqa: N802
        self.say(pod_events.PreStopEnded(one.container, one.id))

    def do_StopContainer(self, one: instructions.StopContainer) -> None:  # noqa: N802
        self.exit(one.id, 137)

    def do_RemoveContainer(self, one: instructions.RemoveContainer) -> None:  # noqa: N802
        assert self.containers.pop(one.id).state is runtime.State.EXITED, "only the dead are removed"

    def do_DeletePod(self, _: Any) -> None:  # noqa: N802
        self.deleted = True

    def change(self, found: runtime.ContainerStatus, **about: Any) -> None:
        known = {name: getattr(found, name) for name in found.__dataclass_fields__}
        self.containers[found.id] = runtime.ContainerStatus(**{**known, **about})

    def exit(self, container_id: str, code: int) -> None:
        found = self.containers.get(container_id)
        if found is not None and found.state is runtime.State.RUNNING:
            self.change(found, state=runtime.State.EXITED, exit_code=code, finished_at=at(self.now))
        if container_id in self.containers:
            self.say(pod_events.ContainerChanged(self.containers[container_id]))

    def lose(self, sandbox: str) -> None:
        self.sandboxes[sandbox] = False
        for one in list(self.containers.values()):
            if one.sandbox_id == sandbox and one.state is runtime.State.RUNNING:
                self.exit(one.id, 137)

    def happen(self) -> None:
        """Something from outside."""
        running = [one.id for one in self.containers.values() if one.state is runtime.State.RUNNING]
        ready = [name for name, is_ready in self.sandboxes.items() if is_ready]
        what = self.data.draw(st.sampled_from(["time", "exit", "probe", "lose", "restart"]), label="what")
        if what == "exit" and running:
            self.exit(self.data.draw(st.sampled_from(running)), self.data.draw(st.sampled_from([0, 1, 42])))
        elif what == "probe" and running:
            chosen = self.data.draw(st.sampled_from(running))
            kind = self.data.draw(st.sampled_from(["startup", "liveness", "readiness"]))
            name = self.containers[chosen].name
            self.say(pod_events.ProbeChanged(name, chosen, kind, success=self.data.draw(st.booleans())))
        elif what == "lose" and ready:
            lost = self.data.draw(st.sampled_from(ready))
            self.lose(lost)
            self.say(pod_events.SandboxLost(lost))
        elif what == "restart":
            self.restart()
        else:
            self.tick()

    def tick(self) -> None:
        again = self.machine.again_at()
        if again is not None:
            self.now = max(self.now, (again - START).total_seconds())
            self.say(pod_events.TimerFired())

    def restart(self) -> None:
        """The kubelet dies: its instructions are forgotten, what was done stays."""
        old = self.machine.pod
        self.waiting.clear()
        self.machine = PodMachine(old)
        sandboxes = [
            runtime.SandboxStatus(name, "uid-1", "web", "default", int(name.rpartition("-")[2]), ready, START)
            for name, ready in self.sandboxes.items()
        ]
        self.take(self.machine.adopt(sandboxes, list(self.containers.values()), at(self.now)))

    def settle(self) -> None:
        """Let everything that is asked for happen, until the pod is gone."""
        for _ in range(400):
            if self.deleted:
                return
            if self.waiting:
                self.carry_out_one()
            else:
                self.tick()
        raise AssertionError(f"the pod never ends: {[(c.name, c.phase) for c in self.machine.containers]}")


HOOKED_SIDECAR = sidecar("hooked", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
PODS = st.builds(
    lambda inits, mains, policy, hook, looks, rules: pod(
        inits=inits,
        ephemeralContainers=looks,
        containers=[
            container(
                f"main-{n}",
                restartPolicyRules=rules,
                **({"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}} if hook and not n else {}),
            )
            for n in range(mains)
        ],
        restartPolicy=policy,
    ),
    st.sampled_from(
        [None, [container("init")], [sidecar()], [container("init"), sidecar(), HOOKED_SIDECAR, container("late")]]
    ),
    st.integers(1, 3),
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.booleans(),
    st.sampled_from([[], [container("look")], [container("look", targetContainerName="main-0")]]),
    st.sampled_from([[], [BEGIN_ANEW]]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PODS, st.data())
def test_any_history_keeps_the_invariants_and_deletion_ends_it(wanted: Object, data: st.DataObject) -> None:
    node = Node(PodMachine(wanted), data)
    node.say(pod_events.PodChanged(wanted))
    for _ in range(data.draw(st.integers(0, 40), label="steps")):
        if node.waiting and data.draw(st.integers(0, 3), label="inside") > 0:
            node.carry_out_one()
        else:
            node.happen()
    meta = {**wanted["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5}
    node.say(pod_events.PodChanged({**wanted, "metadata": meta}))
    node.settle()
    assert not any(one.state is runtime.State.RUNNING for one in node.containers.values())
    assert not node.sandboxes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PODS, st.data(), st.integers(0, 25))
def test_a_killed_kubelet_reaches_the_same_end(wanted: Object, data: st.DataObject, killed_after: int) -> None:
    """Without failures and exits, every pod comes up, wherever the kubelet was killed on the way."""
    node = Node(PodMachine(wanted), data)
    node.works = lambda: True  # type: ignore[method-assign]
    node.say(pod_events.PodChanged(wanted))
    for step in range(200):
        if step == killed_after:
            node.restart()
        inits = [one for one in node.containers.values() if one.name in ("init", "late")]
        for one in inits:
            if one.state is runtime.State.RUNNING:
                node.exit(one.id, 0)
        if node.waiting:
            node.carry_out_one()
        elif step > killed_after:
            break
    machine = node.machine
    mains = [one for one in machine.containers if one.role is container_lifecycle.Role.MAIN]
    assert all(one.phase is Phase.RUNNING for one in mains), [(one.name, one.phase) for one in machine.containers]
    assert status.phase(machine) == "Running"
