"""What a profile of `debug` gives a container, and what it does to the pod around it.

    apply(profile, Work(pod, container, style, keep))

Works in place on objects that `debugging` has made. Source: kubectl's pkg/cmd/debug/profiles.go, KEP-1441.
"""

import dataclasses
from collections.abc import Callable, Mapping

from steersman.meta.objects import Object

HOST_ROOT = "host-root"


@dataclasses.dataclass(frozen=True, slots=True)
class Keep:
    """What of a pod its copy keeps."""

    labels: bool = False
    annotations: bool = False
    liveness: bool = False
    readiness: bool = False
    startup: bool = False
    init_containers: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """`style` is ephemeral, copy or node."""

    pod: Object
    container: Object
    style: str
    keep: Keep

    def use_host_namespaces(self) -> None:
        self.pod["spec"] |= {"hostNetwork": True, "hostPID": True, "hostIPC": True}

    def mount_host_root(self) -> None:
        spec = self.pod["spec"]
        spec["volumes"] = [*spec.get("volumes", []), {"name": HOST_ROOT, "hostPath": {"path": "/"}}]
        mounts = self.container.get("volumeMounts", [])
        self.container["volumeMounts"] = [*mounts, {"mountPath": "/host", "name": HOST_ROOT}]

    def share_processes(self) -> None:
        self.pod["spec"].setdefault("shareProcessNamespace", True)

    def context(self) -> Object:
        found: Object = self.container.setdefault("securityContext", {})
        return found

    def clear_context(self) -> None:
        self.container.pop("securityContext", None)

    def add_capabilities(self, *names: str) -> None:
        capabilities = self.context().setdefault("capabilities", {})
        capabilities["add"] = [*(capabilities.get("add") or []), *names]

    def remove_what_is_not_kept(self) -> None:
        meta, spec, keep = self.pod["metadata"], self.pod["spec"], self.keep
        for field, is_kept in (("labels", keep.labels), ("annotations", keep.annotations)):
            if not is_kept:
                meta.pop(field, None)
        probes = {"livenessProbe": keep.liveness, "readinessProbe": keep.readiness, "startupProbe": keep.startup}
        for container in spec["containers"]:
            for field, is_kept in probes.items():
                if not is_kept:
                    container.pop(field, None)
        if not keep.init_containers:
            spec.pop("initContainers", None)


def apply(profile: str, work: Work) -> None:
    PROFILES[profile](work)


def _legacy(work: Work) -> None:
    if work.style == "node":
        work.mount_host_root()
        work.use_host_namespaces()
    elif work.style == "copy":
        work.pod["metadata"].pop("labels", None)


def _general(work: Work) -> None:
    if work.style == "node":
        work.mount_host_root()
        work.clear_context()
        work.use_host_namespaces()
        return
    if work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()
    work.add_capabilities("SYS_PTRACE")


def _baseline(work: Work) -> None:
    work.clear_context()
    if work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


def _restricted(work: Work) -> None:
    work.clear_context()
    work.container["securityContext"] = {
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


def _netadmin(work: Work) -> None:
    work.add_capabilities("NET_ADMIN", "NET_RAW")
    if work.style == "node":
        work.use_host_namespaces()
    elif work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


def _sysadmin(work: Work) -> None:
    work.context()["privileged"] = True
    if work.style == "node":
        work.use_host_namespaces()
        work.mount_host_root()
    elif work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


PROFILES: Mapping[str, Callable[[Work], None]] = {
    "legacy": _legacy,
    "general": _general,
    "baseline": _baseline,
    "restricted": _restricted,
    "netadmin": _netadmin,
    "sysadmin": _sysadmin,
}
