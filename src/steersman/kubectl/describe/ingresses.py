"""Ingresses and their classes. Of each Service behind an Ingress its endpoints are shown, or why they are not known."""

from typing import NamedTuple

from steersman.kubectl.describe import events, services
from steersman.kubectl.describe.writing import NONE, Description, annotations, head, labels, metadata, spec, status
from steersman.meta.objects import Object


class Backend(NamedTuple):
    """What was asked of a Service: it and its slices, or the refusal."""

    service: Object | None
    slices: list[Object]
    error: str = ""


def service_names(obj: Object) -> list[str]:
    """The Services an Ingress leads to."""
    wanted = spec(obj)
    backends = [wanted.get("defaultBackend") or {}]
    backends += [path.get("backend") or {} for rule in wanted.get("rules") or () for path in _paths(rule)]
    names = [(backend.get("service") or {}).get("name") for backend in backends]
    return list(dict.fromkeys(name for name in names if name))


def _paths(rule: Object) -> list[Object]:
    return (rule.get("http") or {}).get("paths") or []


def ingress(d: Description, obj: Object) -> None:
    wanted = spec(obj)
    d.row(0, "Name:", metadata(obj).get("name", ""))
    labels(d, "Labels", metadata(obj).get("labels"))
    d.row(0, "Namespace:", metadata(obj).get("namespace", ""))
    given = (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    d.row(0, "Address:", ",".join(sorted({one.get("ip") or one.get("hostname", "") for one in given} - {""})))
    class_name = wanted.get("ingressClassName")
    d.row(0, "Ingress Class:", NONE if class_name is None else class_name)
    default = "<default>" if wanted.get("defaultBackend") is None else _backend(d, wanted["defaultBackend"])
    d.row(0, "Default backend:", default)
    if wanted.get("tls"):
        d.write(0, "TLS:\n")
        for one in wanted["tls"]:
            hosts = ",".join(one.get("hosts") or ())
            d.write(
                1, f"{one['secretName']} terminates {hosts}\n" if one.get("secretName") else f"SNI routes {hosts}\n"
            )
    d.write(0, "Rules:\n  Host\tPath\tBackends\n")
    d.row(1, "----", "----", "--------")
    rules = [rule for rule in wanted.get("rules") or () if rule.get("http") is not None]
    for rule in rules:
        d.write(1, f"{rule.get('host') or '*'}\t\n")
        for path in _paths(rule):
            d.write(2, f"\t{path.get('path', '')} \t{_backend(d, path.get('backend') or {})}\n")
    if not rules:
        d.row(1, "*", "*", default)
    annotations(d, "Annotations", metadata(obj).get("annotations"))
    events.write(d)


def _backend(d: Description, backend: Object) -> str:
    target = backend.get("service")
    if target is not None:
        port = target.get("port") or {}
        text = f"{target.get('name', '')}:{port.get('number') or port.get('name', '')}"
        asked: Backend = (d.seen.others.get("backends") or {}).get(target.get("name"), Backend(None, []))
        if asked.error:
            return f"{text} (<error: {asked.error}>)"
        return f"{text} ({services.addresses(asked.slices, {_port_name(asked.service or {}, port)})})"
    resource = backend.get("resource")
    if resource is None:
        return ""
    group = NONE if resource.get("apiGroup") is None else resource["apiGroup"]
    return f"APIGroup: {group}, Kind: {resource.get('kind', '')}, Name: {resource.get('name', '')}"


def _port_name(service: Object, wanted: Object) -> str:
    found = ""
    for port in spec(service).get("ports") or ():
        name = port.get("name", "")
        if wanted.get("number"):
            found = name if wanted["number"] == port.get("port") else found
        elif wanted.get("name") and wanted["name"] == name:
            found = name
    return str(found)


def ingress_class(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    d.row(0, "Controller:", spec(obj).get("controller", ""))
    parameters = spec(obj).get("parameters")
    if parameters is not None:
        d.write(0, "Parameters:\n")
        if parameters.get("apiGroup") is not None:
            d.row(1, "APIGroup:", parameters["apiGroup"])
        d.row(1, "Kind:", parameters.get("kind", ""))
        d.row(1, "Name:", parameters.get("name", ""))
    events.write(d)
