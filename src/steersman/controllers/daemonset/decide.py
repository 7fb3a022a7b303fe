"""Keep one pod on every node that a DaemonSet is for, and roll them to a new template.

Reads: DaemonSet, its pods, its ControllerRevisions, Nodes.  Writes: pods, ControllerRevisions, DaemonSet status.
Leaves to others: binding (the scheduler, led by node affinity), its pods when it is deleted (garbage collector).
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import kinds, strategies
from steersman.controllers import claims, decision, pods, revisions
from steersman.controllers.daemonset import eligibility
from steersman.controllers.daemonset.eligibility import Eligible
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Failure
from steersman.controllers.revisions import HASH_LABEL, History
from steersman.meta import amounts, objects, owners, selectors
from steersman.meta.objects import Object

BURST_MAX = 250  # upstream's BurstReplicas: creates, and deletes, of one decision
_GENERATION_LABEL = "pod-template-generation"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pauses`: seconds until a failed pod of a node may be replaced. `taken`: who has the name of a new revision."""

    daemon_set: Object
    pods: Sequence[Object]
    nodes: Sequence[Object]
    revisions: Sequence[Object]
    now: datetime.datetime
    pauses: Mapping[str, float] = dataclasses.field(default_factory=dict)
    orphans: Sequence[Object] = ()
    orphan_revisions: Sequence[Object] = ()
    may_adopt: bool = False
    taken: Object | None = None
    failure: Failure | None = None


@dataclasses.dataclass(slots=True)
class _Plan:
    """Names of nodes that get a pod, pods that go, and what is told of it."""

    nodes: list[str] = dataclasses.field(default_factory=list)
    doomed: list[Object] = dataclasses.field(default_factory=list)
    events: list[Emit] = dataclasses.field(default_factory=list)
    again_after_seconds: float | None = None


def decide(seen: Seen) -> Decision:
    of = seen.daemon_set
    selector = selectors.from_object(of["spec"].get("selector"))
    claimed = claims.classify(of, selector, seen.pods, seen.orphans, seen.may_adopt)
    known = claims.classify(of, selector, seen.revisions, seen.orphan_revisions, seen.may_adopt)
    ownership = claims.changes(kinds.POD, of, claimed)
    ownership += claims.changes(kinds.CONTROLLER_REVISION, of, dataclasses.replace(known, released=()))
    if ownership:
        return Decision(ownership, f"{len(claimed.adopted)} pods to adopt, {len(claimed.released)} to release")
    history = revisions.look(of, seen.revisions, seen.taken, HASH_LABEL)
    if history.collides and not objects.is_terminating(of):
        count = int((of.get("status") or {}).get("collisionCount") or 0) + 1
        status = {**(of.get("status") or {}), "collisionCount": count}
        return Decision(decision.with_status(kinds.DAEMON_SET, of, status), "the name of the revision is taken")
    return _decide(_View(seen, claimed.kept, history))


class _View:
    """The pods by node, the nodes' answers, and what is asked of them."""

    def __init__(self, seen: Seen, kept: Sequence[Object], history: History) -> None:
        self.of, self.history, self.now, self.pauses = seen.daemon_set, history, seen.now, seen.pauses
        self.pods = kept
        self.hash = revisions.hash_of(history.update, HASH_LABEL)
        spec = self.of["spec"]
        self.min_ready = int(spec.get("minReadySeconds") or 0)
        self.template = spec.get("template") or {}
        pod_spec = self.template.get("spec") or {}
        self.pod_spec: Object = {**pod_spec, "tolerations": eligibility.tolerations(pod_spec)}
        self.nodes: dict[str, Eligible] = {
            objects.name(node): eligibility.of(self.pod_spec, node) for node in seen.nodes
        }
        self.by_node: dict[str, list[Object]] = {}
        for pod in sorted(kept, key=_oldest_first):
            if not (pods.is_terminating(pod) and pods.is_finished(pod)):
                self.by_node.setdefault(eligibility.target(pod), []).append(pod)
        strategy = spec.get("updateStrategy") or {}
        self.is_rolling = strategy.get("type") == "RollingUpdate"
        self.desired = sum(one.run for one in self.nodes.values())
        rolling = (strategy.get("rollingUpdate") or {}) if self.is_rolling else {}
        self.surge_max = amounts.scaled(rolling.get("maxSurge", 0), self.desired, up=True)
        self.unavailable_max = amounts.scaled(rolling.get("maxUnavailable", 1), self.desired, up=True)
        if not self.surge_max and not self.unavailable_max:
            self.unavailable_max = 1

    def is_updated(self, pod: Object) -> bool:
        return objects.labels(pod).get(HASH_LABEL) == self.hash

    def seconds_to_available(self, pod: Object) -> float | None:
        return pods.seconds_to_available(pod, self.min_ready, self.now)

    def is_available(self, pod: Object) -> bool:
        return self.seconds_to_available(pod) == 0

    def new_and_old(self, node: str) -> tuple[Object | None, Object | None, bool]:
        """The updated and the outdated pod of a node that stay; False: there are more than one of either."""
        staying = [pod for pod in self.by_node.get(node, ()) if not pods.is_terminating(pod)]
        new = [pod for pod in staying if self.is_updated(pod)]
        old = [pod for pod in staying if not self.is_updated(pod)]
        if len(new) > 1 or len(old) > 1:
            return None, None, False
        return next(iter(new), None), next(iter(old), None), True


