"""Empty a namespace that is being deleted, then let it go.

Reads: Namespace, everything in it.  Writes: deletes all of it (pods first, so that nothing a pod still needs goes before
it), Namespace conditions and the `kubernetes` finalizer.
Leaves to others: refusing new objects in it (admission), ending pods (kubelets), finalizers of the contents.
"""

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, DeleteCollection, Failure, Update
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

FINALIZER = "kubernetes"

# Deletions come back as watch events; this is for kinds that are not cached (events) and lists that were cut.
AGAIN_SECONDS = 0.5
UNKNOWN_AGAIN_SECONDS = 5.0  # an extension server that is away tells nobody when it is back


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`contents` by kind. They count as empty only when live lists said so (`is_live`), and nothing is `unknown`: groups and
    versions whose extension server does not say what it has."""

    namespace: Object
    contents: Mapping[Kind, Sequence[Object]]
    is_live: bool
    now: datetime.datetime
    failure: Failure | None = None
    unknown: tuple[str, ...] = ()


def decide(seen: Seen) -> Decision:
    namespace = seen.namespace
    remaining = {kind: found for kind, found in seen.contents.items() if found}
    told = decision.with_status(kinds.NAMESPACE, namespace, _status(seen, remaining))
    if remaining:
        first = {kind: found for kind, found in remaining.items() if kind.resource == kinds.POD.resource} or remaining
        deletes = tuple(action for kind, found in first.items() for action in _deletes(kind, found, seen))
        count = sum(len(found) for found in remaining.values())
        return Decision((*told, *deletes), f"{count} objects left", AGAIN_SECONDS)
    if not seen.is_live:
        return Decision(why="looks empty")
    if seen.unknown:
        return Decision(told, f"cannot tell what is in {', '.join(seen.unknown)}", UNKNOWN_AGAIN_SECONDS)
    left = [one for one in (namespace["spec"].get("finalizers") or ()) if one != FINALIZER]
    final = {**namespace, "spec": {**namespace["spec"], "finalizers": left}}
    return Decision((*told, Update(kinds.NAMESPACE, final, subresource="finalize")), "empty")


def _deletes(kind: Kind, found: Sequence[Object], seen: Seen) -> Iterator[Action]:
    """In one request what was listed just now; the next list will tell. What caches show goes one by one: they follow only
    later, and the same request would be made again at each step."""
    left = [obj for obj in found if not objects.is_terminating(obj)]
    if seen.is_live and len(left) > 1 and "deletecollection" in kind.verbs:
        yield DeleteCollection(kind, objects.name(seen.namespace))
    else:
        yield from (decision.delete(kind, obj) for obj in left)


def is_ending(namespace: Object) -> bool:
    """Being deleted, and still waiting for us."""
    return objects.is_terminating(namespace) and FINALIZER in ((namespace.get("spec") or {}).get("finalizers") or ())


def _status(seen: Seen, remaining: Mapping[Kind, Sequence[Object]]) -> Object:
    old = seen.namespace.get("status") or {}
    found = old.get("conditions") or []
    for condition in _conditions(seen, remaining):
        found = conditions.set(found, condition, seen.now)
    return {**old, "phase": "Terminating", "conditions": found}


def _conditions(seen: Seen, remaining: Mapping[Kind, Sequence[Object]]) -> list[Object]:
    failure = seen.failure
    found = [
        _discovery(seen.unknown),
        _good(
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
    ]
    if failure is not None:
        text = f"Failed to delete all resource types, 1 remaining: {failure.message}"
        found.append(conditions.make("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", text))
    else:
        text = "All content successfully deleted, may be waiting on finalization"
        found.append(_good("NamespaceDeletionContentFailure", "ContentDeleted", text))
    return [*found, _remaining(remaining), _finalizers(remaining)]


def _discovery(unknown: Sequence[str]) -> Object:
    name = "NamespaceDeletionDiscoveryFailure"
    if not unknown:
        return _good(name, "ResourcesDiscovered", "All resources successfully discovered")
    listed = ", ".join(f"{one}: stale GroupVersion discovery: {one}" for one in unknown)
    start = f"Discovery failed for some groups, {len(unknown)} failing"
    text = f"{start}: unable to retrieve the complete list of server APIs: {listed}"
    return conditions.make(name, "True", "DiscoveryFailed", text)


def _remaining(remaining: Mapping[Kind, Sequence[Object]]) -> Object:
    if not remaining:
        return _good("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed")
    texts = sorted(
        f"{kind.plural}.{kind.group} has {len(found)} resource instances" for kind, found in remaining.items()
    )
    text = f"Some resources are remaining: {', '.join(texts)}"
    return conditions.make("NamespaceContentRemaining", "True", "SomeResourcesRemain", text)


def _finalizers(remaining: Mapping[Kind, Sequence[Object]]) -> Object:
    counts = Counter(
        name
        for found in remaining.values()
        for obj in found
        if objects.is_terminating(obj)
        for name in obj["metadata"].get("finalizers") or ()
    )
    if not counts:
        text = "All content-preserving finalizers finished"
        return _good("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", text)
    texts = [f"{name} in {count} resource instances" for name, count in sorted(counts.items())]
    text = f"Some content in the namespace has finalizers remaining: {', '.join(texts)}"
    return conditions.make("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", text)


def _good(type: str, reason: str, message: str) -> Object:  # noqa: A002
    return conditions.make(type, "False", reason, message)
