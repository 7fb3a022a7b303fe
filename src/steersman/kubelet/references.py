"""What pods refer to: ConfigMaps, Secrets, service account tokens, asked of the API for as long as a pod needs them.

Keeps true: one answer serves all pods of the node for a short while, and many askers at once make one request.
A mounted volume is looked at again every `volume_refresh_seconds`, and at once when its watch says so (`reference_watches`).
"""

import asyncio
import base64
import dataclasses
import datetime
from collections.abc import Mapping

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable
from steersman.kubelet.environment import Reference
from steersman.meta import objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

# Pods of one Deployment start together and name the same objects: one look serves them all, and is soon forgotten.
FRESH_SECONDS = 1.0
KEPT_MOST = 1000
# Upstream's rule: a token is replaced when 80% of its life is over, or it is older than a day.
TOKEN_SHARE = 0.8
TOKEN_OLDEST_SECONDS = 24 * 3600.0

KINDS: dict[str, Kind] = {
    "ConfigMap": kinds.CONFIG_MAP,
    "ServiceAccount": kinds.SERVICE_ACCOUNT,
    "Secret": kinds.SECRET,
    "RuntimeClass": kinds.RUNTIME_CLASS,
    "PersistentVolumeClaim": kinds.PERSISTENT_VOLUME_CLAIM,
    "PersistentVolume": kinds.PERSISTENT_VOLUME,
    "CSIDriver": kinds.CSI_DRIVER,
    "VolumeAttachment": kinds.VOLUME_ATTACHMENT,
    "ClusterTrustBundle": kinds.CLUSTER_TRUST_BUNDLE,
}


class Unavailable(Exception):
    """The API could not be asked, or refused: try again later."""


class Forbidden(Unavailable):
    """The API says that it is none of this node's: what is not related to it is not told apart from what is not there."""


@dataclasses.dataclass(slots=True)
class _Kept:
    at: float
    asking: "asyncio.Task[Object | Unavailable | None]"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    text: str
    issued_at: datetime.datetime
    expires_at: datetime.datetime

    def is_fresh(self, now: datetime.datetime) -> bool:
        age = (now - self.issued_at).total_seconds()
        life = (self.expires_at - self.issued_at).total_seconds()
        return age < min(TOKEN_SHARE * life, TOKEN_OLDEST_SECONDS)


class References:
    def __init__(self, client: Client, clock: Clock, tasks: Tasks) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._tokens: dict[tuple[str, str, str, int], Token] = {}

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None when there is none. Raises Unavailable."""
        key, now = (kind, namespace, name), self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is None or now - kept.at > FRESH_SECONDS:
            self._trim(now)
            asking = self._tasks.start(f"get {kind} {namespace}/{name}", self._ask(kind, namespace, name))
            kept = self._kept[key] = _Kept(now, asking)
        found = await asyncio.shield(kept.asking)
        if isinstance(found, Unavailable):
            self._kept.pop(key, None)
            raise found
        return found

    async def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """As `get`, of what is related to this node only by itself, so that nobody may ask for it before it is there."""
        try:
            return await self.get(kind, namespace, name)
        except Forbidden:
            return None

    async def list(self, kind: str, field_selector: str) -> "list[Object]":
        """All of a cluster-scoped kind that the selector takes, asked anew each time. Raises Unavailable."""
        try:
            return (await self._client.list(KINDS[kind], field_selector=field_selector)).items
        except (StatusError, Unreachable) as refused:
            raise Unavailable(str(refused)) from refused

    async def texts(self, references: "set[Reference]", namespace: str) -> dict[Reference, Mapping[str, str] | None]:
        """Their data as text, for environments. Raises Unavailable."""
        wanted = sorted(references, key=lambda one: (one.kind, one.name))
        found = await asyncio.gather(*(self.get(one.kind, namespace, one.name) for one in wanted))
        return {one: None if obj is None else text_data(obj) for one, obj in zip(wanted, found, strict=True)}

    async def runtime_handler(self, pod: Object) -> str:
        """What the pod's RuntimeClass names; empty: the default. Raises Unavailable."""
        name = pod["spec"].get("runtimeClassName")
        if not name:
            return ""
        found = await self.get("RuntimeClass", "", name)
        if found is None:
            raise Unavailable(f'failed to get RuntimeClass: runtimeclasses.node.k8s.io "{name}" not found')
        return str(found.get("handler") or "")

    async def token(self, pod: Object, audience: str, expiration_seconds: int) -> Token:
        """A token for the pod's service account, bound to the pod (TokenRequest). Raises Unavailable."""
        account = str(pod["spec"].get("serviceAccountName") or "default")
        key = (objects.uid(pod), account, audience, expiration_seconds)
        token, now = self._tokens.get(key), self._clock.now()
        if token is None or not token.is_fresh(now):
            token = self._tokens[key] = await self._request_token(pod, account, audience, expiration_seconds)
        return token

    def forget_object(self, kind: str, namespace: str, name: str) -> None:
        """It has changed: the next asker gets the new one."""
        self._kept.pop((kind, namespace, name), None)

    def forget(self, uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]

    async def _request_token(self, pod: Object, account: str, audience: str, seconds: int) -> Token:
        bound = {"kind": "Pod", "apiVersion": "v1", "name": objects.name(pod), "uid": objects.uid(pod)}
        spec: Object = {"expirationSeconds": seconds, "boundObjectRef": bound}
        spec["audiences"] = [audience] if audience else []
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        space = objects.namespace(pod)
        try:
            made = await self._client.create(kinds.SERVICE_ACCOUNT, body, space, subresource="token", name=account)
        except (StatusError, Unreachable) as refused:
            raise Unavailable(f"failed to fetch token: {refused}") from refused
        expires = times.parse(made["status"]["expirationTimestamp"])
        return Token(made["status"]["token"], self._clock.now(), expires)

    async def _ask(self, kind: str, namespace: str, name: str) -> "Object | Unavailable | None":
        try:
            return await self._client.get(KINDS[kind], name, namespace)
        except StatusError as refused:
            if refused.code == 404:
                return None
            return Forbidden(str(refused)) if refused.code == 403 else Unavailable(str(refused))
        except Unreachable as lost:
            return Unavailable(str(lost))

    def _trim(self, now: float) -> None:
        if len(self._kept) >= KEPT_MOST:
            self._kept = {key: kept for key, kept in self._kept.items() if now - kept.at <= FRESH_SECONDS}


def text_data(obj: Object) -> dict[str, str]:
    """`data` (and a Secret's, decoded) as text."""
    return {key: value.decode("utf-8", "replace") for key, value in binary_data(obj).items()}


def binary_data(obj: Object) -> dict[str, bytes]:
    """What the keys of a ConfigMap or Secret hold, as files would."""
    data = obj.get("data") or {}
    if obj.get("kind") == "Secret":
        return {key: base64.b64decode(value or "") for key, value in data.items()}
    found = {key: value.encode() for key, value in data.items()}
    found.update({key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()})
    return found
