"""ServiceAccount tokens: JWTs signed with our key, in upstream's claims.

Keeps true: a token names its ServiceAccount (and the Pod, Node or Secret it is bound to) by uid, so that a new object of the
same name does not inherit it. Leaves to others: whether these objects still exist (`authentication`).
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from steersman.meta.objects import Object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 1 << 32


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires_at: float
    bound_kind: str = ""
    bound_name: str = ""
    bound_uid: str = ""
    node_name: str = ""
    node_uid: str = ""
    id: str = ""


class TokenKey:
    """The key pair; made once per cluster by `cluster.pki` and given as PEM."""

    def __init__(self, private_key_pem: bytes, issuer: str = ISSUER) -> None:
        from cryptography.hazmat.primitives import serialization  # late: not every process signs

        key: Any = serialization.load_pem_private_key(private_key_pem, None)
        self._private = key
        self._public = key.public_key()
        self._algorithm = "ES256" if hasattr(key, "curve") else "RS256"
        der = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._key_id = _base64url(hashlib.sha256(der).digest())
        self.issuer = issuer

    def sign(
        self,
        account: Object,
        *,
        audiences: Sequence[str],
        now: datetime.datetime,
        seconds: int,
        token_id: str,
        bound: Object | None = None,
        node: Object | None = None,
    ) -> tuple[str, datetime.datetime]:
        """The token and when it expires. `bound` is the Pod, Secret or Node the token lives and dies with."""
        import jwt

        expires = now + datetime.timedelta(seconds=seconds)
        private = {
            "namespace": account["metadata"]["namespace"],
            "serviceaccount": _reference(account),
        }
        if bound is not None:
            private[bound["kind"].lower()] = _reference(bound)
        if node is not None:
            private["node"] = _reference(node)
        name = account["metadata"]["name"]
        claims = {
            "aud": list(audiences),
            "exp": int(expires.timestamp()),
            "iat": int(now.timestamp()),
            "iss": self.issuer,
            "jti": token_id,
            "kubernetes.io": private,
            "nbf": int(now.timestamp()),
            "sub": f"system:serviceaccount:{private['namespace']}:{name}",
        }
        return jwt.encode(claims, self._private, self._algorithm, {"kid": self._key_id}), expires

    def read(self, token: str, now: datetime.datetime) -> Claims | None:
        """The claims of a token that we signed and that is valid now; None for any other text."""
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                [self._algorithm],
                issuer=self.issuer,
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        if not claims.get("nbf", 0) <= now.timestamp() < claims.get("exp", 0):
            return None
        private = claims.get("kubernetes.io", {})
        account = private.get("serviceaccount", {})
        bound_kind = next((kind for kind in ("pod", "secret") if kind in private), "")
        bound = private.get(bound_kind, {})
        node = private.get("node", {})
        return Claims(
            namespace=private.get("namespace", ""),
            name=account.get("name", ""),
            uid=account.get("uid", ""),
            audiences=tuple(claims.get("aud", ())),
            expires_at=float(claims["exp"]),
            bound_kind=bound_kind,
            bound_name=bound.get("name", ""),
            bound_uid=bound.get("uid", ""),
            node_name=node.get("name", ""),
            node_uid=node.get("uid", ""),
            id=claims.get("jti", ""),
        )

    def jwks(self) -> Object:
        """The public key as a JSON Web Key Set (`/openid/v1/jwks`)."""
        import json

        from jwt import algorithms

        kind: Any = algorithms.RSAAlgorithm if self._algorithm == "RS256" else algorithms.ECAlgorithm
        key = json.loads(kind.to_jwk(self._public))
        key.pop("key_ops", None)
        return {"keys": [{"use": "sig", "kid": self._key_id, "alg": self._algorithm, **key}]}

    @property
    def algorithm(self) -> str:
        return self._algorithm


def _reference(obj: Object) -> dict[str, str]:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"].get("uid", "")}


def _base64url(raw: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
