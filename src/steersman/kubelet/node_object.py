"""The Node object of this kubelet: what it registers, and its status.

Pure, but for `of_machine`, which reads what the machine has.
"""

import dataclasses
import datetime
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from steersman.containers import app_armor, runtime
from steersman.kubelet import admission
from steersman.kubelet.eviction import conditions as pressure
from steersman.kubelet.eviction import thresholds
from steersman.kubelet.options import Options
from steersman.kubelet.topology import hardware
from steersman.kubelet.topology.hardware import Hardware
from steersman.meta import conditions, quantities, times
from steersman.meta.objects import Object

# Images listed in a node's status, largest first (upstream's nodeStatusMaxImages), and names of each.
IMAGES_MOST = 50
READY_MESSAGE = "kubelet is posting ready status"
MANAGED_ATTACH = "volumes.kubernetes.io/controller-managed-attach-detach"
# What the scheduler may only ask of nodes that can it (KEP-5328), by upstream's names.
DECLARED_FEATURES = ("InPlacePodLevelResourcesVerticalScaling", "RestartAllContainersOnContainerExits")
WITH_SHARED_CPUS = "GuaranteedQoSPodCPUResize"  # where no container has processors of its own
NAMES_MOST = 5

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    cpus: int = 1
    processors: tuple[int, ...] = ()  # their numbers
    memory_bytes: int = 0
    disk_bytes: int = 0
    architecture: str = "amd64"
    kernel: str = ""
    os_image: str = ""
    machine_id: str = ""
    boot_id: str = ""
    system_uuid: str = ""
    swap_bytes: int = 0
    app_armor: bool = False
    huge_pages: Mapping[str, int] = dataclasses.field(default_factory=dict)  # bytes by resource (hugepages-2Mi)
    layout: Hardware | None = None  # of processors and memory, where it is not the one of this machine

    def hardware(self) -> Hardware:
        return self.layout or hardware.of_machine(self.processors or range(self.cpus), self.memory_bytes)


def of_machine(data_dir: Path) -> Machine:
    existing = next(one for one in (data_dir, *data_dir.parents) if one.exists())
    disk = os.statvfs(existing)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        processors=tuple(sorted(os.sched_getaffinity(0))),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=_line("/etc/machine-id"),
        boot_id=_line("/proc/sys/kernel/random/boot_id"),
        system_uuid=_line("/sys/class/dmi/id/product_uuid"),
        swap_bytes=_swap_bytes(),
        app_armor=app_armor.is_enabled(),
        huge_pages=_huge_pages(),
    )


def _swap_bytes() -> int:
    lines = (line.split() for line in _line("/proc/meminfo").splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "SwapTotal:"), 0)


def _huge_pages() -> dict[str, int]:
    found = {}
    for folder in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB"):
        size = int(folder.name.removeprefix("hugepages-").removesuffix("kB")) * 1024
        found[f"hugepages-{quantities.of_bytes(size)}"] = size * int(_line(str(folder / "nr_hugepages")) or 0)
    return found


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:  # not every system has one, and nothing depends on it
        return ""


def _os_image() -> str:
    for line in _line("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def capacity(machine: Machine, options: Options) -> dict[str, str]:
    found = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": str(options.pods_max),
        **{name: str(quantities.of_bytes(size)) for name, size in machine.huge_pages.items()},
    }
    return {**found, **options.capacity}


def allocatable(of: Mapping[str, str], options: Options) -> dict[str, str]:
    """Capacity without what is reserved for the system, and what pods would be evicted for."""
    left = dict(of)
    kept = [*options.system_reserved.items(), *options.kube_reserved.items()]
    if not options.on_paper:
        for name, signal in (("memory", thresholds.MEMORY), ("ephemeral-storage", thresholds.NODE_BYTES)):
            kept.append((name, str(options.eviction.reserved(signal, int(quantities.whole(of[name]))))))
    for name, amount in kept:
        if name in left:
            rest = quantities.parse(left[name]).nanos - quantities.parse(amount).nanos
            form = quantities.parse(left[name]).form
            left[name] = str(quantities.Quantity(max(0, rest), form))
    return left


def status_patch(was: Object, found: Object) -> Object:
    """A strategic merge patch. Others write resources into the Node, too, and take them away: what did not change since `was` is
    not written, so that it does not come back when `was` is old."""
    amounts = {name: _changed(was.get(name) or {}, found[name]) for name in ("capacity", "allocatable")}
    addresses = [*found["addresses"], {"$patch": "replace"}]  # the list's merge key is the type, and two may be of one
    return {**found, **amounts, "addresses": addresses}


def _changed(was: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str | None]:
    new = {name: amount for name, amount in found.items() if was.get(name) != amount}
    return {**new, **dict.fromkeys(was.keys() - found.keys())}


