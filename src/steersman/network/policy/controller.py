"""Keep a node's packet filter equal to the cluster's NetworkPolicies.

Reads: NetworkPolicies; Pods and Namespaces from the first policy on.  Writes: one nftables table per address family.
A pod's address is judged before its containers start: whoever gives it one calls `admit` first (`PolicedNetwork`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import libnftables
from steersman.network.policy import decide, layout

log = logging.getLogger(__name__)

ADMIT_SECONDS_MAX = 2.0  # a pod that the node's own watch still does not show by then starts without
ADMIT_POLL_SECONDS = 0.005

Apply = Callable[[str], Awaitable[object]]


class Policies:
    """Of one node. `always` are addresses that no pod can shut out; `apply` runs nftables commands."""

    def __init__(
        self,
        caches: Caches,
        node: str,
        clock: Clock,
        *,
        versions: Sequence[int] = (4,),
        always: Sequence[str] = (),
        apply: Apply | None = None,
    ) -> None:
        self._caches = caches
        self._node = node
        self._clock = clock
        self._always = {version: [one for one in always if (":" in one) == (version == 6)] for version in versions}
        self._apply = apply or _in_kernel()
        self._policies = caches.of(kinds.NETWORK_POLICY)
        self._standing: dict[int, decide.Program | None] = dict.fromkeys(versions)  # None: not known
        self._given: dict[str, tuple[str, ...]] = {}  # pod → the addresses it was given, until its status says so
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._ends: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Until cancelled; the rules stay and keep working."""
        self._ends.append(self._policies.subscribe(self._notice))
        self._changed.set()
        pause = backoff.Backoff(self._clock)
        try:
            await self._policies.synced.wait()
            while True:
                await self._changed.wait()
                self._changed.clear()
                try:
                    await self._sync()
                    pause.reset()
                except OSError as refused:
                    seconds = pause.next()
                    log.warning("network policies: %s; putting all of them in again in %.1f s", refused, seconds)
                    self._standing = dict.fromkeys(self._standing)
                    self._changed.set()
                    await self._clock.sleep(seconds)
        finally:
            for end in self._ends:
                end()

    async def admit(self, pod: str, *addresses: str) -> None:
        """Judge `addresses` as the pod's (`namespace/name`) before anybody can use it."""
        deadline = self._clock.monotonic() + ADMIT_SECONDS_MAX
        await self._until(self._policies.synced.is_set, deadline)
        if not self._policies.list():
            return
        self._given[pod] = addresses
        cache = self._caches.of(kinds.POD)
        await self._until(lambda: cache.get(pod) is not None, deadline)
        try:
            await self._sync()
        except OSError as refused:
            log.warning("network policies: %s: %s", pod, refused)
            self._changed.set()

    async def _until(self, is_so: Callable[[], bool], deadline: float) -> None:
        while not is_so() and self._clock.monotonic() < deadline:
            await self._clock.sleep(ADMIT_POLL_SECONDS)

    def _notice(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or old.get("spec") != new.get("spec"):
            self._changed.set()

    def _notice_labels(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or objects.labels(old) != objects.labels(new):
            self._changed.set()

    def _notice_pod(self, old: Object | None, new: Object | None) -> None:
        if _facts(old) != _facts(new):
            if new is None or (new.get("status") or {}).get("podIP"):
                self._given.pop(objects.key(new or old or {}), None)
            self._changed.set()

    async def _sync(self) -> None:
        async with self._lock:
            policies = self._policies.list()
            pods: list[decide.Pod] = []
            namespaces: Mapping[str, Mapping[str, str]] = {}
            if policies:
                pods, namespaces = await self._everybody()
            for version, standing in self._standing.items():
                wanted = decide.decide(policies, pods, namespaces, version)
                if standing is None or not any(standing.pods.values()) or not any(wanted.pods.values()):
                    text = layout.program(wanted, version, self._always[version])
                else:
                    text = layout.changes(standing, wanted, version)
                if text and wanted != standing:
                    self._standing[version] = None
                    await self._apply(text)
                self._standing[version] = wanted

    async def _everybody(self) -> tuple[list[decide.Pod], Mapping[str, Mapping[str, str]]]:
        """Nobody watches all pods of a cluster for nothing: from the first policy on."""
        pods, namespaces = self._caches.of(kinds.POD), self._caches.of(kinds.NAMESPACE)
        if len(self._ends) == 1:
            self._ends += [pods.subscribe(self._notice_pod), namespaces.subscribe(self._notice_labels)]
        await pods.synced.wait()
        await namespaces.synced.wait()
        found = [decide.pod_of(one, self._node, self._given.get(objects.key(one), ())) for one in pods.list()]
        labels = {objects.name(one): objects.labels(one) for one in namespaces.list()}
        return [one for one in found if one is not None], labels


class Config(Protocol):
    """What is read of a `containers.runtime.SandboxConfig`."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def host_network(self) -> bool: ...


class PolicedNetwork:
    """A sandbox network whose pods are judged from their first packet on."""

    def __init__(self, network: Any, policies: Policies) -> None:
        self._network = network
        self._policies = policies

    async def attach(self, sandbox_id: str, namespace_path: str, config: Config) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._network.attach(sandbox_id, namespace_path, config)
        if found and not config.host_network:
            await self._policies.admit(f"{config.namespace}/{config.name}", *found)
        return found

    async def detach(self, sandbox_id: str, namespace_path: str) -> None:
        await self._network.detach(sandbox_id, namespace_path)

    async def keep_only(self, sandbox_ids: Sequence[str]) -> None:
        await self._network.keep_only(sandbox_ids)


def _facts(pod: Object | None) -> object:
    """What policies see of a pod."""
    return decide.pod_of(pod, "") if pod is not None else None


def _in_kernel() -> Apply:
    """Of the calling thread's network namespace."""
    context = libnftables.Context()

    async def apply(commands: str) -> None:
        await asyncio.to_thread(context.run, commands)

    return apply
