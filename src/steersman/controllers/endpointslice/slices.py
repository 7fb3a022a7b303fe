"""Spread a Service's endpoints over EndpointSlices, changing as few slices as possible.

Every node's proxy receives every changed slice, so what is there stays where it is: wrong entries are removed and
changed ones replaced in place; new ones fill slices that change anyway, then others with room, then new slices.
Source: upstream's endpointslice reconciler (reconcileByPortMapping).
"""

import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Update
from steersman.controllers.endpointslice import endpoints
from steersman.controllers.endpointslice.endpoints import Port, Ports
from steersman.meta import names, objects, owners
from steersman.meta.objects import Object

PER_SLICE_MAX = 100  # upstream's --max-endpoints-per-slice

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"
MANAGER = "endpointslice-controller.k8s.io"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

_RESERVED = frozenset((SERVICE_NAME, MANAGED_BY, HEADLESS))


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """All endpoints of one address family: by ports, by pod uid."""

    service: Object
    family: str
    groups: Mapping[Ports, Mapping[str, Object]]
    trigger_time: str = ""


def labels(service: Object) -> dict[str, str]:
    """Those of every slice of the Service: its own, and the reserved ones."""
    found = {key: value for key, value in objects.labels(service).items() if key not in _RESERVED}
    if endpoints.is_headless(service):
        found[HEADLESS] = ""
    return {**found, SERVICE_NAME: objects.name(service), MANAGED_BY: MANAGER}


def ports_of(found: Object) -> Ports:
    return tuple(
        Port(one.get("name") or "", one.get("port") or 0, one.get("protocol") or "TCP", one.get("appProtocol") or "")
        for one in found.get("ports") or ()
    )


def reconcile(wanted: Wanted, existing: Sequence[Object]) -> tuple[Action, ...]:
    """The writes that make `existing` (the Service's slices of this family) hold exactly what is wanted."""
    by_ports: dict[Ports, list[Object]] = {}
    deleted: list[Object] = []
    for one in existing:
        if owners.is_owned_by(one, wanted.service):
            by_ports.setdefault(ports_of(one), []).append(one)
        else:
            deleted.append(one)
    created: list[Object] = []
    updated: list[Object] = []
    for ports, entries in wanted.groups.items():
        change = _Change(wanted, ports, by_ports.pop(ports, ()))
        change.place(dict(entries))
        created += change.created
        updated += change.updated
        deleted += change.deleted
    for left in by_ports.values():
        deleted += left
    if len(deleted) == len(existing) and not created:
        _keep_placeholder(wanted, created, updated, deleted)
    return (
        *(Create(kinds.ENDPOINT_SLICE, one) for one in created),
        *(Update(kinds.ENDPOINT_SLICE, one) for one in updated),
        *(decision.delete(kinds.ENDPOINT_SLICE, one) for one in deleted),
    )


def _keep_placeholder(wanted: Wanted, created: list[Object], updated: list[Object], deleted: list[Object]) -> None:
    """A Service without endpoints still has one, empty slice: so everyone knows that there are none."""
    own = [one for one in deleted if not one.get("endpoints") and not one.get("ports")]
    own = [one for one in own if owners.is_owned_by(one, wanted.service)]
    if not own:
        created.append(_new(wanted, (), []))
        return
    deleted.remove(own[0])
    if objects.labels(own[0]) != labels(wanted.service):
        updated.append(_with(wanted, own[0], []))


class _Change:
    """The slices of one set of ports."""

    def __init__(self, wanted: Wanted, ports: Ports, existing: Sequence[Object]) -> None:
        self._wanted = wanted
        self._ports = ports
        self._existing = existing
        self.created: list[Object] = []
        self.updated: list[Object] = []
        self.deleted: list[Object] = []

    def place(self, missing: dict[str, Object]) -> None:
        """`missing` by pod uid, what is in no slice yet; what is found in one is taken out of it."""
        kept: list[tuple[Object, list[Object]]] = []
        for one in self._existing:
            entries = list(_still_wanted(one, missing))
            kept.append((one, entries))
        changed = [index for index, (one, entries) in enumerate(kept) if entries != (one.get("endpoints") or [])]
        left = list(missing.values())
        # Fill the fullest of those that change anyway, then, if all fits into one other slice, that.
        for index in sorted(changed, key=lambda index: -len(kept[index][1])):
            room = PER_SLICE_MAX - len(kept[index][1])
            kept[index][1].extend(left[:room])
            left = left[room:]
        while left:
            place = _with_room_for(kept, changed, min(len(left), PER_SLICE_MAX))
            if place is None:
                self.created.append(_new(self._wanted, self._ports, left[:PER_SLICE_MAX]))
            else:
                kept[place][1].extend(left[:PER_SLICE_MAX])
                changed.append(place)
            left = left[PER_SLICE_MAX:]
        self._finish(kept)

    def _finish(self, kept: Sequence[tuple[Object, list[Object]]]) -> None:
        right = labels(self._wanted.service)
        for one, entries in kept:
            if not entries:
                self.deleted.append(one)
            elif entries != (one.get("endpoints") or []) or objects.labels(one) != right:
                self.updated.append(_with(self._wanted, one, entries))


def _still_wanted(one: Object, missing: dict[str, Object]) -> Sequence[Object]:
    """The slice's entries that stay, as they are to be now."""
    found = []
    for entry in one.get("endpoints") or ():
        uid = (entry.get("targetRef") or {}).get("uid", "")
        wanted = missing.get(uid)
        if wanted is not None and wanted["addresses"] == entry.get("addresses"):
            found.append(wanted)
            del missing[uid]
    return found


def _with_room_for(kept: Sequence[tuple[Object, list[Object]]], changed: Sequence[int], count: int) -> int | None:
    """The slice that `count` more endpoints fill best."""
    fitting = [
        (len(entries), -index)
        for index, (_, entries) in enumerate(kept)
        if index not in changed and entries and len(entries) + count <= PER_SLICE_MAX
    ]
    return -max(fitting)[1] if fitting else None


def _new(wanted: Wanted, ports: Ports, entries: list[Object]) -> Object:
    service = wanted.service
    prefix = f"{objects.name(service)}-"
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": prefix if len(prefix) <= names.SUBDOMAIN_MAX else objects.name(service),
            "namespace": objects.namespace(service),
            "labels": labels(service),
            "ownerReferences": [owners.make(service)],
            **_annotations({}, wanted.trigger_time),
        },
        "addressType": wanted.family,
        "endpoints": entries,
        "ports": [port.in_slice() for port in ports],
    }


def _with(wanted: Wanted, one: Object, entries: list[Object]) -> Object:
    meta = {key: value for key, value in one["metadata"].items() if key != "annotations"}
    meta["labels"] = labels(wanted.service)
    meta |= _annotations(objects.annotations(one), wanted.trigger_time)
    return {**one, "metadata": meta, "endpoints": entries}


def _annotations(before: Mapping[str, str], trigger_time: str) -> Object:
    after = {key: value for key, value in before.items() if key != TRIGGER_TIME}
    if trigger_time:
        after[TRIGGER_TIME] = trigger_time
    return {"annotations": after} if after else {}
