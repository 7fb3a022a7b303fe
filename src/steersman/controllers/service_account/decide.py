"""Give every namespace a ServiceAccount named `default`.

Reads: Namespace, ServiceAccount.  Writes: ServiceAccount (create).
Leaves to others: tokens (API server), pulling secrets, contents of a terminating namespace.
"""

import dataclasses

from steersman.api import kinds
from steersman.controllers.decision import Create, Decision
from steersman.meta import objects
from steersman.meta.objects import Object

NAME = "default"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    namespace: Object
    exists: bool


def decide(seen: Seen) -> Decision:
    if objects.is_terminating(seen.namespace):
        return Decision(why="the namespace is being deleted")
    if seen.exists:
        return Decision(why="it exists")
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": objects.name(seen.namespace)},
    }
    return Decision((Create(kinds.SERVICE_ACCOUNT, account),), "the default service account is missing")
