"""Endpoints and EndpointSlices."""

import ipaddress

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PROTOCOLS = ("SCTP", "TCP", "UDP")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000  # of one slice
PORTS_MAX = 20000  # of one slice
ADDRESSES_MAX = 100  # of one endpoint


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


def unreachable_errors(address: str) -> list[str]:
    """What keeps an address from being of use as an external one or as an endpoint."""
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
            errors += fields.each_invalid(here, address, unreachable_errors(address))
    node = endpoint.get("nodeName")
    return [*errors, *fields.check_optional_name(f"{path}.nodeName", node, names.subdomain_errors)]
