"""Who is asking: the user that authentication found, as authorization and audit see it."""

import dataclasses
from collections.abc import Mapping

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
SERVICE_ACCOUNTS = "system:serviceaccounts"
FAKE_NODES = "steersman:fake-nodes"  # the process of all nodes on paper
_PARTS = frozenset((
    *("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"),
    FAKE_NODES,
))  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """`identity` is what decides rights: cached answers are kept under it."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def identity(self) -> tuple[str, tuple[str, ...]]:
        return self.name, self.groups

    @property
    def is_part(self) -> bool:
        """A part of the cluster itself: it speaks the newest release, whatever others are served."""
        return self.name in _PARTS or NODES in self.groups

    @property
    def node(self) -> str | None:
        """The name of the node that asks, "" of one that does not say; None where it is no node."""
        return self.name[len(NODE_PREFIX) :] if self.name.startswith(NODE_PREFIX) and NODES in self.groups else None

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups


def anonymous() -> User:
    return User(ANONYMOUS, groups=(UNAUTHENTICATED,))


def authenticated(
    name: str, groups: tuple[str, ...], uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    """A known user belongs to system:authenticated too."""
    if AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(name, uid, groups, extra or {})


def service_account(
    namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    groups = (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}")
    return authenticated(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid, extra)
