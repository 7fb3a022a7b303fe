"""HAProxy's configuration for a set of rules: pure, text out.

Where a request goes is one lookup in a map of exact places, or of prefixes (HAProxy keeps both as trees, so the longest prefix is
found at once), per form of the host: itself, with a wildcard, none. What the map names is a backend, or a list of rules with
conditions that are asked in turn.

`Config.structure` is everything but the servers' addresses: as long as it stays, a change of endpoints is told to the running
process and loses no connection; any other change is a reload.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping

from steersman.ingress import haproxy_rules, routes
from steersman.ingress.backends import Backend, Server
from steersman.ingress.wanted import UNAVAILABLE, Port, Wanted

SLOTS_MIN = 4  # servers a backend has room for before the first reload; doubled whenever they do not suffice
LIST = "@"  # begins the name of a list of rules: no backend is named so


@dataclasses.dataclass(frozen=True)
class Listen:
    """Where requests come in, and how many at once. `user`: whom the process becomes; "" is who it is."""

    addresses: tuple[str, ...]
    connections_max: int = 20_000
    user: str = ""
    group: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """`files` by name, beside the configuration; `servers` by backend, one entry per slot (None: empty)."""

    structure: str
    files: Mapping[str, str]
    servers: Mapping[str, tuple[Server | None, ...]]

    @property
    def text(self) -> str:
        """The whole configuration."""
        lines = []
        for line in self.structure.splitlines():
            name = line.removeprefix(_SLOTS)
            lines.extend([line] if name == line else _server_lines(name, self.servers[name]))
        return "\n".join(lines) + "\n"


_SLOTS = "  # servers of "
_GLOBAL = """\
global
  {identity}
  maxconn {connections_max}
  hard-stop-after 1h
  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
  tune.ssl.default-dh-param 2048

defaults
  mode http
  timeout connect 2s
  timeout http-request 10s
  timeout http-keep-alive 60s
  timeout client 60s
  timeout server 60s
  timeout queue 10s
  timeout tunnel 1h
  retries 3
  retry-on conn-failure
  option redispatch 1
  option http-keep-alive
