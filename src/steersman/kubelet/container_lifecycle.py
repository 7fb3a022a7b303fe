"""One container of a pod as the kubelet sees it: its phase, its instances, when it may be started again.

Pure. `PHASES` is the whole table of moves; `Container.move` refuses any other. Which move to make is decided by the pod's
machine (`pod_lifecycle`), because it depends on the pod: its restart policy, its init containers, its end.
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Any

from steersman.containers import runtime
from steersman.meta.objects import Object

# Upstream's backoffs: 10 s doubling to 5 minutes (crashes: as configured, and the first restart at once); forgotten after ten
# good minutes, whatever is configured.
BACKOFF_FIRST_SECONDS = 10.0
BACKOFF_MOST_SECONDS = 300.0
BACKOFF_FORGOTTEN_SECONDS = 600.0
# A container whose configuration cannot be made yet (missing ConfigMap, …) is tried again at upstream's sync period.
CONFIG_RETRY_SECONDS = 10.0
RESTART, RESTART_ALL = "Restart", "RestartAllContainers"  # actions of restart rules
# How a container is shown until it runs again, and what is told of it afterwards.
BEGINS_ANEW, BEGUN_ANEW = "RestartingAllContainers", "The container is removed because RestartAllContainers in place"


class Phase(enum.Enum):
    WAITING = "waiting"  # its turn has not come, or it comes at `not_before`
    PULLING = "pulling"  # the image is being brought
    PULLED = "pulled"  # waits for sandbox and volumes
    CREATING = "creating"
    CREATED = "created"  # waits for the containers before it
    STARTING = "starting"  # start, then the postStart hook
    RUNNING = "running"
    STOPPING = "stopping"
    EXITED = "exited"  # and stays so


PHASES: dict[Phase, frozenset[Phase]] = {
    Phase.WAITING: frozenset({Phase.PULLING, Phase.EXITED}),
    Phase.PULLING: frozenset({Phase.PULLED, Phase.WAITING, Phase.EXITED}),
    Phase.PULLED: frozenset({Phase.CREATING, Phase.WAITING, Phase.EXITED}),
    Phase.CREATING: frozenset({Phase.CREATED, Phase.WAITING, Phase.EXITED}),
    Phase.CREATED: frozenset({Phase.STARTING, Phase.WAITING, Phase.EXITED}),
    Phase.STARTING: frozenset({Phase.RUNNING, Phase.STOPPING, Phase.WAITING, Phase.EXITED}),
    Phase.RUNNING: frozenset({Phase.STOPPING, Phase.WAITING, Phase.EXITED}),
    Phase.STOPPING: frozenset({Phase.WAITING, Phase.EXITED}),
    Phase.EXITED: frozenset({Phase.WAITING}),
}

ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING})


class Role(enum.Enum):
    INIT = "init"
    SIDECAR = "sidecar"  # an init container with restartPolicy Always
    MAIN = "main"
    EPHEMERAL = "ephemeral"  # added to a running pod to look into it: never restarted, nothing waits for it


@dataclasses.dataclass(slots=True)
class Backoff:
    """Doubling delays: `seconds` is what the next failure waits (0: nothing yet), since `since`."""

    first_seconds: float = BACKOFF_FIRST_SECONDS
    most_seconds: float = BACKOFF_MOST_SECONDS
    seconds: float = 0.0
    since: datetime.datetime | None = None

    def failed(self, at: datetime.datetime) -> float:
        """The seconds to wait from `at`, the moment of this failure."""
        if self.since is not None and (at - self.since).total_seconds() > BACKOFF_FORGOTTEN_SECONDS:
            self.seconds = 0.0
        return self.seconds

    def tried_again(self, at: datetime.datetime) -> None:
        self.seconds = min(self.seconds * 2 or self.first_seconds, self.most_seconds)
        self.since = at

    def forget(self) -> None:
        self.seconds, self.since = 0.0, None


@dataclasses.dataclass(slots=True)
class Container:
    """`attempt` is the number of the next instance to create. `current` is the newest instance that has run (or runs);
    `previous` the one before it. `attempted` says that the first start was tried, so that containers after it may start.
    `spec` holds the resources that were granted, which differ from the API's while a resize waits; `applied` are those of
    the newest instance. `holds`: it is STOPPING, but its signal waits for its preStop hook and for those that end before it."""

    spec: Object
    role: Role
    phase: Phase = Phase.WAITING
    id: str = ""
    image_id: str = ""
    volume_images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    attempt: int = 0
    attempted: bool = False
    has_started: bool = False
    current: runtime.ContainerStatus | None = None
    previous: runtime.ContainerStatus | None = None
    waiting_reason: str = ""
    waiting_message: str = ""
    not_before: datetime.datetime | None = None
    crashes: Backoff = dataclasses.field(default_factory=Backoff)
    pulls: Backoff = dataclasses.field(default_factory=Backoff)
    started: bool = False
    ready: bool = False
    stop_by: datetime.datetime | None = None
    stop_is_restart: bool = False
    hook_running: bool = False
    holds: bool = False
    applied: Object = dataclasses.field(default_factory=dict)

    @property
    def resources(self) -> Object:
        """What the node has granted it: of the spec, unless a resize waits."""
        return self.spec.get("resources") or {}

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def image(self) -> str:
        return str(self.spec.get("image", ""))

    @property
    def is_alive(self) -> bool:
        return self.phase in ALIVE

    @property
    def is_over(self) -> bool:
        return self.phase is Phase.EXITED

    @property
    def succeeded(self) -> bool:
        status = self.current
        return self.is_over and status is not None and status.state is runtime.State.EXITED and status.exit_code == 0

    @property
    def has_failed(self) -> bool:
        return self.is_over and not self.succeeded

    def probe(self, kind: str) -> dict[str, Any] | None:
        """`kind`: startup, liveness, readiness."""
        found: dict[str, Any] | None = self.spec.get(f"{kind}Probe")
        return found

    def hook(self, name: str) -> dict[str, Any] | None:
        """`name`: postStart, preStop."""
        found: dict[str, Any] | None = (self.spec.get("lifecycle") or {}).get(name)
        return found

    def move(self, phase: Phase) -> None:
        assert phase in PHASES[self.phase], f"container {self.name}: {self.phase.value} → {phase.value}"
        self.phase = phase
        if phase not in (
            Phase.RUNNING,
            Phase.STOPPING,
        ):  # upstream: a stopping container is ready until its probe says no
            self.ready = False
        if phase not in ALIVE:
            self.started = False
            self.hook_running = self.holds = False
            self.stop_by = None
            self.stop_is_restart = False
        if phase is not Phase.WAITING:
            self.not_before = None

    def wait(self, reason: str = "", message: str = "", until: datetime.datetime | None = None) -> None:
        """Back to WAITING, shown with `reason`, due at `until` (None: as soon as its turn comes)."""
        self.move(Phase.WAITING)
        self.waiting_reason, self.waiting_message, self.not_before = reason, message, until

    def forget_start(self) -> None:
        """Its pod begins anew, and it with it, when its turn comes. What has run is shown as upstream shows it, whose containers
        are gone by then."""
        told = ("", "")
        if self.current is not None:
            told = BEGINS_ANEW, BEGUN_ANEW
            self.current = dataclasses.replace(
                self.current,
                exit_code=137,
                signal=0,
                reason=told[0],
                message=told[1],
                started_at=None,
                finished_at=None,
            )
        if self.phase is Phase.WAITING:
            self.not_before, (self.waiting_reason, self.waiting_message) = None, told
        else:
            self.wait(*told)
        self.attempted = self.has_started = False

    def run(self, status: runtime.ContainerStatus) -> None:
        """A new instance runs: what was current becomes previous."""
        if self.current is not None and self.current.id != status.id:
            self.previous = self.current
        self.current = status
        self.has_started = True
        self.waiting_reason = self.waiting_message = ""

    def mark_running(self) -> None:
        """Started for good (hook done): ready unless a probe has to say so first."""
        self.move(Phase.RUNNING)
        self.attempted = True
        self.started = self.probe("startup") is None
        self.ready = self.started and self.probe("readiness") is None

    def due(self, now: datetime.datetime) -> bool:
        return self.phase is Phase.WAITING and (self.not_before is None or self.not_before <= now)


def containers_of(pod: Object) -> list[Container]:
    """Init containers and sidecars in their order, then the main ones in theirs, then the ephemeral ones."""
    spec = pod["spec"]
    found = [Container(one, _role_of_init(one)) for one in spec.get("initContainers") or []]
    found += [Container(one, Role.MAIN) for one in spec.get("containers") or []]
    return found + [Container(one, Role.EPHEMERAL) for one in spec.get("ephemeralContainers") or []]


def _role_of_init(spec: Object) -> Role:
    return Role.SIDECAR if spec.get("restartPolicy") == "Always" else Role.INIT


def rule_for(spec: Object, exit_code: int) -> str | None:
    """The action of the first of the container's rules that is about this exit code; None: its policy decides."""
    for rule in spec.get("restartPolicyRules") or []:
        codes = rule.get("exitCodes") or {}
        listed = exit_code in (codes.get("values") or [])
        if listed == (codes.get("operator") == "In"):
            return str(rule.get("action"))
    return None


def may_restart_all(pod: Object) -> bool:
    """One of its containers' exits may begin everything anew."""
    spec = pod["spec"]
    both = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return any(rule.get("action") == RESTART_ALL for one in both for rule in one.get("restartPolicyRules") or [])


def should_restart(container: Container, pod_policy: str, exit_code: int) -> bool:
    """Whether an exit is followed by a new instance, by the pod's policy or the container's own (KEP-5307)."""
    if container.role is Role.SIDECAR:
        return True
    if container.role is Role.EPHEMERAL or (container.role is Role.INIT and exit_code == 0):
        return False
    if (action := rule_for(container.spec, exit_code)) is not None:
        return action in (RESTART, RESTART_ALL)
    policy = container.spec.get("restartPolicy") or pod_policy
    if policy == "Always":
        return True
    return bool(policy == "OnFailure") and exit_code != 0