def _decide(view: _View) -> Decision:
    plan, why = _Plan(), "being deleted"
    if not objects.is_terminating(view.of):
        plan, why = _manage(view), "pods match"
        if not plan.nodes and not plan.doomed and view.is_rolling:
            rolling = _roll_by_surge(view) if view.surge_max else _roll(view)
            rolling.again_after_seconds = plan.again_after_seconds
            plan = rolling
        if plan.nodes or plan.doomed:
            why = f"{len(plan.nodes)} pods missing, {len(plan.doomed)} to go"
    status, again = _status(view)
    live = {objects.labels(pod).get(HASH_LABEL) for pod in view.pods}
    names = {objects.name(one) for one in view.history.all if objects.labels(one).get(HASH_LABEL) in live}
    actions: tuple[Action, ...] = (
        *(() if objects.is_terminating(view.of) else view.history.actions),  # the garbage collector would remove it
        *plan.events,
        *(_delete(view.of, pod) for pod in plan.doomed[:BURST_MAX]),
        *(_create(view, node) for node in plan.nodes[:BURST_MAX]),
        *decision.with_status(kinds.DAEMON_SET, view.of, status),
        *revisions.surplus(
            view.history,
            names | {objects.name(view.history.update)},
            int(view.of["spec"].get("revisionHistoryLimit", 10)),
        ),
    )
    return Decision(actions, why, decision.earliest(again, plan.again_after_seconds))


# One pod per node.


def _manage(view: _View) -> _Plan:
    plan = _Plan()
    for node, eligible in view.nodes.items():
        present = view.by_node.get(node, [])
        if not present:
            if eligible.run:
                plan.nodes.append(node)
        elif eligible.stay:
            _tidy(view, node, present, plan)
        else:
            plan.doomed += [pod for pod in present if not pods.is_terminating(pod)]
    # Not bound yet, and its node is gone: the scheduler will never place it. (Bound ones are the pod collector's.)
    for node, present in view.by_node.items():
        if node not in view.nodes:
            plan.doomed += [pod for pod in present if not pods.node_name(pod) and not pods.is_terminating(pod)]
    return plan


def _tidy(view: _View, node: str, present: Sequence[Object], plan: _Plan) -> None:
    """Pods that have ended are replaced; of several, one stays (two while the new one surges)."""
    running: list[Object] = []
    for pod in present:
        if pods.is_terminating(pod):
            continue
        where = f"{objects.namespace(pod)}/{objects.name(pod)} on node {node}"
        if pods.phase(pod) == "Failed":
            pause = view.pauses.get(node, 0.0)
            if pause > 0:
                plan.again_after_seconds = decision.earliest(plan.again_after_seconds, pause)
                continue
            text = f"Found failed daemon pod {where}, will try to kill it"
            plan.events.append(Emit(view.of, "Warning", "FailedDaemonPod", text))
            plan.doomed.append(pod)
        elif pods.phase(pod) == "Succeeded":
            text = f"Found succeeded daemon pod {where}, will try to delete it"
            plan.events.append(Emit(view.of, "Normal", "SucceededDaemonPod", text))
            plan.doomed.append(pod)
        else:
            running.append(pod)
    if len(running) > 1:
        kept = _kept_of_several(view, running)
        plan.doomed += [pod for pod in running if not any(pod is one for one in kept)]


def _kept_of_several(view: _View, running: Sequence[Object]) -> list[Object]:
    if not view.surge_max:
        return [running[0]]
    new = next((pod for pod in running if view.is_updated(pod)), None)
    old = next((pod for pod in running if not view.is_updated(pod)), None)
    if new is None or old is None:
        return [running[0]]
    if pods.is_ready(new) or not pods.is_ready(old):
        # With minReadySeconds, the old one stays until the new one is available.
        return [new, old] if pods.is_ready(new) and pods.is_ready(old) and not view.is_available(new) else [new]
    return [new, old]


