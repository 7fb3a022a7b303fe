"""What the shells of one pod share: its machine, its node, short tasks under guard, and the way back to the machine."""

import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from steersman.containers import runtime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import pod_events, pod_files
from steersman.kubelet.container_lifecycle import Container
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.kubelet.prober import Target
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# Between two tries of something that has to succeed in the end (mount, stop, remove, delete): upstream's own order.
RETRY_FIRST_SECONDS = 0.5
RETRY_MOST_SECONDS = 30.0


def text_of(failure: Exception) -> str:
    """For users; what came too late is told as gRPC tells it."""
    return str(failure) or (
        "context deadline exceeded" if isinstance(failure, TimeoutError) else type(failure).__name__
    )


class PodShell:
    """`tell` is the worker's: an event for the machine, and what follows from it."""

    def __init__(self, machine: PodMachine, node: NodeServices, tell: Callable[[pod_events.Event], None]) -> None:
        self.machine = machine
        self.node = node
        self.tell = tell

    @property
    def pod(self) -> Object:
        return self.machine.pod

    @property
    def uid(self) -> str:
        return self.machine.uid

    def tell_status(self, found: runtime.ContainerStatus) -> None:
        one = self.machine.container(found.name)
        if one is not None:
            self.tell(pod_events.ContainerChanged(self.with_message(found, one.spec)))

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self.node.tasks.start(f"{objects.key(self.pod)} {name}", self._guard(name, work))
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, it would never be awaited

    async def _guard(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A mistake of ours that one pod brings out ends that pod, visibly, and not the node."""
        try:
            await work
        except Exception as error:
            _log.exception("%s: %s crashed", objects.key(self.pod), name)
            text = f"{name}: {type(error).__name__}: {error}"
            self.node.tell(self.pod, "Warning", "FailedSync", f"Error syncing pod: {text}")
            self.tell(pod_events.PodFailed("InternalError", text))

    async def until_done(
        self, what: str, work: Callable[[], Coroutine[Any, Any, None]], step: tuple[str, str, str] | None = None
    ) -> None:
        """Try until it succeeds: there is no other way on. `step`, of the pod's end: what is done to whom, and the reason when it
        fails, which users are told each time in upstream's words."""
        pause = RETRY_FIRST_SECONDS
        while True:
            try:
                await work()
                return
            except (RuntimeFailure, OSError, TimeoutError) as failure:
                _log.warning("%s: %s: %s", objects.key(self.pod), what, text_of(failure))
                if step is not None:
                    action, target, reason = step
                    text = f"failed to {json.dumps(action)} for {json.dumps(target)} with {reason}"
                    text = f"error killing pod: {text}: {json.dumps(text_of(failure), ensure_ascii=False)}"
                    self.node.tell(self.pod, "Warning", "FailedKillPod", text)
            await self.node.clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)

    async def status_of(self, container_id: str) -> runtime.ContainerStatus | None:
        """As soon as the runtime can tell: it may be away, and that says nothing of the container."""
        found: list[runtime.ContainerStatus | None] = []

        async def ask() -> None:
            found.append(await self.node.runtime.container_status(container_id))

        await self.until_done("looking at a container", ask)
        return found[0]

    async def turn(self) -> None:
        """Wait for it: other pods are being started."""
        if not self.node.options.on_paper:
            await self.node.turns.wait(self.uid)

    async def say(self, event: pod_events.Event) -> None:
        self.tell(event)

    def container(self, name: str) -> Container:
        found = self.machine.container(name)
        assert found is not None, f"instructions name the pod's own containers, not {name}"
        return found

    def target(self, one: Container) -> Target:
        addresses = self.addresses()
        return Target(one.spec, one.id, addresses[0] if addresses else "")

    def addresses(self) -> tuple[str, ...]:
        if self.pod["spec"].get("hostNetwork"):
            return self.node.options.addresses
        return self.machine.addresses

    def with_message(self, found: runtime.ContainerStatus, spec: Object) -> runtime.ContainerStatus:
        if self.node.options.on_paper:
            return found
        return pod_files.with_message(found, spec, self.uid, self.node.options)
