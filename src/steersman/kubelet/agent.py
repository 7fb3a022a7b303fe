"""Kubelet: one node's agent. Takes the pods bound to its node and makes them run on its container runtime.

Keeps true: every pod of the node has one worker until nothing of it is left; what runs without a pod is removed; the Node
and its Lease say that the node lives. Reads: Pods of its node, Services, what pods refer to. Writes: pod status, Node,
Lease, Events; deletes pods that have ended. Leaves to others: choosing nodes, service addresses, replacing pods.
A process may hold thousands of these: they share caches, alarms and (on paper) need no task of their own beyond one.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from steersman.aio.bucket import Bucket
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.containers import runtime
from steersman.kubelet import (
    admission,
    log_links,
    log_rotation,
    memory_quality,
    node_allocatable,
    node_object,
    pod_events,
    pod_files,
    relist,
    sandbox_config,
    static_pods,
    status,
)
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.certificates.pod_certificates import PodCertificates
from steersman.kubelet.credentials import plugin, provider_config
from steersman.kubelet.credentials.providers import Providers
from steersman.kubelet.csi.drivers import Drivers
from steersman.kubelet.csi.registration import Registration
from steersman.kubelet.csi.volumes import CsiVolumes
from steersman.kubelet.device_manager import DeviceManager
from steersman.kubelet.dra.claims import Claims
from steersman.kubelet.dra.health import Health
from steersman.kubelet.dra.plugins import Plugins
from steersman.kubelet.eviction.observations import Observations, Places, observe
from steersman.kubelet.eviction.ranking import Layout
from steersman.kubelet.evictor import Evictor
from steersman.kubelet.exclusive_resources import ExclusiveResources
from steersman.kubelet.file_pods import FilePods
from steersman.kubelet.image_collection import ImageCollection
from steersman.kubelet.images import ImageKeeper
from steersman.kubelet.metrics import Metrics
from steersman.kubelet.mirror_pods import MirrorPods
from steersman.kubelet.node_groups import NodeGroups
from steersman.kubelet.node_heartbeat import NodeHeartbeat
from steersman.kubelet.node_services import EventRecorder, NodeServices
from steersman.kubelet.node_shutdown import NodeShutdown
from steersman.kubelet.options import Options
from steersman.kubelet.pod_admission import PodAdmission
from steersman.kubelet.pod_resources import SOCKET, PodResources
from steersman.kubelet.pod_worker import PodWorker
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.kubelet.prober import Prober
from steersman.kubelet.pulled_images import PulledImages
from steersman.kubelet.reference_watches import ReferenceWatches
from steersman.kubelet.references import References
from steersman.kubelet.relist import Relist
from steersman.kubelet.static_pod_folder import StaticPodFolder
from steersman.kubelet.statistics import Statistics
from steersman.kubelet.status_writer import StatusWriter
from steersman.kubelet.turns import AT_ONCE_FOR_EACH_CPU, Turns
from steersman.kubelet.user_namespaces import UserNamespaces
from steersman.kubelet.volumes.mounting import Volumes
from steersman.meta import objects, quantities
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)


class Kubelet:
    """`pods` is shared by all kubelets of the process; its cache has to run and be synced (`run` waits for it).

    `services` is a cache of Services for the environment's service links (None: no links); `nodes` one in which it sees
    what others wrote into its Node (None: it asks now and then).
    """

    def __init__(
        self,
        node_name: str,
        client: Client,
        pods: PodsByNode,
        containers: runtime.Runtime,
        clock: Clock,
        recorder: EventRecorder,
        options: Options,
        *,
        services: Cache | None = None,
        nodes: Cache | None = None,
        machine: node_object.Machine | None = None,
        observations: Callable[[], Observations] | None = None,
    ) -> None:
        self.node_name = node_name
        self.runtime = containers
        self.options = options
        self.client = client
        self.clock = clock
        self.workers: dict[str, PodWorker] = {}
        self._pods = pods
        self._recorder = recorder
        self._services = services
        self._machine = machine or node_object.of_machine(options.data_dir)
        self._heartbeat = NodeHeartbeat(node_name, client, containers, clock, options, self._machine, recorder, nodes)
        self._tasks = Tasks(f"kubelet {node_name}")
        self._drivers = Drivers(options.data_dir)
        self._device_drivers = Plugins(Health(self.clock, self._tasks, self._device_health_changed))
        self._csi = CsiVolumes(options, self._drivers, client, clock, recorder, self._tell_volumes)
        self.metrics = Metrics(clock)
        self._node = self._make_services()
        self._heartbeat.devices = lambda: (self._node.devices.capacity(), self._node.devices.allocatable())
        self._images = ImageCollection(self._node, lambda: self._heartbeat.node, lambda: self.places.images)
        self._evictor = Evictor(
            self._node,
            self._heartbeat,
            self.workers,
            observations or (lambda: observe(self.places)),
            self._images,
            lambda: Layout(self.places.images_are_apart, self.places.containers_are_with_images),
            node_object.memory_of_pods(self._machine, options),
        )
        self.statistics = Statistics(
            node_name, self._node, self._machine, lambda: list(self.workers.values()), lambda: self.places
        )
        self._shutdown = NodeShutdown(self._node, self._heartbeat, lambda: list(self.workers.values()))
        self._admission = PodAdmission(
            node_name,
            self._node,
            self._heartbeat,
            self._shutdown,
            self.workers,
            self._all_pods,
            lambda pod, refusal: self._begin(pod, (), (), refusal),
            app_armor=self._machine.app_armor,
        )
        self._relist = Relist(
            node_name, self._node, self.workers, lambda: self._admission.consider_resizes("periodic_retry")
        )
        self._groups = NodeGroups(self._node, self.workers.values, node_object.memory_of_pods(self._machine, options))
        self._mirrors = MirrorPods(client, clock, self._tasks, lambda: self._heartbeat.node, self._show_mirror)
        folder = StaticPodFolder(options.static_pods, node_name, clock) if options.static_pods else None
        self._files = FilePods(self._node, folder, self._mirrors, self.workers, self._admission.admit)

    @property
    def is_starting_pods(self) -> bool:
        return self._node.turns.are_taken

    @property
    def places(self) -> Places:
        """Where the node's file systems are; known once the runtime has started."""
        images, containers = (Path(one) if one else self.options.data_dir for one in self.runtime.file_systems)
        return Places(self.options.data_dir, images, containers)

    def _make_services(self) -> NodeServices:
        alarms = Alarms(self.clock, self._tasks)
        references = References(self.client, self.clock, self._tasks)
        whole = node_object.capacity(self._machine, self.options)
        devices = DeviceManager(
            self.options.device_plugins, self.clock, self._tasks, self.metrics, self._devices_changed
        )
        allocatable = node_object.allocatable(whole, self.options)
        return NodeServices(
            client=self.client,
            clock=self.clock,
            runtime=self.runtime,
            options=self.options,
            tasks=self._tasks,
            alarms=alarms,
            turns=Turns(alarms, AT_ONCE_FOR_EACH_CPU * self._machine.cpus),
            recorder=self._recorder,
            writer=StatusWriter(self.client, self.clock, self._tasks, alarms),
            metrics=self.metrics,
            images=ImageKeeper(
                self.runtime.images,
                references,
                self.clock,
                self._tasks,
                PulledImages(
                    None if self.options.on_paper else self.options.data_dir / "image_manager",
                    self.options.pull_policy,
                    self.options.preloaded_images,
                ),
                self.options.pulls_at_once,
                None if self.options.on_paper else self.options.data_dir / "config.json",
                self._providers(references),
                Bucket(pace, self.options.pulls_burst) if (pace := self.options.pulls_per_second) else None,
            ),
            volumes=Volumes(
                self.options,
                references,
                self.clock,
                allocatable,
                lambda: self._heartbeat.node,
                self._csi,
                self._certificates(alarms, references),
            ),
            references=references,
            watches=ReferenceWatches(self.client, self.clock, self._tasks, references),
            users=UserNamespaces(self.options),
            exclusive=ExclusiveResources(self.options, self._machine.hardware, devices.devices),
            devices=devices,
            claims=Claims(self.options.data_dir, self.client, self._device_drivers),
            prober=Prober(self.runtime, self.clock, self.options.kubelet_version),
            services=self._services,
            shown_as=status.Node(
                self.options.address, self.runtime.name.partition("://")[0], self.options.second_address
            ),
            dns=_node_dns(self.options),
            allocatable=allocatable,
            memory_capacity_bytes=self._machine.memory_bytes,
            swap_bytes=self._machine.swap_bytes if self.options.swap_behaviour == "LimitedSwap" else 0,
            memory_quality=memory_quality.Settings(
                self.options.memory_throttling,
                self.options.memory_reservation,
                int(quantities.whole(allocatable["memory"])),
            ),
        )

    def _certificates(self, alarms: Alarms, references: References) -> PodCertificates:
        return PodCertificates(
            self.node_name,
            self.client,
            self.clock,
            self._tasks,
            alarms,
            references,
            lambda: self._heartbeat.node,
            lambda pod, reason, message: self._node.tell(pod, "Warning", reason, message),
            self._write_volumes,
        )

    def _write_volumes(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.volumes.refresh_now()

    def _providers(self, references: References) -> Providers | None:
        """Raises provider_config.Malformed, OSError: a kubelet does not begin without what it was told to use."""
        config, programs = self.options.credential_providers, Path(self.options.credential_programs)
        if not config:
            return None
        ask = functools.partial(plugin.ask, programs, clock=self.clock, metrics=self.metrics)
        return Providers(provider_config.read(config, programs), ask, references, self.clock, self._tasks)

    async def run(self) -> None:
        """Until cancelled (containers go on running). `runtime.start()` has been called."""
        async with self._tasks:
            self._tasks.keep("runtime events", self._follow_runtime, self.clock)
            if self.options.device_plugins is not None:
                self._tasks.keep("device plugins", self._node.devices.run, self.clock)
                socket = self.options.device_plugins.parent / SOCKET
                resources = PodResources(
                    socket,
                    self._node.devices,
                    self._node.exclusive,
                    self._node.claims,
                    self.metrics,
                    lambda: [one.pod for one in self.workers.values() if not one.machine.is_over],
                )
                self._tasks.keep("pod resources", resources.run, self.clock)
            if not self.options.on_paper:
                pod_files.prepare(self.options)
                log_links.folder(self.options).mkdir(exist_ok=True)
                self._heartbeat.volumes_in_use = self._csi.in_use
                self._tasks.keep(
                    "log rotation", lambda: log_rotation.run(self.runtime, self.clock, self.options), self.clock
                )
            node = await self._heartbeat.register()
            self._node.recorder.event(node, "Normal", "Starting", "Starting kubelet.")
            if not self.options.on_paper:
                node_allocatable.enforce(self.options, node, self._node.recorder)
            self._heartbeat.start(self._tasks, self._node.alarms)
            if not self.options.on_paper:
                folder = self.options.data_dir / "plugins_registry"
                registration = Registration(
                    self.node_name, folder, self._drivers, self._device_drivers, self.client, self.clock
                )
                self._tasks.keep("plugin registration", registration.run, self.clock)
            await self._pods.cache.synced.wait()
            self._files.read()
            await self._adopt_all()
            try:
                self._pods.attach(self.node_name, self._on_pod)
                self._relist.later()
                if not self.options.on_paper:
                    self._evictor.start()
                    self._images.start()
                self._files.start()
                await self._tasks.wait()
            finally:
                self._pods.detach(self.node_name)

    async def shut_down(self) -> bool:
        """End all pods, the least important first, while `run` runs; then it can be cancelled. False: it was called off."""
        return await self._shutdown.run()

    async def call_off_shutdown(self) -> None:
        await self._shutdown.call_off()

    async def _tell_volumes(self) -> None:
        """The Node shows which volumes are in use here, before they are mounted."""
        try:
            await self._heartbeat.status_changed()
        except (StatusError, Unreachable) as failure:
            raise OSError(f"the Node's status cannot be written: {failure}") from failure

    def pod(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """The worker of a pod by name (the newest, where an older one is still ending)."""
        found = [
            worker
            for worker in self.workers.values()
            if objects.name(worker.pod) == name and objects.namespace(worker.pod) == namespace
        ]
        if uid:
            return next((worker for worker in found if worker.uid == uid), None)
        return found[-1] if found else None

    # --- pods --------------------------------------------------------------------------------------------------------

    def _all_pods(self) -> list[Object]:
        """Those that the API has for this node, and those that files ask for; mirrors are not run."""
        return [
            *(pod for pod in self._pods.of(self.node_name) if not static_pods.is_mirror(pod)),
            *self._files.wanted.values(),
        ]

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        if static_pods.is_mirror(new if new is not None else old or {}):
            self._mirrors.saw(old, new)
            return
        if new is None:
            assert old is not None
            worker = self.workers.get(objects.uid(old))
            if worker is not None:
                worker.tell(pod_events.PodRemoved())
            return
        worker = self.workers.get(objects.uid(new))
        if worker is None:
            self._admission.admit(new)
        elif worker.pod is not new:
            worker.change(new)

    def _device_health_changed(self) -> None:
        for worker in list(self.workers.values()):
            worker.follow_devices()

    async def _devices_changed(self) -> None:
        self._device_health_changed()
        try:
            await self._heartbeat.status_changed()
        except (StatusError, Unreachable) as failure:
            _log.warning("node %s: its devices are not told yet: %s", self.node_name, failure)

    def _begin(
        self,
        pod: Object,
        sandboxes: Sequence[runtime.SandboxStatus],
        containers: Sequence[runtime.ContainerStatus],
        refusal: admission.Refusal | None = None,
    ) -> None:
        worker = self.workers[objects.uid(pod)] = PodWorker(pod, self._node, self._forget, self._admission.room)
        if refusal is not None:
            worker.refuse(refusal.reason, refusal.message)
        else:
            worker.adopt(sandboxes, containers)
            self._groups.follow_soon()

    def _forget(self, uid: str) -> None:
        worker = self.workers.pop(uid, None)
        if worker is not None:
            self._files.has_ended(worker)
        self._node.devices.release(uid)
        if self._node.exclusive.release(uid):
            self._admission.share_processors()
        self._groups.follow_soon()
        self._admission.consider_resizes("pod_deleted")

    async def _adopt_all(self) -> None:
        """At start: take over what runs, remove what has no pod any more."""
        sandboxes, containers = await self._relist.first()
        pods = self._files.as_shown(self._all_pods(), self._pods.of(self.node_name))
        self._node.devices.read_checkpoint(objects.uid(pod) for pod in pods)
        self._node.exclusive.keep_only(objects.uid(pod) for pod in pods)
        known = {objects.uid(pod) for pod in pods}
        for pod in pods:
            uid = objects.uid(pod)
            own = [one for one in sandboxes if one.pod_uid == uid]
            if own:
                self._begin(pod, own, [one for one in containers if one.pod_uid == uid])
        for pod in pods:  # room is counted beside all that is here already
            if objects.uid(pod) not in self.workers:
                self._admission.admit(pod)
        orphans = [one for one in sandboxes if one.pod_uid not in known]
        if orphans:
            self._tasks.start("orphans", self._relist.remove(orphans, containers))
        if not self.options.on_paper:
            gone = self._node.volumes.leftovers(known | {one.pod_uid for one in orphans})
            for uid in gone:
                self._tasks.start("leftovers", self._relist.clear_volumes(uid))
            pod_files.remove_logs_of_others(known, self.options)
            log_links.remove_dead(self.options)

    def _show_mirror(self, pod: Object, mirror: Object) -> None:
        worker = self.workers.get(objects.uid(pod))
        if worker is not None:
            worker.shown_by(mirror)

    # --- the runtime -------------------------------------------------------------------------------------------------

    async def _follow_runtime(self) -> None:
        async for event in self.runtime.events():
            worker = self.workers.get(event.pod_uid)
            if worker is None or event.kind != "stopped":
                continue
            if event.container_id:
                try:
                    found = await self.runtime.container_status(event.container_id)
                except (runtime.RuntimeFailure, OSError, TimeoutError) as failure:
                    _log.warning("node %s: %s was heard of, but: %s", self.node_name, event.container_id, failure)
                    self._relist.later(relist.LOST_SECONDS)
                    continue
                if found is not None:
                    worker.tell_status(found)
            else:
                worker.tell(pod_events.SandboxLost(event.sandbox_id))


def _node_dns(options: Options) -> runtime.Dns:
    try:
        return sandbox_config.parse_resolv_conf(options.resolv_conf.read_text())
    except FileNotFoundError:
        return runtime.Dns()
