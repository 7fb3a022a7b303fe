"""Names of the administrator's own, from ConfigMap `kube-system/kube-dns`. Pure.

Its keys: `stubDomains` (JSON: domain → resolvers to ask) and `upstreamNameservers` (JSON: resolvers for everything else), as
Kubernetes' documentation has them; `hosts`, lines as in /etc/hosts; `DOMAIN.zone`, a zone of its own: lines of
`NAME [SECONDS] TYPE DATA`, where `@` is the domain itself and a name without a last dot is below it.

What cannot be read is left out, and told: a typing error must not take all names away.
"""

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping

import msgspec

from steersman.dns import wire

TTL_SECONDS = 30  # where a line does not say; upstream's `hosts` has an hour, which is long when people try things
_TYPES = ("A", "AAAA", "CNAME", "NS", "PTR", "SRV", "TXT")
_CLASS = "IN"


@dataclasses.dataclass(frozen=True, slots=True)
class CustomNames:
    """`records` by name; `zones` are those answered for whole; `stubs` are domains others answer for; `problems` are told."""

    records: Mapping[str, tuple[wire.Record, ...]] = dataclasses.field(default_factory=dict)
    zones: frozenset[str] = frozenset()
    stubs: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    upstreams: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def answer(self, name: str, kind: int) -> wire.Answer | None:
        """None: not ours to answer."""
        found = self.records.get(name)
        zone = self._zone_of(name)
        if found is None:
            if zone is None:
                return None
            is_above = any(other.endswith(f".{name}") for other in self.records) or name == zone
            return wire.Answer(wire.NOERROR if is_above else wire.NXDOMAIN, authority=(_soa(zone),))
        chosen = tuple(one for one in found if kind in (one.type, wire.ANY) or one.type == wire.CNAME)
        if chosen or zone is None:
            return wire.Answer(answers=chosen)
        return wire.Answer(authority=(_soa(zone),))

    def resolvers_for(self, name: str) -> tuple[str, ...]:
        """Of the longest stub domain the name is in; () where it is in none."""
        labels = name.split(".")
        for at in range(len(labels)):
            found = self.stubs.get(".".join(labels[at:]))
            if found:
                return found
        return ()

    def _zone_of(self, name: str) -> str | None:
        labels = name.split(".")
        domains = (".".join(labels[at:]) for at in range(len(labels)))
        return next((domain for domain in domains if domain in self.zones), None)


NONE = CustomNames()


def parse(data: Mapping[str, str]) -> CustomNames:
    records: dict[str, list[wire.Record]] = {}
    problems: list[str] = []
    zones = set()
    for line in data.get("hosts", "").splitlines():
        _add(records, _hosts_line(line, problems))
    for key, text in sorted(data.items()):
        if key.endswith(".zone"):
            zone = key.removesuffix(".zone").lower().rstrip(".")
            zones.add(zone)
            for line in text.splitlines():
                _add(records, _zone_line(line, zone, problems))
    stubs = _resolvers_by_domain(data.get("stubDomains", ""), problems)
    upstreams = _resolvers(_json(data.get("upstreamNameservers", ""), "upstreamNameservers", problems), problems)
    merged = {name: tuple(dict.fromkeys(found)) for name, found in records.items()}
    return CustomNames(merged, frozenset(zones), stubs, upstreams, tuple(problems))


def _add(records: dict[str, list[wire.Record]], found: Iterable[wire.Record]) -> None:
    for one in found:
        records.setdefault(one.name, []).append(one)


def _hosts_line(line: str, problems: list[str]) -> list[wire.Record]:
    words = line.partition("#")[0].split()
    if not words:
        return []
    try:
        address = str(ipaddress.ip_address(words[0]))
    except ValueError:
        problems.append(f"hosts: {line.strip()}: {words[0]} is no address")
        return []
    names = [word.lower().rstrip(".") for word in words[1:]]
    found = [wire.address_record(name, address, TTL_SECONDS) for name in names]
    if names:
        reverse = ipaddress.ip_address(address).reverse_pointer
        found.append(wire.name_record(reverse, wire.PTR, names[0], TTL_SECONDS))
    return found


def _zone_line(line: str, zone: str, problems: list[str]) -> list[wire.Record]:
    words = line.partition(";")[0].split()
    if not words:
        return []
    name, rest = _absolute(words[0], zone), words[1:]
    seconds = TTL_SECONDS
    if rest and rest[0].isdecimal():
        seconds, rest = int(rest[0]), rest[1:]
    if rest and rest[0].upper() == _CLASS:
        rest = rest[1:]
    try:
        return [_record(name, seconds, rest[0].upper(), rest[1:], zone)]
    except (ValueError, IndexError) as wrong:
        problems.append(f"{zone}.zone: {line.strip()}: {wrong}")
        return []


def _record(name: str, seconds: int, kind: str, data: list[str], zone: str) -> wire.Record:
    """Raises ValueError, IndexError."""
    match kind:
        case "A" | "AAAA":
            address = ipaddress.IPv4Address(data[0]) if kind == "A" else ipaddress.IPv6Address(data[0])
            return wire.address_record(name, str(address), seconds)
        case "CNAME" | "NS" | "PTR":
            types = {"CNAME": wire.CNAME, "NS": wire.NS, "PTR": wire.PTR}
            return wire.name_record(name, types[kind], _absolute(data[0], zone), seconds)
        case "SRV":
            _, weight, port = int(data[0]), int(data[1]), int(data[2])
            return wire.srv_record(name, weight, port, _absolute(data[3], zone), seconds)
        case "TXT":
            return wire.text_record(name, " ".join(data).strip('"'), seconds)
    raise ValueError(f"{kind} is none of {', '.join(_TYPES)}")


def _absolute(text: str, zone: str) -> str:
    text = text.lower()
    if text == "@":
        return zone
    return text.rstrip(".") if text.endswith(".") else f"{text}.{zone}"


def _soa(zone: str) -> wire.Record:
    return wire.soa_record(zone, f"ns.{zone}", f"hostmaster.{zone}", 1, TTL_SECONDS)


def _resolvers_by_domain(text: str, problems: list[str]) -> dict[str, tuple[str, ...]]:
    found = _json(text, "stubDomains", problems)
    if not isinstance(found, dict):
        return {}
    named = {str(domain).lower().strip("."): _resolvers(listed, problems) for domain, listed in found.items()}
    return {domain: resolvers for domain, resolvers in named.items() if resolvers}


def _resolvers(listed: object, problems: list[str]) -> tuple[str, ...]:
    """Addresses, or `ADDRESS:PORT`, as the forwarder wants them."""
    found = []
    for one in listed if isinstance(listed, list) else ():
        text = str(one)
        address, _, port = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "")
        try:
            parsed = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            problems.append(f"{text} is no address of a resolver")
            continue
        found.append(f"{parsed}#{port}" if port else str(parsed))
    return tuple(found)


def _json(text: str, key: str, problems: list[str]) -> object:
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as wrong:
        problems.append(f"{key}: {wrong}")
        return None
