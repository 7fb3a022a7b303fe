"""Room that is kept for pods which others had to leave for (upstream's nominated pods).

Keeps true: what a nominated pod asks of its node counts there as in use, for all pods but those of higher priority and itself.
Written by `decide` and the controller. A nomination is a promise of room, not of a place: the pod takes whatever node will do.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from steersman.scheduler.shape import Shape


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Nomination:
    shape: Shape
    priority: int
    node: str


Keep = Callable[[Nomination, int], None]


class Nominations:
    """`keep(nomination, +1 or -1)` keeps room on its node, or gives it back."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._of: dict[str, Nomination] = {}
        self._hidden: set[str] = set()  # whose room is not kept just now

    def __len__(self) -> int:
        return len(self._of)

    def node_of(self, key: str) -> str:
        """Where a pod has been promised room; "" nowhere."""
        found = self._of.get(key)
        return found.node if found is not None else ""

    def put(self, key: str, shape: Shape, priority: int, node: str) -> None:
        """Instead of where it was promised room before; "" for nowhere."""
        self.drop(key)
        if node:
            found = self._of[key] = Nomination(shape, priority, node)
            self._keep(found, 1)

    def drop(self, key: str) -> None:
        found = self._of.pop(key, None)
        if found is not None and key not in self._hidden:
            self._keep(found, -1)
        self._hidden.discard(key)

    def on(self, node: str) -> list[tuple[str, Nomination]]:
        return [(key, found) for key, found in self._of.items() if found.node == node]

    @contextlib.contextmanager
    def as_seen_by(self, key: str, priority: int) -> Iterator[None]:
        """Without the pod's own, and those of pods it goes before."""
        self._hidden = {of for of, found in self._of.items() if of == key or found.priority < priority}
        for of in self._hidden:
            self._keep(self._of[of], -1)
        try:
            yield
        finally:
            for of in self._hidden:
                self._keep(self._of[of], 1)
            self._hidden = set()
