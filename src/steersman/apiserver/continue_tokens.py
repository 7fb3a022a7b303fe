"""Continue tokens of paged lists, in upstream's own form: base64 of `{"v", "rv", "start"}`."""

import base64
import binascii
import dataclasses

import orjson

from steersman.meta import errors

_VERSION = "meta.k8s.io/v1"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """The next page begins at key `start` below the list's own prefix, as of `revision` (-1: as of now)."""

    revision: int
    start: str


def format(token: Token) -> str:  # noqa: A001 — the module is used qualified
    raw = orjson.dumps({"v": _VERSION, "rv": token.revision, "start": token.start})
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parse(text: str) -> Token:
    """Raises StatusError 400."""
    try:
        raw = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        version, revision, start = raw["v"], raw["rv"], raw["start"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise errors.bad_request("continue key is not valid: continue token is corrupt") from error
    if version != _VERSION or not isinstance(revision, int) or not isinstance(start, str) or revision < -1:
        raise errors.bad_request("continue key is not valid: server does not recognize this encoded version")
    if not start or ".." in start:
        raise errors.bad_request("continue key is not valid: incorrect encoded start resourceVersion")
    return Token(revision, start)
