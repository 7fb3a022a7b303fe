"""What authorization is asked, may this user do this verb on this resource, or on this path; and what it answers."""

from typing import NamedTuple

from steersman.meta.selectors import FieldRequirement


class Attributes(NamedTuple):
    """`resource` carries the subresource (`pods/log`). A non-resource question has `path` and no `resource`.

    `fields`: what the field selector of a list, watch or deletecollection requires. No rule here depends on label selectors.
    """

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: tuple[FieldRequirement, ...] = ()


class Decision(NamedTuple):
    """`reason` is a sentence for people: why, or why not; empty where there is nothing to say beyond the answer."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(allowed=True)
NO_OPINION = Decision(allowed=False)
