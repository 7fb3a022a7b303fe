"""Which hosts an image is asked of: those that a folder of `hosts.toml` files names for its registry, then the registry itself.

Source: containerd's docs/hosts.md, and Docker's certificate files (`*.crt`, `*.cert` with `*.key`) where there is no hosts.toml.
Files are read at each pull: a change counts from the next one on.
"""

import dataclasses
import ipaddress
import re
import ssl
import tomllib
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from steersman.containers.images import references
from steersman.meta import times

DOCKER_HUB = "registry-1.docker.io"
CONNECT_SECONDS = 30.0
FILE, DEFAULT_FOLDER = "hosts.toml", "_default"


class Malformed(ValueError):
    """The file cannot be meant so; the text is for whoever wrote it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """`base` is the root of the API, as in `https://mirror.example/v2`. `can`: of pull and resolve (ask what a tag is).
    `namespace`: the registry that a mirror stands in for; empty for the registry itself, and only there do logins go.
    `may_be_plain`: plain HTTP where HTTPS is not spoken."""

    base: str
    can: frozenset[str] = frozenset({"pull", "resolve"})
    namespace: str = ""
    may_be_plain: bool = False
    verifies: bool = True
    authorities: tuple[str, ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    connect_seconds: float = CONNECT_SECONDS
    proxy: str = ""

    def tls(self) -> ssl.SSLContext | bool:
        """True: as everyone's. Raises OSError (certificates that cannot be read)."""
        if self.verifies and not self.authorities and not self.certificates:
            return True
        context = ssl.create_default_context()
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for file in self.authorities:
            context.load_verify_locations(cafile=file)
        for certificate, key in self.certificates:
            context.load_cert_chain(certificate, key)
        return context


def of(domain: str, folder: str = "") -> list[Host]:
    """In the order to be asked. `folder` is empty where nothing is configured. Raises Malformed, OSError."""
    own = Host(f"https://{_server_of(domain)}/v2", may_be_plain=may_be_plain(domain))
    found = next((one for one in _folders(domain, folder) if one.is_dir()), None)
    if found is None:
        return [own]
    if not (found / FILE).is_file():
        return [_with_certificate_files(own, found)]
    return _of_file(domain, own, found / FILE)


def may_be_plain(domain: str) -> bool:
    """Whether plain HTTP may be spoken with a registry: one of this machine."""
    host = re.sub(r":\d+$", "", domain).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _folders(domain: str, folder: str) -> Iterable[Path]:
    if not folder:
        return
    name, colon, port = domain.rpartition(":")
    if colon and port.isdigit():
        yield Path(folder, f"{name}_{port}_")
    yield Path(folder, domain)
    yield Path(folder, DEFAULT_FOLDER)


def _with_certificate_files(own: Host, folder: Path) -> Host:
    pairs = [(str(one), str(one.with_suffix(".key"))) for one in sorted(folder.glob("*.cert"))]
    authorities = tuple(str(one) for one in sorted(folder.glob("*.crt")))
    return dataclasses.replace(own, authorities=authorities, certificates=tuple(pairs))


def _of_file(domain: str, own: Host, file: Path) -> list[Host]:
    try:
        found = tomllib.loads(file.read_text())
        mirrors = [
            _host(domain, Host(_base(url, about), may_be_plain=_may_be_plain(url)), about, file.parent)
            for url, about in (found.get("host") or {}).items()
        ]
        server = str(found.get("server") or "")
        last = Host(_base(server, found), may_be_plain=_may_be_plain(server)) if server else own
        return [*mirrors, _host(domain, last, found, file.parent)]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError, TypeError, AttributeError) as problem:
        raise Malformed(f"{file}: {problem}") from problem


def _base(url: str, about: Mapping[str, Any]) -> str:
    """With the version of the API, unless the path is to be taken as it stands."""
    parts = urllib.parse.urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"not the address of a registry: {url!r}")
    path = parts.path.rstrip("/")
    if not about.get("override_path") and not path.endswith("/v2"):
        path += "/v2"
    netloc = DOCKER_HUB if parts.netloc == references.DEFAULT_DOMAIN else parts.netloc
    return f"{parts.scheme}://{netloc}{path}"


def _may_be_plain(url: str) -> bool:
    """Who says https means it."""
    return "://" not in url and may_be_plain(url.partition("/")[0])


def _host(domain: str, host: Host, about: Mapping[str, Any], folder: Path) -> Host:
    netloc = urllib.parse.urlsplit(host.base).netloc
    capabilities = about.get("capabilities")
    if capabilities is not None and not set(capabilities) <= {"pull", "resolve", "push"}:
        raise ValueError(f"unknown capability in {capabilities}")
    verifies = not about.get("skip_verify", False)
    return dataclasses.replace(
        host,
        can=host.can if capabilities is None else frozenset(capabilities) & host.can,
        namespace="" if netloc == _server_of(domain) else domain,
        verifies=verifies,
        authorities=tuple(str(folder / one) for one in _list(about.get("ca"))),
        certificates=tuple(_pair(one, folder) for one in _list(about.get("client"))),
        headers=tuple((str(name), str(one)) for name, of in (about.get("header") or {}).items() for one in _list(of)),
        connect_seconds=times.parse_duration(str(about.get("dial_timeout", f"{CONNECT_SECONDS:g}s"))),
        proxy=str(about.get("proxy", "")),
    )


def _server_of(domain: str) -> str:
    return DOCKER_HUB if domain == references.DEFAULT_DOMAIN else domain


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _pair(one: str | list[str], folder: Path) -> tuple[str, str]:
    """A certificate with its key, which may be in the same file."""
    certificate, key = (one, "") if isinstance(one, str) else (one[0], one[1])
    return str(folder / certificate), str(folder / key) if key else str(folder / certificate)
