"""Endpoints that people write by hand, as EndpointSlices: proxies and DNS read nothing else.

Reads: Endpoints, its Service (which must have no selector), its slices.  Writes: EndpointSlices.
Leaves to others: Services with a selector (endpointslice), those who write slices themselves, removal with the Endpoints object
(garbage collector; here only what came too late for it).
"""

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Emit, Update
from steersman.controllers.endpointslice import slices, subsets
from steersman.controllers.endpointslice.endpoints import Port, Ports
from steersman.meta import names, objects, owners
from steersman.meta.objects import Object

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"  # Endpoints that are nothing but a lock
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PER_SUBSET_MAX = 1000  # upstream's --mirroring-max-endpoints-per-subset

Group = tuple[str, Ports]
"""Address family and ports: what a slice has in common."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`slices` are those that name the Service and are ours."""

    service: Object | None
    endpoints: Object | None
    slices: Sequence[Object] = ()


def decide(seen: Seen) -> Decision:
    found = seen.endpoints
    if found is None or not _is_mirrored(found, seen.service):
        return Decision(tuple(decision.delete(kinds.ENDPOINT_SLICE, one) for one in seen.slices), "nothing to mirror")
    existing: dict[Group, list[Object]] = {}
    for one in seen.slices:
        existing.setdefault((str(one.get("addressType")), _sorted(slices.ports_of(one))), []).append(one)
    actions: list[Action] = [*_skipped(found)]
    for group, entries in groups(found).items():
        actions += _reconciled(found, group, entries, existing.pop(group, []))
    for left in existing.values():
        actions += [decision.delete(kinds.ENDPOINT_SLICE, one) for one in left]
    return Decision(tuple(actions), "mirrored")


def groups(endpoints: Object) -> dict[Group, list[Object]]:
    """Entries of slices; an address that is in a subset twice counts once."""
    found: dict[Group, dict[str, Object]] = {}
    for subset in endpoints.get("subsets") or ():
        ports = _sorted(Port(*_port(one)) for one in subset.get("ports") or ())
        room = PER_SUBSET_MAX
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in (subset.get(field) or ())[:room]:
                entry = _entry(address, ready)
                if entry is not None:
                    text = entry["addresses"][0]
                    found.setdefault(("IPv6" if ":" in text else "IPv4", ports), {}).setdefault(text, entry)
                    room -= 1
    return {group: list(entries.values()) for group, entries in found.items()}


def _skipped(endpoints: Object) -> Iterable[Emit]:
    """Told where a subset has more addresses than are mirrored."""
    counts = (
        sum(len(subset.get(field) or ()) for field in ("addresses", "notReadyAddresses"))
        for subset in endpoints.get("subsets") or ()
    )
    skipped = sum(max(0, count - PER_SUBSET_MAX) for count in counts)
    if skipped:
        text = (
            f"A max of {PER_SUBSET_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. {skipped} addresses "
            "were skipped"
        )
        yield Emit(endpoints, "Warning", "TooManyAddressesToMirror", text)


def _is_mirrored(endpoints: Object, service: Object | None) -> bool:
    return (
        service is not None
        and not objects.is_terminating(endpoints)
        and not (service.get("spec") or {}).get("selector")
        and objects.labels(endpoints).get(SKIP) != "true"
        and LEADER not in objects.annotations(endpoints)
    )


def _reconciled(endpoints: Object, group: Group, entries: list[Object], existing: list[Object]) -> Iterable[Action]:
    """The first slice that is there is changed, all others go."""
    wanted = _slice(endpoints, group, entries)
    kept = sorted(existing, key=objects.name)
    for one in kept[1:]:
        yield decision.delete(kinds.ENDPOINT_SLICE, one)
    if not kept:
        yield Create(kinds.ENDPOINT_SLICE, wanted)
    elif not owners.is_owned_by(kept[0], endpoints):
        yield decision.delete(kinds.ENDPOINT_SLICE, kept[0])  # of an Endpoints object of the same name, before
        yield Create(kinds.ENDPOINT_SLICE, wanted)
    elif not _says(kept[0], wanted):
        meta = {**kept[0]["metadata"], "labels": wanted["metadata"]["labels"]}
        meta["annotations"] = wanted["metadata"]["annotations"]
        yield Update(kinds.ENDPOINT_SLICE, {**kept[0], "metadata": meta, "endpoints": wanted["endpoints"]})


def _says(found: Object, wanted: Object) -> bool:
    return bool(
        (found.get("endpoints") or []) == wanted["endpoints"]
        and objects.labels(found) == wanted["metadata"]["labels"]
        and objects.annotations(found) == wanted["metadata"]["annotations"]
    )


def _slice(endpoints: Object, group: Group, entries: list[Object]) -> Object:
    name = objects.name(endpoints)
    labels = {**objects.labels(endpoints), slices.SERVICE_NAME: name, slices.MANAGED_BY: MANAGER}
    dropped = (LAST_APPLIED, subsets.TRIGGER_TIME)
    annotations = {key: value for key, value in objects.annotations(endpoints).items() if key not in dropped}
    family, ports = group
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-" if len(name) < names.SUBDOMAIN_MAX else name,
            "namespace": objects.namespace(endpoints),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owners.make(endpoints)],
        },
        "addressType": family,
        "endpoints": entries,
        "ports": [port.in_slice() for port in ports],
    }


def _entry(address: Object, ready: bool) -> Object | None:
    try:
        text = str(ipaddress.ip_address(address.get("ip", "")))
    except ValueError:
        return None
    entry: Object = {"addresses": [text], "conditions": {"ready": ready}}
    for field in ("targetRef", "nodeName", "hostname"):
        if address.get(field):
            entry[field] = address[field]
    return entry


def _port(one: Object) -> tuple[str, int, str, str]:
    return one.get("name") or "", one.get("port") or 0, one.get("protocol") or "TCP", one.get("appProtocol") or ""


def _sorted(ports: Iterable[Port]) -> Ports:
    return tuple(sorted(ports, key=lambda one: (one.name, one.number, one.protocol)))
