"""One thing a user does."""

import dataclasses
from typing import Any

from steersman.api.kind import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """`user` does its steps one after the other. `verb`: create, patch, delete, or (force-)delete-pod or
    evict-pod (any one of the app's pods)."""

    at: float
    user: str
    verb: str
    kind: Kind
    namespace: str
    name: str
    body: Any = None

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.at:8.1f} s  {self.verb} {self.kind.singular} {where}" + (f" {self.body}" if self.body else "")
