"""Prepare the claims of pods before their containers start, and undo it when no pod of this node uses them any more.

Keeps true: what is prepared is in a file before a container uses it, so that a later kubelet knows what to undo; a claim that two
pods share is prepared once and undone after both.
Reads: ResourceClaims.  Writes: that file.  Source: upstream's kubelet/cm/dra.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from steersman.api import devices, kinds
from steersman.client.client import Client, Unreachable
from steersman.kubelet import resource_health
from steersman.kubelet.dra.plugins import PluginError, Plugins
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

FILE = "dra_manager_state.json"


class PrepareError(Exception):
    """The claims cannot be had now; the text is the user's."""


class Granted(msgspec.Struct):
    """A device of a claim: the requests it is for (none: all), and its names for the container runtime and in its driver's pool."""

    requests: list[str]
    cdi: list[str]
    pool: str = ""
    device: str = ""


class Prepared(msgspec.Struct):
    """A claim; `pods` by uid with the claim's name in each. `extended`: containers and the requests that stand for their extended
    resources, of the claim that was made for those."""

    namespace: str
    name: str
    uid: str
    drivers: dict[str, list[Granted]]
    pods: dict[str, str]
    extended: list[tuple[str, str]] = []

    @property
    def reference(self) -> dict[str, str]:
        return {"namespace": self.namespace, "name": self.name, "uid": self.uid}


class Claims:
    def __init__(self, folder: Path, client: Client, plugins: Plugins) -> None:
        self._file = folder / FILE
        self._client = client
        self._plugins = plugins
        self._prepared: dict[str, Prepared] | None = None  # by uid of the claim; None: not read yet

    async def prepare(self, pod: Object) -> None:
        """Raises PrepareError. Doing it again does nothing."""
        for name, claim_name in devices.all_claim_names(pod):
            if not claim_name:
                raise PrepareError(f'pod claim "{name}": ResourceClaim not created yet')
            claim = await self._claim(pod, claim_name)
            await self._prepare(pod, name, claim)

    def cdi_devices(self, uid: str, container: Object) -> tuple[str, ...]:
        """What the pod's container may see."""
        found = (name for _, _, one in self.granted(uid, container) for name in one.cdi)
        return tuple(dict.fromkeys(found))

    def granted(self, uid: str, container: Object) -> Iterator[tuple[Prepared, str, Granted]]:
        """(claim, driver, device): of each claim that the container names the devices of one request, or all; and those that stand
        for its extended resources."""
        asked = [
            (one["name"], one.get("request") or "") for one in (container.get("resources") or {}).get("claims") or ()
        ]
        for prepared in self._all().values():
            if prepared.pods.get(uid) == devices.EXTENDED:
                mine = [request for name, request in prepared.extended if name == container["name"]]
                asked += [(devices.EXTENDED, request) for request in mine]
        for claim, request in asked:
            yield from self._granted(uid, claim, request)

    def devices(self, uid: str, claim: str, request: str) -> Iterator[resource_health.Device]:
        """Of the pod's claim, for this request (empty: any), and how they are."""
        for _, driver, one in self._granted(uid, claim, request):
            told = self._plugins.health_of(driver, one.pool, one.device)
            name = one.cdi[0] if one.cdi else f"{driver}/{one.pool}/{one.device}"
            yield resource_health.Device(name, told.health, told.message)

    async def unprepare(self, uid: str) -> None:
        """The pod is done with its claims. Raises PluginError: then do it again."""
        for prepared in [one for one in self._all().values() if uid in one.pods]:
            if len(prepared.pods) == 1:
                for driver in list(prepared.drivers):
                    await self._plugins.call(driver, "NodeUnprepareResources", prepared.reference)
                    del prepared.drivers[driver]
                    self._write()
                del self._all()[prepared.uid]
            else:
                del prepared.pods[uid]
            self._write()

    async def _claim(self, pod: Object, name: str) -> Object:
        try:
            claim = await self._client.get(kinds.RESOURCE_CLAIM, name, objects.namespace(pod))
        except (StatusError, Unreachable) as failure:
            raise PrepareError(f"failed to fetch ResourceClaim {name}: {failure}") from failure
        if not devices.is_reserved_for(claim, pod):
            who, what = f"{objects.name(pod)} ({objects.uid(pod)})", f"{name} ({objects.uid(claim)})"
            raise PrepareError(f"pod {who} is not allowed to use resource claim {what}")
        return claim

    async def _prepare(self, pod: Object, name: str, claim: Object) -> None:
        known = self._all()
        prepared = known.get(objects.uid(claim))
        if prepared is None:
            where = objects.namespace(claim), objects.name(claim), objects.uid(claim)
            prepared = known[objects.uid(claim)] = Prepared(*where, {}, {})
        prepared.pods[objects.uid(pod)] = name
        if name == devices.EXTENDED:
            mappings = devices.extended(pod)["requestMappings"]
            prepared.extended = [(one["containerName"], one["requestName"]) for one in mappings]
        allocation = devices.allocation(claim) or {}
        for driver in devices.drivers_of(allocation):
            if driver not in prepared.drivers:
                self._write()  # before the driver does anything: what it does must be undone
                try:
                    told = await self._plugins.call(driver, "NodePrepareResources", prepared.reference)
                except PluginError as failure:
                    raise PrepareError(f"claim {prepared.name}: {failure}") from failure
                granted = told.get("devices", [])
                prepared.drivers[driver] = [
                    Granted(
                        one.get("request_names", []),
                        one.get("cdi_device_ids", []),
                        one.get("pool_name", ""),
                        one.get("device_name", ""),
                    )
                    for one in granted
                ]
        self._write()

    def _granted(self, uid: str, claim: str, request: str) -> Iterator[tuple[Prepared, str, Granted]]:
        for prepared in self._all().values():
            if prepared.pods.get(uid) != claim:
                continue
            for driver, granted in prepared.drivers.items():
                for one in granted:
                    mine = {named.partition("/")[0] for named in one.requests}
                    if not request or not mine or request in mine:
                        yield prepared, driver, one

    def _all(self) -> dict[str, Prepared]:
        if self._prepared is None:
            try:
                self._prepared = msgspec.json.decode(self._file.read_bytes(), type=dict[str, Prepared])
            except FileNotFoundError:
                self._prepared = {}
        return self._prepared

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(msgspec.to_builtins(self._all())))
        new.replace(self._file)
