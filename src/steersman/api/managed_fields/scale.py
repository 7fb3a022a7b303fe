"""The entries of an object as its Scale has them, and back: through `…/scale` only the number of replicas changes hands.

Source: apimachinery's util/managedfields (ScaleHandler).
"""

from steersman.api.managed_fields import entries, sets
from steersman.api.managed_fields.entries import Entry

API_VERSION = "autoscaling/v1"
REPLICAS: sets.Path = ("f:spec", "f:replicas")  # in a Scale, and in most of what can be scaled


def to_scale(found: list[Entry], replicas: sets.Path = REPLICAS) -> list[Entry]:
    """Entries of the Scale: whoever owns the replicas of the object owns those of its Scale."""
    return [
        {**entry, "apiVersion": API_VERSION, "fieldsV1": sets.of(REPLICAS)}
        for entry in found
        if sets.has(entry["fieldsV1"], replicas)
    ]


def to_object(
    before: list[Entry], of_scale: list[Entry], api_version: str, replicas: sets.Path = REPLICAS
) -> list[Entry]:
    """The object's entries after those of its Scale became `of_scale`; `before` itself where nothing changed hands."""
    owners = {_who(entry): entry for entry in of_scale if sets.has(entry["fieldsV1"], REPLICAS)}
    after = []
    for entry in before:
        if not sets.has(entry["fieldsV1"], replicas):
            after.append(entry)
            continue
        owner = owners.pop(_who(entry), None)
        if owner is not None:
            after.append(entry if owner.get("time") == entry.get("time") else {**entry, "time": owner["time"]})
            continue
        rest = sets.difference(entry["fieldsV1"], sets.of(replicas))
        if rest:
            after.append(entries.with_fields(entry, rest))
    for entry in owners.values():
        after.append({**entry, "apiVersion": api_version, "fieldsV1": sets.of(replicas)})
    if len(after) == len(before) and all(one is other for one, other in zip(after, before, strict=True)):
        return before
    return entries.ordered(after)


def _who(entry: Entry) -> tuple[str, str, str]:
    return entry.get("manager", ""), entry["operation"], entry.get("subresource", "")
