"""What authorization is asked: may this user do this verb on this resource, or on this path."""

from typing import NamedTuple


class Attributes(NamedTuple):
    """`resource` carries the subresource (`pods/log`). A non-resource question has `path` and no `resource`."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
