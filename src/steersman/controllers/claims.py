"""Who belongs to a controller: what to adopt, what to let go (upstream's ControllerRefManager).

Adoption and release are patches of the child's ownerReferences, conditional on the state that was seen.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from steersman.api.kind import Kind
from steersman.controllers import decision
from steersman.controllers.decision import Patch
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.meta.selectors import Selector


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """`kept` are the owner's (those about to be adopted included); `released` were."""

    kept: tuple[Object, ...] = ()
    adopted: tuple[Object, ...] = ()
    released: tuple[Object, ...] = ()


def classify(
    owner: Object, selector: Selector, owned: Iterable[Object], orphans: Iterable[Object], may_adopt: bool
) -> Claims:
    """`owned` name the owner as their controller, `orphans` name none. A terminating owner neither adopts nor lets go."""
    if objects.is_terminating(owner):
        return Claims(kept=tuple(child for child in owned if selector.matches(objects.labels(child))))
    kept: list[Object] = []
    released: list[Object] = []
    for child in owned:
        (kept if selector.matches(objects.labels(child)) else released).append(child)
    adopted = [child for child in orphans if is_adoptable(child, selector)] if may_adopt else []
    return Claims((*kept, *adopted), tuple(adopted), tuple(released))


def is_adoptable(child: Object, selector: Selector) -> bool:
    return (
        not objects.is_terminating(child)
        and owners.controller_of(child) is None
        and selector.matches(objects.labels(child))
    )


def changes(kind: Kind, owner: Object, claims: Claims) -> tuple[Patch, ...]:
    adopted = (_set_owners(kind, child, [*owners.of(child), owners.make(owner)]) for child in claims.adopted)
    released = (_set_owners(kind, child, _without(child, owner)) for child in claims.released)
    return (*adopted, *released)


def _without(child: Object, owner: Object) -> Sequence[Object]:
    return [reference for reference in owners.of(child) if reference.get("uid") != objects.uid(owner)]


def _set_owners(kind: Kind, child: Object, references: Sequence[Object]) -> Patch:
    return decision.patch(kind, child, {"metadata": {"ownerReferences": list(references) or None}})
