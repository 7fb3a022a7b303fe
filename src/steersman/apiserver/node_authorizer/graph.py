"""Which objects belong to which node: by its pods, their claims, and the volumes behind these.

    node <- pod <- secret, configmap, service account, resource claim, persistent volume claim
    node <- pod <- claim <- volume <- secret
    node <- volume attachment, resource slice, pod certificate request

Keeps true: the answer costs a few look-ups, however many nodes and pods there are: every object knows its nodes, with how many
pods of each name it. *Against* a search over edges, as upstream's: objects that all pods name (a namespace's account, the cluster's
certificate) have as many edges as there are pods.
Pure. Resources are named as in paths. Source: upstream's plugin/pkg/auth/authorizer/node/graph.go.
"""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple


class Thing(NamedTuple):
    resource: str
    namespace: str
    name: str


class _Users:
    """The nodes whose pods name a thing, and how many pods of each do."""

    __slots__ = ("counts", "thing")

    def __init__(self, thing: Thing) -> None:
        self.thing = thing
        self.counts: dict[str, int] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class _Pod:
    node: str
    mark: object
    uses: tuple[_Users, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Volume:
    claim: Thing
    secrets: tuple[Thing, ...]


class Graph:
    """`put_…` replaces what was known of the object; `remove_…` of what is not known does nothing."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], _Pod] = {}
        self._users: dict[Thing, _Users] = {}
        self._volumes: dict[str, _Volume] = {}
        self._volumes_of: dict[Thing, set[str]] = {}  # of secrets
        self._owners: dict[Thing, str] = {}

    def is_related(self, node: str, thing: Thing) -> bool:
        match thing.resource:
            case "pods":
                pod = self._pods.get((thing.namespace, thing.name))
                return pod is not None and pod.node == node
            case "persistentvolumes":
                return self._reaches_volume(node, thing.name)
            case "secrets":
                return self._uses(node, thing) or any(
                    self._reaches_volume(node, volume) for volume in self._volumes_of.get(thing, ())
                )
        return self._uses(node, thing) or self._owners.get(thing) == node

    def _uses(self, node: str, thing: Thing) -> bool:
        users = self._users.get(thing)
        return users is not None and node in users.counts

    def _reaches_volume(self, node: str, name: str) -> bool:
        volume = self._volumes.get(name)
        return volume is not None and self._uses(node, volume.claim)

    def mark_of(self, namespace: str, name: str) -> object:
        """What the pod was put with, None if it is not known."""
        pod = self._pods.get((namespace, name))
        return pod.mark if pod is not None else None

    def put_pod(
        self, namespace: str, name: str, node: str, references: Iterable[tuple[str, str]], mark: object
    ) -> None:
        """`references`: resource and name of what it needs in its namespace."""
        self.remove_pod(namespace, name)
        named = dict.fromkeys(Thing(resource, namespace, one) for resource, one in references)
        uses = tuple(self._use(thing, node) for thing in named)
        self._pods[namespace, name] = _Pod(node, mark, uses)

    def _use(self, thing: Thing, node: str) -> _Users:
        users = self._users.get(thing)
        if users is None:
            users = self._users[thing] = _Users(thing)
        users.counts[node] = users.counts.get(node, 0) + 1
        return users

    def remove_pod(self, namespace: str, name: str) -> None:
        pod = self._pods.pop((namespace, name), None)
        for users in pod.uses if pod is not None else ():
            assert pod is not None
            left = users.counts[pod.node] - 1
            if left:
                users.counts[pod.node] = left
                continue
            del users.counts[pod.node]
            if not users.counts:
                del self._users[users.thing]

    def put_volume(self, name: str, claim: tuple[str, str], secrets: Iterable[tuple[str, str]]) -> None:
        """`claim` and `secrets` by namespace and name."""
        self.remove_volume(name)
        named = tuple(dict.fromkeys(Thing("secrets", *one) for one in secrets if all(one)))
        self._volumes[name] = _Volume(Thing("persistentvolumeclaims", *claim), named)
        for secret in named:
            self._volumes_of.setdefault(secret, set()).add(name)

    def remove_volume(self, name: str) -> None:
        volume = self._volumes.pop(name, None)
        for secret in volume.secrets if volume is not None else ():
            left = self._volumes_of[secret]
            left.discard(name)
            if not left:
                del self._volumes_of[secret]

    def put_owned(self, thing: Thing, node: str) -> None:
        """What names its node itself; "" for what is gone, or for no node."""
        if node:
            self._owners[thing] = node
        else:
            self._owners.pop(thing, None)

    def is_empty(self) -> bool:
        """Nothing is left behind by what was removed."""
        return not (self._pods or self._users or self._volumes or self._volumes_of or self._owners)
