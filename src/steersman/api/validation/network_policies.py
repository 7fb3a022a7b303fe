"""NetworkPolicies."""

import ipaddress

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PROTOCOLS = ("SCTP", "TCP", "UDP")
TYPES = ("Egress", "Ingress")


def validate_network_policy(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    errors += metadata.label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                errors += _port(port, f"{here}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or ()):
                errors += _peer(peer, f"{here}.{peers}[{at}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(TYPES):
        text = "may not specify more than two policyTypes"
        return [*errors, fields.invalid("spec.policyTypes", types, text)]
    for index, one in enumerate(types):
        if one not in TYPES:
            errors.append(fields.not_supported(f"spec.policyTypes[{index}]", one, TYPES))
    return errors


def _port(port: Object, path: str) -> list[FieldError]:
    wanted, end = port.get("port"), port.get("endPort")
    errors = fields.check_one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS, needed=False)
    if wanted is None:
        if end is not None:
            text = "may not be specified when `port` is not specified"
            errors.append(fields.invalid(f"{path}.endPort", end, text))
        return errors
    if isinstance(wanted, str):
        if end is not None:
            text = "may not be specified when `port` is non-numeric"
            errors.append(fields.invalid(f"{path}.endPort", end, text))
        return [*errors, *fields.each_invalid(f"{path}.port", wanted, names.port_name_errors(wanted))]
    errors += fields.each_invalid(f"{path}.port", wanted, names.port_number_errors(wanted))
    if end is not None:
        if end < wanted:
            errors.append(fields.invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
        errors += fields.each_invalid(f"{path}.endPort", end, names.port_number_errors(end))
    return errors


def _peer(peer: Object, path: str) -> list[FieldError]:
    errors = metadata.label_selector(peer.get("podSelector"), f"{path}.podSelector")
    errors += metadata.label_selector(peer.get("namespaceSelector"), f"{path}.namespaceSelector")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _block(block, f"{path}.ipBlock")
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    if not given:
        errors.append(fields.required(path, "must specify a peer"))
    elif len(given) > 1 and block is not None:
        errors.append(fields.forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _block(block: Object, path: str) -> list[FieldError]:
    cidr = block.get("cidr")
    if not cidr:
        return [fields.required(f"{path}.cidr")]
    wrong = names.cidr_errors(cidr)
    if wrong:
        return fields.each_invalid(f"{path}.cidr", cidr, wrong)
    whole = ipaddress.ip_network(cidr, strict=False)
    errors = []
    for index, text in enumerate(block.get("except") or ()):
        here = f"{path}.except[{index}]"
        wrong = names.cidr_errors(text)
        if wrong:
            errors += fields.each_invalid(here, text, wrong)
        elif not _is_part(ipaddress.ip_network(text, strict=False), whole):
            errors.append(fields.invalid(here, text, "must be a strict subset of `cidr`"))
    return errors


def _is_part(part: ipaddress.IPv4Network | ipaddress.IPv6Network, whole: object) -> bool:
    """A smaller network inside the other one."""
    assert isinstance(whole, ipaddress.IPv4Network | ipaddress.IPv6Network)
    if part.version != whole.version or part.prefixlen <= whole.prefixlen:
        return False
    return part.network_address in whole
