"""Tokens of other issuers: whose they are, whether that issuer signed them, and which user each is."""

import logging
from collections.abc import Sequence
from typing import Any

from steersman.aio.clock import Clock
from steersman.apiserver import users
from steersman.apiserver.jwt_issuers import claims as reading
from steersman.apiserver.jwt_issuers.claims import Refused
from steersman.apiserver.jwt_issuers.configuration import Issuer
from steersman.apiserver.jwt_issuers.keys import IssuerKeys
from steersman.meta.objects import Object

log = logging.getLogger(__name__)

# Upstream's: those with a secret that both sides know are no proof of who issued a token.
ALGORITHMS = frozenset(("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"))
REMEMBERED_SECONDS = 10.0  # upstream's: for so long a token that was good is not looked at again
REMEMBERED_MAX = 4096
_SIGNATURE_ONLY: Any = {f"verify_{name}": False for name in ("aud", "exp", "nbf", "iat", "sub", "jti", "iss")}


class JwtAuthenticator:
    def __init__(self, issuers: Sequence[Issuer], clock: Clock) -> None:
        self._issuers = {one.url: (one, IssuerKeys(one, clock)) for one in issuers}
        self._clock = clock
        self._good: dict[str, tuple[float, users.User]] = {}

    async def user_of(self, token: str) -> users.User | None:
        """None for a token that none of the issuers vouches for."""
        now = self._clock.monotonic()
        known = self._good.get(token)
        if known is not None and now < known[0]:
            return known[1]
        try:
            user = await self._verified(token)
        except Refused as why:
            log.info("a token is refused: %s", why)
            return None
        if user is not None:
            if len(self._good) >= REMEMBERED_MAX:
                self._good.clear()
            self._good[token] = now + REMEMBERED_SECONDS, user
        return user

    async def close(self) -> None:
        for _, keys in self._issuers.values():
            await keys.close()

    async def _verified(self, token: str) -> users.User | None:
        """Raises Refused."""
        import jwt

        try:
            said: Object = jwt.decode(token, options={"verify_signature": False})
            head: Object = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None  # no such token at all
        issuer, keys = self._issuers.get(str(said.get("iss")), (None, None))
        if issuer is None or keys is None:
            return None
        algorithm = str(head.get("alg"))
        if algorithm not in ALGORITHMS:
            raise Refused(f"signed by {algorithm!r}")
        for key in await keys.of(str(head.get("kid", ""))):
            try:
                found: Object = jwt.decode(
                    token,
                    key.key,
                    [algorithm],
                    options=_SIGNATURE_ONLY,
                )
            except (jwt.PyJWTError, TypeError, ValueError):  # the last two: a key of another algorithm
                continue  # another key may have signed it
            reading.check_times(found, self._clock.now())
            return reading.user_of(issuer, found)
        raise Refused(f"not signed by {issuer.url}")
