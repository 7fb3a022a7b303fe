"""What a filter answers for one shape of pod: which nodes pass, and why the others do not."""

import abc
import collections
from typing import Protocol

import numpy as np

from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot


class Check(Protocol):
    """`mask` is True where a node passes, and stays right while pods of this shape are placed.

    A filter with nothing to say about a shape answers None instead of a Check.
    """

    filter: str  # upstream's name of the plugin
    mask: Mask

    def placed(self, row: int) -> bool:
        """The snapshot has one more pod of this shape on `row`. True: other rows may have changed too."""

    def explain(self, rows: Rows) -> collections.Counter[str]:
        """Upstream's reasons for nodes that do not pass, each with how many of `rows` it holds for."""

    def hopeless(self, rows: Rows) -> int:
        """How many of `rows` would not pass even if other pods were removed (preemption is not helpful)."""


class Fixed:
    """A check that placements do not change: one reason, which removing pods does not help."""

    def __init__(self, filter: str, mask: Mask, reason: str) -> None:  # noqa: A002 — Kubernetes' own word
        self.filter = filter
        self.mask = mask
        self._reason = reason

    def placed(self, row: int) -> bool:
        return False

    def explain(self, rows: Rows) -> collections.Counter[str]:
        return collections.Counter({self._reason: len(rows)})

    def hopeless(self, rows: Rows) -> int:
        return len(rows)


class OfClaims(abc.ABC):
    """A check of what a pod claims, made anew after each placement: a pod of the same claims has chosen for all of them.

    Removing pods from nodes does not help: claims stay.
    """

    filter: str
    mask: Mask

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self._shape = shape
        self._snapshot = snapshot
        self.look()

    @abc.abstractmethod
    def look(self) -> None:
        """Sets `mask`."""

    def placed(self, row: int) -> bool:
        self.look()
        return True

    def hopeless(self, rows: Rows) -> int:
        return len(rows)


class Refusal(Fixed):
    """No node at all will do, and the message is about the pod, not about nodes (upstream's PreFilter)."""

    def __init__(self, filter: str, rows: int, message: str) -> None:  # noqa: A002 — Kubernetes' own word
        super().__init__(filter, np.zeros(rows, np.bool_), message)
        self.message = message


class Failure(Refusal):
    """Something is wrong that is neither the pod's nor the nodes' state, and may be right at the next attempt."""

    def __init__(self, filter: str, rows: int, message: str) -> None:  # noqa: A002 — Kubernetes' own word
        super().__init__(filter, rows, f'running "{filter}" filter plugin: {message}')
