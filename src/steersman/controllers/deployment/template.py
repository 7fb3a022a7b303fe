"""Which ReplicaSet runs a Deployment's present template, and what a new one is called.

Its name ends in a hash of the template, and the hash is in its selector and its pods' labels: so ReplicaSets of
different templates never fight over pods, and the same template is found again (a rollback reuses its ReplicaSet).
Upstream hashes a Go value's memory dump, which nobody else can repeat; nothing depends on the value itself.
"""

import zlib
from collections.abc import Iterable

import orjson

from steersman.aio.clock import SUFFIX_LETTERS
from steersman.meta import names, objects
from steersman.meta.objects import Object

HASH_LABEL = "pod-template-hash"


def find_new(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """The oldest one with the Deployment's template."""
    wanted = deployment["spec"].get("template") or {}
    same = [one for one in replica_sets if is_same(wanted, one["spec"].get("template") or {})]
    return min(same, key=creation_order, default=None)


def creation_order(replica_set: Object) -> tuple[str, str]:
    return str(replica_set["metadata"].get("creationTimestamp") or ""), objects.name(replica_set)


def is_same(one: Object, other: Object) -> bool:
    """Equal but for the hash label."""
    return one.get("spec") == other.get("spec") and _meta(one) == _meta(other)


def hash_of(deployment: Object) -> str:
    """Letters as upstream's `rand.SafeEncodeString` of a decimal: at most ten. `collisionCount` makes another hash."""
    template = orjson.dumps(deployment["spec"].get("template") or {}, option=orjson.OPT_SORT_KEYS)
    collisions = (deployment.get("status") or {}).get("collisionCount") or 0
    number = zlib.crc32(template + str(collisions).encode() if collisions else template)
    return "".join(SUFFIX_LETTERS[ord(digit) % len(SUFFIX_LETTERS)] for digit in str(number))


def new_name(deployment: Object) -> str:
    suffix = hash_of(deployment)
    return f"{objects.name(deployment)[: names.SUBDOMAIN_MAX - len(suffix) - 1]}-{suffix}"


def _meta(template: Object) -> Object:
    meta = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return {**meta, "labels": labels}
