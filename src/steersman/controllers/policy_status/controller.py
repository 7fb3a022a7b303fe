"""What the controller of policies' status watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.api.policies import type_checking
from steersman.client.cache import Caches
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.policy_status import decide
from steersman.controllers.policy_status.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="validatingadmissionpolicy-status-controller",
        watches=(
            Watch(kinds.VALIDATING_ADMISSION_POLICY, lambda _, policy: [objects.name(policy)]),
            Watch(kinds.CUSTOM_RESOURCE_DEFINITION, _policies_about, _serves_otherwise),
        ),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    policy = look.caches.of(kinds.VALIDATING_ADMISSION_POLICY).get(key)
    if policy is None:
        return None
    rows = [*kinds.BUILTIN, *_custom(look.caches)]
    wanted = (policy.get("spec") or {}).get("paramKind") or {}
    of_params = (wanted.get("apiVersion"), wanted.get("kind"))
    params = next((row for row in rows if (row.api_version, row.kind) == of_params), None)
    return Seen(policy, type_checking.matched(policy, rows), params)


def _custom(caches: Caches) -> Iterable[Kind]:
    for definition in caches.of(kinds.CUSTOM_RESOURCE_DEFINITION).list():
        yield from custom_kinds.of(definition)


def _policies_about(caches: Caches, definition: Object) -> Iterable[str]:
    """Those that name the group of a definition."""
    group = (definition.get("spec") or {}).get("group", "")
    for policy in caches.of(kinds.VALIDATING_ADMISSION_POLICY).list():
        spec = policy.get("spec") or {}
        rules = (spec.get("matchConstraints") or {}).get("resourceRules") or ()
        of_params = ((spec.get("paramKind") or {}).get("apiVersion") or "").partition("/")[0]
        if group == of_params or any(group in (rule.get("apiGroups") or ()) for rule in rules):
            yield objects.name(policy)


def _serves_otherwise(old: Object | None, new: Object | None) -> bool:
    return _served(old) != _served(new)


def _served(definition: Object | None) -> object:
    return (
        []
        if definition is None
        else [(row.version, row.plural, row.custom and row.custom.schema) for row in custom_kinds.of(definition)]
    )
