"""ValidatingWebhookConfiguration and MutatingWebhookConfiguration.

What an older release let in may stay as it is in an update: the checks that came later are ratcheted, as upstream's.
"""

from collections.abc import Sequence

from steersman.api.validation import admission_rules, fields, metadata, webhook_clients
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

REVIEW_VERSIONS = ("v1", "v1beta1")
FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
ANY_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
TIMEOUT_SECONDS_MAX = 30


def validate(new: Object, old: Object | None) -> list[FieldError]:
    """Of both kinds; `reinvocationPolicy` only one of them has."""
    webhooks, before = new.get("webhooks") or [], (old or {}).get("webhooks") or []
    side_effects = SIDE_EFFECTS if all(one.get("sideEffects") in SIDE_EFFECTS for one in before) else ANY_SIDE_EFFECTS
    known_version = all(_has_known_version(one.get("admissionReviewVersions") or ()) for one in before)
    errors = metadata.validate(new, old, namespaced=False, qualified=False)
    for index, webhook in enumerate(webhooks):
        path = f"webhooks[{index}]"
        errors += _webhook(webhook, path, side_effects)
        if old is None or _conditions(webhooks) != _conditions(before):
            errors += admission_rules.conditions(webhook.get("matchConditions") or [], f"{path}.matchConditions")
        errors += _review_versions(webhook.get("admissionReviewVersions") or [], path, known_version)
    if len({one.get("name") for one in before}) == len(before):
        errors += fields.check_unique(
            lambda index: f"webhooks[{index}].name", (one.get("name", "") for one in webhooks)
        )
    return errors


def _webhook(webhook: Object, path: str, side_effects: Sequence[str]) -> list[FieldError]:
    errors = _name(webhook.get("name") or "", f"{path}.name")
    for index, rule in enumerate(webhook.get("rules") or ()):
        errors += admission_rules.rule(rule, f"{path}.rules[{index}]")
    errors += _one_of(webhook, path, "failurePolicy", FAILURE_POLICIES)
    errors += _one_of(webhook, path, "matchPolicy", MATCH_POLICIES)
    if webhook.get("sideEffects") is None:
        errors.append(fields.required(f"{path}.sideEffects", f"must specify one of {', '.join(side_effects)}"))
    errors += _one_of(webhook, path, "sideEffects", side_effects)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= TIMEOUT_SECONDS_MAX:
        why = "the timeout value must be between 1 and 30 seconds"
        errors.append(fields.invalid(f"{path}.timeoutSeconds", seconds, why))
    errors += metadata.label_selector(webhook.get("namespaceSelector"), f"{path}.namespaceSelector")
    errors += metadata.label_selector(webhook.get("objectSelector"), f"{path}.objectSelector")
    errors += _one_of(webhook, path, "reinvocationPolicy", REINVOCATION_POLICIES)
    return errors + webhook_clients.validate(webhook.get("clientConfig") or {}, f"{path}.clientConfig")


def _name(name: str, path: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    if wrong := names.subdomain_errors(name):
        return [fields.invalid(path, name, ",".join(wrong))]
    if name.count(".") < 2:
        return [fields.invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _one_of(webhook: Object, path: str, field: str, supported: Sequence[str]) -> list[FieldError]:
    value = webhook.get(field)
    if value is None or value in supported:
        return []
    return [fields.not_supported(f"{path}.{field}", value, supported)]


def _review_versions(versions: list[str], path: str, known_version: bool) -> list[FieldError]:
    path, listed = f"{path}.admissionReviewVersions", ", ".join(REVIEW_VERSIONS)
    if not versions:
        return [fields.required(path, f"must specify one of {listed}")]
    errors = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            errors.append(fields.invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += fields.each_invalid(f"{path}[{index}]", version, names.label_1035_errors(version))
    if known_version and not _has_known_version(versions):
        errors.append(fields.invalid(path, versions, f"must include at least one of {listed}"))
    return errors


def _has_known_version(versions: Sequence[str]) -> bool:
    return not versions or any(one in REVIEW_VERSIONS for one in versions)


def _conditions(webhooks: Sequence[Object]) -> list[object]:
    return [one.get("matchConditions") for one in webhooks]
