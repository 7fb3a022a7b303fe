"""What a proxied web server says of itself, told from where the client stands: links, redirects, headers. Pure.

A server behind `…/services/web/proxy/` does not know that prefix. So links of its HTML pages and its redirects get it, where they
are absolute; its permissions for other origins are not ours to give. Source: upstream's apimachinery proxy transport.
"""

import gzip
import re
import urllib.parse
import zlib
from collections.abc import Mapping

_DROPPED = frozenset(f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin"))

# The attributes of HTML that hold a link.
_LINKS = "action|background|cite|classid|codebase|data|formaction|href|icon|longdesc|manifest|poster|profile|src|usemap"
_TAG = re.compile(rb"<[a-zA-Z][^>]*>")
_ATTRIBUTE = re.compile(rf"""(\b(?:{_LINKS})\s*=\s*)("[^"]*"|'[^']*'|[^\s>"']+)""".encode(), re.IGNORECASE)


def headers(given: Mapping[str, str], prefix: str, host: str, backend: str) -> dict[str, str]:
    """Those of the answer; `prefix` is the path before the server's own, `host` what the client calls us, `backend` the server's
    `host:port`."""
    found = {name: value for name, value in given.items() if name.lower() not in _DROPPED}
    for name, value in found.items():
        if name.lower() == "location":
            found[name] = link(value, prefix, host, backend)
    return found


def is_page(given: Mapping[str, str]) -> bool:
    """Whether the body has links to rewrite, in a coding we can read."""
    found = {name.lower(): value for name, value in given.items()}
    is_html = found.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
    return is_html and found.get("content-encoding", "").lower() in ("", "gzip", "deflate")


def page(body: bytes, given: Mapping[str, str], prefix: str, host: str, backend: str) -> bytes:
    """The same page, in the same coding. A body that is not what its headers say stays as it is."""
    coding = next((value.lower() for name, value in given.items() if name.lower() == "content-encoding"), "")
    try:
        plain = _decoded(body, coding)
    except (OSError, EOFError, zlib.error):
        return body
    rewritten = _TAG.sub(lambda tag: _tag(tag.group(0), prefix, host, backend), plain)
    return body if rewritten == plain else _coded(rewritten, coding)


def link(text: str, prefix: str, host: str, backend: str) -> str:
    """An absolute link to the server itself begins with `prefix`; all others stay."""
    try:
        url = urllib.parse.urlsplit(text)
    except ValueError:
        return text
    if not url.path.startswith("/") or (url.netloc and url.netloc not in (host, backend)):
        return text
    keeps_host = url.netloc == host
    if not keeps_host:
        url = url._replace(scheme="", netloc="")
    if not url.path.startswith(prefix):
        url = url._replace(path=prefix.rstrip("/") + url.path)
    return urllib.parse.urlunsplit(url)


def _tag(tag: bytes, prefix: str, host: str, backend: str) -> bytes:
    def attribute(found: re.Match[bytes]) -> bytes:
        name, value = found.groups()
        quote = value[:1] if value[:1] in (b'"', b"'") else b""
        text = (
            value.strip(quote).decode("utf-8", "surrogateescape") if quote else value.decode("utf-8", "surrogateescape")
        )
        return bytes(name + quote + link(text, prefix, host, backend).encode("utf-8", "surrogateescape") + quote)

    return _ATTRIBUTE.sub(attribute, tag)


def _decoded(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if coding == "deflate" else body


def _coded(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.compress(body, mtime=0)
    return zlib.compress(body) if coding == "deflate" else body
