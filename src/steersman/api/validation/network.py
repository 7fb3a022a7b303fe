"""Services, Endpoints and EndpointSlices."""

import ipaddress

from steersman.api.validation import fields, metadata
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
TRAFFIC_POLICIES = ("Cluster", "Local")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
AFFINITY_SECONDS_MAX = 86400
ENDPOINTS_MAX = 1000  # of one slice
PORTS_MAX = 20000  # of one slice
ADDRESSES_MAX = 100  # of one endpoint


def validate_service(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, check=names.label_1035_errors)
    errors += fields.check_one_of("spec.type", spec.get("type"), SERVICE_TYPES)
    errors += fields.check_one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    errors += _affinity(spec)
    errors += _ports(spec)
    errors += labels.validate(spec.get("selector") or {}, "spec.selector")
    errors += _addresses(spec)
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        errors += fields.check_one_of(f"spec.{field}", spec.get(field), TRAFFIC_POLICIES, needed=False)
    if spec.get("externalTrafficPolicy") and not _reached_from_outside(spec):
        text = "may only be set for externally-accessible services"
        errors.append(fields.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], text))
    if old is not None:
        errors += _service_update(spec, old.get("spec") or {})
    return errors


def validate_endpoints(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    for index, subset in enumerate(new.get("subsets") or ()):
        here = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(fields.required(here, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(field) or ()):
                ip = address.get("ip", "")
                errors += fields.each_invalid(f"{here}.{field}[{at}].ip", ip, names.ip_errors(ip))
        ports = subset.get("ports") or ()
        for at, port in enumerate(ports):
            errors += _endpoint_port(port, f"{here}.ports[{at}]", named=len(ports) > 1)
    return errors


def validate_endpoint_slice(new: Object, old: Object | None) -> list[FieldError]:
    kind, endpoints, ports = new.get("addressType"), new.get("endpoints") or [], new.get("ports") or []
    errors = metadata.validate(new, old)
    errors += fields.check_one_of("addressType", kind, ADDRESS_TYPES)
    if len(endpoints) > ENDPOINTS_MAX:
        errors.append(fields.too_many("endpoints", len(endpoints), ENDPOINTS_MAX))
    else:
        for index, endpoint in enumerate(endpoints):
            errors += _slice_endpoint(endpoint, f"endpoints[{index}]", kind or "")
    if len(ports) > PORTS_MAX:
        errors.append(fields.too_many("ports", len(ports), PORTS_MAX))
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"ports[{index}]", port.get("name", "")
        if name:
            errors += fields.each_invalid(f"{here}.name", name, names.label_errors(name))
        if name in seen:
            errors.append(fields.duplicate(f"{here}.name", name))
        seen.add(name)
        errors += fields.check_one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
    if old is not None:
        errors += fields.check_immutable("addressType", kind, old.get("addressType"))
    return errors


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
    return [*errors, *fields.check_port_or_name(f"{path}.targetPort", target)]


def _addresses(spec: Object) -> list[FieldError]:
    kind, address = spec.get("type"), spec.get("clusterIP", "")
    errors = []
    if kind == "ExternalName":
        if address:
            errors.append(fields.forbidden("spec.clusterIP", "may not be set when `type` is 'ExternalName'"))
        name = spec.get("externalName", "").removesuffix(".")
        errors += fields.check_name("spec.externalName", name, names.subdomain_errors)
    for index, one in enumerate(spec.get("clusterIPs") or ((address,) if address else ())):
        if one != "None":
            errors += fields.each_invalid(f"spec.clusterIPs[{index}]", one, names.ip_errors(one))
    listed = spec.get("clusterIPs")
    if listed and address and listed[0] != address:
        errors.append(fields.invalid("spec.clusterIPs[0]", listed, "element [0] must match clusterIP"))
    if address == "None" and kind in ("NodePort", "LoadBalancer"):
        text = f"may not be set to 'None' for {kind} services"
        errors.append(fields.invalid("spec.clusterIPs[0]", "None", text))
    for index, one in enumerate(spec.get("externalIPs") or ()):
        errors += fields.each_invalid(f"spec.externalIPs[{index}]", one, names.ip_errors(one) or _not_reachable(one))
    return errors


def _not_reachable(address: str) -> list[str]:
    """Addresses that can lead nowhere useful as an external IP or an endpoint."""
    ip = ipaddress.ip_address(address)
    errors = []
    if ip.is_unspecified:
        errors.append(f"may not be unspecified ({address})")
    if ip.is_loopback:
        errors.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if ip.is_link_local:
        errors.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if ip.is_multicast:
        errors.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return errors


def _reached_from_outside(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _service_update(new: Object, old: Object) -> list[FieldError]:
    """A cluster address stays once given; it goes only when the Service becomes an ExternalName, and the other way round."""
    if "ExternalName" in (new.get("type"), old.get("type")):
        return []
    before = old.get("clusterIPs") or ([old["clusterIP"]] if old.get("clusterIP") else [])
    after = new.get("clusterIPs") or ([new["clusterIP"]] if new.get("clusterIP") else [])
    if before and before[0] != (after[0] if after else ""):
        return [fields.invalid("spec.clusterIPs[0]", after, "may not change once set")]
    return []


def _endpoint_port(port: Object, path: str, *, named: bool) -> list[FieldError]:
    name = port.get("name", "")
    errors = []
    if name:
        errors += fields.each_invalid(f"{path}.name", name, names.label_errors(name))
    elif named:
        errors.append(fields.required(f"{path}.name"))
    errors += fields.each_invalid(f"{path}.port", port.get("port", 0), names.port_number_errors(port.get("port", 0)))
    return [*errors, *fields.check_one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)]


def _slice_endpoint(endpoint: Object, path: str, kind: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        return [fields.required(f"{path}.addresses", "must contain at least 1 address")]
    if len(addresses) > ADDRESSES_MAX:
        return [fields.too_many(f"{path}.addresses", len(addresses), ADDRESSES_MAX)]
    errors = []
    for index, address in enumerate(addresses):
        here = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            errors += fields.each_invalid(here, address, names.subdomain_errors(address))
        elif names.ip_errors(address) or (":" in address) != (kind == "IPv6"):
            errors.append(fields.invalid(here, address, f"must be a valid {kind} address"))
        else:
            errors += fields.each_invalid(here, address, _not_reachable(address))
    node = endpoint.get("nodeName")
    return [*errors, *fields.check_optional_name(f"{path}.nodeName", node, names.subdomain_errors)]
