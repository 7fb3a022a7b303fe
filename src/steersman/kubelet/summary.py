"""What the node and its pods use, as /stats/summary tells it. Pure.

Source: the kubelet's Summary API (stats/v1alpha1).
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.containers import runtime
from steersman.kubelet import qos, storage_limits
from steersman.kubelet.container_figures import Pressure, Stall
from steersman.kubelet.machine_figures import Machine, Use
from steersman.meta import objects, times
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class FileSystem:
    """`used_bytes` 0: all that is not available is in use by somebody of the node."""

    capacity_bytes: int = 0
    available_bytes: int = 0
    inodes: int = 0
    inodes_free: int = 0
    used_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A node at one moment. `file_system` is its own, beside those of `images` and of what `containers` write. `disk`: measured use
    by pod uid, where somebody has measured. `cores`: use of processors by container id (or `of_machine`'s names), in billionths
    of one, where two looks allow to tell. `machine` None: the node is on paper, and its containers are all there is. `pressure`
    by container id, and by pod uid. `of_pods_bytes`: memory that all pods together may use."""

    node_name: str
    pods: Sequence[Object]
    usage: Sequence[runtime.Usage]
    sandboxes: Sequence[runtime.SandboxUsage]
    now: datetime.datetime
    started_at: datetime.datetime
    memory_capacity_bytes: int = 0
    file_system: FileSystem = FileSystem()
    images: FileSystem = FileSystem()
    containers: FileSystem = FileSystem()
    disk: Mapping[str, storage_limits.Usage] = dataclasses.field(default_factory=dict)
    cores: Mapping[str, int] = dataclasses.field(default_factory=dict)
    kubelet: Use = Use()
    runtime: Use = Use()
    machine: Machine | None = None
    pressure: Mapping[str, Mapping[str, Pressure]] = dataclasses.field(default_factory=dict)
    of_pods_bytes: int = 0
    processes_most: int = 0
    processes: int = 0


def stats(seen: Seen) -> Object:
    by_pod: dict[str, list[runtime.Usage]] = {}
    for one in seen.usage:
        by_pod.setdefault(one.pod_uid, []).append(one)
    networks = {one.pod_uid: one for one in seen.sandboxes}
    pods = [_pod(pod, by_pod.get(objects.uid(pod), []), networks.get(objects.uid(pod)), seen) for pod in seen.pods]
    return {"node": _node(seen), "pods": pods}


# Keys of `Seen.cores` beside container ids.
NODE, KUBELET, RUNTIME = "node", "kubelet", "runtime"


def _node(seen: Seen) -> Object:
    at = times.format_seconds(seen.now)
    of_pods = _sum(seen.usage)
    shown: Object = {
        "nodeName": seen.node_name,
        "systemContainers": [
            _system(KUBELET, seen.kubelet, seen),
            *([_system(RUNTIME, seen.runtime, seen)] if seen.runtime.memory_bytes else ()),
            _system(
                "pods", of_pods, seen, _cores_of(seen.usage, seen), seen.of_pods_bytes or seen.memory_capacity_bytes
            ),
        ],
        "fs": _whole(seen.file_system, at),
        "runtime": {"imageFs": _whole(seen.images, at), "containerFs": _whole(seen.containers, at)},
        "rlimit": {"time": at, "maxpid": seen.processes_most, "curproc": seen.processes},
    }
    if seen.machine is None:
        cores = _cores_of(seen.usage, seen)
        used = _shown(of_pods, at, cores, seen.memory_capacity_bytes)
        return {**shown, "startTime": times.format_seconds(seen.started_at), **used}
    machine = seen.machine
    booted = datetime.datetime.fromtimestamp(machine.booted_at, datetime.UTC)
    used = _shown(machine.use, at, seen.cores.get(NODE), seen.memory_capacity_bytes, machine.pressure)
    used["swap"]["swapAvailableBytes"] = machine.use.swap_available_bytes
    network = {"network": _interfaces(machine.interfaces, at)} if machine.interfaces else {}
    return {**shown, "startTime": times.format_seconds(booted), **used, **network}


def _system(name: str, use: Use, seen: Seen, cores: int | None = None, limit_bytes: int = 0) -> Object:
    at, started = times.format_seconds(seen.now), times.format_seconds(seen.started_at)
    return {"name": name, "startTime": started, **_shown(use, at, cores or seen.cores.get(name), limit_bytes)}


def _pod(pod: Object, usage: Sequence[runtime.Usage], network: runtime.SandboxUsage | None, seen: Seen) -> Object:
    at = times.format_seconds(max((one.at for one in usage), default=seen.now))
    disk, uid = seen.disk.get(objects.uid(pod)), objects.uid(pod)
    limits = {
        one["name"]: _limit(one) for one in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    }
    cores = _cores_of(usage, seen) if all(one.container_id in seen.cores for one in usage) else None
    shown: Object = {
        "podRef": {"name": objects.name(pod), "namespace": objects.namespace(pod), "uid": uid},
        "startTime": (pod.get("status") or {}).get("startTime"),
        "containers": [_container(one, limits.get(one.name, 0), disk, seen) for one in usage],
        **_shown(_sum(usage), at, cores, qos.pod_resources(pod)[2], seen.pressure.get(uid, {})),
        "process_stats": {"process_count": sum(one.processes for one in usage)},
    }
    if network is not None and network.interfaces:
        shown["network"] = _interfaces(network.interfaces, times.format_seconds(network.at))
    if disk is not None:
        of_node = seen.file_system
        shown["volume"] = [
            {**_part(of_node, at, used), "name": name, **_claim(pod, name)} for name, used in disk.volumes.items()
        ]
        shown["ephemeral-storage"] = _part(of_node, at, disk.total)
    return shown


