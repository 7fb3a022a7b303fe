"""One pod before the topology manager: hints of its containers (or of the whole pod) are merged, then processors and memory are
given there. Pure.

Source: upstream's kubelet/cm/topologymanager (scope_container.go, scope_pod.go, scope_none.go).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from steersman.kubelet import admission
from steersman.kubelet.topology import cpu_assignment, cpu_policy, hints, memory_policy
from steersman.kubelet.topology.hardware import Hardware
from steersman.kubelet.topology.hints import Hint, Hints
from steersman.meta.objects import Object


class Settings(NamedTuple):
    """`closest`: the option prefer-closest-numa-nodes; `nodes_most`: max-allowable-numa-nodes."""

    policy: str = hints.NONE
    scope: str = "container"
    closest: bool = False
    nodes_most: int = hints.NODES_MOST


class Draft(Protocol):
    """Of one kind of resource, for one pod."""

    def hints(self, container: Object) -> Hints: ...

    def pod_hints(self) -> Hints: ...

    def allocate(self, container: Object, hint: Hint, *, once: bool) -> None: ...


def admit(
    pod: Object, settings: Settings, hardware: Hardware, drafts: Sequence[Draft]
) -> dict[str, Hint] | admission.Refusal:
    """Where each container is. The drafts then hold what was given."""
    found: dict[str, Hint] = {}
    of_pod: Hint | None = None
    if settings.policy != hints.NONE and settings.scope == "pod":
        of_pod, admitted = _merge(settings, [one.pod_hints() for one in drafts], hardware)
        if not admitted:
            return not_close()
    for container, once in _in_order(pod):
        hint = of_pod or hints.NOWHERE
        if of_pod is None and settings.policy != hints.NONE:
            hint, admitted = _merge(settings, [one.hints(container) for one in drafts], hardware)
            if not admitted:
                return not_close()
        found[container["name"]] = hint
        try:
            for draft in drafts:
                draft.allocate(container, hint, once=once)
        except cpu_policy.NotAligned as problem:
            return admission.Refusal("SMTAlignmentError", str(problem))
        except (cpu_assignment.NotEnough, memory_policy.NotPossible) as problem:
            return unexpected(problem)
    return found


def _merge(settings: Settings, found: Sequence[Hints], hardware: Hardware) -> tuple[Hint, bool]:
    return hints.merge(settings.policy, found, hardware, closest=settings.closest)


def _in_order(pod: Object) -> Iterator[tuple[Object, bool]]:
    """(container, whether it ends before the next one begins)"""
    for one in pod["spec"].get("initContainers") or ():
        yield one, one.get("restartPolicy") != "Always"
    for one in pod["spec"]["containers"]:
        yield one, False


def not_close() -> admission.Refusal:
    return admission.Refusal("TopologyAffinityError", "Resources cannot be allocated with Topology locality")


def unexpected(problem: object) -> admission.Refusal:
    return admission.Refusal("UnexpectedAdmissionError", f"Allocate failed due to {problem}, which is unexpected")
