"""Carries out what was promised about a pod's ResourceClaims: their allocations, and that they are reserved for the pod.

Writes: ResourceClaims (finalizer; status: allocation, reservedFor).  Leaves to others: taking back what nobody uses any more
(controllers/resource_claim), preparing devices (kubelet).
"""

import asyncio

from steersman.aio.clock import Clock
from steersman.api import devices, kinds
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.meta import objects, owners, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.scheduler import extended_resources
from steersman.scheduler.devices import DevicePlan, Devices, Extended
from steersman.scheduler.volume_binder import BindingFailedError

WAIT_SECONDS_MAX = 600.0  # upstream's bindingTimeout
_IDENTITY = ("driver", "pool", "device", "shareID")
TRIES_MAX = 5  # others reserve the same claim at the same time


class DeviceBinder:
    """`known` is the snapshot's, and told of claims that are made here."""

    def __init__(self, client: Client, clock: Clock, claims: Cache, known: Devices) -> None:
        self._client = client
        self._clock = clock
        self._claims = claims
        self._known = known

    async def bind(self, plan: DevicePlan, pod: Object) -> None:
        """Raises StatusError (409 when a claim is no longer what was decided on), Unreachable, BindingFailedError."""
        for key in plan.claims:
            await self._settle(key, plan.allocations.get(key), pod)
        if plan.extended is not None:
            await self._make(plan.extended, plan.allocations[plan.extended.key], pod)
        if any(_conditions(found) for found in plan.allocations.values()):
            try:
                async with self._clock.timeout(WAIT_SECONDS_MAX):
                    await self._wait_ready(plan)
            except TimeoutError as late:
                await self._give_up_all(plan, pod)
                raise BindingFailedError("device binding timeout") from late
            except BindingFailedError:
                await self._give_up_all(plan, pod)
                raise

    async def _make(self, extended: Extended, allocation: Object, pod: Object) -> None:
        """A claim for the pod's extended resources; the pod's status says what it is for."""
        await self.drop_extended(pod)
        space = objects.namespace(pod)
        meta = {
            "generateName": f"{objects.name(pod)}-extended-resources-",
            "namespace": space,
            "annotations": {extended_resources.ANNOTATION: "true"},
            "ownerReferences": [owners.make({**pod, "apiVersion": "v1", "kind": "Pod"}, block=False)],
        }
        body = {"metadata": meta, "spec": {"devices": {"requests": list(extended.requests)}}}
        made = await self._client.create(kinds.RESOURCE_CLAIM, body, space, because=objects.revision(pod))
        key = objects.key(made)
        self._known.made(extended.key, key)
        await self._settle(key, allocation, pod)
        told = {"resourceClaimName": objects.name(made), "requestMappings": list(extended.mappings)}
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": {"extendedResourceClaimStatus": told}}
        where = objects.name(pod), space
        await self._client.patch(kinds.POD, *where, patch, subresource="status", because=objects.revision(pod))

    async def drop_extended(self, pod: Object) -> None:
        """Such a claim of an earlier attempt: it is made anew, as its devices may not be the right ones any more."""
        for claim in self._claims.list(objects.namespace(pod)):
            meta = claim["metadata"]
            is_ours = (meta.get("annotations") or {}).get(extended_resources.ANNOTATION) == "true"
            if is_ours and owners.is_controlled_by(claim, pod):
                kept = [one for one in meta.get("finalizers") or () if one != devices.FINALIZER]
                where = objects.name(claim), objects.namespace(claim)
                patch = {"metadata": {"uid": objects.uid(claim), "finalizers": kept or None}}
                try:
                    await self._client.patch(kinds.RESOURCE_CLAIM, *where, patch, because=objects.revision(pod))
                    await self._client.delete(
                        kinds.RESOURCE_CLAIM, *where, uid=objects.uid(claim), because=objects.revision(pod)
                    )
                except StatusError as refused:
                    if refused.code != 404:
                        raise

    async def give_up(self, key: str, pod: Object) -> None:
        """An allocation that keeps the pod from the nodes it could go to, unless somebody else uses the claim by now.

        Raises StatusError, Unreachable.
        """
        space, name = objects.split_key(key)
        claim = await self._client.get(kinds.RESOURCE_CLAIM, name, space)
        if devices.allocation(claim) is None or any(
            one.get("uid") != objects.uid(pod) for one in devices.reserved_for(claim)
        ):
            return
        gone = ("allocation", "reservedFor", "devices")
        status = {field: value for field, value in claim["status"].items() if field not in gone}
        await self._client.update(
            kinds.RESOURCE_CLAIM, {**claim, "status": status}, subresource="status", because=objects.revision(pod)
        )

    async def _give_up_all(self, plan: DevicePlan, pod: Object) -> None:
        """Other devices may do better at the next attempt."""
        for key in plan.allocations:
            if key in plan.claims:
                await self.give_up(key, pod)
        await self.drop_extended(pod)

    async def _wait_ready(self, plan: DevicePlan) -> None:
        """Until drivers say that devices which have to be got ready first are. Source: KEP-5007."""
        changed = asyncio.Event()
        end = self._claims.subscribe(lambda old, new: changed.set())
        try:
            while not all(_is_ready(self._claims.get(key)) for key in self._known.keys_of(plan)):
                changed.clear()
                await changed.wait()
        finally:
            end()

    async def _settle(self, key: str, wanted: Object | None, pod: Object) -> None:
        for attempt in range(TRIES_MAX):
            try:
                await self._try(key, wanted, pod)
                return
            except StatusError as refused:
                if refused.code != 409 or attempt + 1 == TRIES_MAX:
                    raise

    async def _try(self, key: str, wanted: Object | None, pod: Object) -> None:
        """The claim is read, not taken from a cache: what is in it decides whether devices are given twice."""
        space, name = objects.split_key(key)
        claim = await self._client.get(kinds.RESOURCE_CLAIM, name, space)
        there = devices.allocation(claim)
        if (there is None) != (wanted is not None):
            raise StatusError(_changed(name))
        if devices.is_reserved_for(claim, pod):
            return
        finalizers = claim["metadata"].get("finalizers") or []
        if wanted is not None and devices.FINALIZER not in finalizers:
            meta = {**claim["metadata"], "finalizers": [*finalizers, devices.FINALIZER]}
            claim = await self._client.update(
                kinds.RESOURCE_CLAIM, {**claim, "metadata": meta}, because=objects.revision(pod)
            )
        status: Object = dict(claim.get("status") or {})
        if wanted is not None:
            status["allocation"] = self._finished(wanted)
        consumer = {"resource": "pods", "name": objects.name(pod), "uid": objects.uid(pod)}
        status["reservedFor"] = [*devices.reserved_for(claim), consumer]
        await self._client.update(
            kinds.RESOURCE_CLAIM, {**claim, "status": status}, subresource="status", because=objects.revision(pod)
        )

    def _finished(self, wanted: Object) -> Object:
        """With the time, and with names for the shares of devices."""
        found: Object = {**wanted, "allocationTimestamp": times.format_seconds(self._clock.now())}
        results = (wanted["devices"] or {}).get("results")
        if results:
            named = [{**one, "shareID": self._clock.uid()} if "shareID" in one else one for one in results]
            found["devices"] = {**wanted["devices"], "results": named}
        return found


def _conditions(allocation: Object) -> list[Object]:
    """Devices of the allocation that have to be waited for."""
    return [one for one in (allocation["devices"] or {}).get("results") or () if one.get("bindingConditions")]


def _is_ready(claim: Object | None) -> bool:
    """Raises BindingFailedError where a driver says that it never will be."""
    found = devices.allocation(claim) if claim is not None else None
    if claim is None or found is None:
        return False
    told = (claim.get("status") or {}).get("devices") or ()
    for result in _conditions(found):
        identity = [result.get(field) for field in _IDENTITY]
        said = [one for one in told if [one.get(field) for field in _IDENTITY] == identity]
        true = {
            condition["type"]
            for one in said
            for condition in one.get("conditions") or ()
            if condition.get("status") == "True"
        }
        if true.intersection(result.get("bindingFailureConditions") or ()):
            raise BindingFailedError(f"claim {objects.name(claim)} binding failed")
        if not true.issuperset(result["bindingConditions"]):
            return False
    return True


def _changed(name: str) -> Object:
    text = f'resourceclaim "{name}" was allocated or deallocated by somebody else meanwhile'
    return {"kind": "Status", "status": "Failure", "reason": "Invalid", "code": 422, "message": text}
