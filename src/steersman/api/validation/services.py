"""Services. Which address families they have: `address_families`."""

from steersman.api.validation import address_families, fields, metadata
from steersman.api.validation.ingresses import load_balancer
from steersman.api.validation.network import PROTOCOLS, unreachable_errors
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
TRAFFIC_POLICIES = ("Cluster", "Local")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
IP_MODES = ("Proxy", "VIP")
AFFINITY_SECONDS_MAX = 86400
UNCHANGEABLE = "may not change once set"

_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"


def validate_service(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, check=names.label_1035_errors)
    errors += fields.check_one_of("spec.type", spec.get("type"), TYPES)
    errors += fields.check_one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    errors += _affinity(spec)
    errors += _ports(spec)
    errors += labels.validate(spec.get("selector") or {}, "spec.selector")
    errors += _external_name(spec) if spec.get("type") == "ExternalName" else _addresses(spec)
    for index, one in enumerate(spec.get("externalIPs") or ()):
        errors += fields.each_invalid(
            f"spec.externalIPs[{index}]", one, names.ip_errors(one) or unreachable_errors(one)
        )
    errors += _traffic(spec)
    errors += _balancer(spec)
    errors += _status(new)
    if old is not None:
        errors += _update(spec, old.get("spec") or {})
    return errors


