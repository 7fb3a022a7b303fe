"""The listeners of a Gateway: what they accept, and what is wrong with them. Pure.

Source: Gateway API, "Gateway" (listener conditions and their reasons), "ReferenceGrant".
"""

import dataclasses
from collections.abc import Iterable, Sequence

from steersman.ingress.wanted import Certificate, Look, Wanted
from steersman.meta import conditions, objects, selectors
from steersman.meta.objects import Object

GROUP = "gateway.networking.k8s.io"
CONTROLLER = "steersman.io/gateway"
CLASS = "steersman"
_SECURE = {"HTTP": False, "HTTPS": True}


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Everything of Gateway API that there is; `namespaces` are labels by name."""

    classes: Sequence[Object] = ()
    gateways: Sequence[Object] = ()
    routes: Sequence[Object] = ()
    grants: Sequence[Object] = ()
    namespaces: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Listener:
    """`refusal` is the condition that keeps it from being programmed; `references` says whether all it names is there."""

    gateway: Object
    spec: Object
    hostname: str
    certificates: tuple[Certificate, ...] = ()
    accepted: Object = dataclasses.field(default_factory=lambda: conditions.make("Accepted", "True", "Accepted"))
    references: Object = dataclasses.field(
        default_factory=lambda: conditions.make("ResolvedRefs", "True", "ResolvedRefs")
    )
    conflicted: Object = dataclasses.field(
        default_factory=lambda: conditions.make("Conflicted", "False", "NoConflicts")
    )
    attached: set[str] = dataclasses.field(default_factory=set)

    @property
    def port(self) -> int:
        return int(self.spec["port"])

    @property
    def secure(self) -> bool:
        return _SECURE.get(self.spec["protocol"], False)

    @property
    def is_programmed(self) -> bool:
        """A listener whose certificates are all missing could only show a wrong one."""
        usable = self.references["status"] == "True" or not self.secure or bool(self.certificates)
        return self.accepted["status"] == "True" and self.conflicted["status"] == "False" and usable

    def admits(self, route: Object, namespaces: dict[str, dict[str, str]]) -> bool:
        """Whether routes of this kind and namespace may attach."""
        allowed = self.spec.get("allowedRoutes") or {}
        if allowed.get("kinds") and not any(kind.get("kind") == "HTTPRoute" for kind in allowed["kinds"]):
            return False
        where = allowed.get("namespaces") or {}
        namespace = objects.namespace(route)
        match where.get("from", "Same"):
            case "All":
                return True
            case "Selector":
                return selectors.object_matches(where.get("selector"), namespaces.get(namespace, {}))
        return namespace == objects.namespace(self.gateway)

    def conditions(self) -> list[Object]:
        programmed = conditions.make("Programmed", "True", "Programmed")
        if not self.is_programmed:
            programmed = conditions.make(
                "Programmed", "False", "Invalid", "the listener is not served: see its other conditions"
            )
        return [self.accepted, programmed, self.references, self.conflicted]


def of_gateway(gateway: Object, found: Wanted, look: Look, grants: Iterable[Object]) -> list[Listener]:
    """Its listeners; their ports and certificates are added to `found`."""
    listeners = [_listener(gateway, spec, found, look, grants) for spec in gateway["spec"].get("listeners") or ()]
    _refuse_doubles(listeners)
    for listener in listeners:
        if listener.is_programmed:
            found.port(listener.port, secure=listener.secure).certificates.extend(listener.certificates)
    return listeners


def _listener(gateway: Object, spec: Object, found: Wanted, look: Look, grants: Iterable[Object]) -> Listener:
    listener = Listener(gateway, spec, (spec.get("hostname") or "").lower())
    if spec["protocol"] not in _SECURE:
        text = f"protocol {spec['protocol']} is not served: HTTP and HTTPS are"
        listener.accepted = conditions.make("Accepted", "False", "UnsupportedProtocol", text)
    elif listener.secure and (spec.get("tls") or {}).get("mode", "Terminate") != "Terminate":
        text = "TLS is ended here: the mode Passthrough is not served"
        listener.accepted = conditions.make("Accepted", "False", "UnsupportedValue", text)
    taken = found.ports.get(listener.port)
    if taken is not None and taken.secure != listener.secure:
        text = f"port {listener.port} is already served as {'HTTPS' if taken.secure else 'HTTP'}"
        listener.conflicted = conditions.make("Conflicted", "True", "ProtocolConflict", text)
    kinds = (spec.get("allowedRoutes") or {}).get("kinds") or ()
    if any(kind.get("kind") != "HTTPRoute" or kind.get("group", GROUP) != GROUP for kind in kinds):
        listener.references = conditions.make("ResolvedRefs", "False", "InvalidRouteKinds", "only HTTPRoutes attach")
    elif listener.secure:
        _resolve_certificates(listener, look, grants)
    return listener


def _resolve_certificates(listener: Listener, look: Look, grants: Iterable[Object]) -> None:
    named = (listener.spec.get("tls") or {}).get("certificateRefs") or ()
    found, reason, text = [], "" if named else "InvalidCertificateRef", "no certificate is named"
    for reference in named:
        key = f"{reference.get('namespace') or objects.namespace(listener.gateway)}/{reference['name']}"
        if not is_permitted(listener.gateway, "Gateway", reference, "Secret", grants):
            reason, text = "RefNotPermitted", f"no ReferenceGrant permits the secret {key}"
            continue
        is_secret = reference.get("kind", "Secret") == "Secret" and not reference.get("group")
        pem = look.certificate(key) if is_secret else None
        if pem is None:
            reason, text = "InvalidCertificateRef", f"{key} is no secret with a certificate and its key"
            continue
        found.append(Certificate(key.replace("/", "."), pem, (listener.hostname,) if listener.hostname else ()))
    listener.certificates = tuple(found)
    if reason:
        listener.references = conditions.make("ResolvedRefs", "False", reason, text)


def _refuse_doubles(listeners: Sequence[Listener]) -> None:
    """Of one Gateway: two listeners with one port and host name are both in conflict, as are two protocols on one port."""
    for one in listeners:
        for other in listeners:
            if one is other or one.port != other.port:
                continue
            if one.secure != other.secure:
                text = f"another listener serves port {one.port} with another protocol"
                one.conflicted = conditions.make("Conflicted", "True", "ProtocolConflict", text)
            elif one.hostname == other.hostname:
                text = f"another listener has port {one.port} and this host name, too"
                one.conflicted = conditions.make("Conflicted", "True", "HostnameConflict", text)


def is_permitted(source: Object, kind: str, reference: Object, target_kind: str, grants: Iterable[Object]) -> bool:
    """References into other namespaces need a ReferenceGrant there."""
    namespace = reference.get("namespace") or objects.namespace(source)
    if namespace == objects.namespace(source):
        return True
    wanted = {"group": GROUP, "kind": kind, "namespace": objects.namespace(source)}
    return any(
        wanted in [{key: one.get(key, "") for key in wanted} for one in grant["spec"]["from"]]
        and any(
            one.get("kind") == target_kind and one.get("name") in (None, "", reference["name"])
            for one in grant["spec"]["to"]
        )
        for grant in grants
        if objects.namespace(grant) == namespace
    )
