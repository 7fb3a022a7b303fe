"""Ingresses as rules: pure.

Reads: Ingresses, IngressClasses, and through `Look` Services, their EndpointSlices and Secrets.
Keeps true: an Ingress that names something missing breaks nothing of the others; its own requests get 503, and it is told why.
Source: "Ingress" (rules, path types, default backend, classes, TLS).
"""

from collections.abc import Iterable, Sequence

from steersman.ingress import backends, routes
from steersman.ingress.backends import Reference
from steersman.ingress.wanted import UNAVAILABLE, Certificate, Look, Problem, Wanted
from steersman.meta import objects
from steersman.meta.objects import Object

CONTROLLER = "steersman.io/ingress"
CLASS = "steersman"
OLD_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
# An Ingress with TLS is served by plain HTTP, too; with this annotation such requests are sent to https.
REDIRECT_ANNOTATION = "steersman.io/ssl-redirect"


def served(ingresses: Iterable[Object], classes: Iterable[Object]) -> list[Object]:
    """Those of our class, oldest first: who came first keeps a place that two claim."""
    ours = {objects.name(one) for one in classes if (one.get("spec") or {}).get("controller") == CONTROLLER}
    found = [one for one in ingresses if _class_of(one) in ours and not objects.is_terminating(one)]
    return sorted(found, key=lambda one: (one["metadata"].get("creationTimestamp", ""), objects.key(one)))


def add(found: Wanted, ingresses: Sequence[Object], look: Look, http_port: int = 80, https_port: int = 443) -> None:
    """What `ingresses`, those that are `served`, ask for: the same rules on both ports."""
    plain, secure = found.port(http_port), found.port(https_port, secure=True)
    rules: list[routes.Rule] = []
    defaults: list[routes.Rule] = []
    for ingress in ingresses:
        translation = _Ingress(ingress, look, found)
        rules.extend(translation.rules())
        defaults.extend(translation.defaults())
        secure.certificates.extend(translation.certificates())
        plain.https_only.update(translation.https_only())
    # Defaults come behind all that is asked for by name: whatever comes first at a place wins.
    for port in (plain, secure):
        port.rules.extend([*rules, *defaults])


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

    def certificates(self) -> Iterable[Certificate]:
        for entry in self._spec.get("tls") or ():
            if not entry.get("secretName"):
                continue
            key = f"{objects.namespace(self._ingress)}/{entry['secretName']}"
            pem = self._look.certificate(key)
            if pem is None:
                self._problem("SecretNotFound", f'secret "{key}" is not there, or holds no certificate with its key')
            else:
                yield Certificate(key.replace("/", "."), pem, self._hosts(entry))

    def https_only(self) -> Iterable[str]:
        if objects.annotations(self._ingress).get(REDIRECT_ANNOTATION) != "true":
            return ()
        return [host for entry in self._spec.get("tls") or () for host in self._hosts(entry)]

    def _hosts(self, tls: Object) -> tuple[str, ...]:
        """Those that an entry of `tls` names; if none, all that the rules name."""
        named = (rule["host"] for rule in self._spec.get("rules") or () if rule.get("host"))
        return tuple(tls.get("hosts") or named)

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
