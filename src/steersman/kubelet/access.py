"""Who may use the kubelet's API: upstream's webhook modes, with its certificates and without anonymous users.

Keeps true: a client is who its certificate says, or its token (asked of the API server, TokenReview); administrators and the API
server itself may do everything, whoever can be reached; everybody else what the API server says of `nodes/…` (SubjectAccessReview):
`nodes/metrics` for a Prometheus, `nodes/stats`, `nodes/log`, `nodes/pods` … and `nodes/proxy` for all that has no name of its own.
Reads: the answers to both, each remembered for a while.  Writes: nothing.
Source: upstream's pkg/kubelet/server/auth.go, with KubeletFineGrainedAuthz.
"""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from steersman.aio.clock import Clock
from steersman.api import review_kinds
from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving.messages import Request

Value = TypeVar("Value")

API_SERVER = "kube-apiserver-kubelet-client"
ADMINISTRATORS = "system:masters"
AUTHENTICATED = "system:authenticated"
# Upstream's defaults of authentication.webhook and authorization.webhook.
TOKEN_SECONDS = 120.0
ALLOWED_SECONDS, REFUSED_SECONDS = 300.0, 30.0
REMEMBERED_MOST = 1000

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# First word of the path: subresources of `nodes`, one of which is enough.
_SUBRESOURCES = {
    "pods": ("pods", "proxy"),
    "runningpods": ("pods", "proxy"),
    "healthz": ("healthz", "proxy"),
    "configz": ("configz", "proxy"),
    "statusz": ("statusz", "proxy"),
    "flagz": ("flagz", "proxy"),
    "stats": ("stats",),
    "metrics": ("metrics",),
    "logs": ("log",),
    "checkpoint": ("checkpoint",),
}


class User(NamedTuple):
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


def question(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Verb and subresources of `nodes` that a request is about."""
    return _VERBS.get(method, ""), _SUBRESOURCES.get(path.strip("/").partition("/")[0], ("proxy",))


class Access:
    """`client` asks the API server, as a node that may."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._users: _Memory[User | None] = _Memory(clock)
        self._answers: _Memory[bool] = _Memory(clock)

    async def check(self, request: Request, node: str) -> None:
        """Raises StatusError 401, 403 or 500."""
        peer = request.peer
        if peer.certificate_user == API_SERVER or ADMINISTRATORS in peer.certificate_groups:
            return
        user = await self._user(request)
        if user is None:
            raise errors.unauthorized()
        verb, subresources = question(request.method, request.path)
        for one in subresources:
            if ADMINISTRATORS in user.groups or await self._may(user, verb, one, node):
                return
        tried = f"(user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}])"
        raise errors.StatusError(errors.status(403, "Forbidden", f"Forbidden {tried}"))

    async def _user(self, request: Request) -> User | None:
        peer = request.peer
        if peer.certificate_user:
            return User(peer.certificate_user, (*peer.certificate_groups, AUTHENTICATED))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        if token in self._users:
            return self._users[token]
        try:
            review = await self._client.create(review_kinds.TOKEN, _review(review_kinds.TOKEN, {"token": token}))
        except (errors.StatusError, Unreachable):
            return None
        status = review.get("status") or {}
        info = status.get("user") or {}
        extra = tuple(sorted((key, tuple(values)) for key, values in (info.get("extra") or {}).items()))
        user = User(info.get("username", ""), tuple(info.get("groups") or ()), info.get("uid", ""), extra)
        found = user if status.get("authenticated") else None
        self._users.keep(token, found, TOKEN_SECONDS)
        return found

    async def _may(self, user: User, verb: str, subresource: str, node: str) -> bool:
        asked = user, verb, subresource, node
        if asked in self._answers:
            return self._answers[asked]
        attributes = {"verb": verb, "version": "v1", "resource": "nodes", "subresource": subresource, "name": node}
        spec = {"user": user.name, "groups": list(user.groups), "uid": user.uid, "resourceAttributes": attributes}
        spec["extra"] = {key: list(values) for key, values in user.extra}
        try:
            review = await self._client.create(review_kinds.SUBJECT_ACCESS, _review(review_kinds.SUBJECT_ACCESS, spec))
        except (errors.StatusError, Unreachable) as failure:
            where = f"(user={user.name}, verb={verb}, resource=nodes, subresource={subresource})"
            raise errors.internal(f"Authorization error {where}") from failure
        allowed = bool((review.get("status") or {}).get("allowed"))
        self._answers.keep(asked, allowed, ALLOWED_SECONDS if allowed else REFUSED_SECONDS)
        return allowed


def _review(kind: Kind, spec: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}, "spec": spec}


class _Memory(Generic[Value]):
    """Answers that count for some seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Value]] = {}

    def __contains__(self, key: Hashable) -> bool:
        kept = self._kept.get(key)
        return kept is not None and self._clock.monotonic() < kept[0]

    def __getitem__(self, key: Hashable) -> Value:
        return self._kept[key][1]

    def keep(self, key: Hashable, value: Value, seconds: float) -> None:
        if len(self._kept) >= REMEMBERED_MOST:
            self._kept.clear()
        self._kept[key] = self._clock.monotonic() + seconds, value
