"""Bootstrap tokens: `ID.SECRET`, each a Secret kube-system/bootstrap-token-ID, by which a machine and a cluster that do not know
each other yet come to trust each other. Pure.

Source: "Authenticating with Bootstrap Tokens"; upstream's k8s.io/cluster-bootstrap.
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import json
import re
from collections.abc import Collection

from steersman.meta import objects, times
from steersman.meta.objects import Object

TYPE = "bootstrap.kubernetes.io/token"
NAMESPACE = "kube-system"
NAME_PREFIX = "bootstrap-token-"
GROUP = "system:bootstrappers"
USAGES = ("signing", "authentication")
_USAGE = "usage-bootstrap-"

_token = re.compile("([a-z0-9]{6})[.]([a-z0-9]{16})").fullmatch
_is_id = re.compile("[a-z0-9]{6}").fullmatch
_is_group = re.compile("system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]").fullmatch


def parse(token: str) -> tuple[str, str] | None:
    """The token's public and secret part."""
    found = _token(token)
    return (found[1], found[2]) if found else None


def secret(
    token_id: str,
    token_secret: str,
    *,
    description: str = "",
    expires: datetime.datetime | None = None,
    usages: Collection[str] = USAGES,
    groups: Collection[str] = (),
) -> Object:
    """The Secret of a token, as `kubeadm token create` makes it."""
    texts = {"token-id": token_id, "token-secret": token_secret}
    if description:
        texts["description"] = description
    if expires is not None:
        texts["expiration"] = times.format_seconds(expires)
    texts |= {f"{_USAGE}{one}": "true" for one in usages}
    if groups:
        texts["auth-extra-groups"] = ",".join(groups)
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    metadata = {"name": f"{NAME_PREFIX}{token_id}", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": TYPE, "data": data}


def usages_of(secret: Object) -> list[str]:
    """What the token is for, sorted."""
    keys = (key for key in secret.get("data") or {} if key.startswith(_USAGE) and read(secret, key) == "true")
    return sorted(key.removeprefix(_USAGE) for key in keys)


def is_id(text: str) -> bool:
    """Whether it is the public part of a token."""
    return bool(_is_id(text))


def is_group(text: str) -> bool:
    """Whether a token may make its bearer one of this group."""
    return bool(_is_group(text))


def is_token(secret: Object) -> bool:
    return secret.get("type") == TYPE and objects.namespace(secret) == NAMESPACE


def read(secret: Object, field: str) -> str:
    try:
        return base64.b64decode((secret.get("data") or {}).get(field, "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def expiration(secret: Object) -> datetime.datetime | None:
    """None for a token that does not say when it ends. Raises ValueError for one that says it in no readable way."""
    text = read(secret, "expiration")
    return times.parse(text) if text else None


def is_expired(secret: Object, now: datetime.datetime) -> bool:
    """What cannot be read is not trusted."""
    try:
        end = expiration(secret)
    except ValueError:
        return True
    return end is not None and end <= now


def groups(secret: Object, token_id: str, token_secret: str, now: datetime.datetime) -> tuple[str, ...] | None:
    """Of whoever shows this token; None when it may not be used to authenticate. Groups are below `system:bootstrappers`:
    who may write Secrets does not become somebody else by it."""
    if secret.get("type") != TYPE or objects.is_terminating(secret) or read(secret, "token-id") != token_id:
        return None
    if not hmac.compare_digest(read(secret, "token-secret").encode(), token_secret.encode()):
        return None
    if read(secret, "usage-bootstrap-authentication") != "true" or is_expired(secret, now):
        return None
    listed = read(secret, "auth-extra-groups")
    more = listed.split(",") if listed else []
    return tuple(sorted({GROUP, *more})) if all(_is_group(group) for group in more) else None


def signs(secret: Object, now: datetime.datetime) -> bool:
    """What the cluster tells of itself is signed with this token."""
    token_id = read(secret, "token-id")
    is_named = _is_id(token_id) and objects.name(secret) == f"{NAME_PREFIX}{token_id}"
    is_meant = bool(read(secret, "token-secret")) and read(secret, "usage-bootstrap-signing") == "true"
    return bool(is_named and is_meant and not is_expired(secret, now))


def signature(content: str, token_id: str, token_secret: str) -> str:
    """A JSON Web Signature (RFC 7515) whose payload is left out: the reader has `content` itself."""
    header = _base64url(json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":")).encode())
    signed = f"{header}.{_base64url(content.encode())}".encode()
    return f"{header}..{_base64url(hmac.new(token_secret.encode(), signed, hashlib.sha256).digest())}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
