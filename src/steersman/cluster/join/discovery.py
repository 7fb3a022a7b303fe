"""Whether what a server says of itself can be believed, by token and by the hash of its authority's key. Pure.

Keeps true: nobody is believed who does not know the token, and, where hashes were given, whose authority has none of these keys.
Source: kubeadm's token-based discovery ("kubeadm join", --discovery-token-ca-cert-hash).
"""

import base64
import dataclasses
import datetime
import email.utils
import hmac
import urllib.parse
from collections.abc import Collection

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from steersman.api import bootstrap_tokens
from steersman.cluster import options, tokens

CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
SKEW_SECONDS_MAX = 300.0  # certificates begin five minutes before they are made: a clock may be that much behind
_SIGNATURE = "jws-kubeconfig-"


class Refused(Exception):
    """The machine cannot join; the text is one sentence for the user."""


class NotSigned(Refused):
    """By this token, that is: the signature of a new one comes a moment later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    id: str
    secret: str = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"


def parse_token(text: str) -> Token:
    """Raises ValueError."""
    parts = bootstrap_tokens.parse(text)
    if parts is None:
        raise ValueError("a token is written as abcdef.0123456789abcdef")
    return Token(*parts)


def parse_url(text: str) -> str:
    """`https://HOST:PORT`, of that or of HOST[:PORT] as kubeadm takes it. Raises ValueError."""
    url = urllib.parse.urlsplit(text if "//" in text else f"https://{text}")
    try:
        port = url.port or options.DEFAULT_PORT
    except ValueError:
        raise ValueError(f"not a server's URL: {text!r}") from None
    if url.scheme != "https" or not url.hostname or url.path.strip("/") or url.query:
        raise ValueError(f"not a server's URL: {text!r} (https://HOST:{options.DEFAULT_PORT})")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"https://{host}:{port}"


def parse_pin(text: str) -> str:
    """Raises ValueError."""
    digest = text.lower().removeprefix(tokens.PIN)
    if not text.lower().startswith(tokens.PIN) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError("a hash is written as sha256: and 64 hexadecimal digits")
    return f"{tokens.PIN}{digest}"


def authority(data: dict[str, str], token: Token, pins: Collection[str]) -> bytes:
    """The certificate (PEM) of the cluster's authority, out of `cluster-info`. Raises Refused."""
    content = data.get("kubeconfig", "")
    signature = data.get(f"{_SIGNATURE}{token.id}")
    if not content or signature is None:
        raise NotSigned(
            f'The cluster does not know the token "{token.id}": it is wrong, has expired or was deleted. '
            "Make another one there: steersman token create --print-join-command."
        )
    if not hmac.compare_digest(
        signature.encode(), bootstrap_tokens.signature(content, token.id, token.secret).encode()
    ):
        raise Refused(f'The secret part of the token "{token.id}" is not the one that the cluster knows.')
    found = _authorities_of(content)
    if not pins:
        return b"".join(found)
    known = [one for one in found if tokens.pin_of(one) in pins]
    if not known:
        raise Refused(
            f"The cluster's authority has the key {tokens.pin_of(found[0])}, not the one that --ca-cert-hash names: "
            "this is another cluster, or somebody between you and it."
        )
    return b"".join(known)  # whoever stands beside them is not believed for that


def clock_skew(date: str, now: datetime.datetime) -> str:
    """What is wrong with this machine's clock, by the Date of an answer; "" when nothing is."""
    try:
        seconds = (now - email.utils.parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return ""  # it does not say
    if abs(seconds) <= SKEW_SECONDS_MAX:
        return ""
    how_much = str(datetime.timedelta(seconds=round(abs(seconds))))
    side = "ahead of" if seconds > 0 else "behind"
    return f"This machine's clock is {how_much} {side} the server's, so certificates cannot be checked: set it first."


def _authorities_of(content: str) -> list[bytes]:
    try:
        config = yaml.safe_load(content)
        told = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"], validate=True)
        return [one.public_bytes(serialization.Encoding.PEM) for one in x509.load_pem_x509_certificates(told)]
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as problem:
        raise Refused(
            "What the cluster says of itself (ConfigMap kube-public/cluster-info) cannot be read."
        ) from problem
