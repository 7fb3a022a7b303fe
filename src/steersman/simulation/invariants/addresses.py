"""An address belongs to one: no two Services share a cluster address or node port, no two running pods a pod address, no two
nodes a range, no two claims a volume, no two volumes a claim."""

from collections.abc import Iterator

from steersman.simulation import claims
from steersman.simulation.history import Change, History


def check(history: History, change: Change) -> Iterator[str]:
    new = set(claims.of(change.resource, change.after)) - set(claims.of(change.resource, change.before))
    for claim in sorted(new):
        for other in history.world.claimants(change.resource, claim):
            if other is not change.after:
                yield f"{change.key} and {other['metadata']['name']} both have {claim}"
