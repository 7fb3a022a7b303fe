"""What there was instead of what was waited for: the object, what it owns, and the events about all of these.

Pure but for the lists it asks for. Reads: the object's namespace.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import orjson

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client.client import Client
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

EVENTS_SHOWN = 12  # the newest of the object, and of all that it owns
CHILDREN_SHOWN = 20


async def describe(client: Client, kind: Kind, name: str, namespace: str, last: Object | None) -> str:
    """Lines for people; `last` is the object as it was seen last."""
    children = await _children(client, namespace, objects.uid(last)) if last is not None and namespace else []
    events = (await client.list(kinds.EVENT, namespace)).items
    of_children = {(child["kind"], objects.name(child)) for child in children}
    told = [*_event_lines(events, {(kind.kind, name)}), *_event_lines(events, of_children)]
    heading = ["events:"] if told else ["events: none"]
    return "\n".join([*_seen(last), *_children_lines(children), *heading, *told])


def _seen(last: Object | None) -> Iterator[str]:
    if last is None:
        yield "it does not exist"
        return
    status = dict(last.get("status") or {})
    conditions = status.pop("conditions", None) or []
    yield f"last seen{' (being deleted)' if objects.is_terminating(last) else ''}, conditions:" + " none" * (
        not conditions
    )
    yield from (f"  {_condition(one)}" for one in conditions)
    yield "status:"
    yield orjson.dumps(status, option=orjson.OPT_INDENT_2).decode()


def _condition(one: Object) -> str:
    why = ": ".join(part for part in (one.get("reason", ""), one.get("message", "")) if part)
    return f"{one.get('type')}={one.get('status')}{' ' if why else ''}{why}"


async def _children(client: Client, namespace: str, uid: str) -> list[Object]:
    """Everything in the namespace that it owns, and that these own."""
    found: list[Object] = []
    for kind in client.kinds:
        if kind.namespaced and "list" in kind.verbs and kind is not kinds.EVENT:
            with contextlib.suppress(StatusError):  # what this server does not serve has no children
                found.extend((await client.list(kind, namespace)).items)
    owned: list[Object] = []
    parents = {uid}
    while parents:
        young = [obj for obj in found if parents & {owner.get("uid") for owner in _owners(obj)}]
        owned += young
        parents = {objects.uid(obj) for obj in young}
    return owned


def _owners(obj: Object) -> Sequence[Object]:
    return obj["metadata"].get("ownerReferences") or ()


def _children_lines(children: Sequence[Object]) -> Iterator[str]:
    shown = [child for child in children if child.get("status")]  # those that have none say nothing
    if shown:
        yield "what it owns:"
    for child in shown[:CHILDREN_SHOWN]:
        yield f"  {_called(child['kind'], objects.name(child))}{''.join(f', {part}' for part in _state(child))}"
    if len(shown) > CHILDREN_SHOWN:
        yield f"  … and {len(shown) - CHILDREN_SHOWN} more"


def _state(child: Object) -> Iterator[str]:
    status = child["status"]
    if "phase" in status:
        yield str(status["phase"])
    if "replicas" in status:
        yield f"{status.get('readyReplicas', 0)} of {child['spec'].get('replicas', 0)} ready"
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        for state, said in (one.get("state") or {}).items():
            if state != "running":
                words = (said.get("reason", ""), said.get("message", ""))
                code = f" with {said['exitCode']}" if "exitCode" in said else ""
                yield f"{one['name']} {state}{code} ({': '.join(word for word in words if word)})"
            elif not one.get("ready"):
                yield f"{one['name']} running, not ready"
    if not status.get("containerStatuses"):
        yield from (_condition(one) for one in status.get("conditions") or [] if one.get("status") == "False")


def _event_lines(events: Iterable[Object], about: set[tuple[str, str]]) -> Iterator[str]:
    found = sorted((event for event in events if _about(event) in about), key=_when)
    for event in found[-EVENTS_SHOWN:]:
        times = f" (×{event['count']})" if (event.get("count") or 1) > 1 else ""
        yield f"  {event.get('type')} {event.get('reason')} {_called(*_about(event))}: {event.get('message')}{times}"


def _about(event: Object) -> tuple[str, str]:
    regarding = event.get("involvedObject") or {}
    return regarding.get("kind", ""), regarding.get("name", "")


def _called(kind: str, name: str) -> str:
    return f"{kind.lower()}/{name}"


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
