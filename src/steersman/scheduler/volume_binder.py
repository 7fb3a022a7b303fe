"""Carries out what was promised about a pod's claims, and waits until they are bound: only then is the pod bound itself.

Writes: PersistentVolumes (set aside for a claim), claims (the node their volume is to be made on).
Leaves to others: the binding (controllers/persistent_volume), making volumes (provisioners).
"""

import asyncio

from steersman.aio.clock import Clock
from steersman.api import kinds, volume_matching, volumes
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler.volumes import Plan

WAIT_SECONDS_MAX = 600.0  # upstream's bindTimeoutSeconds


class BindingFailedError(Exception):
    """The claims cannot be had on this node; the text is the user's."""


class VolumeBinder:
    def __init__(self, client: Client, clock: Clock, claims: Cache, known_volumes: Cache, nodes: Cache) -> None:
        self._client = client
        self._clock = clock
        self._claims = claims
        self._volumes = known_volumes
        self._nodes = nodes

    async def bind(self, plan: Plan, because: int) -> None:
        """Raises BindingFailedError, StatusError, Unreachable."""
        seen: dict[str, int] = {}
        for name, key in plan.matched.items():
            await self._set_aside(name, self._claim(key), because)
            seen[key] = 0
        for key in plan.provisioned:
            seen[key] = await self._choose_node(self._claim(key), plan.node, because)
        try:
            async with self._clock.timeout(WAIT_SECONDS_MAX):
                await self._wait_bound(plan, seen)
        except TimeoutError as late:
            raise BindingFailedError("binding volumes: context deadline exceeded") from late

    async def _set_aside(self, name: str, claim: Object, because: int) -> None:
        volume = self._volumes.get(name)
        if volume is None:
            raise BindingFailedError(f'binding volumes: persistentvolume "{name}" not found')
        if volumes.is_for(volume, claim):
            return
        meta = {
            "resourceVersion": objects.resource_version(volume),
            "annotations": {volumes.BOUND_BY_CONTROLLER: "yes"},
        }
        patch = {"metadata": meta, "spec": {"claimRef": volumes.reference(claim)}}
        await self._client.patch(kinds.PERSISTENT_VOLUME, name, "", patch, because=because)

    async def _choose_node(self, claim: Object, node: str, because: int) -> int:
        """The revision from which on the claim names the node."""
        if objects.annotations(claim).get(volumes.SELECTED_NODE) == node:
            return objects.revision(claim)
        meta = {"uid": objects.uid(claim), "annotations": {volumes.SELECTED_NODE: node}}
        kind, space = kinds.PERSISTENT_VOLUME_CLAIM, objects.namespace(claim)
        patched = await self._client.patch(kind, objects.name(claim), space, {"metadata": meta}, because=because)
        return objects.revision(patched)

    async def _wait_bound(self, plan: Plan, seen: dict[str, int]) -> None:
        changed = asyncio.Event()
        ends = [cache.subscribe(lambda old, new: changed.set()) for cache in (self._claims, self._volumes)]
        try:
            while not all(self._is_done(key, plan, revision) for key, revision in seen.items()):
                changed.clear()
                await changed.wait()
        finally:
            for end in ends:
                end()

    def _is_done(self, key: str, plan: Plan, since: int) -> bool:
        claim = self._claim(key)
        if volumes.is_bound(claim):
            return self._is_there(claim, plan.node)
        if objects.is_terminating(claim):
            raise BindingFailedError(f'binding volumes: persistentvolumeclaim "{objects.name(claim)}" is being deleted')
        is_known = key in plan.provisioned and objects.revision(claim) >= since
        if is_known and objects.annotations(claim).get(volumes.SELECTED_NODE) != plan.node:
            raise BindingFailedError(f'binding volumes: selectedNode annotation reset for PVC "{objects.name(claim)}"')
        return False

    def _is_there(self, claim: Object, node: str) -> bool:
        """A scheduler before this one may have chosen another node for it, and its volume was made there meanwhile."""
        volume = self._volumes.get(claim["spec"]["volumeName"])
        if volume is None:
            return False  # not seen yet
        labels = objects.labels(seen) if (seen := self._nodes.get(node)) is not None else {}
        if not volume_matching.is_usable_on(volume, volume_matching.Node(node, labels)):
            what = f'pv "{objects.name(volume)}" node affinity doesn\'t match node "{node}"'
            raise BindingFailedError(f"binding volumes: {what}: no matching NodeSelectorTerms")
        return True

    def _claim(self, key: str) -> Object:
        found = self._claims.get(key)
        if found is None:
            raise BindingFailedError(f'binding volumes: persistentvolumeclaim "{objects.split_key(key)[1]}" not found')
        return found
