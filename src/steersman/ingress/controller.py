"""Keep the proxy in front of Services equal to the cluster's Ingresses.

Reads: Ingresses, IngressClasses, Services, EndpointSlices, Secrets of type kubernetes.io/tls (caches).
Writes: the proxy; the Ingresses' status (where they are reached); the IngressClass `steersman`, once; Events about what is missing.
Leaves to others: Ingresses of other classes.
"""

import asyncio
import dataclasses
import logging
import pathlib
from collections.abc import Iterable
from typing import Protocol

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.ingress import certificates, haproxy, haproxy_config, ingresses
from steersman.ingress.haproxy_config import Config, Listen
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

log = logging.getLogger(__name__)

SETTLE_SECONDS = 0.02  # changes come in bursts: a rollout is one reload, not one per pod
_SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_SLICES_OF_SERVICE = "endpointslices-of-service"
_PAUSES = backoff.Pauses(initial_seconds=0.5, max_seconds=30.0)


class Proxy(Protocol):
    async def show(self, config: Config) -> None:
        """Raises haproxy.Refused, OSError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """`folder` is the proxy's own; `default_certificate` is kept over restarts; `address` goes into the status."""

    folder: pathlib.Path
    default_certificate: pathlib.Path
    listen: Listen
    address: str


async def run(caches: Caches, client: Client, recorder: Recorder, proxy: Proxy, options: Options, clock: Clock) -> None:
    """Until cancelled."""
    await Ingress(caches, client, recorder, proxy, options, clock).run()


class Ingress:
    def __init__(
        self, caches: Caches, client: Client, recorder: Recorder, proxy: Proxy, options: Options, clock: Clock
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._proxy = proxy
        self._options = options
        self._clock = clock
        self._ingresses = caches.of(kinds.INGRESS)
        self._classes = caches.of(kinds.INGRESS_CLASS)
        self._services = caches.of(kinds.SERVICE)
        self._slices = caches.of(kinds.ENDPOINT_SLICE)
        self._slices.add_index(_SLICES_OF_SERVICE, _service_of_slice)
        self._secrets = caches.of(kinds.SECRET, field_selector="type=kubernetes.io/tls")
        self._slots: dict[str, int] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        watched = (self._ingresses, self._classes, self._services, self._slices, self._secrets)
        ends = [cache.subscribe(self._notice) for cache in watched]
        pause = backoff.Backoff(self._clock, _PAUSES)
        try:
            await self._ensure_class()
            for cache in watched:
                await cache.synced.wait()
            while True:
                self._wake.clear()
                try:
                    await self.sync()
                except (OSError, haproxy.Refused, StatusError, Unreachable, TimeoutError) as problem:
                    log.warning("ingress: %s", problem)
                    await self._clock.sleep(pause.next())
                    continue
                await self._wake.wait()
                await self._clock.sleep(SETTLE_SECONDS)
        finally:
            for end in ends:
                end()

    async def sync(self) -> None:
        """The proxy, then the status of what it serves. Raises what the proxy and the API server raise."""
        served = ingresses.served(self._ingresses.list(), self._classes.list())
        wanted = ingresses.wanted(served, ingresses.Look(self._services.get, self._slices_of, self._certificate))
        pem = certificates.default_pem(self._options.default_certificate, self._clock)
        config = haproxy_config.build(wanted, self._options.listen, self._options.folder, self._slots, pem)
        await self._proxy.show(config)
        self._slots = {name: len(servers) for name, servers in config.servers.items()}
        self._tell(wanted.problems)
        for ingress in served:
            await self._write_status(ingress)

    async def _ensure_class(self) -> None:
        """Made once: whoever deletes or changes it meant it."""
        name = ingresses.CLASS
        metadata = {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
        wanted = {"metadata": metadata, "spec": {"controller": ingresses.CONTROLLER}}
        pause = backoff.Backoff(self._clock, _PAUSES)
        while True:
            try:
                await self._client.create(kinds.INGRESS_CLASS, wanted)
                return
            except StatusError as refused:
                if refused.reason == "AlreadyExists":
                    return
                log.warning("ingress class: %s", refused)
            except Unreachable as lost:
                log.warning("ingress class: %s", lost)
            await self._clock.sleep(pause.next())

    async def _write_status(self, ingress: Object) -> None:
        wanted = [{"ip": self._options.address}]
        if ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") == wanted:
            return
        patch = {"status": {"loadBalancer": {"ingress": wanted}}}
        try:
            await self._client.patch(
                kinds.INGRESS, objects.name(ingress), objects.namespace(ingress), patch, subresource="status"
            )
        except StatusError as refused:
            if refused.code != 404:
                raise

    def _tell(self, problems: Iterable[ingresses.Problem]) -> None:
        """Each problem once, until it is gone."""
        now = {(objects.uid(problem.obj), problem.reason, problem.message): problem for problem in problems}
        for key, problem in now.items():
            if key not in self._told:
                self._recorder.event(problem.obj, "Warning", problem.reason, problem.message)
        self._told = set(now)

    def _slices_of(self, service: str) -> Iterable[Object]:
        return self._slices.by_index(_SLICES_OF_SERVICE, service)

    def _certificate(self, key: str) -> str | None:
        secret = self._secrets.get(key)
        return certificates.of_secret(secret) if secret is not None else None

    def _notice(self, old: Object | None, new: Object | None) -> None:
        """Only a status of our own is no news."""
        if old is None or new is None or _facts(old) != _facts(new):
            self._wake.set()


def _facts(obj: Object) -> tuple[object, ...]:
    content = {field: value for field, value in obj.items() if field not in ("metadata", "status")}
    metadata = obj["metadata"]
    return content, metadata.get("annotations"), metadata.get("labels"), metadata.get("deletionTimestamp")


def _service_of_slice(obj: Object) -> tuple[str, ...]:
    name = objects.labels(obj).get(_SERVICE_NAME_LABEL)
    return (f"{objects.namespace(obj)}/{name}",) if name else ()
