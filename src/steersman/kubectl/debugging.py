"""Containers and pods that `debug` makes: beside others in a running pod, in a copy of a pod, on a node; and its profiles.

Pure: (object, Wanted) → new object. Leaves to others: names made by chance, creating, attaching (`commands.debug`).
Source: kubectl's pkg/cmd/debug (profiles.go, debug.go), KEP-1441.
"""

import copy
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

PROFILES = ("legacy", "general", "baseline", "restricted", "netadmin", "sysadmin")
LEGACY_NOTICE = (
    "--profile=legacy is deprecated and will be removed in the future. "
    'It is recommended to explicitly specify a profile, for example "--profile=general".\n'
)
NOT_ROOT_NOTICE = (
    "Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not "
    'work. Please consider using "--custom" with a custom profile that specifies "securityContext.runAsUser: 0".\n'
)
HOST_ROOT = "host-root"

# The grammar of image references (distribution/reference): host, path, tag, digest.
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::\d+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*(?::[\w][\w.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


class DebugError(CommandError):
    """The text is upstream's."""


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
class Wanted:
    """`share_processes` is None unless the user spoke of it. `custom` is a partial container."""

    profile: str = "legacy"
    image: str = ""
    pull_policy: str = ""
    arguments: Sequence[str] = ()
    arguments_only: bool = False
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stdin: bool = False
    tty: bool = False
    target: str = ""
    copy_to: str = ""
    set_images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    same_node: bool = False
    share_processes: bool | None = None
    keep: Keep = Keep()
    custom: Object | None = None


def is_image(text: str) -> bool:
    return _IMAGE.fullmatch(text) is not None


def beside(pod: Object, name: str, wanted: Wanted) -> Object:
    """The pod with an ephemeral container more."""
    container = _new(name, wanted)
    if wanted.target:
        container["targetContainerName"] = wanted.target
    spec = pod["spec"]
    result = {**pod, "spec": {**spec, "ephemeralContainers": [*(spec.get("ephemeralContainers") or []), container]}}
    _PROFILES[wanted.profile](_Work(result, container, "ephemeral", wanted.keep))
    _customize(container, wanted)
    return result


def on_node(node: str, pod_name: str, container_name: str, wanted: Wanted) -> Object:
    container = _new(container_name, wanted)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod_name},
        "spec": {
            "containers": [container],
            "nodeName": node,
            "restartPolicy": "Never",
            "tolerations": [{"operator": "Exists"}],
        },
    }
    _PROFILES[wanted.profile](_Work(pod, container, "node", wanted.keep))
    _customize(container, wanted)
    return pod


def copied(pod: Object, name: str, wanted: Wanted, make_name: Callable[[Object], str]) -> tuple[Object, str]:
    """A copy of the pod with a container changed or added, and that container's name ("" where only images are new).

    `name` is the container that the user named; `make_name` is asked for one where a new one has none. Raises DebugError.
    """
    result = _copy(pod, wanted)
    by_name = {container["name"]: container for container in _all(result["spec"])}
    container = by_name.get(name)
    if container is None:
        if not wanted.image:
            if wanted.set_images:
                return result, ""
            raise DebugError("you must specify image when creating new container")
        name = name or make_name(result)
        container = {"name": name, "terminationMessagePolicy": "File"}
        result["spec"]["containers"].append(container)
    _change(container, wanted)
    _PROFILES[wanted.profile](_Work(result, container, "copy", wanted.keep))
    _customize(container, wanted)
    return result, name


def may_lack_rights(pod: Object, container: Object) -> bool:
    """Capabilities were given to a container that will not run as root."""
    context = container.get("securityContext")
    if not ((pod["spec"].get("securityContext") or {}).get("runAsUser") or 0) or context is None:
        return False
    if context.get("runAsUser") == 0:
        return False
    return bool(context.get("privileged") or (context.get("capabilities") or {}).get("add"))


def taken_names(pod: Object) -> set[str]:
    return {container["name"] for container in _all(pod["spec"])}


def check_custom(custom: Any) -> None:
    """Raises DebugError."""
    fields = ("name", "command", "image", "lifecycle", "volumeDevices")
    if any(custom.get(field) for field in fields):
        raise DebugError("name, command, image, lifecycle and volume devices are not modifiable via custom profile")


