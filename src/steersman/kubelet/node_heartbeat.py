"""Keeps the API's picture of the node: registers it, writes its status, renews its Lease.

The Lease says "alive" often and cheaply; the status is written when it changes, and now and then.
"""

import logging
from collections.abc import Callable, Sequence

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.containers import runtime
from steersman.kubelet import admission, node_events, node_object
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.node_object import Machine
from steersman.kubelet.node_services import EventRecorder
from steersman.kubelet.options import Options
from steersman.meta import conditions, objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
RETRY_FIRST_SECONDS = 0.1
RETRY_MOST_SECONDS = 5.0


class NodeHeartbeat:
    def __init__(
        self,
        name: str,
        client: Client,
        containers: runtime.Runtime,
        clock: Clock,
        options: Options,
        machine: Machine,
        recorder: EventRecorder,
        nodes: Cache | None = None,
    ) -> None:
        """`nodes` shows, among others perhaps, this Node; without, it is asked for at each check."""
        self.name = name
        self._recorder = recorder
        self._client = client
        self._runtime = containers
        self._clock = clock
        self._options = options
        self._machine = machine
        self._nodes = nodes
        self.standing: frozenset[str] = frozenset()  # what the node is short of: shown in its conditions
        self.devices: Callable[[], tuple[dict[str, str], dict[str, str]]] = lambda: ({}, {})
        self.not_ready = ""  # why the node is not Ready, if so
        self._runtime_not_ready = ""
        self._images: Sequence[runtime.ImageStatus] = ()
        self.volumes_in_use: Callable[[], list[str]] = list
        self._node: Object = {}
        self._last_status_at = 0.0
        self._last_check_at = 0.0

    async def register(self) -> Object:
        """Until it succeeds. An existing Node is kept, with its labels brought up to date."""
        pause = RETRY_FIRST_SECONDS
        while True:
            try:
                await self._register_once()
                return self._node
            except (StatusError, Unreachable) as refused:
                _log.info("node %s: cannot register yet: %s", self.name, refused)
            await self._clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)

    def start(self, tasks: Tasks, alarms: Alarms) -> None:
        """Beat from now on."""

        def beat() -> None:
            tasks.start("heartbeat", self._beat())
            alarms.set(("beat", self.name), self._clock.jitter(self._options.lease_renew_seconds, 0.04), beat)

        alarms.set(("beat", self.name), self._clock.jitter(self._options.lease_renew_seconds, 0.04), beat)

    @property
    def node(self) -> Object:
        """As last seen, which may be some time ago."""
        return self._node

    def extended(self) -> dict[str, str]:
        """Extended resources that somebody has written into the Node."""
        found = (self._node.get("status") or {}).get("allocatable") or {}
        return {name: amount for name, amount in found.items() if admission.is_extended(name)}

    async def look_again(self) -> Object:
        """Raises StatusError, Unreachable."""
        self._node = await self._client.get(kinds.NODE, self.name)
        return self._node

    async def status_changed(self) -> None:
        """Write the status now (a new image, …). Raises StatusError, Unreachable."""
        await self._write_status()

    async def _register_once(self) -> None:
        wanted = node_object.build(self.name, self._options, self._machine)
        wanted["status"] = await self._status({})
        try:
            self._node = await self._client.create(kinds.NODE, wanted)
            self._tell_changes({})
        except StatusError as refused:
            if refused.reason != "AlreadyExists":
                raise
            patch = {"metadata": {key: wanted["metadata"][key] for key in ("labels", "annotations")}}
            self._node = await self._client.patch(kinds.NODE, self.name, "", patch, type="merge")
        await self._write_status()
        await self._renew()

    async def _beat(self) -> None:
        try:
            async with self._clock.timeout(self._options.lease_renew_seconds):
                await self._renew()
                await self._check_status()
        except StatusError as refused:
            _log.warning("node %s: heartbeat: %s", self.name, refused)
            if refused.code == 404:  # someone deleted the Node: a living kubelet registers again
                await self.register()
        except (Unreachable, TimeoutError) as lost:
            _log.warning("node %s: heartbeat: %s", self.name, lost or "no answer in time")

    async def _check_status(self) -> None:
        """Write the status when it is due, or when somebody took the node for dead in the meantime."""
        now = self._clock.monotonic()
        if now - self._last_check_at < self._options.node_check_seconds:
            return
        await self._see()
        await self._keep_labels()
        self._last_check_at = now
        before, self._runtime_not_ready = self._runtime_not_ready, await self._runtime.not_ready()
        is_due = now - self._last_status_at >= self._options.node_status_seconds or before != self._runtime_not_ready
        status = self._node.get("status") or {}
        if is_due or not conditions.is_true(self._node, "Ready") or node_object.is_wrong_about_others(status):
            await self._write_status()

    async def _keep_labels(self) -> None:
        """Those that say what the machine is are not for others to choose."""
        own = node_object.labels_of(self._machine)
        if not own.items() <= objects.labels(self._node).items():
            patch = {"metadata": {"labels": own}}
            self._node = await self._client.patch(kinds.NODE, self.name, "", patch, type="merge")

    async def _see(self) -> None:
        seen = self._nodes.get(self.name) if self._nodes is not None else None
        if seen is None:  # not followed, not heard of yet, or deleted: that is worth a question
            await self.look_again()
        elif objects.revision(seen) > objects.revision(self._node):
            self._node = seen

    async def _renew(self) -> None:
        now = self._clock.now()
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": self._options.lease_duration_seconds}
        patch = {"spec": {**spec, "renewTime": times.format_micros(now)}}
        try:
            await self._client.patch(kinds.LEASE, self.name, LEASE_NAMESPACE, patch, type="merge")
        except StatusError as refused:
            if refused.code != 404:
                raise
            lease = node_object.lease(self.name, objects.uid(self._node), self._options, now)
            await self._client.create(kinds.LEASE, lease)

    async def _write_status(self) -> None:
        was = self._node.get("status") or {}
        found = await self._status(was)
        self._last_status_at = self._clock.monotonic()
        patch = {"status": node_object.status_patch(was, found)}
        self._node = await self._client.patch(kinds.NODE, self.name, "", patch, type="strategic", subresource="status")
        self._tell_changes(was)

    def _tell_changes(self, was: Object) -> None:
        """On paper nodes come by the thousand, and nobody reads what each has to say."""
        if not self._options.on_paper:
            for event in node_events.of_change(self.name, was, self._node["status"]):
                self._recorder.event(self._node, *event)

    async def _status(self, was: Object) -> Object:
        try:
            self._images = await self._runtime.images.list()
        except (runtime.RuntimeFailure, TimeoutError) as failure:
            _log.warning("node %s: images as last seen: %s", self.name, failure)
        now = self._clock.now()
        found = node_object.status(
            self.name,
            self._options,
            self._machine,
            self._runtime.name,
            self._runtime.features,
            self._images,
            was,
            now,
            self.standing,
            self.not_ready or self._runtime_not_ready,
            self.devices(),
        )
        in_use = self.volumes_in_use()
        return {**found, "volumesInUse": in_use} if in_use or was.get("volumesInUse") else found
