"""`steersman why OBJECT`: the writes that led to it, what became of it since, and for pods what speaks against nodes."""

from collections.abc import Callable, Iterable
from typing import Any

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.cluster import paths
from steersman.cluster.api_access import ApiAccess
from steersman.cluster.past import asking, naming, story
from steersman.meta import objects
from steersman.meta.objects import Object

CAUSES_MAX = 20  # writes that led to an object
EVENTS_MAX = 30

Change = dict[str, Any]


def run(words: tuple[str, ...], namespace: str, name: str, data_dir: str | None) -> int:
    with asking.told():
        api, _ = asking.access(paths.of_cluster(name, data_dir), name)
        found = asking.find(api, words, namespace)
        changes = asking.ask(api, f"/steersman/history{found.path}")["changes"]
        lines = story.of_changes(changes, _remarks(api, found, changes))
        if changes:
            lines += story.of_writes(_causes(api, changes[0]))
        lines += _events(api, found)
        print(found)
        print(story.text(lines) or "Nothing is known any more of how it came to be.")
        waiting = _waiting(api, found)
        if waiting:
            print("\n".join(("now", *(f"{'':>12}  {line}" for line in waiting))))
    return 0


def _causes(api: ApiAccess, change: Change) -> list[Object]:
    """The writes that led to a change, from the first one on."""
    found: list[Object] = []
    because = change["because"]
    while because and len(found) < CAUSES_MAX:
        try:
            write = asking.ask(api, f"/steersman/writes/{because}")
        except asking.Failed:
            break  # forgotten
        found.insert(0, write)
        because = write["because"] if write["because"] < because else 0
    return found


def _events(api: ApiAccess, found: naming.Named) -> list[story.Line]:
    selector = f"involvedObject.kind%3D{found.kind}%2CinvolvedObject.name%3D{found.name}"
    place = f"/api/v1/namespaces/{found.namespace or 'default'}/events"
    listed = asking.ask(api, f"{place}?fieldSelector={selector}")["items"][-EVENTS_MAX:]
    return [story.of_event(event, _written_at(api, event)) for event in listed]


def _written_at(api: ApiAccess, obj: Object) -> str:
    try:
        return str(asking.ask(api, f"/steersman/writes/{obj['metadata']['resourceVersion']}")["at"])
    except asking.Failed:
        return str(obj["metadata"]["creationTimestamp"])


def _remarks(api: ApiAccess, found: naming.Named, changes: list[Change]) -> dict[int, list[str]]:
    """What spoke against other nodes when the pod was bound."""
    if found.kind != kinds.POD.kind:
        return {}
    for change in changes:
        before, after = change["before"], change["after"]
        if before is not None and after is not None and _node(after) and not _node(before):
            at = objects.revision(before)
            return {change["revision"]: _verdict(before, _reader(api, f"/steersman/at/{at}"))}
    return {}


def _waiting(api: ApiAccess, found: naming.Named) -> list[str]:
    """Of a pod that has no node yet: what speaks against each."""
    if found.kind != kinds.POD.kind:
        return []
    pod = api.get(found.path)
    if pod is None or _node(pod) or (pod.get("status") or {}).get("phase") != "Pending":
        return []
    return _verdict(pod, _reader(api, "")) or ["a node would do; the scheduler has not come to it yet"]


def _verdict(pod: Object, found: Callable[[Kind], Iterable[Object]]) -> list[str]:
    from steersman.scheduler import explain  # here: numpy takes a tenth of a second, and only pods need it

    return explain.in_words(explain.verdict(pod, found).refusals)


def _reader(api: ApiAccess, start: str) -> Callable[[Kind], Iterable[Object]]:
    return lambda kind: api.items(f"{start}{kind.path}/{kind.plural}")


def _node(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")
