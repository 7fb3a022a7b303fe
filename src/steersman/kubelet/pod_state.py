"""What is known of one pod on its node, and the questions its machine asks of it.

The only place that holds state: the steps (`pod_start`, `pod_restarts`, `pod_end`, `pod_adoption`) are functions over it,
each of which may append to `out`. Pure.
"""

import datetime
import enum

from steersman.kubelet import container_lifecycle, instructions
from steersman.kubelet.container_lifecycle import Backoff, Container, Phase, Role
from steersman.meta import objects
from steersman.meta.objects import Object

SANDBOX_RETRY_FIRST_SECONDS = 1.0
GRACE_DEFAULT_SECONDS = 30.0


INITIAL = frozenset({Role.INIT, Role.SIDECAR})  # those that main containers wait for


class Sandbox(enum.Enum):
    NONE = "none"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    REMOVING = "removing"
    REMOVED = "removed"


class Volumes(enum.Enum):
    NONE = "none"
    MOUNTING = "mounting"
    MOUNTED = "mounted"
    UNMOUNTING = "unmounting"
    UNMOUNTED = "unmounted"


class PodState:
    """`now` and `out` belong to the event that is being handled. `crash_seconds`: the first and the longest wait of a container
    that ends again and again."""

    def __init__(self, pod: Object, crash_seconds: tuple[float, float] | None = None) -> None:
        self.pod = pod
        self.uid = objects.uid(pod)
        self.containers = container_lifecycle.containers_of(pod)
        if crash_seconds is not None:
            for one in self.containers:
                one.crashes = Backoff(*crash_seconds)
        self.by_name = {one.name: one for one in self.containers}
        self.sandbox = Sandbox.NONE
        self.sandbox_id = ""
        self.sandbox_attempt = 0
        self.addresses: tuple[str, ...] = ()
        self.volumes = Volumes.NONE
        self.started_at: datetime.datetime | None = None
        self.deleting = False
        self.removed = False
        self.finishing = False
        self.failure: tuple[str, str] | None = None
        self.end_by: datetime.datetime | None = None
        self.gone = False
        self.is_refused = False
        self.is_disrupted = False
        self.own_resources: Object = pod["spec"].get("resources") or {}  # the pod's own, as granted
        self.own_applied: Object = self.own_resources
        self.resize_pending: tuple[str, str] | None = None  # (Deferred or Infeasible, why)
        self.resizing = False
        self.resize_shrinks = False  # the pod's group has to be made smaller when the last container has restarted
        self.resize_error = ""
        self.restarting_all = False  # a restart rule asked for it: everything stops, then begins again
        self.sandbox_retry_at: datetime.datetime | None = None
        self.sandbox_retry_seconds = SANDBOX_RETRY_FIRST_SECONDS
        self.out: list[instructions.Instruction] = []
        self.now = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    @property
    def restart_policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy") or "Always")

    @property
    def is_ending(self) -> bool:
        return self.deleting or self.finishing

    @property
    def is_over(self) -> bool:
        """It ends, and nothing of it runs any more: what it asked for is free."""
        return self.is_ending and self.all_stopped

    @property
    def is_stopping_one(self) -> bool:
        """As upstream, nothing starts in a pod while it waits for one of its containers to end."""
        return any(one.phase is Phase.STOPPING for one in self.containers)

    @property
    def all_stopped(self) -> bool:
        return all(one.is_over for one in self.containers)

    def container(self, name: str) -> Container | None:
        return self.by_name.get(name)

    @property
    def initialized(self) -> bool:
        """Every init container is done and every sidecar has started (or main containers ran already)."""
        return all(self.lets_the_next_start(one) for one in self.containers if one.role in INITIAL)

    def again_at(self) -> datetime.datetime | None:
        """When `TimerFired` is wanted, if nothing else happens before."""
        moments: list[datetime.datetime] = []
        if not self.is_stopping_one:
            moments += [one.not_before for one in self.containers if one.phase is Phase.WAITING and one.not_before]
        moments += [one.stop_by for one in self.containers if one.holds and one.stop_by]
        if self.sandbox_retry_at is not None:
            moments.append(self.sandbox_retry_at)
        deadline = self.active_deadline()
        if deadline is not None and not self.is_ending:
            moments.append(deadline)
        return min(moments, default=None)

    def mains_are_over(self) -> bool:
        return all(one.is_over for one in self.containers if one.role is Role.MAIN)

    def lets_the_next_start(self, one: Container) -> bool:
        """Whether the containers after this init container or sidecar may be started."""
        if one.role is Role.INIT:
            return one.succeeded or (one.is_over and one.current is None)
        if one.started:
            return True
        return any(other.has_started for other in self.containers if other.role is Role.MAIN)

    def grace_seconds(self) -> float:
        found = self.pod["spec"].get("terminationGracePeriodSeconds")
        return GRACE_DEFAULT_SECONDS if found is None else float(found)

    def active_deadline(self) -> datetime.datetime | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None or self.started_at is None:
            return None
        return self.started_at + datetime.timedelta(seconds=float(seconds))

    def after(self, seconds: float) -> datetime.datetime:
        return self.now + datetime.timedelta(seconds=seconds)

    def tell(self, type_: str, reason: str, message: str, container: str = "") -> None:
        self.out.append(instructions.RecordEvent(type_, reason, message, container))

    def check_invariants(self) -> None:
        """Statements that hold after every event; broken ones are our own mistakes."""
        ids = [one.id for one in self.containers if one.is_alive]
        assert all(ids), "living containers have ids"
        assert len(ids) == len(set(ids)), "living containers have ids of their own"
        for one in self.containers:
            assert not one.ready or one.started, f"{one.name}: ready means started"
            assert not one.ready or one.phase in (Phase.RUNNING, Phase.STOPPING), f"{one.name}: ready means running"
            assert one.phase is not Phase.CREATING or self.sandbox is not Sandbox.NONE, f"{one.name}: needs a sandbox"
            if self.is_ending:
                assert one.phase not in (Phase.WAITING, Phase.PULLING, Phase.PULLED, Phase.CREATED), (
                    f"{one.name}: nothing starts in an ending pod"
                )
        if self.gone:
            assert self.all_stopped, "no container is left of a pod that is gone"
            assert self.sandbox is Sandbox.REMOVED, "no sandbox is left of a pod that is gone"
