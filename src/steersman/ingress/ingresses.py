"""Ingresses as rules: pure.

Reads: Ingresses, IngressClasses, and through `Look` Services, their EndpointSlices and Secrets.
Keeps true: an Ingress that names something missing breaks nothing of the others; its own requests get 503, and it is told why.
Source: "Ingress" (rules, path types, default backend, classes, TLS).
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from steersman.ingress import backends, routes
from steersman.ingress.backends import Backend, Reference
from steersman.meta import objects
from steersman.meta.objects import Object

CONTROLLER = "steersman.io/ingress"
CLASS = "steersman"
OLD_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
# An Ingress with TLS is served by plain HTTP, too; with this annotation such requests are sent to https.
REDIRECT_ANNOTATION = "steersman.io/ssl-redirect"
UNAVAILABLE = "unavailable"  # the backend without servers: 503


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """PEM of a certificate (with its chain) and its key, for these hosts; none: for whoever asks for no other."""

    name: str
    pem: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Something an object asks for that is not there."""

    obj: Object
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """By `namespace/name`."""

    service: Callable[[str], Object | None]
    slices: Callable[[str], Iterable[Object]]
    certificate: Callable[[str], str | None]
    """PEM of a Secret of type kubernetes.io/tls; None where it is none."""


@dataclasses.dataclass(slots=True)
class Wanted:
    """What a proxy is to do. `https_only` are the hosts whose plain requests are redirected."""

    rules: list[routes.Rule] = dataclasses.field(default_factory=list)
    backends: dict[str, Backend] = dataclasses.field(default_factory=dict)
    certificates: list[Certificate] = dataclasses.field(default_factory=list)
    https_only: set[str] = dataclasses.field(default_factory=set)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def served(ingresses: Iterable[Object], classes: Iterable[Object]) -> list[Object]:
    """Those of our class, oldest first: who came first keeps a place that two claim."""
    ours = {objects.name(one) for one in classes if (one.get("spec") or {}).get("controller") == CONTROLLER}
    found = [one for one in ingresses if _class_of(one) in ours and not objects.is_terminating(one)]
    return sorted(found, key=lambda one: (one["metadata"].get("creationTimestamp", ""), objects.key(one)))


def wanted(ingresses: Sequence[Object], look: Look) -> Wanted:
    """`ingresses` are those that are `served`."""
    found = Wanted()
    defaults: list[routes.Rule] = []
    for ingress in ingresses:
        translation = _Ingress(ingress, look, found)
        found.rules.extend(translation.rules())
        defaults.extend(translation.defaults())
        translation.certificates()
    # Behind all that is asked for by name: whatever comes first at a place wins.
    found.rules.extend(defaults)
    return found


def _class_of(ingress: Object) -> str:
    spec = ingress.get("spec") or {}
    return str(spec.get("ingressClassName") or objects.annotations(ingress).get(OLD_CLASS_ANNOTATION) or "")


class _Ingress:
    def __init__(self, ingress: Object, look: Look, found: Wanted) -> None:
        self._ingress = ingress
        self._spec: Object = ingress.get("spec") or {}
        self._look = look
        self._found = found

    def rules(self) -> Iterable[routes.Rule]:
        for rule in self._spec.get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                action = self._action(path["backend"])
                exact = path.get("pathType") == "Exact"
                text = path.get("path") or "/"
                yield routes.Rule(rule.get("host") or "", text if exact else routes.normal_path(text), action, exact)

    def defaults(self) -> Iterable[routes.Rule]:
        """What is left over at this Ingress' hosts, or anywhere if it names none."""
        if not self._spec.get("defaultBackend"):
            return
        action = self._action(self._spec["defaultBackend"])
        for host in sorted({rule.get("host") or "" for rule in self._spec.get("rules") or ()} or {""}):
            yield routes.Rule(host, "/", action)

    def certificates(self) -> None:
        named = tuple(rule["host"] for rule in self._spec.get("rules") or () if rule.get("host"))
        for entry in self._spec.get("tls") or ():
            asked = tuple(entry.get("hosts") or named)
            if objects.annotations(self._ingress).get(REDIRECT_ANNOTATION) == "true":
                self._found.https_only.update(asked)
            if not entry.get("secretName"):
                continue
            key = f"{objects.namespace(self._ingress)}/{entry['secretName']}"
            pem = self._look.certificate(key)
            if pem is None:
                self._problem("SecretNotFound", f'secret "{key}" is not there, or holds no certificate with its key')
            else:
                self._found.certificates.append(Certificate(key.replace("/", "."), pem, asked))

    def _action(self, backend: Object) -> routes.Action:
        key = self._backend(backend)
        return routes.Action((routes.Target(key),))

    def _backend(self, backend: Object) -> str:
        service = backend.get("service")
        if service is None:
            self._problem("BackendNotSupported", "a backend that is no Service cannot be asked over HTTP")
            return UNAVAILABLE
        port = service.get("port") or {}
        reference = Reference(
            objects.namespace(self._ingress), service["name"], port.get("number") or port.get("name") or 0
        )
        resolved = backends.resolve(reference, self._look.service, self._look.slices)
        if isinstance(resolved, str):
            self._problem("ServiceNotFound", resolved)
            return UNAVAILABLE
        self._found.backends[resolved.key] = resolved
        return resolved.key

    def _problem(self, reason: str, message: str) -> None:
        self._found.problems.append(Problem(self._ingress, reason, message))
