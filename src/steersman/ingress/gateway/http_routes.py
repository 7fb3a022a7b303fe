"""HTTPRoutes: where they attach, and the rules they ask for. Pure.

Keeps true: a route that names a backend that is not there gets 500 for that backend's share, and says so; a route with a filter
or a match that is not served is not attached at all, so that no request is treated otherwise than it asks.
Source: Gateway API, "HTTPRoute" (conditions and their reasons, precedence, filters).
"""

import dataclasses
from collections.abc import Iterable, Iterator

from steersman.ingress import backends, routes
from steersman.ingress.backends import Reference
from steersman.ingress.gateway.listeners import GROUP, Listener, Seen, is_permitted
from steersman.ingress.routes import Action, Condition, Headers, Redirect, Rewrite, Rule, Target
from steersman.ingress.wanted import Look, Wanted
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

_FILTERS = frozenset(("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"))
_UNITS = {"ms": 0.001, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """What a route's status says of one parent."""

    parent: Object
    conditions: list[Object]


def attach(
    route: Object, gateways: dict[str, list[Listener]], seen: Seen, look: Look, found: Wanted
) -> Iterator[Attachment]:
    """One per parent that is a Gateway of ours (`gateways` by namespace/name); the rules are added to `found`."""
    unsupported = _unsupported(route)
    for parent in route["spec"].get("parentRefs") or ():
        if parent.get("kind", "Gateway") != "Gateway" or parent.get("group", GROUP) != GROUP:
            continue
        listeners = gateways.get(f"{parent.get('namespace') or objects.namespace(route)}/{parent['name']}")
        if listeners is None:
            continue
        references = _References(route, seen, look, found)
        rules = list(references.rules())
        resolved = conditions.make("ResolvedRefs", "True", "ResolvedRefs")
        if references.reason:
            resolved = conditions.make("ResolvedRefs", "False", references.reason, references.text)
        if unsupported:
            accepted = conditions.make("Accepted", "False", "UnsupportedValue", unsupported)
        else:
            accepted = _attach_to(route, parent, listeners, rules, seen, found)
        yield Attachment(parent, [accepted, resolved])


def _attach_to(
    route: Object, parent: Object, listeners: Iterable[Listener], rules: list[Rule], seen: Seen, found: Wanted
) -> Object:
    """The condition Accepted."""
    named = [
        one
        for one in listeners
        if parent.get("sectionName") in (None, one.spec["name"]) and parent.get("port") in (None, one.port)
    ]
    if not named:
        return conditions.make("Accepted", "False", "NoMatchingParent", "the Gateway has no such listener")
    admitting = [one for one in named if one.admits(route, seen.namespaces)]
    if not admitting:
        return conditions.make("Accepted", "False", "NotAllowedByListeners", "no listener allows this route")
    asked = [host.lower() for host in route["spec"].get("hostnames") or [""]]
    attached = False
    for listener in admitting:
        hosts = [host for each in asked if (host := common_host(listener.hostname, each)) is not None]
        if not hosts:
            continue
        attached = True
        listener.attached.add(objects.key(route))
        if listener.is_programmed:
            port = found.port(listener.port, secure=listener.secure)
            port.rules.extend(dataclasses.replace(rule, host=_form(host)) for host in hosts for rule in rules)
    if not attached:
        text = "no listener has a host name in common with this route"
        return conditions.make("Accepted", "False", "NoMatchingListenerHostname", text)
    return conditions.make("Accepted", "True", "Accepted")


def common_host(one: str, other: str) -> str | None:
    """What two host names, each a name, `*.name` or "" for any, have in common: the narrower one; None for nothing."""
    if not one or not other or one == other:
        return one or other
    for wide, narrow in ((one, other), (other, one)):
        if wide.startswith("*.") and narrow.removeprefix("*").endswith(wide[1:]) and len(narrow) > len(wide[1:]):
            return narrow
    return None


def _form(host: str) -> str:
    """Here a wildcard stands for one label or more."""
    return f"*{host}" if host.startswith("*.") else host


class _References:
    """A route's rules for any host, and what is wrong with the backends they name."""

    def __init__(self, route: Object, seen: Seen, look: Look, found: Wanted) -> None:
        self._route = route
        self._seen = seen
        self._look = look
        self._found = found
        self.reason = ""
        self.text = ""

    def rules(self) -> Iterator[Rule]:
        nothing: Object = {}
        for rule in self._route["spec"].get("rules") or (nothing,):
            action = self._action(rule)
            for match in rule.get("matches") or (nothing,):
                path = match.get("path") or {}
                text, exact = path.get("value") or "/", path.get("type") == "Exact"
                yield Rule("", text if exact else routes.normal_path(text), action, exact, tuple(_conditions(match)))

    def _action(self, rule: Object) -> Action:
        action = Action(
            tuple(self._target(reference) for reference in rule.get("backendRefs") or ()),
            timeout_seconds=_seconds((rule.get("timeouts") or {}).get("request") or "0s"),
        )
        for one in rule.get("filters") or ():
            match one["type"]:
                case "RequestHeaderModifier":
                    action = dataclasses.replace(action, request_headers=_headers(one["requestHeaderModifier"]))
                case "ResponseHeaderModifier":
                    action = dataclasses.replace(action, response_headers=_headers(one["responseHeaderModifier"]))
                case "RequestRedirect":
                    action = dataclasses.replace(action, redirect=_redirect(one["requestRedirect"]))
                case "URLRewrite":
                    rewrite = one["urlRewrite"]
                    path, prefix = _path(rewrite.get("path"))
                    action = dataclasses.replace(action, rewrite=Rewrite(rewrite.get("hostname"), path, prefix))
        return action

    def _target(self, reference: Object) -> Target:
        weight = int(reference.get("weight", 1))
        if reference.get("kind", "Service") != "Service" or reference.get("group"):
            return self._missing(weight, "InvalidKind", f"{reference.get('kind')} is no Service")
        namespace = reference.get("namespace") or objects.namespace(self._route)
        if not is_permitted(self._route, "HTTPRoute", reference, "Service", self._seen.grants):
            text = f"no ReferenceGrant permits the service {namespace}/{reference['name']}"
            return self._missing(weight, "RefNotPermitted", text)
        port = Reference(namespace, reference["name"], reference.get("port") or 0)
        resolved = backends.resolve(port, self._look.service, self._look.slices)
        if isinstance(resolved, str):
            return self._missing(weight, "BackendNotFound", resolved)
        self._found.backends[resolved.key] = resolved
        return Target(resolved.key, weight)

    def _missing(self, weight: int, reason: str, text: str) -> Target:
        self.reason, self.text = reason, text
        return Target("", weight)


def _unsupported(route: Object) -> str:
    """What of it is not served; "" for nothing."""
    for rule in route["spec"].get("rules") or ():
        kinds = [one["type"] for one in rule.get("filters") or () if one["type"] not in _FILTERS]
        if kinds:
            return f"the filter {kinds[0]} is not served"
        if any(reference.get("filters") for reference in rule.get("backendRefs") or ()):
            return "filters of a single backend are not served"
        if any((match.get("path") or {}).get("type") == "RegularExpression" for match in rule.get("matches") or ()):
            return "paths by regular expression are not served"
    return ""


def _conditions(match: Object) -> Iterator[Condition]:
    if match.get("method"):
        yield Condition("method", "", match["method"])
    for header in match.get("headers") or ():
        yield Condition("header", header["name"], header["value"], header.get("type") == "RegularExpression")
    for parameter in match.get("queryParams") or ():
        yield Condition("query", parameter["name"], parameter["value"], parameter.get("type") == "RegularExpression")


def _headers(change: Object) -> Headers:
    return Headers(
        tuple((one["name"], one["value"]) for one in change.get("set") or ()),
        tuple((one["name"], one["value"]) for one in change.get("add") or ()),
        tuple(change.get("remove") or ()),
    )


def _redirect(asked: Object) -> Redirect:
    path, prefix = _path(asked.get("path"))
    status = int(asked.get("statusCode", 302))
    return Redirect(status, asked.get("scheme"), asked.get("hostname"), asked.get("port"), path, prefix)


def _path(asked: Object | None) -> tuple[str | None, bool]:
    if asked is None:
        return None, False
    prefix = asked["type"] == "ReplacePrefixMatch"
    return asked.get("replacePrefixMatch" if prefix else "replaceFullPath") or "/", prefix


def _seconds(text: str) -> float:
    """A Gateway API duration, such as 1h30m or 500ms."""
    total, number = 0.0, ""
    index = 0
    while index < len(text):
        unit = next((unit for unit in _UNITS if text.startswith(unit, index)), "")
        if unit and number:
            total, number = total + int(number) * _UNITS[unit], ""
            index += len(unit)
        else:
            number += text[index]
            index += 1
    return total
