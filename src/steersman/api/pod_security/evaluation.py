"""What a pod does that a standard forbids."""

import functools
from collections.abc import Sequence

from steersman.api.pod_security import baseline, restricted
from steersman.api.pod_security.levels import PRIVILEGED, RESTRICTED, Standard
from steersman.api.pod_security.pods import Check, Pod, Violation

_NEWEST = max(since for checks in (*baseline.CHECKS.values(), *restricted.CHECKS.values()) for since, _ in checks)


def violations(standard: Standard, pod: Pod) -> list[Violation]:
    """In the order of the checks' names, those of baseline first."""
    if standard.level == PRIVILEGED:
        return []
    minor = _NEWEST if standard.minor is None else min(standard.minor, _NEWEST)
    return [found for check in _checks(standard.level, minor) if (found := check(pod)) is not None]


@functools.cache
def _checks(level: str, minor: int) -> tuple[Check, ...]:
    found = {name: check for name, checks in baseline.CHECKS.items() if (check := _at(checks, minor))}
    if level == RESTRICTED:
        more = {name: check for name, checks in restricted.CHECKS.items() if (check := _at(checks, minor))}
        for name in more:
            found.pop(restricted.INSTEAD_OF.get(name, ""), None)
        found |= more
    return tuple(found.values())


def _at(checks: tuple[tuple[int, Check], ...], minor: int) -> Check | None:
    return next((check for since, check in reversed(checks) if since <= minor), None)


def reasons(found: Sequence[Violation]) -> str:
    return ", ".join(one.reason for one in found)


def details(found: Sequence[Violation]) -> str:
    return ", ".join(f"{one.reason} ({one.detail})" for one in found)
