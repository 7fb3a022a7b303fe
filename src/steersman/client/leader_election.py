"""At most one leader among processes that want the same role, by a Lease. client-go's algorithm and defaults.

Nobody trusts another's clock: a lease has expired when it has not changed for its duration as *we* saw it.
This is no fence: a leader that is paused may act a moment longer, so writes keep their own preconditions.
"""

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.meta import times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

JITTER = 1.2  # client-go's JitterFactor


class LostLeadership(Exception):
    """The lease could not be renewed in time: somebody else may lead now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """The defaults of upstream's core components."""

    lease_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        assert self.lease_seconds > self.renew_seconds > JITTER * self.retry_seconds > 0


DEFAULT_TIMING = Timing()


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it stands (None: there is none), and when we saw it change last, on our own clock."""

    identity: str
    lease: Object | None
    changed_seconds_ago: float
    now: datetime.datetime
    timing: Timing


def decide(seen: Seen) -> Object | None:
    """The `spec` to write in order to lead or go on leading; None when another leads."""
    spec: Object = (seen.lease or {}).get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    valid = seen.changed_seconds_ago < (spec.get("leaseDurationSeconds") or 0)
    if holder not in ("", seen.identity) and valid:
        return None
    stamp = times.format_micros(seen.now)
    transitions = spec.get("leaseTransitions") or 0
    goes_on = holder == seen.identity
    return {
        "holderIdentity": seen.identity,
        "leaseDurationSeconds": int(seen.timing.lease_seconds),
        "acquireTime": spec.get("acquireTime") if goes_on else stamp,
        "renewTime": stamp,
        "leaseTransitions": transitions if goes_on or seen.lease is None else transitions + 1,
    }


class LeaderElection:
    """One candidate. `run` may be called again after it ended."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        name: str,
        identity: str,
        namespace: str = "kube-system",
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._timing = timing
        self._lease: Object | None = None
        self._changed_at = 0.0

    @property
    def leader(self) -> str:
        """Who leads as far as we know; empty when nobody is known to."""
        return str(((self._lease or {}).get("spec") or {}).get("holderIdentity") or "")

    @property
    def is_leader(self) -> bool:
        return self.leader == self._identity

    async def run(self, lead: Callable[[], Awaitable[Any]]) -> None:
        """Wait for the lease, then lead until `lead` ends; the lease is given back on the way out.

        Raises LostLeadership, with `lead` cancelled, when the lease cannot be kept.
        """
        await self._acquire()
        _log.info("%s leads %s/%s", self._identity, self._namespace, self._name)
        leading = asyncio.ensure_future(lead())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait({leading, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(leading)
            await _end(renewing)
            await self._release()
        if not renewing.cancelled():
            renewing.result()
        if not leading.cancelled():
            leading.result()

    async def _acquire(self) -> None:
        while not await self._try():
            await self._clock.sleep(self._clock.jitter(self._timing.retry_seconds, JITTER))

    async def _renew(self) -> None:
        """Renew for ever. Raises LostLeadership."""
        while True:
            await self._clock.sleep(self._timing.retry_seconds)
            try:
                async with self._clock.timeout(self._timing.renew_seconds):
                    while not await self._try():
                        if not self.is_leader:
                            raise LostLeadership(f"{self.leader or 'nobody'} leads {self._namespace}/{self._name} now")
                        await self._clock.sleep(self._timing.retry_seconds)
            except TimeoutError as late:
                raise LostLeadership(f"{self._namespace}/{self._name} was not renewed in time") from late

    async def _try(self) -> bool:
        """Acquire or renew once. A leader first tries on what it wrote last, which saves a read."""
        try:
            if self.is_leader and await self._write():
                return True
            await self._read()
            return await self._write()
        except StatusError as refused:
            if refused.code != 409:
                _log.warning("lease %s/%s: %s", self._namespace, self._name, refused)
        except Unreachable as lost:
            _log.warning("lease %s/%s: %s", self._namespace, self._name, lost)
        return False

    async def _read(self) -> None:
        try:
            self._observe(await self._client.get(kinds.LEASE, self._name, self._namespace))
        except StatusError as refused:
            if refused.code != 404:
                raise
            self._observe(None)

    async def _write(self) -> bool:
        """False when another leads, or wrote in between."""
        ago = self._clock.monotonic() - self._changed_at
        spec = decide(Seen(self._identity, self._lease, ago, self._clock.now(), self._timing))
        if spec is None:
            return False
        try:
            if self._lease is None:
                meta = {"name": self._name, "namespace": self._namespace}
                lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
                self._observe(await self._client.create(kinds.LEASE, lease))
            else:
                self._observe(await self._client.update(kinds.LEASE, {**self._lease, "spec": spec}))
        except StatusError as refused:
            if refused.code in (404, 409):
                return False
            raise
        return True

    async def _release(self) -> None:
        """Let the next one lead at once. Failing is no harm: the lease expires."""
        if not self.is_leader or self._lease is None:
            return
        stamp = times.format_micros(self._clock.now())
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": stamp}
        try:
            async with self._clock.timeout(self._timing.retry_seconds):
                self._observe(await self._client.update(kinds.LEASE, {**self._lease, "spec": spec}))
        except (StatusError, Unreachable, TimeoutError) as failed:
            _log.warning("lease %s/%s not given back: %s", self._namespace, self._name, failed)

    def _observe(self, lease: Object | None) -> None:
        if (lease or {}).get("spec") != (self._lease or {}).get("spec"):
            self._changed_at = self._clock.monotonic()
        self._lease = lease


async def _end(task: "asyncio.Future[Any]") -> None:
    """Cancel and wait, whatever it ends with: `run` looks at the results afterwards."""
    task.cancel()
    await asyncio.wait({task})
