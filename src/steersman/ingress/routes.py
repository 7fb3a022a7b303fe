"""Which rule a request falls under: pure, the same for Ingress paths and for HTTPRoutes.

Keeps true: the more specific host wins (exact, wildcard, none), then an exact path, then the longest prefix, then more conditions,
then whoever came first. Where no rule's conditions hold, the next less specific host and path is asked, as if the more specific
one did not exist.  Leaves to others: how rules come about (`ingresses`, `gateways`), how a proxy is told (`haproxy_config`).
Sources: "Ingress" (path types, wildcards), Gateway API's HTTPRouteRule precedence.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """`name` is empty for a method. `regex`: `value` is searched for as a regular expression, else compared."""

    what: Literal["method", "header", "query"]
    name: str
    value: str
    regex: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """`backend` is the key of a `backends.Backend`; "" is one that cannot be reached and answers 500."""

    backend: str
    weight: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Redirect:
    """What is None stays as the client wrote it. `prefix`: `path` replaces only the matched prefix."""

    status: int = 302
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Headers:
    """Changes of a request's or an answer's headers, carried out in this order."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Rewrite:
    host: str | None = None
    path: str | None = None
    prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """What is done with a request: a redirect, or one of the targets by weight; none at all answers 500."""

    targets: tuple[Target, ...] = ()
    redirect: Redirect | None = None
    rewrite: Rewrite | None = None
    request_headers: Headers = Headers()
    response_headers: Headers = Headers()
    timeout_seconds: float = 0  # 0: the proxy's own

    @property
    def is_plain(self) -> bool:
        """Nothing but passing on to one backend."""
        return len(self.targets) == 1 and bool(self.targets[0].backend) and self == Action(self.targets)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """`host` is a name, `*.name` (one label more: Ingress), `**.name` (one or more: Gateway API) or "" for any.

    `path` begins with a slash and, unless it is the root, ends without one. `exact`: nothing may follow it.
    """

    host: str
    path: str
    action: Action
    exact: bool = False
    conditions: tuple[Condition, ...] = ()


Place = tuple[str, str, bool]
"""host, path, exact."""


def table(rules: Iterable[Rule]) -> dict[Place, tuple[Rule, ...]]:
    """For every place where it makes a difference, the rules to ask there in turn; the last one has no conditions, or nobody else
    has anything to say. `rules` come in the order in which they win where they are equal."""
    at: dict[Place, list[Rule]] = {}
    for rule in rules:
        at.setdefault((rule.host, rule.path, rule.exact), []).append(rule)
    for found in at.values():
        found.sort(key=_by_conditions)
    places = {*at, *(inner for place in at for inner in _inner_places(place, at))}
    return {place: _with_fallbacks(place, at) for place in sorted(places, key=_specific)}


def hosts(places: Iterable[Place]) -> list[str]:
    return sorted({host for host, _, _ in places})


def _inner_places(place: Place, at: dict[Place, list[Rule]]) -> Iterator[Place]:
    """Where all rules of a host may say no, those of a wider host that are about longer paths have their say at this host, too."""
    host, path, exact = place
    own = [other for other in at if other == place or (other[0] == host and _covers(other, place))]
    if exact or any(not rule.conditions for other in own for rule in at[other]):
        return
    for wider, longer, is_exact in at:
        if wider != host and _host_covers(wider, host) and _covers((host, path, False), (host, longer, is_exact)):
            yield host, longer, is_exact


def _with_fallbacks(place: Place, at: dict[Place, list[Rule]]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for candidate in [place, *sorted((other for other in at if _covers(other, place)), key=_specific)]:
        for rule in at.get(candidate, ()):
            found.append(rule)
            if not rule.conditions:
                return tuple(found)
    return tuple(found)


def _by_conditions(rule: Rule) -> tuple[int, int, int]:
    """Gateway API: a method counts more than headers, those more than query parameters."""
    kinds = [condition.what for condition in rule.conditions]
    return -kinds.count("method"), -kinds.count("header"), -kinds.count("query")


def _specific(place: Place) -> tuple[int, int, str, bool, int, str]:
    """Sorts the more specific first."""
    host, path, exact = place
    kind = 3 if not host else 2 if host.startswith("**.") else 1 if host.startswith("*.") else 0
    return kind, -len(host), host, not exact, -len(path), path


def _covers(wider: Place, place: Place) -> bool:
    """Whether every request that falls under `place` would fall under `wider`, if there were only that."""
    host, path, exact = wider
    if wider == place or not _host_covers(host, place[0]):
        return False
    if exact:
        return place[2] and path == place[1]
    return path == "/" or place[1] == path or place[1].startswith(path + "/")


def _host_covers(wider: str, host: str) -> bool:
    if wider in ("", host):
        return True
    if wider.startswith("**."):
        return host.lstrip("*").endswith(wider[2:]) and host.lstrip("*.") != ""
    if wider.startswith("*."):
        return not host.startswith("*") and host.partition(".")[2] == wider[2:]
    return False


def normal_path(path: str) -> str:
    """`/a/` is the same prefix as `/a`."""
    return path.rstrip("/") or "/"


def plain(rules: Sequence[Rule]) -> str:
    """The one backend of rules that ask nothing and change nothing; "" where there is more to do."""
    first = rules[0]
    return first.action.targets[0].backend if not first.conditions and first.action.is_plain else ""
