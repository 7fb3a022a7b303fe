"""A node that gives signs of life is never declared lost, whatever anybody's wall clock says.

Only looked at where nothing else kept the signs from arriving: then a controller that says a node is unreachable is wrong.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta import conditions, objects
from steersman.simulation.history import Change, History, is_of
from steersman.simulation.invariants.deployments import CONTROLLER

# What struck longer ago has been caught up with.
HINDERED_SECONDS = 120.0
# A lease is renewed each ten seconds and good for forty: a sign of life this young has been seen.
ALIVE_SECONDS = 30.0
# These neither delay nor lose a message.
HARMLESS = ("skew", "container-crash")
ON_THE_WAY = ("*", "apiserver", "controllers", "store")


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.NODE) or change.before is None or change.after is None or change.cause.who != CONTROLLER:
        return
    if conditions.status(change.before, "Ready") != "True" or conditions.status(change.after, "Ready") != "Unknown":
        return
    name = objects.name(change.after)
    parts = (*ON_THE_WAY, name)
    for kind, part, ended in history.struck:
        if kind not in HARMLESS and part in parts and ended > change.at - HINDERED_SECONDS:
            return
    renewed = history.written_at(keys.key(kinds.LEASE, "kube-node-lease", name))
    if renewed > change.at - ALIVE_SECONDS:
        yield f"{change.key} was declared lost {change.at - renewed:.1f} s after its last sign of life"
