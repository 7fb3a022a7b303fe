"""Leases and LeaseCandidates. Source: upstream's pkg/apis/coordination/validation."""

import re

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

OLDEST = "OldestEmulationVersion"  # the only strategy upstream has
_POSITIVE = "must be greater than 0"

# Semantic versions without a leading v, as the candidates of coordinated leader election name theirs.
_is_version = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
).fullmatch


def validate_lease(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    seconds, strategy = spec.get("leaseDurationSeconds"), spec.get("strategy")
    if seconds is not None and seconds <= 0:
        errors.append(fields.invalid("spec.leaseDurationSeconds", seconds, _POSITIVE))
    transitions = spec.get("leaseTransitions")
    errors += fields.check_not_negative("spec.leaseTransitions", transitions)
    if strategy is not None:
        errors += _strategy(strategy)
    if spec.get("preferredHolder") and not strategy:
        errors.append(fields.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return errors


def validate_lease_candidate(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None:
        before = (old.get("spec") or {}).get("leaseName")
        errors += fields.check_immutable("spec.leaseName", spec.get("leaseName"), before)
    if not spec.get("leaseName"):
        errors.append(fields.required("spec.leaseName"))
    version, emulated = spec.get("binaryVersion", ""), spec.get("emulationVersion", "")
    if not version:
        errors.append(fields.required("spec.binaryVersion"))
    elif not _is_version(version):
        errors.append(fields.invalid("spec.binaryVersion", version, "must be a valid semantic version"))
    if emulated and not _is_version(emulated):
        errors.append(fields.invalid("spec.emulationVersion", emulated, "must be a valid semantic version"))
    elif emulated and _is_version(version) and _numbers(emulated) > _numbers(version):
        errors.append(
            fields.invalid("spec.binaryVersion", version, "must be greater than or equal to `emulationVersion`")
        )
    strategy = spec.get("strategy", "")
    if strategy == OLDEST and not emulated:
        text = f"must be specified when `strategy` is '{OLDEST}'"
        errors.append(fields.required("spec.emulationVersion", text))
    return [*errors, *(_strategy(strategy) if strategy else [fields.required("spec.strategy")])]


def _strategy(strategy: str) -> list[FieldError]:
    """Upstream's own by name, anybody else's with a domain."""
    if strategy == OLDEST:
        return []
    wrong = names.qualified_name_errors(strategy)
    if not wrong and "/" not in strategy:
        wrong = ['must be a domain-prefixed path (such as "acme.io/foo")']
    return fields.each_invalid("spec.strategy", strategy, wrong)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split("[-+]", version, maxsplit=1)[0].split("."))
