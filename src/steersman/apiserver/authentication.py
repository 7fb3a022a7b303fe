"""Who sent a request: client certificate, bearer token (static, bootstrap, ServiceAccount, another issuer's), or nobody.

Keeps true: a bad credential is 401, never silently anonymous; a ServiceAccount token is good only while its account and the
object it is bound to live. Reads: ServiceAccounts, Pods, bootstrap token Secrets.
"""

import base64
import binascii
import collections
import hmac
from collections.abc import Mapping

from steersman.aio import clock as clocks
from steersman.api import bootstrap_tokens, kinds
from steersman.apiserver import decoded, token_use, tokens, users
from steersman.apiserver.jwt_issuers import authenticator as jwt_issuers
from steersman.meta import errors, times
from steersman.meta.objects import Object
from steersman.serving import messages

LEEWAY_SECONDS = 60.0  # upstream's, after the moment at which what a token is bound to should have gone
TOKENS_MAX = 4096  # tokens whose signature is remembered: one or two for each pod that talks to the API


class Authenticator:
    """`static_tokens` maps a token to its user, as a token file does. `anonymous_paths`: nobody may ask of these only, if there
    are any."""

    def __init__(
        self,
        clock: clocks.Clock,
        objects: decoded.DecodedObjects,
        *,
        token_key: tokens.TokenKey | None = None,
        static_tokens: Mapping[str, users.User] | None = None,
        audiences: tuple[str, ...] = (tokens.ISSUER,),
        anonymous: bool = True,
        issuers: jwt_issuers.JwtAuthenticator | None = None,
        anonymous_paths: frozenset[str] = frozenset(),
        token_use: token_use.TokenUse | None = None,
    ) -> None:
        self._token_use = token_use
        self._clock = clock
        self._objects = objects
        self._token_key = token_key
        self._static = dict(static_tokens or {})
        self._audiences = audiences
        self._anonymous = anonymous
        self._anonymous_paths = anonymous_paths
        self._issuers = issuers
        self._claims: collections.OrderedDict[str, tokens.Claims] = collections.OrderedDict()
        self._peers: dict[messages.Peer, users.User] = {}

    async def user_of(self, request: messages.Request) -> users.User:
        """Raises StatusError 401."""
        peer = request.peer
        if peer.certificate_user:
            return self._certificate_user(peer)
        header = request.headers.get("authorization")
        token = _bearer(header) if header else _websocket_token(request)
        if token:
            user = await self.user_of_token(token, self._audiences)
            if user is None:
                raise errors.unauthorized()
            return user
        if header or not self._anonymous or (self._anonymous_paths and request.path not in self._anonymous_paths):
            raise errors.unauthorized()
        return users.anonymous()

    async def user_of_token(self, token: str, audiences: tuple[str, ...]) -> users.User | None:
        """None for a token that is unknown, expired, orphaned or meant for another audience."""
        for known, user in self._static.items():
            if hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")):
                return user
        if token.count(".") == 1:
            return await self._bootstrap_user(token)
        claims = self._read(token)
        if claims is None and self._issuers is not None and not set(audiences).isdisjoint(self._audiences):
            return await self._issuers.user_of(token)
        if claims is None or not set(claims.audiences) & set(audiences):
            return None
        return await self._service_account(claims)

    def audiences_of(self, token: str, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the asked that a good token is for; one of another issuer is for this server, one that names none for all."""
        claims = self._read(token) if token.count(".") != 1 else None
        if claims is None and self._issuers is not None and token.count(".") == 2:
            return tuple(one for one in asked if one in self._audiences)
        return asked if claims is None else tuple(one for one in asked if one in claims.audiences)

    def _certificate_user(self, peer: messages.Peer) -> users.User:
        user = self._peers.get(peer)
        if user is None:
            user = users.authenticated(peer.certificate_user, peer.certificate_groups)
            if len(self._peers) >= TOKENS_MAX:
                self._peers.clear()
            self._peers[peer] = user
        return user

    def _read(self, token: str) -> tokens.Claims | None:
        now = self._clock.now()
        claims = self._claims.get(token)
        if claims is not None:
            if now.timestamp() < claims.expires_at:
                return claims
            del self._claims[token]
            return None
        claims = self._token_key.read(token, now) if self._token_key else None
        if claims is not None:
            self._claims[token] = claims
            if len(self._claims) > TOKENS_MAX:
                self._claims.popitem(last=False)
        return claims

    async def _service_account(self, claims: tokens.Claims) -> users.User | None:
        account = await self._objects.get(kinds.SERVICE_ACCOUNT, claims.namespace, claims.name)
        if not self._lives(account, claims.uid):
            return None
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims.id}",)}
        if claims.bound_kind:
            kind = kinds.POD if claims.bound_kind == "pod" else kinds.SECRET
            bound = await self._objects.get(kind, claims.namespace, claims.bound_name)
            if bound is None or not self._lives(bound, claims.bound_uid):
                return None
            if claims.bound_kind == "pod":
                extra["authentication.kubernetes.io/pod-name"] = (claims.bound_name,)
                extra["authentication.kubernetes.io/pod-uid"] = (claims.bound_uid,)
            elif token_use.is_refused(bound):
                return None
            elif self._token_use is not None:
                self._token_use.note(bound)
        if claims.node_name:
            is_bound_to_it = not claims.bound_kind  # else the pod is the one that counts
            if is_bound_to_it and not self._lives(
                await self._objects.get(kinds.NODE, "", claims.node_name), claims.node_uid
            ):
                return None
            extra["authentication.kubernetes.io/node-name"] = (claims.node_name,)
            extra["authentication.kubernetes.io/node-uid"] = (claims.node_uid,)
        return users.service_account(claims.namespace, claims.name, claims.uid, extra)

    def _lives(self, obj: Object | None, uid: str) -> bool:
        """Whether it is the very object, and has not been waiting for its end for long."""
        if obj is None or obj["metadata"].get("uid") != uid:
            return False
        deleted = obj["metadata"].get("deletionTimestamp")
        return not deleted or times.seconds_since(deleted, self._clock.now()) <= LEEWAY_SECONDS

    async def _bootstrap_user(self, token: str) -> users.User | None:
        parts = bootstrap_tokens.parse(token)
        if parts is None:
            return None
        name = f"{bootstrap_tokens.NAME_PREFIX}{parts[0]}"
        found = await self._objects.get(kinds.SECRET, bootstrap_tokens.NAMESPACE, name)
        groups = bootstrap_tokens.groups(found, *parts, self._clock.now()) if found is not None else None
        return users.authenticated(f"system:bootstrap:{parts[0]}", groups) if groups is not None else None


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."


def _websocket_token(request: messages.Request) -> str:
    """Browsers cannot set headers on a WebSocket: the token comes as a subprotocol."""
    offered = request.headers.get("sec-websocket-protocol")
    if not offered or WEBSOCKET_TOKEN not in offered:
        return ""
    for name in offered.split(","):
        name = name.strip()
        if name.startswith(WEBSOCKET_TOKEN):
            raw = name.removeprefix(WEBSOCKET_TOKEN)
            try:
                return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise errors.unauthorized() from error
    return ""
