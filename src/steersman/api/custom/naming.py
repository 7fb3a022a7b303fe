"""Which names of a CustomResourceDefinition are accepted, and the conditions that tell.

Names are given by the order in which definitions got them: one whose plural, singular, short name, kind or list kind another
definition of the group already holds is not accepted until the other is gone. Served are definitions that have once been
established. Source: upstream's controllers naming and establish.
"""

import datetime
from collections.abc import Iterable, Sequence

from steersman.meta import conditions
from steersman.meta.objects import Object

_RESOURCE_NAMES = ("plural", "singular")
_KIND_NAMES = ("kind", "listKind")


def is_served(definition: Object) -> bool:
    return conditions.is_true(definition, "Established")


def status(definition: Object, others: Iterable[Object], now: datetime.datetime) -> Object:
    """The status that `definition` should have, `others` being the other definitions of its group."""
    before = definition.get("status") or {}
    wanted = definition["spec"]["names"]
    resources, kinds = _taken(others)
    accepted, conflicts = _accepted(wanted, before.get("acceptedNames") or {}, resources, kinds)
    listed: Sequence[Object] = before.get("conditions") or ()
    if conflicts:
        reason, message = conflicts[-1]
        listed = conditions.set(listed, conditions.make("NamesAccepted", "False", reason, message), now)
        if conditions.find(listed, "Established") is None:
            waits = conditions.make("Established", "False", "NotAccepted", "not all names are accepted")
            listed = conditions.set(listed, waits, now)
    else:
        fine = conditions.make("NamesAccepted", "True", "NoConflicts", "no conflicts found")
        listed = conditions.set(listed, fine, now)
        done = conditions.make("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
        listed = conditions.set(listed, done, now)
    return {**before, "acceptedNames": accepted, "conditions": list(listed)}


def _taken(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    """Names of resources and of kinds that others hold."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        held = (other.get("status") or {}).get("acceptedNames") or {}
        resources.update(name for field in _RESOURCE_NAMES if (name := held.get(field)))
        resources.update(held.get("shortNames") or ())
        kinds.update(name for field in _KIND_NAMES if (name := held.get(field)))
    return resources, kinds


def _accepted(
    wanted: Object, before: Object, resources: set[str], kinds: set[str]
) -> tuple[Object, list[tuple[str, str]]]:
    """The names to hold, and (reason, message) of those that were not given."""
    accepted: Object = {"plural": before.get("plural", ""), "kind": before.get("kind", "")} | before
    conflicts: list[tuple[str, str]] = []

    def give(field: str, reason: str, taken: set[str]) -> None:
        name = wanted.get(field, "")
        if not name:
            accepted.pop(field, None)
        elif name in taken:
            conflicts.append((reason, f'"{name}" is already in use'))
        else:
            accepted[field] = name

    give("plural", "PluralConflict", resources)
    give("singular", "SingularConflict", resources)
    short = wanted.get("shortNames") or []
    in_use = [name for name in short if name in resources]
    if in_use:
        conflicts.append(("ShortNamesConflict", "; ".join(f'"{name}" is already in use' for name in in_use)))
    elif short:
        accepted["shortNames"] = short
    else:
        accepted.pop("shortNames", None)
    give("kind", "KindConflict", kinds)
    give("listKind", "ListKindConflict", kinds)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    return accepted, conflicts