# Rolling.


def _roll(view: _View) -> _Plan:
    """Delete outdated pods, those that are not available first, at most `maxUnavailable`; `_manage` makes the new ones."""
    unavailable = 0
    broken: list[Object] = []
    candidates: list[Object] = []
    for node, eligible in view.nodes.items():
        if not eligible.run and node not in view.by_node:
            continue
        new, old, is_clear = view.new_and_old(node)
        if not is_clear or (new is None) == (old is None):
            unavailable += 1
        elif new is not None:
            unavailable += not view.is_available(new)
        elif old is not None and not view.is_available(old):
            broken.append(old)
            unavailable += 1
        elif old is not None:
            candidates.append(old)
    return _Plan(doomed=[*broken, *candidates[: max(0, view.unavailable_max - unavailable)]])


def _roll_by_surge(view: _View) -> _Plan:
    """Make a new pod beside the outdated one, at most `maxSurge`, and delete that when the new one is available."""
    plan = _Plan()
    surging = available = 0
    candidates: list[str] = []
    misplaced: list[Object] = []
    for node in [name for name in view.nodes if name in view.by_node]:  # in the nodes' order
        new, old, is_clear = view.new_and_old(node)
        if not is_clear:
            surging += 1
            continue
        shown = old or new
        available += shown is not None and view.is_available(shown)
        if old is None:
            continue
        should_run = view.nodes[node].run
        if new is not None:
            if view.is_available(new):
                plan.doomed.append(old)
            else:
                surging += 1
        elif view.is_available(old):
            (candidates.append(node) if should_run else misplaced.append(old))
        elif should_run:
            plan.nodes.append(node)
        else:
            plan.doomed.append(old)
    plan.doomed += misplaced[: max(0, available - view.desired)]
    plan.nodes += candidates[: max(0, view.surge_max - surging)]
    return plan


# Status.


def _status(view: _View) -> tuple[Object, float | None]:
    fields = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    counts = dict.fromkeys((*fields, "updatedNumberScheduled", "numberAvailable"), 0)
    again: float | None = None
    for node, eligible in view.nodes.items():
        present = view.by_node.get(node, ())
        if not eligible.run:
            counts["numberMisscheduled"] += bool(present)
            continue
        counts["desiredNumberScheduled"] += 1
        if not present:
            continue
        counts["currentNumberScheduled"] += 1
        oldest = present[0]
        counts["updatedNumberScheduled"] += view.is_updated(oldest)
        if pods.is_ready(oldest):
            counts["numberReady"] += 1
        for pod in present:
            again = decision.earliest(again, view.seconds_to_available(pod) or None)
        counts["numberAvailable"] += view.is_available(oldest)
    status: Object = {name: count for name, count in counts.items() if count or name in fields}
    unavailable = counts["desiredNumberScheduled"] - counts["numberAvailable"]
    if unavailable:
        status["numberUnavailable"] = unavailable
    status["observedGeneration"] = view.of["metadata"].get("generation", 0)
    old = view.of.get("status") or {}
    status |= {field: old[field] for field in ("collisionCount", "conditions") if old.get(field)}
    return status, again


def _oldest_first(pod: Object) -> tuple[bool, str, str]:
    return not pods.node_name(pod), str(pod["metadata"].get("creationTimestamp") or ""), objects.name(pod)


# Writes.


def _create(view: _View, node: str) -> Create:
    of, given = view.of, view.template.get("metadata") or {}
    generation = objects.annotations(of).get(strategies.TEMPLATE_GENERATION)
    labels = {**(given.get("labels") or {}), HASH_LABEL: view.hash}
    if generation:
        labels[_GENERATION_LABEL] = generation
    meta: Object = {
        "generateName": f"{objects.name(of)}-",
        "namespace": objects.namespace(of),
        "labels": labels,
        "ownerReferences": [owners.make(of)],
    }
    meta |= {field: given[field] for field in ("annotations", "finalizers") if given.get(field)}
    return Create(
        kinds.POD,
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": eligibility.bound_to(view.pod_spec, node)},
        done=Emit(of, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        refused=Emit(of, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def _delete(of: Object, pod: Object) -> Delete:
    return decision.delete(
        kinds.POD,
        pod,
        done=Emit(of, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        refused=Emit(of, "Warning", "FailedDelete", "Error deleting: {error}"),
    )