def _claim(pod: Object, volume: str) -> Object:
    """Of which claim a volume is."""
    found: Object = next((one for one in pod["spec"].get("volumes") or () if one["name"] == volume), {})
    name = (found.get("persistentVolumeClaim") or {}).get("claimName")
    if "ephemeral" in found:
        name = f"{objects.name(pod)}-{volume}"
    return {"pvcRef": {"name": name, "namespace": objects.namespace(pod)}} if name else {}


def _limit(container: Object) -> int:
    return qos.amount("memory", ((container.get("resources") or {}).get("limits") or {}).get("memory", 0))


def _container(one: runtime.Usage, limit_bytes: int, disk: storage_limits.Usage | None, seen: Seen) -> Object:
    at = times.format_seconds(one.at)
    used = _shown(
        _sum([one]), at, seen.cores.get(one.container_id), limit_bytes, seen.pressure.get(one.container_id, {})
    )
    shown: Object = {"name": one.name, **used}
    if one.started_at is not None:
        shown["startTime"] = times.format_seconds(one.started_at)
    if disk is not None:
        shown["rootfs"] = _part(seen.containers, at, disk.roots.get(one.name, storage_limits.Disk()))
        shown["logs"] = _part(seen.file_system, at, disk.logs.get(one.name, storage_limits.Disk()))
    return shown


def _sum(usage: Sequence[runtime.Usage]) -> Use:
    return Use(
        cpu_ns=sum(one.cpu_ns for one in usage),
        memory_bytes=sum(one.memory_bytes for one in usage),
        working_set_bytes=sum(one.memory_working_set_bytes for one in usage),
        rss_bytes=sum(one.memory_rss_bytes for one in usage),
        page_faults=sum(one.page_faults for one in usage),
        major_page_faults=sum(one.major_page_faults for one in usage),
        swap_bytes=sum(one.swap_bytes for one in usage),
    )


def _cores_of(usage: Sequence[runtime.Usage], seen: Seen) -> int:
    """Of those where two looks allow to tell."""
    return sum(seen.cores.get(one.container_id, 0) for one in usage)


def _shown(
    use: Use, at: str, cores: int | None, limit_bytes: int = 0, pressure: Mapping[str, Pressure] | None = None
) -> Object:
    """What is left is told only where there is a limit; `cores` None: nobody can tell yet."""
    cpu: Object = {"time": at, "usageCoreNanoSeconds": use.cpu_ns}
    if cores is not None:
        cpu["usageNanoCores"] = cores
    memory: Object = {
        "time": at,
        "usageBytes": use.memory_bytes,
        "workingSetBytes": use.working_set_bytes,
        "rssBytes": use.rss_bytes,
        "pageFaults": use.page_faults,
        "majorPageFaults": use.major_page_faults,
    }
    if limit_bytes:
        memory["availableBytes"] = max(0, limit_bytes - use.working_set_bytes)
    shown: Object = {"cpu": cpu, "memory": memory, "swap": {"time": at, "swapUsageBytes": use.swap_bytes}}
    for name, found in (pressure or {}).items():
        shown.setdefault(name, {"time": at})["psi"] = {"full": _stall(found.full), "some": _stall(found.some)}
    return shown


def _stall(found: Stall) -> Object:
    return {"total": found.total_us, "avg10": found.avg10, "avg60": found.avg60, "avg300": found.avg300}


def _interfaces(found: Sequence[runtime.InterfaceUsage], at: str) -> Object:
    """All of them, and the one that is the pod's (or the machine's) own: eth0, else the first."""
    shown = [
        {
            "name": one.name,
            "rxBytes": one.received_bytes,
            "rxErrors": one.received_errors,
            "txBytes": one.sent_bytes,
            "txErrors": one.sent_errors,
        }
        for one in found
    ]
    own = next((one for one in shown if one["name"] == "eth0"), shown[0])
    return {"time": at, **own, "interfaces": shown}


def _whole(found: FileSystem, at: str) -> Object:
    used = found.used_bytes or found.capacity_bytes - found.available_bytes
    return {**_room(found, at), "usedBytes": used, "inodesUsed": found.inodes - found.inodes_free}


def _part(found: FileSystem, at: str, used: storage_limits.Disk) -> Object:
    """What one thing takes of a file system."""
    return {**_room(found, at), "usedBytes": used.bytes, "inodesUsed": used.inodes}


def _room(found: FileSystem, at: str) -> Object:
    return {
        "time": at,
        "availableBytes": found.available_bytes,
        "capacityBytes": found.capacity_bytes,
        "inodesFree": found.inodes_free,
        "inodes": found.inodes,
    }
