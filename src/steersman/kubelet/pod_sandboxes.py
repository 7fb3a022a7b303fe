"""The shell of one pod's sandbox: made, stopped, removed, and given other resources."""

import logging

from steersman.containers import runtime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import (
    instructions,
    memory_quality,
    pod_events,
    qos,
    references,
    sandbox_config,
    user_namespaces,
)
from steersman.kubelet.pod_containers import PodContainers
from steersman.kubelet.pod_shell import PodShell, text_of
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# Why a sandbox cannot even be asked for.
NO_SANDBOX = (sandbox_config.NameTooLong, user_namespaces.NoneLeft, references.Unavailable)


class PodSandboxes:
    def __init__(self, shell: PodShell, containers: PodContainers) -> None:
        self._shell = shell
        self._containers = containers

    def run_sandbox(self, instruction: instructions.RunSandbox) -> None:
        self._shell.start("sandbox", self._sandbox(instruction.attempt))

    async def _sandbox(self, attempt: int) -> None:
        await self._shell.turn()
        try:
            config = sandbox_config.build(
                self._shell.pod,
                attempt,
                self._shell.node.options,
                self._shell.node.dns,
                users=self._shell.node.users.range_of(self._shell.pod),
                handler=await self._shell.node.references.runtime_handler(self._shell.pod),
                cpu_is_limited=self._cpu_is_limited(),
                memory=self._shell.node.memory_quality,
            )
            with self._shell.node.metrics.operation("run_podsandbox"):
                made = await self._shell.node.runtime.run_sandbox(config)
            found = await self._shell.node.runtime.sandbox_status(made)
        except (RuntimeFailure, OSError, TimeoutError, *NO_SANDBOX) as failure:
            self._shell.node.metrics.count("kubelet_started_pods_errors_total")
            await self._remove_half_made(attempt)
            self._shell.tell(pod_events.SandboxFailed(text_of(failure)))
            return
        if found is not None:
            self._shell.tell(pod_events.SandboxReady(made, found.addresses))
        else:
            self._shell.tell(pod_events.SandboxFailed(f"sandbox {made} vanished"))

    async def _remove_half_made(self, attempt: int) -> None:
        """The runtime may have made it, and its answer have been lost. What it cannot remove now goes at the next look."""
        runtime_ = self._shell.node.runtime
        try:
            for one in await runtime_.list_sandboxes():
                if one.pod_uid == self._shell.uid and one.attempt == attempt:
                    await runtime_.stop_sandbox(one.id)
                    await runtime_.remove_sandbox(one.id)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            _log.warning("%s: a sandbox may be left: %s", objects.key(self._shell.pod), text_of(failure))

    def _cpu_is_limited(self) -> bool:
        """Not where a container has processors of its own, nor where the node limits nobody's time."""
        node = self._shell.node
        return node.options.cpu_quota_period_us > 0 and not node.exclusive.is_exclusive(self._shell.uid)

    def stop_sandbox(self, instruction: instructions.StopSandbox) -> None:
        self._shell.start("stop sandbox", self._stop_one_sandbox(instruction.id))

    async def _stop_one_sandbox(self, sandbox_id: str) -> None:
        await self._shell.until_done(
            "stopping the sandbox",
            lambda: self._shell.node.runtime.stop_sandbox(sandbox_id),
            ("KillPodSandbox", self._shell.uid, "KillPodSandboxError"),
        )
        self._shell.tell(pod_events.SandboxStopped(sandbox_id))
        await self._shell.until_done("looking at the containers", lambda: self._tell_ended(sandbox_id))

    async def _tell_ended(self, sandbox_id: str) -> None:
        for one in await self._shell.node.runtime.list_containers():
            if one.sandbox_id == sandbox_id and one.state is runtime.State.EXITED:
                self._shell.tell_status(one)

    def remove_sandboxes(self, _: instructions.RemoveSandboxes) -> None:
        self._shell.start("remove sandboxes", self._remove_all_sandboxes())

    async def _remove_all_sandboxes(self) -> None:
        step = ("KillPodSandbox", self._shell.uid, "KillPodSandboxError")
        await self._shell.until_done("removing the sandbox", self._remove_own_sandboxes, step)
        self._shell.tell(pod_events.SandboxRemoved())

    async def _remove_own_sandboxes(self) -> None:
        for one in await self._shell.node.runtime.list_sandboxes():
            if one.pod_uid == self._shell.uid:
                await self._shell.node.runtime.stop_sandbox(one.id)
                await self._shell.node.runtime.remove_sandbox(one.id)

    def _group(self, pod: Object) -> tuple[int, int, int]:
        cpu_limit, cpu_shares, memory_limit = qos.pod_resources(pod)
        return cpu_limit if self._cpu_is_limited() else 0, cpu_shares, memory_limit

    def resize_pod(self, instruction: instructions.ResizePod) -> None:
        self._shell.start("resize", self._resize(instruction))

    async def _resize(self, instruction: instructions.ResizePod) -> None:
        """The pod's group first grows to what both need and shrinks at the end: no container may be larger than it."""
        node, sandbox_id = self._shell.node, self._shell.machine.sandbox_id
        ids = tuple(self._shell.container(name).id for name in instruction.containers)
        before, after = self._group(instruction.before), self._group(instruction.after)
        widest = tuple(max(pair) if all(pair) else 0 for pair in zip(before, after, strict=True))
        try:
            await node.runtime.update_sandbox_resources(sandbox_id, *widest)
            for name, container_id in zip(instruction.containers, ids, strict=True):
                await node.runtime.update_resources(
                    container_id, self._containers.resources(self._shell.container(name))
                )
            if not instruction.keeps_room:
                guard = memory_quality.of_pod(instruction.after, node.memory_quality)
                await node.runtime.update_sandbox_resources(sandbox_id, *after, memory_guard=guard)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            self._shell.tell(pod_events.PodResized(ids, str(failure)))
            return
        self._shell.tell(pod_events.PodResized(ids))
