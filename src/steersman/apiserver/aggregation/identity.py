"""Who an extension server is told the request comes from, and how it knows that it may believe it. Pure.

Source: "Configure the Aggregation Layer"; upstream's transport.SetAuthProxyHeaders.
"""

import dataclasses
import urllib.parse
from collections.abc import Iterable, Mapping

import orjson

from steersman.api import kinds
from steersman.apiserver import users
from steersman.meta import errors
from steersman.meta.objects import Object

ALLOWED_NAME = "front-proxy-client"
CONFIG_MAP = "extension-apiserver-authentication"
_USER, _UID, _GROUP, _EXTRA = "x-remote-user", "x-remote-uid", "x-remote-group", "x-remote-extra-"
_TOKEN_CHARACTERS = "!#$&'*+-.^_`|~"  # beside letters and digits, what a header name may have; % is our own escape

SELF = users.User("system:kube-aggregator", groups=(users.MASTERS,))  # the server's own questions


@dataclasses.dataclass(frozen=True, slots=True)
class FrontProxy:
    """PEM texts: the certificate and key this server shows, the authority that signed it, and the one of clients."""

    certificate: bytes
    key: bytes = dataclasses.field(repr=False)
    authority: bytes
    client_authority: bytes


def headers(user: users.User) -> dict[str, str]:
    """One entry per header name; several values of one are separated by a line feed. Raises StatusError 500."""
    found = {_USER: _values([user.name])}
    if user.uid:
        found[_UID] = _values([user.uid])
    if user.groups:
        found[_GROUP] = _values(user.groups)
    for key, values in user.extra.items():
        if values:
            found[_EXTRA + urllib.parse.quote(key, safe=_TOKEN_CHARACTERS)] = _values(values)
    return found


def without_identity(given: Mapping[str, str]) -> dict[str, str]:
    """The headers of a client without what only this server may say."""
    own = (_USER, _UID, _GROUP)
    return {name: value for name, value in given.items() if name not in own and not name.startswith(_EXTRA)}


def config_map(front: FrontProxy) -> Object:
    """What extension servers read to know whom to believe."""
    return {
        "kind": "ConfigMap",
        "apiVersion": kinds.CONFIG_MAP.api_version,
        "metadata": {"name": CONFIG_MAP, "namespace": "kube-system"},
        "data": {
            "client-ca-file": front.client_authority.decode(),
            "requestheader-allowed-names": orjson.dumps([ALLOWED_NAME]).decode(),
            "requestheader-client-ca-file": front.authority.decode(),
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }


def _values(texts: Iterable[str]) -> str:
    """Bytes beyond ASCII go out as UTF-8, as Go sends them. Nothing in a name may become a line of its own."""
    listed = list(texts)
    if any(not text.isprintable() for text in listed):
        raise errors.internal("the identity of the request cannot be sent in a header")
    return "\n".join(text.encode().decode("latin-1") for text in listed)