def has_health_port(spec: Object) -> bool:
    """Load balancers ask there whether a node has endpoints of its own."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_external(spec: Object) -> bool:
    """Whether connections from outside may come in, so that a policy about them makes sense."""
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _affinity(spec: Object) -> list[FieldError]:
    config = spec.get("sessionAffinityConfig") or {}
    seconds = (config.get("clientIP") or {}).get("timeoutSeconds")
    if spec.get("sessionAffinity") == "None" and config:
        text = "must not be set when session affinity is None"
        return [fields.forbidden("spec.sessionAffinityConfig", text)]
    if seconds is not None and not 0 < seconds <= AFFINITY_SECONDS_MAX:
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        return [fields.invalid(path, seconds, f"must be greater than 0 and less than {AFFINITY_SECONDS_MAX}")]
    return []


def _ports(spec: Object) -> list[FieldError]:
    ports, kind = spec.get("ports") or (), spec.get("type")
    headless = spec.get("clusterIP") == "None"
    if not ports:
        return [] if headless or kind == "ExternalName" else [fields.required("spec.ports")]
    errors = []
    seen_names: set[str] = set()
    seen_ports: set[tuple[object, object]] = set()
    seen_nodes: set[tuple[object, object]] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        errors += _port(port, here, len(ports) > 1, headless=headless)
        name, key = port.get("name", ""), (port.get("protocol"), port.get("port"))
        if name and name in seen_names:
            errors.append(fields.duplicate(f"{here}.name", name))
        if key in seen_ports:
            errors.append(fields.duplicate(here, {"protocol": key[0], "port": key[1]}))
        if port.get("nodePort"):
            node_key = (port.get("protocol"), port["nodePort"])
            if kind in ("ClusterIP", "ExternalName"):
                text = f"may not be used when `type` is '{kind}'"
                errors.append(fields.forbidden(f"{here}.nodePort", text))
            elif node_key in seen_nodes:
                errors.append(fields.duplicate(f"{here}.nodePort", port["nodePort"]))
            seen_nodes.add(node_key)
        seen_names.add(name)
        seen_ports.add(key)
    return errors


def _port(port: Object, path: str, needs_name: bool, *, headless: bool) -> list[FieldError]:
    name, target = port.get("name", ""), port.get("targetPort", 0)
    errors = []
    if name:
        errors += fields.each_invalid(f"{path}.name", name, names.label_errors(name))
    elif needs_name:
        errors.append(fields.required(f"{path}.name"))
    errors += fields.each_invalid(f"{path}.port", port.get("port", 0), names.port_number_errors(port.get("port", 0)))
    errors += fields.check_one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    errors += fields.check_port_or_name(f"{path}.targetPort", target)
    protocol = port.get("appProtocol")
    return [*errors, *fields.check_optional_name(f"{path}.appProtocol", protocol, names.qualified_name_errors)]


def _external_name(spec: Object) -> list[FieldError]:
    errors = [
        fields.forbidden(f"spec.{field}", "may not be set when `type` is 'ExternalName'")
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(field)
    ]
    name = spec.get("externalName", "").removesuffix(".")
    return [*errors, *fields.check_name("spec.externalName", name, names.subdomain_errors)]


def _addresses(spec: Object) -> list[FieldError]:
    errors = address_families.check(spec)
    kind = spec.get("type")
    if spec.get("clusterIP") == "None" and kind in ("NodePort", "LoadBalancer"):
        text = f"may not be set to 'None' for {kind} services"
        errors.append(fields.invalid("spec.clusterIPs[0]", "None", text))
    return errors


def _traffic(spec: Object) -> list[FieldError]:
    """Which endpoints connections may be led to, by where they and their clients are."""
    errors = []
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        errors += fields.check_one_of(f"spec.{field}", spec.get(field), TRAFFIC_POLICIES, needed=False)
    if spec.get("externalTrafficPolicy") and not is_external(spec):
        text = "may only be set for externally-accessible services"
        errors.append(fields.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], text))
    where, wish = "spec.trafficDistribution", spec.get("trafficDistribution")
    if wish is not None and wish not in DISTRIBUTIONS:
        errors.append(fields.not_supported(where, wish, DISTRIBUTIONS))
    where, port = "spec.healthCheckNodePort", spec.get("healthCheckNodePort")
    if port and not has_health_port(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(fields.invalid(where, port, text))
    elif port:
        errors += fields.each_invalid(where, port, names.port_number_errors(port))
    return errors


def _balancer(spec: Object) -> list[FieldError]:
    is_balancer = spec.get("type") == "LoadBalancer"
    errors = []
    for field in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if not is_balancer and spec.get(field) not in (None, []):
            errors.append(fields.forbidden(f"spec.{field}", _BALANCER_ONLY))
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        wrong = names.cidr_errors(text.strip())
        errors += fields.each_invalid(f"spec.loadBalancerSourceRanges[{index}]", text, wrong)
    given = spec.get("loadBalancerClass")
    if is_balancer and given is not None:
        errors += fields.each_invalid("spec.loadBalancerClass", given, names.qualified_name_errors(given))
    return errors


def _status(service: Object) -> list[FieldError]:
    path = "status.loadBalancer"
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingress and service["spec"].get("type") != "LoadBalancer":
        return [fields.forbidden(f"{path}.ingress", 'may only be used when `spec.type` is "LoadBalancer"')]
    errors = load_balancer(service, path)
    for index, one in enumerate(ingress):
        here, mode = f"{path}.ingress[{index}].ipMode", one.get("ipMode")
        if one.get("ip") and mode is None:
            errors.append(fields.required(here, "must be specified when `ip` is set"))
        elif not one.get("ip") and mode is not None:
            errors.append(fields.forbidden(here, "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in IP_MODES:
            errors.append(fields.not_supported(here, mode, IP_MODES))
    return errors


def _update(new: Object, old: Object) -> list[FieldError]:
    """A cluster address stays once given; it goes only when the Service becomes an ExternalName, and the other way round."""
    errors = []
    if new.get("type") == old.get("type") == "LoadBalancer":
        before, after = old.get("loadBalancerClass"), new.get("loadBalancerClass")
        errors += fields.check_immutable("spec.loadBalancerClass", after, before, UNCHANGEABLE)
    if "ExternalName" in (new.get("type"), old.get("type")):
        return errors
    for field in ("clusterIPs", "ipFamilies"):
        before, after = old.get(field) or [], new.get(field) or []
        for index, (was, now) in enumerate(zip(before, after, strict=False)):
            if was != now:
                errors.append(fields.invalid(f"spec.{field}[{index}]", after, UNCHANGEABLE))
        if before and not after:
            errors.append(fields.invalid(f"spec.{field}[0]", after, UNCHANGEABLE))
    return errors
