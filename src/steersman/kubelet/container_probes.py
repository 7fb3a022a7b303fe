"""The running probes of one pod: follows the machine, tells it when a probe crossed its threshold."""

import asyncio
from collections.abc import Callable

from steersman.containers import runtime
from steersman.kubelet import pod_events, probes
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.kubelet.prober import Outcome, Target

TITLES = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}


class ContainerProbes:
    def __init__(
        self, machine: PodMachine, node: NodeServices, tell: Callable[[pod_events.ProbeChanged], None]
    ) -> None:
        self._machine = machine
        self._node = node
        self._tell = tell
        self._running: dict[tuple[str, str], tuple[str, asyncio.Task[None]]] = {}

    def follow(self) -> None:
        """Start and end probes so that they fit the containers' phases; cheap when nothing changed."""
        for one in self._machine.containers:
            for kind in probes.KINDS:
                probe = one.probe(kind)
                if probe is not None:
                    self._follow_one(one, kind)

    def _count(self, one: Container, kind: str, success: bool, seconds: float) -> None:
        meta = self._machine.pod["metadata"]
        whose = {"container": one.name, "namespace": meta["namespace"], "pod": meta["name"], "probe_type": TITLES[kind]}
        result = "successful" if success else "failed"
        self._node.metrics.count("prober_probe_total", **whose, pod_uid=self._machine.uid, result=result)
        self._node.metrics.observe("prober_probe_duration_seconds", seconds, **whose)

    def close(self) -> None:
        self._node.metrics.forget("prober_probe_total", "pod_uid", self._machine.uid)
        self._node.metrics.forget("prober_probe_duration_seconds", "pod", self._machine.pod["metadata"]["name"])
        for _, task in self._running.values():
            task.cancel()
        self._running.clear()

    def _follow_one(self, one: Container, kind: str) -> None:
        key, wanted = (one.name, kind), self._wants(one, kind)
        found = self._running.get(key)
        if found is not None and (not wanted or found[0] != one.id or found[1].done()):
            found[1].cancel()
            del self._running[key]
            found = None
        if wanted and found is None:
            task = self._node.tasks.start(f"{kind} probe of {one.name}", self._probe(one, kind, one.id))
            self._running[key] = (one.id, task)

    def _wants(self, one: Container, kind: str) -> bool:
        """Readiness goes on while the container stops; the others would only restart what is ending."""
        if one.role is Role.INIT:
            return False
        if kind == "readiness":
            return one.phase in (Phase.RUNNING, Phase.STOPPING) and one.started
        if one.phase is not Phase.RUNNING or self._machine.is_ending:
            return False
        return not one.started if kind == "startup" else one.started

    async def _probe(self, one: Container, kind: str, container_id: str) -> None:
        probe = one.probe(kind) or {}
        if self._node.options.on_paper and not probe.get("exec") and self._scripted(container_id, kind) is None:
            self._tell(pod_events.ProbeChanged(one.name, container_id, kind, success=True))
            return
        told = one.ready if kind == "readiness" else None
        state = probes.ProbeState(kind, probes.Settings.of(probe), told=told)
        clock, settings = self._node.clock, state.settings
        started = one.current.started_at if one.current is not None and one.current.started_at else clock.now()
        chance = clock.jitter(settings.period_seconds, 1.0) - settings.period_seconds
        await clock.sleep(state.first_after_seconds(started, clock.now(), chance))
        while True:
            await self._look_once(one, kind, container_id, state)
            await clock.sleep(settings.period_seconds)

    def _scripted(self, container_id: str, kind: str) -> bool | None:
        """What a runtime on paper says of this probe; None: nothing."""
        found = self._node.runtime
        return found.probe_result(container_id, kind) if isinstance(found, runtime.ScriptedProbes) else None

    async def _look_once(self, one: Container, kind: str, container_id: str, state: probes.ProbeState) -> None:
        began = self._node.clock.monotonic()
        scripted = self._scripted(container_id, kind)
        if scripted is None:
            addresses = self._machine.addresses or (self._node.options.address,)
            target = Target(one.spec, container_id, addresses[0])
            outcome = await self._node.prober.look(one.probe(kind) or {}, target, state.settings.timeout_seconds)
        else:
            outcome = Outcome(scripted, "" if scripted else "the script says so")
        title = TITLES[kind]
        if outcome.unknown:
            text = f"{title} probe errored and resulted in unknown state: {outcome.output}"
            self._node.tell(self._machine.pod, "Warning", "Unhealthy", text, one.name)
            return
        self._count(one, kind, outcome.success, self._node.clock.monotonic() - began)
        if not outcome.success:
            self._node.tell(
                self._machine.pod, "Warning", "Unhealthy", f"{title} probe failed: {outcome.output}", one.name
            )
        elif outcome.warning:
            text = f"{title} probe warning: {outcome.output}"
            self._node.tell(self._machine.pod, "Warning", "ProbeWarning", text, one.name)
        if state.record(outcome.success):
            self._tell(pod_events.ProbeChanged(one.name, container_id, kind, outcome.success, outcome.output))
