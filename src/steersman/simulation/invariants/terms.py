"""When who leads the controllers changed, or gave up and began again."""

from itertools import pairwise

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.client.leader_election import DEFAULT_TIMING
from steersman.simulation.history import History

LEASE = keys.key(kinds.LEASE, "kube-system", "kube-controller-manager")
LATE_SECONDS_MAX = 3.0  # a write that was on its way when the term of its sender ended


def has_begun_lately(history: History, at: float) -> bool:
    """Then writes of the last term may still arrive, and what leads now has not seen them when it decides. As upstream, whose
    leaders are fenced by nothing but the end of their process."""
    renewals = [
        change.at for change in history.changes if change.key == LEASE
    ]  # asked only when something looks broken
    return any(
        late - early >= DEFAULT_TIMING.renew_seconds and 0 <= at - late <= LATE_SECONDS_MAX
        for early, late in pairwise(renewals)
    )
