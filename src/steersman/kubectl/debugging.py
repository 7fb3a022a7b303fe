"""Containers and pods that `debug` makes: beside others in a running pod, in a copy of a pod, on a node.

Pure: (object, Wanted) → new object. Leaves to others: what a profile gives (`debug_profiles`), names made by chance, creating,
attaching (`commands.debug`). Source: kubectl's pkg/cmd/debug/debug.go.
"""

import copy
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.kubectl import debug_profiles
from steersman.kubectl.debug_profiles import Keep, Work
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

LEGACY_NOTICE = (
    "--profile=legacy is deprecated and will be removed in the future. "
    'It is recommended to explicitly specify a profile, for example "--profile=general".\n'
)
NOT_ROOT_NOTICE = (
    "Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not "
    'work. Please consider using "--custom" with a custom profile that specifies "securityContext.runAsUser: 0".\n'
)

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
    debug_profiles.apply(wanted.profile, Work(result, container, "ephemeral", wanted.keep))
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
    debug_profiles.apply(wanted.profile, Work(pod, container, "node", wanted.keep))
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
    debug_profiles.apply(wanted.profile, Work(result, container, "copy", wanted.keep))
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