def is_wrong_about_others(status: Object) -> bool:
    """Whether somebody wrote an extended resource into the capacity, or took it away, and allocatable does not say so yet."""
    whole, left = (
        {name for name in status.get(key) or {} if admission.is_extended(name)} for key in ("capacity", "allocatable")
    )
    return whole != left


def memory_of_pods(machine: Machine, options: Options) -> int:
    """Bytes that all pods together may use, where something is reserved beside them; 0: nothing is."""
    kept = [one["memory"] for one in (options.system_reserved, options.kube_reserved) if "memory" in one]
    return machine.memory_bytes - sum(int(quantities.whole(one)) for one in kept) if kept else 0


def labels_of(machine: Machine) -> dict[str, str]:
    """What it is, whatever others write."""
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/os": "linux",
    }


def build(name: str, options: Options, machine: Machine) -> Object:
    """What is registered; its status is written apart."""
    labels = {**labels_of(machine), "kubernetes.io/hostname": options.hostname or name, **options.labels}
    spec: Object = {}
    if options.pod_cidr:
        cidrs = [one for one in (options.pod_cidr, options.second_pod_cidr) if one]
        spec = {"podCIDR": options.pod_cidr, "podCIDRs": cidrs}
    if options.provider_id:
        spec["providerID"] = options.provider_id
    if options.taints:
        spec["taints"] = list(options.taints)
    metadata = {"name": name, "labels": labels, "annotations": {MANAGED_ATTACH: "true", **options.annotations}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}


def status(
    name: str,
    options: Options,
    machine: Machine,
    runtime_version: str,
    features: runtime.Features,
    images: Sequence[runtime.ImageStatus],
    was: Object,
    now: datetime.datetime,
    standing: Iterable[str] = (),
    not_ready: str = "",
    devices: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> Object:
    """`was` is the node's status so far: conditions keep their times, those of others stay. `standing`: what it is short of
    (`pressure`). `not_ready`: why it is not Ready; empty when it is. `devices`: capacity and allocatable of plugins' resources;
    extended resources of others stay, and can be allocated."""
    whole = capacity(machine, options)
    others = {name: amount for name, amount in (was.get("capacity") or {}).items() if admission.is_extended(name)}
    found: Object = {
        "capacity": {**whole, **others, **devices[0]},
        "allocatable": {**allocatable(whole, options), **others, **devices[1]},
        "conditions": _conditions(was.get("conditions") or [], now, standing, not_ready),
        "addresses": addresses(name, options),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": options.port}},
        "nodeInfo": {
            "machineID": machine.machine_id,
            "systemUUID": machine.system_uuid or machine.machine_id,
            "bootID": machine.boot_id,
            "kernelVersion": machine.kernel,
            "osImage": machine.os_image,
            "containerRuntimeVersion": runtime_version,
            "kubeletVersion": options.kubelet_version,
            "kubeProxyVersion": options.kubelet_version,
            "operatingSystem": "linux",
            "architecture": machine.architecture,
        },
        **_features(features),
        "declaredFeatures": declared_features(options),
    }
    if machine.swap_bytes:
        found["nodeInfo"]["swap"] = {"capacity": machine.swap_bytes}
    shown = sorted(images, key=lambda one: -one.size_bytes)[:IMAGES_MOST]
    found["images"] = [{"names": [*one.digests, *one.tags][:NAMES_MOST], "sizeBytes": one.size_bytes} for one in shown]
    return found


def declared_features(options: Options) -> list[str]:
    return sorted([*DECLARED_FEATURES, *([WITH_SHARED_CPUS] if options.cpu_policy == "none" else ())])


def _features(found: runtime.Features) -> Object:
    handlers = [
        {
            "name": one.name,
            "features": {
                "recursiveReadOnlyMounts": one.recursive_read_only_mounts,
                "userNamespaces": one.user_namespaces,
            },
        }
        for one in found.handlers
    ]
    shown: Object = {"features": {"supplementalGroupsPolicy": found.supplemental_groups_policy}}
    return {**shown, "runtimeHandlers": handlers} if handlers else shown


def addresses(name: str, options: Options) -> list[Object]:
    found = [{"type": "InternalIP", "address": one} for one in options.addresses]
    return [*found, {"type": "Hostname", "address": options.hostname or name}]


def _conditions(was: list[Object], now: datetime.datetime, standing: Iterable[str], not_ready: str) -> list[Object]:
    found = was
    ready = ("False", "KubeletNotReady", not_ready) if not_ready else ("True", "KubeletReady", READY_MESSAGE)
    for kind, status_, reason, message in (
        *((kind, *pressure.words(kind, standing)) for kind in pressure.WORDS),
        ("Ready", *ready),
    ):
        made = {**conditions.make(kind, status_, reason, message), "lastHeartbeatTime": times.format_seconds(now)}
        found = conditions.set(found, made, now)
    return found


def lease(name: str, node_uid: str, options: Options, now: datetime.datetime) -> Object:
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": options.lease_duration_seconds,
            "renewTime": times.format_micros(now),
        },
    }
