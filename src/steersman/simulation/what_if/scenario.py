"""What is done to the copy: nodes that are lost or drained, manifests that are applied."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.meta import objects, owners
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.testing.cluster import AsyncCluster

EVICTION_RETRY_SECONDS = 5.0  # kubectl's


Labels = Mapping[str, Mapping[str, str]]  # of nodes, by name


class Unknown(Exception):
    """A node that is named is not there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """`lost` and `drained` are names of nodes, or `KEY=VALUE` for all that carry the label."""

    lost: Sequence[str] = ()
    drained: Sequence[str] = ()
    applied: Sequence[pathlib.Path] = ()


def nodes_of(words: Sequence[str], nodes: Labels) -> list[str]:
    """Names. Raises Unknown."""
    found: dict[str, None] = {}
    for word in words:
        key, is_label, value = word.partition("=")
        fitting = [name for name, own in nodes.items() if (own.get(key) == value if is_label else name == word)]
        if not fitting:
            raise Unknown(f"No node carries the label {word}." if is_label else f'There is no Ready node "{word}".')
        found |= dict.fromkeys(fitting)
    return [*found]


async def carry_out(scenario: Scenario, cluster: AsyncCluster, nodes: Labels) -> "Drain":
    """Begin it; what takes its time goes on in steps. Raises Unknown."""
    for name in nodes_of(scenario.lost, nodes):
        cluster.faults.partition(name)
    for manifest in scenario.applied:
        await cluster.client.apply(manifest)
    drained = nodes_of(scenario.drained, nodes)
    for name in drained:
        await cluster.client.raw.patch(kinds.NODE, name, "", {"spec": {"unschedulable": True}})
    return Drain(cluster, drained, cluster.clock)


class Drain:
    """Evicts the pods of nodes, as `kubectl drain --ignore-daemonsets --delete-emptydir-data --force` does, call by call."""

    def __init__(self, cluster: AsyncCluster, nodes: Sequence[str], clock: Clock) -> None:
        self._cluster = cluster
        self._nodes = nodes
        self._clock = clock
        self._next_at = clock.monotonic()

    async def step(self, pods: Sequence[Object]) -> None:
        """Once in a while: what a budget refused is asked for again."""
        if not self._nodes or self._clock.monotonic() < self._next_at:
            return
        self._next_at = self._clock.monotonic() + EVICTION_RETRY_SECONDS
        for pod in pods:
            if pod["spec"].get("nodeName") in self._nodes and not objects.is_terminating(pod) and not _is_daemon(pod):
                body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": objects.name(pod)}}
                with contextlib.suppress(StatusError):  # 429: the budget has no room now
                    await self._cluster.client.raw.create(
                        kinds.POD, body, objects.namespace(pod), subresource="eviction", name=objects.name(pod)
                    )


def _is_daemon(pod: Object) -> bool:
    controller = owners.controller_of(pod)
    return controller is not None and controller["kind"] == "DaemonSet"
