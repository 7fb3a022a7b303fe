"""A few objects on paper: what the server does to them when a decision is applied. For properties of pure decisions."""

from collections.abc import Iterator

from steersman.api.kind import Kind
from steersman.controllers.decision import Create, Decision, Delete, Emit, Patch, Update, UpdateStatus
from steersman.meta import objects
from steersman.meta.objects import Object


class Model:
    """Objects by kind and key. Deleted objects vanish at once."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Object] = {}
        self._revision = 100
        self._names = 0
        self.events: list[str] = []

    def all(self, kind: Kind) -> list[Object]:
        return [obj for (resource, _), obj in self._objects.items() if resource == kind.resource]

    def get(self, kind: Kind, key: str) -> Object:
        return self._objects[kind.resource, key]

    def add(self, kind: Kind, obj: Object) -> Object:
        self._revision += 1
        meta = dict(obj["metadata"])
        if "name" not in meta:
            self._names += 1
            meta["name"] = f"{meta['generateName']}{self._names:05d}"
        meta |= {"uid": f"uid-{self._revision}", "generation": 1}
        meta.setdefault(
            "creationTimestamp", f"2026-01-01T00:{self._revision // 60 % 60:02d}:{self._revision % 60:02d}Z"
        )
        return self._put(kind, {**obj, "metadata": meta})

    def change(self, kind: Kind, obj: Object) -> Object:
        """Write a new state; a changed spec counts the generation up."""
        old = self._objects[kind.resource, objects.key(obj)]
        meta = dict(obj["metadata"])
        if old.get("spec") != obj.get("spec"):
            meta["generation"] = old["metadata"]["generation"] + 1
        return self._put(kind, {**obj, "metadata": meta})

    def apply(self, decision: Decision) -> int:
        """How many writes it was."""
        writes = 0
        for action in decision.actions:
            match action:
                case Emit():
                    self.events.append(action.message)
                    continue
                case Create():
                    self.add(action.kind, action.obj)
                case Update():
                    self.change(action.kind, {**action.obj, "status": self._status(action.kind, action.obj)})
                case UpdateStatus():
                    if action.when != "refused":
                        current = self._objects[action.kind.resource, objects.key(action.obj)]
                        self._put(action.kind, {**current, "status": action.obj["status"]})
                case Patch():
                    key = f"{action.namespace}/{action.name}" if action.namespace else action.name
                    self._put(action.kind, _merged(self._objects[action.kind.resource, key], action.patch))
                case Delete():
                    key = f"{action.namespace}/{action.name}" if action.namespace else action.name
                    del self._objects[action.kind.resource, key]
            writes += 1
            done = getattr(action, "done", None)
            if done is not None:
                self.events.append(done.message)
        return writes

    def _status(self, kind: Kind, obj: Object) -> Object:
        return self._objects[kind.resource, objects.key(obj)].get("status") or {}

    def _put(self, kind: Kind, obj: Object) -> Object:
        self._revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._revision)}}
        self._objects[kind.resource, objects.key(obj)] = obj
        return obj


def _merged(target: Object, patch: Object) -> Object:
    return dict(_merged_items(target, patch))


def _merged_items(target: Object, patch: Object) -> Iterator[tuple[str, object]]:
    for key, value in target.items():
        if key not in patch:
            yield key, value
    for key, value in patch.items():
        if value is None:
            continue
        old = target.get(key)
        yield key, _merged(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
