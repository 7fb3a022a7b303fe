"""What of the node is whose: the control groups of all pods, of Kubernetes' own parts and of the system, held to what was reserved.

`wanted` is pure. Source: upstream's kubelet/cm/node_container_manager_linux.go; "Reserve Compute Resources for System Daemons".
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from steersman.containers.oci import cgroups
from steersman.containers.oci.cgroups import Hierarchy
from steersman.kubelet import qos
from steersman.kubelet.node_services import EventRecorder
from steersman.kubelet.options import Options
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

PODS, KUBE, SYSTEM = "pods", "kube-reserved", "system-reserved"
COMPRESSIBLE = "-compressible"  # only processor time is held, which nobody dies of
CHOICES = (PODS, KUBE, SYSTEM, KUBE + COMPRESSIBLE, SYSTEM + COMPRESSIBLE, "none")
ENFORCED, FAILED = "NodeAllocatableEnforced", "FailedNodeAllocatableEnforcement"


class NotEnforced(Exception):
    """What was reserved cannot be held; the text is upstream's."""


class Reserve(NamedTuple):
    """A control group that is there already, and what is reserved for who is in it. 0: nothing of that."""

    whose: str
    path: str
    cpu_millicores: int = 0
    memory_bytes: int = 0
    pids: int = 0


def wanted(options: Options) -> list[Reserve]:
    found = []
    for key, whose, path, amounts in (
        (SYSTEM, "System", options.system_reserved_group, options.system_reserved),
        (KUBE, "Kube", options.kube_reserved_group, options.kube_reserved),
    ):
        if key in options.enforced:
            found.append(Reserve(whose, path, *_amounts(amounts)))
        elif key + COMPRESSIBLE in options.enforced:
            found.append(Reserve(whose, path, _amounts(amounts)[0]))
    return found


def _amounts(found: Mapping[str, str]) -> tuple[int, int, int]:
    cpu, memory, pids = (qos.amount(name, found.get(name, 0)) for name in ("cpu", "memory", "pid"))
    return cpu, memory, pids


def pids_of_pods(options: Options, most: int) -> int:
    """How many processes all pods together may have; 0: as many as the machine."""
    kept = sum(_amounts(one)[2] for one in (options.system_reserved, options.kube_reserved))
    return max(1, most - kept) if kept else 0


def enforce(options: Options, node: Object, recorder: EventRecorder) -> None:
    """Once, at start. Raises NotEnforced."""
    reserves = wanted(options)
    hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text()) if reserves else cgroups.NONE
    for one in reserves:
        try:
            hold(hierarchy, one)
        except OSError as refused:
            text = f'Failed to enforce {one.whose} Reserved Cgroup Limits on "{one.path}": {refused}'
            recorder.event(node, "Warning", FAILED, text)
            raise NotEnforced(text) from refused
        text = f"Updated limits on {one.whose.lower()} reserved cgroup {one.path}"
        recorder.event(node, "Normal", ENFORCED, text)
        _log.info("%s", text)
    if PODS in options.enforced:
        recorder.event(node, "Normal", ENFORCED, "Updated Node Allocatable limit across pods")


def hold(hierarchy: Hierarchy, reserve: Reserve) -> None:
    """Raises OSError, also where the group is not there: nobody would be in one that is made now."""
    path = reserve.path.strip("/")
    if not path or not cgroups.folders(hierarchy, path):
        raise FileNotFoundError(f'["{path}"] cgroup does not exist')
    limits = cgroups.limit_files(
        hierarchy.version,
        cpu_shares=qos.cpu_shares(reserve.cpu_millicores) if reserve.cpu_millicores else 0,
        memory_bytes=reserve.memory_bytes,
        pids=reserve.pids,
    )
    cgroups.update(hierarchy, path, limits)
