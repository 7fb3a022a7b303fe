"""ServiceCIDRs and IPAddresses: where the addresses of Services come from, and who has each."""

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

CIDRS_MAX = 2  # one per address family


def validate_service_cidr(new: Object, old: Object | None) -> list[FieldError]:
    path = "spec.cidrs"
    cidrs = (new.get("spec") or {}).get("cidrs") or []
    errors = metadata.validate(new, old, namespaced=False)
    before = ((old or {}).get("spec") or {}).get("cidrs") or []
    if old is None:
        return [*errors, *_cidrs(cidrs, path)]
    if len(before) == len(cidrs):
        for index, (was, now) in enumerate(zip(before, cidrs, strict=True)):
            errors += fields.check_immutable(f"{path}[{index}]", now, was)
    elif len(before) == 1 and len(cidrs) == CIDRS_MAX:  # a second family may join
        errors += [*fields.check_immutable(f"{path}[0]", cidrs[0], before[0]), *_cidrs(cidrs, path)]
    else:
        errors.append(fields.invalid(path, cidrs, fields.IMMUTABLE))
    return errors


def validate_ip_address(new: Object, old: Object | None) -> list[FieldError]:
    path = "spec.parentRef"
    parent = (new.get("spec") or {}).get("parentRef")
    errors = metadata.validate(new, old, namespaced=False, check=names.canonical_ip_errors)
    if old is not None:
        return [*errors, *fields.check_immutable(path, parent, (old.get("spec") or {}).get("parentRef"))]
    if parent is None:
        return [*errors, fields.required(path)]
    errors += fields.check_optional_name(f"{path}.group", parent.get("group"), names.subdomain_errors)
    errors += fields.check_name(f"{path}.resource", parent.get("resource"), names.path_segment_errors)
    errors += fields.check_name(f"{path}.name", parent.get("name"), names.path_segment_errors)
    return [
        *errors,
        *fields.check_optional_name(f"{path}.namespace", parent.get("namespace"), names.path_segment_errors),
    ]


def _cidrs(cidrs: list[str], path: str) -> list[FieldError]:
    if not cidrs:
        return [fields.required(path, "at least one CIDR required")]
    if len(cidrs) > CIDRS_MAX:
        return [fields.invalid(path, {"cidrs": cidrs}, "may only hold up to 2 values")]
    errors = []
    for index, cidr in enumerate(cidrs):
        errors += fields.each_invalid(f"{path}[{index}]", cidr, names.canonical_cidr_errors(cidr))
    if not errors and len(cidrs) == CIDRS_MAX and (":" in cidrs[0]) == (":" in cidrs[1]):
        text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(fields.invalid(path, cidrs, text))
    return errors
