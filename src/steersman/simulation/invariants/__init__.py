"""What must hold, whatever happens: one file each.

`check(history, change)` looks at each revision and says what it broke; `check_end(cluster)` looks until all faults have ended
and everything is quiet. Another kind is one more file and a line here.
"""

from collections.abc import Callable, Iterator

from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import Change, History
from steersman.simulation.invariants import (
    addresses,
    bindings,
    deployments,
    endpoints,
    identities,
    leaks,
    mirrors,
    nodes,
    owner_graph,
    replica_sets,
    revisions,
)

Check = Callable[[History, Change], Iterator[str]]
EndCheck = Callable[[SimulatedCluster], Iterator[str]]

AT_EACH_REVISION: tuple[Check, ...] = (
    revisions.check,
    bindings.check,
    identities.check,
    nodes.check,
    addresses.check,
    deployments.check,
    replica_sets.check,
)
AT_THE_END: tuple[EndCheck, ...] = (
    mirrors.check_end,
    owner_graph.check_end,
    endpoints.check_end,
    leaks.check_end,
)
