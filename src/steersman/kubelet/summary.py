"""What the node and its pods use, as /stats/summary tells it. Pure.

Source: the kubelet's Summary API (stats/v1alpha1).
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.containers import runtime
from steersman.kubelet import storage_limits
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
    by pod uid, where somebody has measured. `cores`: use of processors by container id, in billionths of one, where two looks
    allow to tell. `kubelet`: its own process (cpu ns, memory bytes)."""

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
    kubelet: tuple[int, int] = (0, 0)
    processes_most: int = 0
    processes: int = 0


def stats(seen: Seen) -> Object:
    by_pod: dict[str, list[runtime.Usage]] = {}
    for one in seen.usage:
        by_pod.setdefault(one.pod_uid, []).append(one)
    networks = {one.pod_uid: one for one in seen.sandboxes}
    pods = [_pod(pod, by_pod.get(objects.uid(pod), []), networks.get(objects.uid(pod)), seen) for pod in seen.pods]
    return {"node": _node(seen), "pods": pods}


def _node(seen: Seen) -> Object:
    at = times.format_seconds(seen.now)
    use = _use(seen.usage, seen)
    working_set = use["memory"]["workingSetBytes"]
    available = max(0, seen.memory_capacity_bytes - working_set)
    return {
        "nodeName": seen.node_name,
        "systemContainers": [
            _kubelet(seen, at),
            {"name": "pods", "startTime": times.format_seconds(seen.started_at), **use},
        ],
        "startTime": times.format_seconds(seen.started_at),
        **use,
        "memory": {**use["memory"], "availableBytes": available},
        "fs": _whole(seen.file_system, at),
        "runtime": {"imageFs": _whole(seen.images, at), "containerFs": _whole(seen.containers, at)},
        "rlimit": {"time": at, "maxpid": seen.processes_most, "curproc": seen.processes},
    }


def _kubelet(seen: Seen, at: str) -> Object:
    cpu_ns, memory = seen.kubelet
    return {
        "name": "kubelet",
        "startTime": times.format_seconds(seen.started_at),
        "cpu": {"time": at, "usageCoreNanoSeconds": cpu_ns},
        "memory": {"time": at, "usageBytes": memory, "workingSetBytes": memory, "rssBytes": memory},
    }


def _pod(pod: Object, usage: Sequence[runtime.Usage], network: runtime.SandboxUsage | None, seen: Seen) -> Object:
    at = times.format_seconds(seen.now)
    disk = seen.disk.get(objects.uid(pod))
    shown: Object = {
        "podRef": {"name": objects.name(pod), "namespace": objects.namespace(pod), "uid": objects.uid(pod)},
        "startTime": (pod.get("status") or {}).get("startTime"),
        "containers": [_container(one, disk, seen) for one in usage],
        **_use(usage, seen),
        "process_stats": {"process_count": sum(one.processes for one in usage)},
    }
    if network is not None and network.interfaces:
        shown["network"] = _network(network)
    if disk is not None:
        of_node = seen.file_system
        shown["volume"] = [{**_part(of_node, at, used), "name": name} for name, used in disk.volumes.items()]
        shown["ephemeral-storage"] = _part(of_node, at, disk.total)
    return shown


def _container(one: runtime.Usage, disk: storage_limits.Usage | None, seen: Seen) -> Object:
    at = times.format_seconds(one.at)
    shown: Object = {"name": one.name, **_use([one], seen)}
    if one.started_at is not None:
        shown["startTime"] = times.format_seconds(one.started_at)
    if disk is not None:
        shown["rootfs"] = _part(seen.containers, at, disk.roots.get(one.name, storage_limits.Disk()))
        shown["logs"] = _part(seen.file_system, at, disk.logs.get(one.name, storage_limits.Disk()))
    return shown


def _use(usage: Sequence[runtime.Usage], seen: Seen) -> Object:
    at = times.format_seconds(max((one.at for one in usage), default=seen.now))
    cpu: Object = {"time": at, "usageCoreNanoSeconds": sum(one.cpu_ns for one in usage)}
    if usage and all(one.container_id in seen.cores for one in usage):
        cpu["usageNanoCores"] = sum(seen.cores[one.container_id] for one in usage)
    memory = {
        "time": at,
        "usageBytes": sum(one.memory_bytes for one in usage),
        "workingSetBytes": sum(one.memory_working_set_bytes for one in usage),
        "rssBytes": sum(one.memory_rss_bytes for one in usage),
        "pageFaults": sum(one.page_faults for one in usage),
        "majorPageFaults": sum(one.major_page_faults for one in usage),
    }
    return {"cpu": cpu, "memory": memory, "swap": {"time": at, "swapUsageBytes": sum(one.swap_bytes for one in usage)}}


def _network(found: runtime.SandboxUsage) -> Object:
    shown = [
        {
            "name": one.name,
            "rxBytes": one.received_bytes,
            "rxErrors": one.received_errors,
            "txBytes": one.sent_bytes,
            "txErrors": one.sent_errors,
        }
        for one in found.interfaces
    ]
    return {"time": times.format_seconds(found.at), **shown[0], "interfaces": shown}


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