# --- containers ----------------------------------------------------------------------------------------------------------


def _new(name: str, wanted: Wanted) -> Object:
    container: Object = {"name": name, "image": wanted.image, "terminationMessagePolicy": "File"}
    optional = {
        "args" if wanted.arguments_only else "command": list(wanted.arguments),
        "env": _env(wanted),
        "imagePullPolicy": wanted.pull_policy,
        "stdin": wanted.stdin,
        "tty": wanted.tty,
    }
    return container | {field: value for field, value in optional.items() if value}


def _change(container: Object, wanted: Wanted) -> None:
    if wanted.arguments and wanted.arguments_only:
        container["args"] = list(wanted.arguments)
    elif wanted.arguments:
        container["command"] = list(wanted.arguments)
        container.pop("args", None)
    if wanted.env:
        container["env"] = _env(wanted)
    if wanted.image:
        container["image"] = wanted.image
    if wanted.pull_policy:
        container["imagePullPolicy"] = wanted.pull_policy
    container["stdin"], container["tty"] = wanted.stdin, wanted.tty


def _copy(pod: Object, wanted: Wanted) -> Object:
    meta = {"name": wanted.copy_to, "namespace": pod["metadata"].get("namespace", "")}
    meta |= {field: dict(pod["metadata"][field]) for field in ("labels", "annotations") if pod["metadata"].get(field)}
    spec = copy.deepcopy(pod["spec"])
    spec.pop("ephemeralContainers", None)
    if wanted.share_processes is not None:
        spec["shareProcessNamespace"] = wanted.share_processes
    if not wanted.same_node:
        spec.pop("nodeName", None)
    for container in spec["containers"]:
        image = wanted.set_images.get(container["name"], wanted.set_images.get("*", ""))
        if image:
            container["image"] = image
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _env(wanted: Wanted) -> list[Object]:
    return [{"name": name, "value": value} for name, value in wanted.env.items()]


def _all(spec: Object) -> list[Object]:
    return [
        container
        for field in ("containers", "initContainers", "ephemeralContainers")
        for container in spec.get(field) or []
    ]


# Lists of a container whose items have a name of their own, as the strategic merge patch knows them.
_MERGED_BY = {"env": "name", "volumeMounts": "mountPath", "ports": "containerPort"}


def _customize(container: Object, wanted: Wanted) -> None:
    for field, value in (wanted.custom or {}).items():
        if field != "name":
            container[field] = _merged(container.get(field), value, _MERGED_BY.get(field, ""))


def _merged(old: Any, new: Any, key: str) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{field: _merged(old.get(field), value, "") for field, value in new.items()}}
    if key and isinstance(old, list) and isinstance(new, list):
        by_key = {item.get(key): item for item in old}
        return list((by_key | {item.get(key): _merged(by_key.get(item.get(key)), item, "") for item in new}).values())
    return new


# --- profiles ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    """What a profile changes in place: objects of our own making. `style` is ephemeral, copy or node."""

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


def _legacy(work: _Work) -> None:
    if work.style == "node":
        work.mount_host_root()
        work.use_host_namespaces()
    elif work.style == "copy":
        work.pod["metadata"].pop("labels", None)


def _general(work: _Work) -> None:
    if work.style == "node":
        work.mount_host_root()
        work.clear_context()
        work.use_host_namespaces()
        return
    if work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()
    work.add_capabilities("SYS_PTRACE")


def _baseline(work: _Work) -> None:
    work.clear_context()
    if work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


def _restricted(work: _Work) -> None:
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


def _netadmin(work: _Work) -> None:
    work.add_capabilities("NET_ADMIN", "NET_RAW")
    if work.style == "node":
        work.use_host_namespaces()
    elif work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


def _sysadmin(work: _Work) -> None:
    work.context()["privileged"] = True
    if work.style == "node":
        work.use_host_namespaces()
        work.mount_host_root()
    elif work.style == "copy":
        work.remove_what_is_not_kept()
        work.share_processes()


_PROFILES: Mapping[str, Callable[[_Work], None]] = {
    "legacy": _legacy,
    "general": _general,
    "baseline": _baseline,
    "restricted": _restricted,
    "netadmin": _netadmin,
    "sysadmin": _sysadmin,
}
