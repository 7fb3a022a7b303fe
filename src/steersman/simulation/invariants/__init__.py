"""What must hold, whatever happens: one file each.

`check(history, change)` looks at each revision and says what it broke, `look(cluster, change)` at what runs on the nodes then;
`check_end(cluster)` looks until all faults have ended and everything is quiet. Another kind is one more file and a line here.
"""

from collections.abc import Callable, Iterator

from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import Change, History
from steersman.simulation.invariants import (
    addresses,
    bindings,
    daemon_sets,
    deployments,
    endpoints,
    evictions,
    identities,
    jobs,
    leaks,
    mirrors,
    nodes,
    owner_graph,
    preemption,
    quotas,
    replica_sets,
    retention,
    revisions,
    stateful_sets,
    volumes,
)

Check = Callable[[History, Change], Iterator[str]]
Look = Callable[[SimulatedCluster, Change], Iterator[str]]
EndCheck = Callable[[SimulatedCluster], Iterator[str]]

# Also of what is not parsed (`history.UNREAD`): its key, revision and cause.
AT_EVERY_REVISION: tuple[Check, ...] = (revisions.check,)
AT_EACH_REVISION: tuple[Check, ...] = (
    bindings.check,
    identities.check,
    nodes.check,
    addresses.check,
    deployments.check,
    replica_sets.check,
    daemon_sets.check,
    jobs.check,
    quotas.check,
    evictions.check,
    preemption.check,
    volumes.check,
    retention.check,
)
ON_THE_NODES: tuple[Look, ...] = (stateful_sets.look,)
AT_THE_END: tuple[EndCheck, ...] = (
    mirrors.check_end,
    owner_graph.check_end,
    endpoints.check_end,
    leaks.check_end,
    retention.check_end,
)
