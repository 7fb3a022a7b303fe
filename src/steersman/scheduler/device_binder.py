"""Carries out what was promised about a pod's ResourceClaims: their allocations, and that they are reserved for the pod.

Writes: ResourceClaims (finalizer; status: allocation, reservedFor).  Leaves to others: taking back what nobody uses any more
(controllers/resource_claim), preparing devices (kubelet).
"""

import asyncio

from steersman.aio.clock import Clock
from steersman.api import devices, kinds
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.meta import objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.scheduler.devices import DevicePlan
from steersman.scheduler.volume_binder import BindingFailedError

WAIT_SECONDS_MAX = 600.0  # upstream's bindingTimeout
_IDENTITY = ("driver", "pool", "device", "shareID")
TRIES_MAX = 5  # others reserve the same claim at the same time


class DeviceBinder:
    def __init__(self, client: Client, clock: Clock, claims: Cache) -> None:
        self._client = client
        self._clock = clock
        self._claims = claims

    async def bind(self, plan: DevicePlan, pod: Object) -> None:
        """Raises StatusError (409 when a claim is no longer what was decided on), Unreachable, BindingFailedError."""
        for key in plan.claims:
            await self._settle(key, plan.allocations.get(key), pod)
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
            await self.give_up(key, pod)

    async def _wait_ready(self, plan: DevicePlan) -> None:
        """Until drivers say that devices which have to be got ready first are. Source: KEP-5007."""
        changed = asyncio.Event()
        end = self._claims.subscribe(lambda old, new: changed.set())
        try:
            while not all(_is_ready(self._claims.get(key)) for key in plan.allocations):
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
