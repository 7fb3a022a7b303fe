"""Tell every node how long it may keep what it reads of ConfigMaps and Secrets: the more nodes there are, the longer.

Reads: Nodes.  Writes: the annotation `node.alpha.kubernetes.io/ttl`.
Source: upstream's ttl controller.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers.decision import Decision, Patch
from steersman.meta import objects, times
from steersman.meta.objects import Object

ANNOTATION = "node.alpha.kubernetes.io/ttl"

# (nodes from, nodes up to, seconds): the ranges overlap, so that a node that comes and goes changes nothing.
STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 1 << 31, 300))

# Many nodes that join one after the other are told once, when they are all there.
QUIET_SECONDS = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`step`: the number of the range that holds for all of them."""

    nodes: Sequence[Object]
    step: int
    now: datetime.datetime


def step(before: int, count: int) -> int:
    """The range for so many nodes, close to the one there was."""
    while before > 0 and count < STEPS[before][0]:
        before -= 1
    while before < len(STEPS) - 1 and count > STEPS[before][1]:
        before += 1
    return before


def decide(seen: Seen) -> Decision:
    seconds = str(STEPS[seen.step][2])
    wrong = [node for node in seen.nodes if objects.annotations(node).get(ANNOTATION) != seconds]
    if not wrong:
        return Decision(why=f"all may keep for {seconds} s")
    youngest = max(str(node["metadata"].get("creationTimestamp") or "") for node in wrong)
    age = times.seconds_since(youngest, seen.now) if youngest else QUIET_SECONDS
    if age < QUIET_SECONDS:
        return Decision(why="more nodes may join", again_after_seconds=QUIET_SECONDS - age)
    patch = {"metadata": {"annotations": {ANNOTATION: seconds}}}
    told = tuple(Patch(kinds.NODE, objects.name(node), "", patch, uid=objects.uid(node)) for node in wrong)
    return Decision(told, f"{len(wrong)} nodes may keep for {seconds} s")
