"""Tell how a run went wrong: what was done to it, and who wrote what, when, caused by what."""

from collections.abc import Iterator

from steersman.meta import objects
from steersman.simulation.history import Change, History, name_of
from steersman.simulation.run import Result

CHANGES_TOLD_MAX = 40
CAUSES_TOLD_MAX = 12


def tell(result: Result) -> Iterator[str]:
    plan = result.plan
    yield f"seed {plan.seed}, {plan.nodes} nodes, {len(plan.steps)} steps, {len(plan.faults)} faults; it broke:"
    yield from (f"  {problem}" for problem in result.problems)
    yield "what users did:"
    yield from (f"  {step}" for step in plan.steps)
    yield "what was done to the cluster:"
    yield from (f"  {fault}" for fault in sorted(plan.faults, key=lambda fault: fault.at))
    changes = _about(result)
    yield f"what was written of it, the last {len(changes)}:"
    yield from (f"  {_line(change)}" for change in changes)
    if changes:
        yield "why the last one was written:"
        yield from (f"  {_line(change)}" for change in _causes(result.history, changes[-1]))


def _about(result: Result) -> list[Change]:
    """Changes of objects that the first problem names, up to it."""
    text = result.problems[0] if result.problems else ""
    words = {word.strip(":,()'") for word in text.split()}
    names = {word.rpartition("/")[2] for word in words if "/" in word}
    until = _revision(text)
    found = [
        change
        for change in result.history.changes
        if (not until or change.revision <= until) and _is_named(change, names)
    ]
    return found[-CHANGES_TOLD_MAX:]


def _is_named(change: Change, names: set[str]) -> bool:
    own = change.key.rpartition("/")[2]
    return any(name and (own == name or own.startswith(f"{name}-")) for name in names) and "/events/" not in change.key


def _revision(text: str) -> int:
    first, _, rest = text.partition(" ")
    number = rest.partition(":")[0]
    return int(number) if first == "revision" and number.isdigit() else 0


def _causes(history: History, last: Change) -> Iterator[Change]:
    """The walk back along the causes."""
    change: Change | None = last
    for _ in range(CAUSES_TOLD_MAX):
        if change is None:
            return
        yield change
        found = history.at_revision(change.cause.because) if change.cause.because else []
        change = found[0] if found else None


def _line(change: Change) -> str:
    what = "deleted" if change.event.deleted else "created" if change.event.before is None else "changed"
    because = f" because of {change.cause.because}" if change.cause.because else ""
    ending = " (being deleted)" if change.after is not None and objects.is_terminating(change.after) else ""
    return f"{change.at:9.3f} s  {change.revision}  {name_of(change)} {what}{ending} by {change.cause.who}{because}"
