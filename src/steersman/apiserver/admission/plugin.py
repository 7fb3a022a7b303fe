"""What an admission plugin is asked, and what it may do about it.

A write passes all plugins twice, in the order of the chain: `mutate` may complete the object; then the kind's strategy,
defaults and validation run; then `validate` may refuse what would be stored. Source: "Admission Controllers", two phases.
"""

import contextlib
import dataclasses
from typing import Any, ClassVar, Literal

from steersman.api.kind import Kind
from steersman.apiserver import deletion
from steersman.apiserver.call import Call
from steersman.meta.objects import Object
from steersman.store import contract

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclasses.dataclass(slots=True)
class Review:
    """One write on its way.

    `obj` is the new object, None for DELETE; `mutate` changes it in place or puts another in its stead.
    `sent` is what came for a status, before its kind kept all else as it was; None of other writes.
    `old` is what is stored, None on CREATE; only `mutate` of a DELETE may complete it, before it is decided what the deletion does.
    `delete_options` are those of a DELETE.
    `holds` are left when the write has ended, with the exception where it failed: what was reserved for it is then given back.
    `again`: a plugin that others may have to answer asks for one more round of `mutate`, the last one; `round` counts from 0.
    `memory` is what a plugin wants to know in the second round of the first, under its own name.
    `also` are writes of other objects that happen with this one or not at all (see `Plugin.reserve`).
    """

    call: Call
    operation: Operation
    obj: Object | None
    old: Object | None = None
    sent: Object | None = None
    delete_options: deletion.Options | None = None
    holds: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)
    again: bool = False
    round: int = 0
    memory: dict[str, Any] = dataclasses.field(default_factory=dict)
    also: list[contract.Put | contract.Delete] = dataclasses.field(default_factory=list)

    @property
    def new(self) -> Object:
        """`obj` where the operation has one."""
        assert self.obj is not None, f"{self.operation} has no new object"
        return self.obj

    @property
    def name(self) -> str:
        """Of the object; empty while the server has not made one up."""
        seen = self.obj if self.obj is not None else self.old
        return str(((seen or {}).get("metadata") or {}).get("name") or self.call.target.name)

    @property
    def namespace(self) -> str:
        """Where the object is; that of a Namespace is its own name, "" for every other kind without one."""
        if self.call.kind.plural == "namespaces" and not self.call.kind.group:
            return self.name
        return self.call.target.namespace

    @property
    def dry_run(self) -> bool:
        return self.delete_options.dry_run if self.delete_options is not None else self.call.dry_run


class Plugin:
    """Asked only about what it `handles`: the answer may depend on nothing but the three arguments.

    `name` is upstream's, by which it can be switched off; "" of what is no plugin there.
    """

    name: ClassVar[str] = ""

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        raise NotImplementedError

    async def mutate(self, review: Review) -> bool:
        """Completes `review.obj`; whether it changed anything. May come twice for one write (`round`). Raises StatusError."""
        return False

    async def validate(self, review: Review) -> None:
        """Raises StatusError. `review.obj` is what would be stored, and is not changed."""

    async def reserve(self, review: Review) -> None:
        """Adds to `review.also`. Raises StatusError. Asked after all have validated, and again when that comes too late.
        Of a removal, `review.old` is the last state, and no dry run gets here."""

    async def removed(self, review: Review) -> None:
        """The object is gone from the store: `review.old` is its last state."""
