"""Pods and their containers as verbs look for them: by name, by default, by what selects them, the best of many.

Pure. Source: kubectl's pkg/cmd/util/podcmd, pkg/util/podutils and pkg/polymorphichelpers.
"""

import functools
from collections.abc import Iterator, Sequence

from steersman.kubectl.problems import CommandError
from steersman.meta import conditions, selectors
from steersman.meta.objects import Object

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
# Fields of the spec that hold containers, in the order in which a name is looked for.
_LISTS = ("containers", "initContainers", "ephemeralContainers")
_WITH_SELECTOR_OBJECT = {
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("batch", "Job"),
    ("extensions", "ReplicaSet"),
    ("extensions", "DaemonSet"),
    ("extensions", "Deployment"),
}


class PodError(CommandError):
    """The text is upstream's."""


# --- containers ----------------------------------------------------------------------------------------------------------


def find_container(pod: Object, name: str) -> tuple[Object | None, str]:
    """The container of that name, and the field that holds it."""
    for field in _LISTS:
        for container in pod["spec"].get(field) or []:
            if container["name"] == name:
                return container, field
    return None, ""


def container_names(pod: Object) -> str:
    """All of them, as a notice lists them."""
    spec = pod["spec"]
    return ", ".join(
        [container["name"] for container in spec.get("containers") or []]
        + [f"{container['name']} (ephem)" for container in spec.get("ephemeralContainers") or []]
        + [f"{container['name']} (init)" for container in spec.get("initContainers") or []]
    )


def default_container(pod: Object, name: str = "", *, missing_is_told: bool = False) -> tuple[Object, str]:
    """The container that is meant, and a notice for the user ("" without). Raises PodError.

    `missing_is_told`: say so when the pod's annotation names a container that is not there (logs does).
    """
    if name:
        found, _ = find_container(pod, name)
        if found is None:
            raise PodError(f"container {name} not found in pod {pod['metadata']['name']}")
        return found, ""
    if not pod["spec"].get("containers"):
        meta = pod["metadata"]
        raise PodError(f"pod {meta.get('namespace', '')}/{meta['name']} does not have any containers")
    told = ""
    if annotated := (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, ""):
        found, _ = find_container(pod, annotated)
        if found is not None:
            return found, ""
        if missing_is_told:
            told = f'Default container name "{annotated}" not found in pod {pod["metadata"]["name"]}\n'
    first: Object = pod["spec"]["containers"][0]
    if sum(len(pod["spec"].get(field) or []) for field in _LISTS) > 1:
        told += f'Defaulted container "{first["name"]}" out of: {container_names(pod)}\n'
    return first, told


def container_status(pod: Object, name: str) -> Object | None:
    status = pod.get("status") or {}
    for field in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for found in status.get(field) or []:
            if found["name"] == name:
                return dict(found)
    return None


# --- what selects pods ---------------------------------------------------------------------------------------------------


def selector_of(obj: Object) -> str:
    """The label selector of the pods that belong to an object. Raises PodError."""
    group = obj.get("apiVersion", "").rpartition("/")[0]
    kind = obj.get("kind", "")
    spec = obj.get("spec") or {}
    if (group, kind) in _WITH_SELECTOR_OBJECT:
        try:
            return selectors.format(selectors.from_object(spec.get("selector")))
        except selectors.SelectorError as wrong:
            raise PodError(f"invalid label selector: {wrong}") from wrong
    if (group, kind) == ("", "ReplicationController"):
        return selectors.format(selectors.from_map(spec.get("selector")))
    if (group, kind) == ("", "Service"):
        if not spec.get("selector"):
            raise PodError(f"invalid service '{obj['metadata']['name']}': Service is defined without a selector")
        return selectors.format(selectors.from_map(spec["selector"]))
    raise PodError(f"selector for {go_type(obj)} not implemented")


def go_type(obj: Object) -> str:
    """How upstream's messages name the type of an object: `*v1.ConfigMap`, or its own word for types it does not know."""
    group, _, version = obj.get("apiVersion", "").rpartition("/")
    if "." in group and not group.endswith(".k8s.io"):
        return "*unstructured.Unstructured"
    return f"*{version}.{obj.get('kind', '')}"


# --- the best of many ----------------------------------------------------------------------------------------------------


def best_for_logs(pods: Sequence[Object]) -> list[Object]:
    """Those that most likely have something to say first: on a node, running, ready and for long, restarted often, old."""
    return sorted(pods, key=functools.cmp_to_key(_by_logging))


def best_to_attach(pods: Sequence[Object]) -> list[Object]:
    """The reverse of the order in which a controller would delete them."""
    return sorted(pods, key=functools.cmp_to_key(_by_activity), reverse=True)


def is_ready(pod: Object) -> bool:
    return _ready_since(pod) is not None


_LOGGING_PHASES = {"Running": 0, "Unknown": 1, "Pending": 2}
_ACTIVE_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def _by_logging(one: Object, other: Object) -> int:
    for difference in _differences(one, other, _LOGGING_PHASES, assigned_first=True):
        if difference:
            return difference
    return 0


def _by_activity(one: Object, other: Object) -> int:
    for difference in _differences(one, other, _ACTIVE_PHASES, assigned_first=False):
        if difference:
            return difference
    return 0


def _differences(one: Object, other: Object, phases: dict[str, int], *, assigned_first: bool) -> Iterator[int]:
    """Criterion by criterion: negative when `one` comes first."""
    sign = 1 if assigned_first else -1
    on_node, other_on_node = bool(one["spec"].get("nodeName")), bool(other["spec"].get("nodeName"))
    yield sign * (other_on_node - on_node)
    yield phases.get(_phase(one), 0) - phases.get(_phase(other), 0)
    yield sign * (is_ready(other) - is_ready(one))
    if is_ready(one) and is_ready(other):
        yield sign * _earlier(_ready_since(one) or "", _ready_since(other) or "")
    yield _restarts(other) - _restarts(one)
    yield sign * _earlier(_created(one), _created(other))


def _earlier(one: str, other: str) -> int:
    """Times compare as texts; no time counts as the latest."""
    if one == other:
        return 0
    if not one or not other:
        return 1 if not one else -1
    return -1 if one < other else 1


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _ready_since(pod: Object) -> str | None:
    found = conditions.get(pod, "Ready")
    if found is None or found.get("status") != "True":
        return None
    return str(found.get("lastTransitionTime") or "")


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _restarts(pod: Object) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return max((status.get("restartCount", 0) for status in statuses), default=0)