"""
_FORWARDED = """\
  http-request del-header X-Forwarded-For
  option forwardfor
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Request-ID %[uuid] unless {{ req.hdr(X-Request-ID) -m found }}
"""
LABELS_MAX = 8  # of a host behind a wildcard
_UNFOUND = "if !{ var(txn.to) -m found }"
_NOT_FOUND = '  http-request return status 404 content-type "text/plain; charset=utf-8" string "404 page not found\\n"'


def build(wanted: Wanted, listen: Listen, folder: pathlib.Path, slots: Mapping[str, int], default_pem: str) -> Config:
    """`slots`: how many servers each backend had room for last time; it never gets fewer, so that shrinking is no reload."""
    servers = {key: _slots(backend, slots.get(key, 0)) for key, backend in sorted(wanted.backends.items())}
    identity = f"user {listen.user}\n  group {listen.group}" if listen.user else "# runs as who started it"
    parts = [_GLOBAL.format(folder=folder, identity=identity, connections_max=listen.connections_max)]
    files = {"default.pem": default_pem}
    for _, port in sorted(wanted.ports.items()):
        frontend = _Frontend(port, listen, folder)
        parts.append("\n".join(frontend.lines()))
        files |= frontend.files()
    parts.extend(_backend(backend) for _, backend in sorted(wanted.backends.items()))
    parts.append(f"backend {UNAVAILABLE}")
    return Config("\n\n".join(parts) + "\n", files, servers)


class _Frontend:
    """One port: its maps and certificates are files of its own."""

    def __init__(self, port: Port, listen: Listen, folder: pathlib.Path) -> None:
        self._port = port
        self._listen = listen
        self._folder = folder
        self._table = routes.table(port.rules)
        plain = {place: routes.plain(rules) for place, rules in self._table.items()}
        self._lists = {place: f"{LIST}{number}" for number, place in enumerate(plain) if not plain[place]}

    def files(self) -> dict[str, str]:
        exact, prefix = [], []
        for (host, path, is_exact), rules in self._table.items():
            value = routes.plain(rules) or self._lists[host, path, is_exact]
            if is_exact:
                exact.append(f"{host}{path} {value}")
            else:
                prefix.append(f"{host}{path.rstrip('/')}/ {value}")
        files = {f"exact-{self._port.number}.map": _file(exact), f"prefix-{self._port.number}.map": _file(prefix)}
        if not self._port.secure:
            return files
        # HAProxy takes the first of the list for whoever names no host it knows.
        lines = [f"{self._folder}/default.pem"]
        for certificate in self._port.certificates:
            files[f"{certificate.name}.pem"] = certificate.pem
            lines.append(" ".join([f"{self._folder}/{certificate.name}.pem", *certificate.hosts]))
        return files | {f"certificates-{self._port.number}.list": _file(dict.fromkeys(lines))}

    def lines(self) -> list[str]:
        number, scheme = self._port.number, "https" if self._port.secure else "http"
        secure = (
            f" ssl crt-list {self._folder}/certificates-{number}.list alpn h2,http/1.1" if self._port.secure else ""
        )
        lines = [f"frontend {scheme}-{number}"]
        lines += [f"  bind {address}:{number}{secure}" for address in self._listen.addresses]
        return lines + self._rules(scheme)

    def _rules(self, scheme: str) -> list[str]:
        lines = [*_FORWARDED.format(scheme=scheme).splitlines()]
        lines.append("  http-request set-var(txn.host) req.hdr(host),field(1,:),lower")
        lines.append("  http-request set-var(txn.path) path")
        if self._port.https_only:
            hosts = " ".join(sorted(self._port.https_only))
            lines.append(f"  http-request redirect scheme https code 308 if {{ var(txn.host) -m str {hosts} }}")
        for host in self._host_forms():
            exact = f"{host},concat(,txn.path),map_str({self._folder}/exact-{self._port.number}.map)"
            prefix = f"{host},concat(,txn.path,/),map_beg({self._folder}/prefix-{self._port.number}.map)"
            lines += [f"  http-request set-var(txn.to) '{found}' {_UNFOUND}" for found in (exact, prefix)]
        lines.append(f"{_NOT_FOUND} {_UNFOUND}")
        if self._lists:
            lines += haproxy_rules.asked_in_turn(
                {name: self._table[place] for place, name in self._lists.items()}, scheme
            )
            lines.append(f"{_NOT_FOUND} if {{ var(txn.to) -m beg {LIST} }}")
        lines.append("  use_backend %[var(txn.to)]")
        return lines

    def _host_forms(self) -> list[str]:
        """How the host is looked up, the most specific first: only forms that some rule has."""
        names = routes.hosts(self._table)
        forms = ["var(txn.host)"] if any(name and not name.startswith("*") for name in names) else []
        if any(name.startswith("*.") for name in names):
            forms.append('var(txn.host),regsub("^[^.]+","*")')
        depth = max((name.count(".") for name in names if name.startswith("**.")), default=0)
        if depth:
            # From the most labels to the fewest: a wildcard of Gateway API stands for one or more.
            longest = range(LABELS_MAX, 0, -1)
            forms += [f'var(txn.host),regsub("^.+\\.(([^.]+\\.){{{count - 1}}}[^.]+)$","**.\\1")' for count in longest]
        if "" in names:
            forms.append("str()")
        return forms


def _slots(backend: Backend, before: int) -> tuple[Server | None, ...]:
    count = max(SLOTS_MIN, before)
    while count < len(backend.servers):
        count *= 2
    return (*backend.servers, *[None] * (count - len(backend.servers)))


def _server_lines(name: str, servers: Iterable[Server | None]) -> list[str]:
    return [
        f"  server s{number} 127.0.0.1:1 disabled" if server is None else f"  server s{number} {_at(server)}"
        for number, server in enumerate(servers)
    ]


def _at(server: Server) -> str:
    return f"[{server.address}]:{server.port}" if ":" in server.address else f"{server.address}:{server.port}"


def _backend(backend: Backend) -> str:
    # In turn: by the fewest connections a retry would go to the server that is gone again, as it has none.
    lines = [f"backend {backend.key}", "  balance source" if backend.sticky else "  balance roundrobin"]
    options = {"http": "", "https": " ssl verify none alpn h2,http/1.1", "h2c": " proto h2"}[backend.protocol]
    if backend.name:
        options += " init-addr last,libc,none"
    if options:
        lines.append(f"  default-server{options}")
    return "\n".join([*lines, f"{_SLOTS}{backend.key}"])


def _file(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
