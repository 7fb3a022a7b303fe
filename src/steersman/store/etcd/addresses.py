"""Where the members of an etcd cluster are. Pure."""

import dataclasses
import pathlib
import urllib.parse

PORT = 2379


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """`urls` as etcd's client URLs; with https the authority (PEM file), and a certificate with its key where etcd asks for one."""

    urls: tuple[str, ...]
    authority: pathlib.Path | None = None
    certificate: pathlib.Path | None = None
    key: pathlib.Path | None = None


def parse(text: str) -> tuple[str, ...]:
    """`http://a:2379,b` → URLs with scheme and port. Raises ValueError."""
    urls = []
    for part in text.split(","):
        url = urllib.parse.urlsplit(part if "//" in part else f"http://{part}")
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
            raise ValueError(f"{part!r} is no URL of etcd: http(s)://HOST[:PORT]")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        urls.append(f"{url.scheme}://{host}:{url.port or PORT}")
    if len({url.partition(":")[0] for url in urls}) > 1:
        raise ValueError("the URLs of one etcd are all http or all https")
    return tuple(urls)
