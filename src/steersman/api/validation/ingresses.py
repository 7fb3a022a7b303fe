"""Ingresses and IngressClasses."""

import re

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

CLASS_ANNOTATION = "kubernetes.io/ingress.class"  # of before there were IngressClasses
CONTROLLER_MAX = 250  # characters
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
SCOPES = ("Cluster", "Namespace")

_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_FORBIDDEN_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_ENDS = ("/..", "/.")


def validate_ingress(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if not spec.get("rules") and not spec.get("defaultBackend"):
        text = "either `defaultBackend` or `rules` must be specified"
        errors.append(fields.invalid("spec", spec.get("rules"), text))
    if spec.get("defaultBackend") is not None:
        errors += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        errors += _tls(tls, f"spec.tls[{index}]")
    name = spec.get("ingressClassName")
    if name is not None:
        errors += fields.each_invalid("spec.ingressClassName", name, names.subdomain_errors(name))
    given = (new["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    if old is None and given is not None and name is not None and given != name:
        text = "must match `ingressClassName` when both are specified"
        errors.append(fields.invalid(f"annotations.{CLASS_ANNOTATION}", given, text))
    return [*errors, *load_balancer(new, "status.loadBalancer")]


def validate_ingress_class(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if old is not None:
        before = (old.get("spec") or {}).get("controller", "")
        errors += fields.check_immutable("spec.controller", spec.get("controller", ""), before)
    errors += _controller(spec.get("controller") or "", "spec.controller")
    if spec.get("parameters") is not None:
        errors += _parameters(spec["parameters"], "spec.parameters")
    return errors


def load_balancer(obj: Object, path: str) -> list[FieldError]:
    """What a load balancer reported of itself."""
    errors = []
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    for index, one in enumerate(ingress or ()):
        here, hostname = f"{path}.ingress[{index}]", one.get("hostname")
        if one.get("ip"):
            errors += fields.each_invalid(f"{here}.ip", one["ip"], names.ip_errors(one["ip"]))
        if hostname:
            errors += fields.each_invalid(f"{here}.hostname", hostname, names.subdomain_errors(hostname))
            if not names.ip_errors(hostname):
                errors.append(fields.invalid(f"{here}.hostname", hostname, "must be a DNS name, not an IP address"))
    return errors


def _host(host: str, path: str) -> list[FieldError]:
    check = names.wildcard_subdomain_errors if "*" in host else names.subdomain_errors
    return fields.each_invalid(path, host, check(host))


def _rule(rule: Object, path: str) -> list[FieldError]:
    errors = []
    host = rule.get("host")
    if host:
        if not names.ip_errors(host):
            errors.append(fields.invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        errors += _host(host, f"{path}.host")
    http = rule.get("http")
    if http is None:
        return errors
    if not http.get("paths"):
        errors.append(fields.required(f"{path}.http.paths"))
    for index, one in enumerate(http.get("paths") or ()):
        errors += _path(one, f"{path}.http.paths[{index}]")
    return errors


def _path(one: Object, path: str) -> list[FieldError]:
    kind, text = one.get("pathType"), one.get("path") or ""
    if kind is None:
        return [fields.required(f"{path}.pathType", "pathType must be specified")]
    errors = []
    if kind not in PATH_TYPES:
        errors.append(fields.not_supported(f"{path}.pathType", kind, PATH_TYPES))
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        errors.append(fields.invalid(f"{path}.path", text, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        wrong = [f"must not contain '{bad}'" for bad in _FORBIDDEN_IN_PATHS if bad in text]
        wrong += [f"cannot end with '{bad}'" for bad in _FORBIDDEN_ENDS if text.endswith(bad)]
        errors += fields.each_invalid(f"{path}.path", text, wrong)
    return [*errors, *_backend(one.get("backend") or {}, f"{path}.backend")]


def _backend(backend: Object, path: str) -> list[FieldError]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [fields.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(resource, f"{path}.resource")
    if service is None:
        return [fields.invalid(path, "", "resource or service backend is required")]
    name, port = service.get("name"), service.get("port") or {}
    errors = fields.check_name(f"{path}.service.name", name, names.label_errors)
    if port.get("name") and port.get("number"):
        errors.append(fields.invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        where = f"{path}.service.port.name"
        errors += fields.each_invalid(where, port["name"], names.port_name_errors(port["name"]))
    elif port.get("number"):
        where = f"{path}.service.port.number"
        errors += fields.each_invalid(where, port["number"], names.port_number_errors(port["number"]))
    else:
        errors.append(fields.required(path, "port name or number is required"))
    return errors


def _tls(tls: Object, path: str) -> list[FieldError]:
    errors = []
    for index, host in enumerate(tls.get("hosts") or ()):
        errors += _host(host, f"{path}.hosts[{index}]")
    return [*errors, *fields.check_optional_name(f"{path}.secretName", tls.get("secretName"), names.subdomain_errors)]


def _controller(controller: str, path: str) -> list[FieldError]:
    """`acme.io/foo`."""
    if not controller:
        return [fields.required(path)]
    errors = [fields.too_long(path, CONTROLLER_MAX)] if len(controller) > CONTROLLER_MAX else []
    host, _, rest = controller.partition("/")
    if not host or not rest:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [*errors, fields.invalid(path, controller, text)]
    errors += fields.each_invalid(path, host, names.subdomain_errors(host))
    if not re.fullmatch(_HTTP_PATH, rest):
        text = f"Invalid path (e.g. '/healthz', regex used for validation is '{_HTTP_PATH}')"
        errors.append(fields.invalid(path, rest, text))
    return errors


def _reference(reference: Object, path: str) -> list[FieldError]:
    """To an object by group, kind and name."""
    errors = []
    group = reference.get("apiGroup")
    if group is not None:
        errors += fields.each_invalid(f"{path}.apiGroup", group, names.subdomain_errors(group))
    for field in ("kind", "name"):
        errors += fields.check_name(f"{path}.{field}", reference.get(field), names.path_segment_errors)
    return errors


def _parameters(parameters: Object, path: str) -> list[FieldError]:
    errors = _reference(parameters, path)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*errors, fields.required(f"{path}.scope")]
    if scope not in SCOPES:
        errors.append(fields.not_supported(f"{path}.scope", scope, SCOPES))
    elif scope == "Namespace":
        if namespace is None:
            errors.append(fields.required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            errors += fields.each_invalid(f"{path}.namespace", namespace, names.label_errors(namespace))
    elif namespace is not None:
        errors.append(fields.forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errors
