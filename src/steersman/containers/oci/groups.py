"""The control groups of pods and of what stands above them: made, changed, taken away. The shell over `cgroups`."""

import contextlib
import errno
import os
from collections.abc import Iterator

from steersman.containers import runtime
from steersman.containers.oci import cgroups
from steersman.containers.oci.home import Home
from steersman.containers.runtime import RuntimeFailure

REMOVAL_TRIES_MAX = 100  # × 10 ms: a group stays busy for a moment after its last process has ended
REMOVAL_PAUSE_SECONDS = 0.01


class Groups:
    """`root` is relative, as in `steersman/node-1`; so are all paths here."""

    def __init__(self, home: Home, root: str) -> None:
        self._home = home
        self.root = root
        self._shaped: dict[str, dict[str, str]] = {}

    def of(self, config: runtime.SandboxConfig) -> str:
        return os.path.join(self.root, config.cgroup_parent.strip("/") or f"pod{config.pod_uid}")

    def make(self, config: runtime.SandboxConfig) -> None:
        """The pod's own, with its limits. Raises OSError."""
        hierarchy = self._home.facts.hierarchy
        if not config.cgroup_parent or not hierarchy.version:
            return
        limits = cgroups.limit_files(
            hierarchy.version,
            cpu_shares=config.cpu_shares,
            cpu_quota_us=config.cpu_limit_millicores * 100,
            memory_bytes=config.memory_limit_bytes,
            pids=config.pids_limit,
        )
        if any(config.memory_guard):
            limits |= cgroups.guard_files(hierarchy.version, config.memory_guard)
        if limits:
            cgroups.create(hierarchy, self.of(config), limits)

    def shape(
        self,
        group: str,
        cpu_shares: int,
        memory_limit_bytes: int,
        pids_limit: int,
        memory_guard: runtime.MemoryGuard | None,
    ) -> None:
        """One above pods'; pods come in numbers, and mostly change nothing here. Raises RuntimeFailure."""
        hierarchy = self._home.facts.hierarchy
        limits = cgroups.limit_files(
            hierarchy.version, cpu_shares=cpu_shares, memory_bytes=memory_limit_bytes, pids=pids_limit
        ) | cgroups.guard_files(hierarchy.version, memory_guard)
        if not limits or self._shaped.get(group) == limits:
            return
        try:
            cgroups.create(hierarchy, os.path.join(self.root, group), limits)
        except OSError as refused:
            raise RuntimeFailure("UpdateGroupError", f"control group {group}: {refused}") from refused
        self._shaped[group] = limits

    def limit(self, group: str, wanted: runtime.Resources) -> None:
        """A container's. Raises OSError."""
        hierarchy = self._home.facts.hierarchy
        limits = cgroups.limit_files(
            hierarchy.version,
            cpu_shares=wanted.cpu_shares,
            cpu_quota_us=wanted.cpu_quota_us,
            cpu_period_us=wanted.cpu_period_us,
            memory_bytes=wanted.memory_limit_bytes,
            pids=wanted.pids_limit,
            cpus=wanted.cpus,
            memory_nodes=wanted.memory_nodes,
        ) | cgroups.guard_files(hierarchy.version, wanted.memory_guard)
        cgroups.update(hierarchy, group, limits)

    async def limit_pod(
        self,
        config: runtime.SandboxConfig,
        cpu_limit_millicores: int,
        cpu_shares: int,
        memory_limit_bytes: int,
        memory_guard: runtime.MemoryGuard | None,
    ) -> None:
        """The kernel forgets a removed group only some milliseconds later; until then a smaller parent is EINVAL. Raises
        OSError."""
        hierarchy = self._home.facts.hierarchy
        limits = cgroups.limit_files(
            hierarchy.version,
            cpu_shares=cpu_shares,
            cpu_quota_us=cpu_limit_millicores * 100,
            memory_bytes=memory_limit_bytes,
        ) | cgroups.guard_files(hierarchy.version, memory_guard)
        for tries_left in reversed(range(REMOVAL_TRIES_MAX)):
            try:
                cgroups.update(hierarchy, self.of(config), limits)
                return
            except OSError as refused:
                if refused.errno != errno.EINVAL or not tries_left:
                    raise
            await self._home.clock.sleep(REMOVAL_PAUSE_SECONDS)

    @contextlib.contextmanager
    def unthrottled(self, group: str) -> Iterator[None]:
        """A container's, which is to end: its killed processes need processor time for that, and a thousand of them under a limit
        need minutes. Its pod's limit comes back; that of other containers stays."""
        hierarchy, before = self._home.facts.hierarchy, {}
        if group:
            paths = (os.path.dirname(group), group)
            before = {path: cgroups.lift_cpu_limit(hierarchy, path) for path in paths}
        try:
            yield
        finally:
            for path, text in before.items():
                if text:
                    cgroups.set_cpu_limit(hierarchy, path, text)

    def use(self, group: str) -> cgroups.Use:
        return cgroups.usage(self._home.facts.hierarchy, group)

    async def remove(self, group: str) -> None:
        """With all below it. Raises RuntimeFailure when it stays busy."""
        for _ in range(REMOVAL_TRIES_MAX):
            if cgroups.remove(self._home.facts.hierarchy, group):
                return
            await self._home.clock.sleep(REMOVAL_PAUSE_SECONDS)
        raise RuntimeFailure("RemoveContainerError", f"the control group {group} stays busy")

    def remove_empty_above(self, config: runtime.SandboxConfig) -> None:
        """Up to the node's own, which stays: those below begin with what it has (`cgroups.hand_processors_down`)."""
        above = os.path.dirname(self.of(config))
        below_root = os.path.relpath(above, self.root).partition("/")[0]
        if below_root != ".":
            cgroups.remove_empty_parents(self._home.facts.hierarchy, above, os.path.join(self.root, below_root))
        self._shaped.clear()
