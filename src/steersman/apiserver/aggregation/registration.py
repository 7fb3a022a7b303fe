"""The APIServices of what this server serves itself: one for each group and version, as `kubectl get apiservices` lists them.

Keeps true: at every start those of built-in groups are there; those of custom kinds come and go with their definitions.
Reads and writes: APIServices with the label of ours.  Leaves to others: APIServices that people made.
"""

import datetime
from collections.abc import Collection, Iterable

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api import registration as local
from steersman.api.kind import Kind
from steersman.apiserver import keys, metadata
from steersman.apiserver.aggregation import priorities
from steersman.meta import objects, times
from steersman.meta.objects import Object
from steersman.store import contract

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_ON_START, _ALWAYS = "onstart", "true"
_KIND = kinds.API_SERVICE

Place = tuple[str, str]  # group, version


def name(place: Place) -> str:
    group, version = place
    return f"{version}.{group}"


def of_groups(rows: Iterable[Kind], now: datetime.datetime) -> list[tuple[Kind, Object]]:
    """Those of the built-in groups, to be created at start where they are missing."""
    places = dict.fromkeys((row.group, row.version) for row in rows if row.group != priorities.FIRST)
    return [(_KIND, _object(place, priorities.builtin(*place), _ON_START, now)) for place in places]


async def follow(
    store: contract.Store, clock: Clock, api_services: Iterable[Object], custom: Collection[Place]
) -> None:
    """Create and remove those of custom kinds, so that they are what is served now."""
    listed = {objects.name(one): one for one in api_services}
    wanted = {name(place): place for place in custom}
    changes: list[contract.Put | contract.Delete] = [
        _put(place, clock) for called, place in wanted.items() if called not in listed
    ]
    for called, one in listed.items():
        if called not in wanted and objects.labels(one).get(MANAGED) == _ALWAYS:
            key = keys.key(_KIND, "", called)
            changes.append(contract.Delete(key, keys.head(_KIND), keys.tail(one), objects.revision(one)))
    for change in changes:
        try:
            await store.txn([change], _cause(clock))
        except contract.Mismatch:
            continue  # somebody was faster; the next look tells


def _object(place: Place, priority: tuple[int, int], managed: str, now: datetime.datetime) -> Object:
    group, version = place
    of_group, of_version = priority
    return {
        "kind": _KIND.kind,
        "apiVersion": _KIND.api_version,
        "metadata": {"name": name(place), "labels": {MANAGED: managed}},
        "spec": {
            **({"group": group} if group else {}),
            "version": version,
            "groupPriorityMinimum": of_group,
            "versionPriority": of_version,
        },
        "status": local.local_status(times.format_seconds(now)),
    }


def _put(place: Place, clock: Clock) -> contract.Put:
    now = clock.now()
    obj = _object(place, priorities.CUSTOM, _ALWAYS, now)
    metadata.fill_new(_KIND, obj, uid=clock.uid(), now=times.format_seconds(now))
    return contract.Put(keys.key(_KIND, "", name(place)), keys.head(_KIND), keys.tail(obj), 0)


def _cause(clock: Clock) -> contract.Cause:
    return contract.Cause("system:apiserver", "registration", 0, times.format_micros(clock.now()))
