"""Which address families a Service gets, and what an update may change of them. Pure.

Source: "IPv4/IPv6 dual-stack", and upstream's order: the policy follows from what was said before; families follow from
given addresses; then from the cluster's default; a Service that wants two gets the other one where the cluster has it.
"""

import ipaddress
from collections.abc import Sequence

from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

FAMILIES = ("IPv4", "IPv6")
POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
SINGLE = "SingleStack"

_KEPT = ("ipFamilyPolicy", "ipFamilies", "clusterIPs", "clusterIP")


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def settle(spec: Object, old: Object | None, families: Sequence[str]) -> list[FieldError]:
    """Complete `ipFamilyPolicy` and `ipFamilies` of a Service that has addresses. `families` are the cluster's, the default
    first; `old` is the spec before."""
    if old is not None and _is_untouched_preference(spec, old):
        return []
    _settle_policy(spec, old)
    errors = check(spec)
    if errors:
        return errors
    errors = _changes(spec, old) if old is not None else []
    policy, listed = spec["ipFamilyPolicy"], list(spec.get("ipFamilies") or ())
    addresses = spec.get("clusterIPs") or []
    if policy == SINGLE:
        for values, what in ((addresses, "cluster IPs"), (listed, "IP families")):
            if len(values) > 1:
                text = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                errors.append(fields.invalid("spec.ipFamilyPolicy", policy, text))
    for index, address in enumerate(addresses):
        if address == "None":
            break
        if index >= len(listed):
            if family_of(address) not in families:
                text = f"{family_of(address)} is not configured on this cluster"
                errors.append(fields.invalid(f"spec.clusterIPs[{index}]", addresses, text))
            listed.append(family_of(address))
    if errors:
        return errors
    without_selector = spec.get("clusterIP") == "None" and not spec.get("selector")
    if not without_selector:
        errors = _unavailable(policy, listed, families)
        if errors:
            return errors
    listed = listed or [families[0]]
    if policy != SINGLE and len(listed) == 1 and (without_selector or len(families) == len(FAMILIES)):
        listed.append(FAMILIES[1 - FAMILIES.index(listed[0])])
    spec["ipFamilies"] = listed
    return []


def check(spec: Object) -> list[FieldError]:
    """What must hold of families and addresses whatever the cluster has."""
    errors = fields.check_one_of("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), POLICIES, needed=False)
    listed, addresses = spec.get("ipFamilies") or [], spec.get("clusterIPs") or []
    first = spec.get("clusterIP") or ""
    for index, family in enumerate(listed):
        errors += fields.check_one_of(f"spec.ipFamilies[{index}]", family, FAMILIES)
        if family in listed[:index]:
            errors.append(fields.duplicate(f"spec.ipFamilies[{index}]", family))
    if addresses and not first:
        errors.append(fields.invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    elif addresses and addresses[0] != first:
        errors.append(fields.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif first and not addresses:
        errors.append(fields.required("spec.clusterIPs"))
    if "None" in addresses:
        if len(addresses) > 1:
            errors.append(fields.invalid("spec.clusterIPs", addresses, "'None' must be the first and only value"))
        return errors
    for index, address in enumerate(addresses):
        wrong = names.ip_errors(address)
        errors += fields.each_invalid(f"spec.clusterIPs[{index}]", address, wrong)
        if not wrong and index < len(listed) and listed[index] != family_of(address):
            text = f"expected an {listed[index]} value as indicated by `ipFamilies[{index}]`"
            errors.append(fields.invalid(f"spec.clusterIPs[{index}]", address, text))
    if len(addresses) > len(FAMILIES):
        errors.append(fields.invalid("spec.clusterIPs", addresses, "may only hold up to 2 values"))
    elif len(addresses) == len(FAMILIES) and family_of(addresses[0]) == family_of(addresses[1]):
        text = "may specify no more than one IP for each IP family"
        errors.append(fields.invalid("spec.clusterIPs", addresses, text))
    return errors


def pair(spec: Object, old: Object | None) -> None:
    """Make `clusterIP` and `clusterIPs` agree where a client of before dual stack changed only one of them."""
    one, many = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if old is None:
        if one and not many:
            spec["clusterIPs"] = [one]
        return
    if one != (old.get("clusterIP") or "") and many == (old.get("clusterIPs") or []):
        if one:
            spec["clusterIPs"] = [one, *many[1:]] if many else [one]
        else:
            spec.pop("clusterIPs", None)


def normal(address: str) -> str:
    """An address in its canonical form."""
    return str(ipaddress.ip_address(address))


def _is_untouched_preference(spec: Object, old: Object) -> bool:
    """A Service that prefers two families does not gain or lose one by an update that is about something else."""
    return spec.get("ipFamilyPolicy") == "PreferDualStack" and all(
        (spec.get(field) or None) == (old.get(field) or None) for field in _KEPT
    )


def _settle_policy(spec: Object, old: Object | None) -> None:
    if spec.get("ipFamilyPolicy"):
        return
    if old is not None and old.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = old["ipFamilyPolicy"]
    elif spec.get("clusterIP") == "None" and not spec.get("selector"):
        spec["ipFamilyPolicy"] = "RequireDualStack"
    else:
        spec["ipFamilyPolicy"] = SINGLE


def _changes(spec: Object, old: Object) -> list[FieldError]:
    """The second family goes where the policy says so, and only then."""
    errors = []
    policy = spec["ipFamilyPolicy"]
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        before, after = old.get(field) or [], spec.get(field) or []
        if policy == SINGLE:
            if before == after and len(after) > 1:
                spec[field] = after[:1]
        elif after and len(after) < len(before):
            text = f"must be 'SingleStack' to release the secondary {what}"
            errors.append(fields.invalid("spec.ipFamilyPolicy", policy, text))
    return errors


def _unavailable(policy: str, listed: Sequence[str], families: Sequence[str]) -> list[FieldError]:
    errors = []
    if policy == "RequireDualStack" and len(families) < len(FAMILIES):
        text = "this cluster is not configured for dual-stack services"
        errors.append(fields.invalid("spec.ipFamilyPolicy", policy, text))
    for index, family in enumerate(listed):
        if family not in families:
            errors.append(fields.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    return errors
