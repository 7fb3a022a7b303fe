"""Keep the proxy in front of Services equal to the cluster's Ingresses, Gateways and HTTPRoutes.

Reads: Ingresses, IngressClasses, Services, EndpointSlices, Secrets of type kubernetes.io/tls, and Gateway API's kinds where they
are defined (caches).
Writes: the proxy; the statuses of what it serves; the IngressClass `steersman`, once; Events about what is missing.
Leaves to others: what is of other classes.
"""

import asyncio
import dataclasses
import logging
import pathlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.client.cache import Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.ingress import certificates, haproxy, haproxy_config, ingresses
from steersman.ingress.gateway import decide as gateways
from steersman.ingress.gateway import definitions, following
from steersman.ingress.haproxy_config import Config, Listen
from steersman.ingress.wanted import Look, Problem, Wanted
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
    gateway_api: bool = False  # define Gateway API's kinds, and a class of ours


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
        self._gateways = following.Following(caches, self._notice)
        self._slots: dict[str, int] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        watched = (self._ingresses, self._classes, self._services, self._slices, self._secrets)
        ends = [*(cache.subscribe(self._notice) for cache in watched), self._gateways.start()]
        pause = backoff.Backoff(self._clock, _PAUSES)
        try:
            for kind, wanted in self._made_once():
                await self._ensure(kind, wanted)
            for cache in watched:
                await cache.synced.wait()
            await self._gateways.wait_synced()
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
        wanted = Wanted()
        look = Look(self._services.get, self._slices_of, self._certificate)
        ingresses.add(wanted, served, look)
        statuses = gateways.add(wanted, self._gateways.seen(), look, self._options.address, self._clock.now())
        pem = certificates.default_pem(self._options.default_certificate, self._clock)
        config = haproxy_config.build(wanted, self._options.listen, self._options.folder, self._slots, pem)
        await self._proxy.show(config)
        self._slots = {name: len(servers) for name, servers in config.servers.items()}
        self._tell(wanted.problems)
        reached = {"loadBalancer": {"ingress": [{"ip": self._options.address}]}}
        for ingress in served:
            if (ingress.get("status") or {}).get("loadBalancer") != reached["loadBalancer"]:
                await self._write_status(kinds.INGRESS, ingress, reached)
        for status in statuses:
            await self._write_status(self._gateways.kind(status.obj), status.obj, status.status)

    def _made_once(self) -> Iterator[tuple[Kind, Object]]:
        """Whoever deletes or changes one of these later meant it."""
        name = ingresses.CLASS
        metadata = {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
        yield kinds.INGRESS_CLASS, {"metadata": metadata, "spec": {"controller": ingresses.CONTROLLER}}
        if self._options.gateway_api:
            for definition in definitions.all_definitions():
                yield kinds.CUSTOM_RESOURCE_DEFINITION, definition
                if definition["spec"]["names"]["kind"] == "GatewayClass":
                    yield custom_kinds.storage(definition), definitions.gateway_class()

    async def _ensure(self, kind: Kind, wanted: Object) -> None:
        pause = backoff.Backoff(self._clock, _PAUSES)
        while True:
            try:
                await self._client.create(kind, wanted)
                return
            except StatusError as refused:
                if refused.reason == "AlreadyExists":
                    return
                log.warning("%s: %s", kind.kind, refused)
            except Unreachable as lost:
                log.warning("%s: %s", kind.kind, lost)
            await self._clock.sleep(pause.next())

    async def _write_status(self, kind: Kind, obj: Object, status: Object) -> None:
        patch = {"status": status, "metadata": {"resourceVersion": objects.resource_version(obj)}}
        try:
            await self._client.patch(kind, objects.name(obj), objects.namespace(obj), patch, subresource="status")
        except StatusError as refused:
            if refused.code not in (404, 409):  # it is gone, or news of it are on their way
                raise

    def _tell(self, problems: Iterable[Problem]) -> None:
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
