"""URLs and their parts. Source: apiserver's cel/library/urls.go."""

import dataclasses
import re
import urllib.parse
from collections.abc import Callable
from typing import Any, ClassVar

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.types import BOOL, STRING
from steersman.api.cel.values import EvalError

NO_URL = "URL parse error during conversion from string: "

_URL = types.opaque("kubernetes.URL")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII).match
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_PATH_SAFE = "/$&+,;=:@"
_WELL_ESCAPED = re.compile(r"[A-Za-z0-9\-_.~!$&'()*+,;=:@/\[\]%]*").fullmatch
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]\s<>\"`{}|\\^:]*)(:\d*)?").fullmatch


@dataclasses.dataclass(frozen=True, slots=True)
class URL:
    TYPE_NAME: ClassVar[str] = "kubernetes.URL"

    parts: urllib.parse.SplitResult


def parse(text: str) -> URL:
    """An absolute URI or an absolute path, as Go's url.ParseRequestURI. Raises EvalError."""
    why = ""
    if not text:
        why = "empty url"
    elif _CONTROL(text):
        why = "net/url: invalid control character in URL"
    elif not text.startswith("/") and not _SCHEME(text):
        why = "invalid URI for request"
    elif found := _BAD_ESCAPE(text):
        why = f'invalid URL escape "{text[found.start() : found.start() + 3]}"'
    if why:
        raise _wrong(text, why)
    try:
        parts = urllib.parse.urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        parts.port  # noqa: B018 — raises for a port that is none
    except ValueError as wrong:
        raise _wrong(text, str(wrong)) from None
    if parts.scheme and not parts.netloc and not parts.path.startswith("/") and not text.partition(":")[2]:
        raise _wrong(text, "invalid URI for request")
    if _HOST(host) is None:
        raise _wrong(text, f'invalid character in host name: "{host}"')
    return URL(parts)


def _wrong(text: str, why: str) -> EvalError:
    return EvalError(f'{NO_URL}parse "{text}": {why}')


def is_url(text: str) -> bool:
    try:
        parse(text)
    except EvalError:
        return False
    return True


def _host(url: URL) -> str:
    return url.parts.netloc.rpartition("@")[2]


def _hostname(url: URL) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(url: URL) -> str:
    return _host(url).rpartition("]")[2].partition(":")[2]


def _escaped_path(url: URL) -> str:
    """As it is written where that is a valid way to write it."""
    path = url.parts.path
    return path if _WELL_ESCAPED(path) else urllib.parse.quote(urllib.parse.unquote(path), safe=_PATH_SAFE)


def _query(url: URL) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(url.parts.query, keep_blank_values=True)


def _getter(name: str, result: types.Type, call: Callable[[URL], Any]) -> Any:
    return (member(name, (_URL,), result, call),)


FUNCTIONS: Functions = {
    "url": (plain("string_to_url", (STRING,), _URL, parse),),
    "isURL": (plain("is_url_string", (STRING,), BOOL, is_url),),
    "getScheme": _getter("url_get_scheme", STRING, lambda url: url.parts.scheme),
    "getHost": _getter("url_get_host", STRING, _host),
    "getHostname": _getter("url_get_hostname", STRING, _hostname),
    "getPort": _getter("url_get_port", STRING, _port),
    "getEscapedPath": _getter("url_get_escaped_path", STRING, _escaped_path),
    "getQuery": _getter("url_get_query", types.map_of(STRING, types.list_of(STRING)), _query),
}
