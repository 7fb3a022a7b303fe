"""At most one pod of each StatefulSet identity: no two nodes run containers under the same name, whatever is cut off from what.

Looked at on the nodes themselves: the API knows one pod of a name at a time, and that is not the promise. A pod whose deletion
somebody forced may still run; upstream says so.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.containers.fake import FakeRuntime
from steersman.meta import objects, owners
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import Change, History, is_of

SYSTEM = "system:"


def look(cluster: SimulatedCluster, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.POD) or change.after is None:
        return
    owner = owners.controller_of(change.after)
    if owner is None or owner["kind"] != "StatefulSet":
        return
    name, namespace = objects.name(change.after), objects.namespace(change.after)
    running = [node.name for node in cluster.nodes if _runs(node.runtime, namespace, name)]
    if len(running) > 1 and not _was_forced(cluster.history, change.key):
        yield f"{change.key}: two of its name run, on {' and '.join(running)}"


def _runs(containers: FakeRuntime, namespace: str, name: str) -> bool:
    return any(one.namespace == namespace and one.name == name and one.ready for one in containers.sandboxes())


def _was_forced(history: History, key: str) -> bool:
    """By anyone but the system's own parts."""
    return any(
        change.event.deleted and change.cause.verb == "delete" and not change.cause.who.startswith(SYSTEM)
        for change in history.of_key(key)
    )
