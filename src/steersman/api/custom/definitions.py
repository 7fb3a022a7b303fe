"""CustomResourceDefinition: its defaults, what a client may not set of it, and its validation.

Source: apiextensions' apis/apiextensions/v1/defaults.go, validation/validation.go and registry strategies.
"""

from collections.abc import Iterable
from typing import Any

from steersman.api import strategies
from steersman.api.custom import json_path, schema_rules
from steersman.api.validation import fields, metadata, webhook_clients
from steersman.meta import conditions, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

Errors = list[FieldError]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that holds a definition until its objects are gone."""

APPROVED = "api-approved.kubernetes.io"
_APPROVAL = "https://github.com/kubernetes/enhancements/pull/1111"
_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_COLUMN_FORMATS = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
_REVIEW_VERSIONS = ("v1", "v1beta1")  # of ConversionReview
_SELECTABLE_MAX = 8  # upstream's, per version
_SELECTABLE_TYPES = ("boolean", "integer", "string")


def default(definition: Object) -> None:
    """In place."""
    spec = definition.get("spec") or {}
    given = spec.get("names") or {}
    if given.get("kind"):
        given = spec["names"] = dict(given)
        given["singular"] = given.get("singular") or given["kind"].lower()
        given["listKind"] = given.get("listKind") or f"{given['kind']}List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    if spec.get("preserveUnknownFields") is False:
        del spec["preserveUnknownFields"]


def prepare(new: Object, old: Object | None) -> None:
    """The status is the server's, but for the storage version, which joins the stored ones with the write that names it."""
    strategies.drop_status(new, old)
    status = new["status"] = dict(new.get("status") or {"acceptedNames": {"kind": "", "plural": ""}})
    stored = list(status.get("storedVersions") or ())
    current = storage_version((new.get("spec") or {}).get("versions") or ())
    if current and current not in stored:
        stored.append(current)
    status["storedVersions"] = stored


def storage_version(versions: Iterable[Object]) -> str:
    """Its name; "" where there is none."""
    return next((str(one.get("name", "")) for one in versions if one.get("storage")), "")


def validate(new: Object, old: Object | None) -> Errors:
    spec = new.get("spec") or {}
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    errors = metadata.validate(new, old, namespaced=False, qualified=False)
    name = new["metadata"].get("name", "")
    if name != wanted:
        errors.append(fields.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    errors += _approval(new, spec.get("group", ""))
    errors += _spec(spec, (old or {}).get("spec"))
    errors += _stored(new, spec) if old is not None else []
    if old is not None:
        errors += _update(spec, old)
    return errors


def _approval(definition: Object, group: str) -> Errors:
    """Groups of the community need its approval."""
    if not (group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")):
        return []
    value = (definition["metadata"].get("annotations") or {}).get(APPROVED, "")
    path = f"metadata.annotations[{APPROVED}]"
    if not value:
        why = f'protected groups must have approval annotation "{APPROVED}", see {_APPROVAL}'
        return [fields.required(path, why)]
    if value.startswith(("https://", "http://", "unapproved")):
        return []
    why = (
        f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting with '
        f'"unapproved", see {_APPROVAL}'
    )
    return [fields.invalid(path, value, why)]


def _spec(spec: Object, old: Object | None) -> Errors:
    errors: Errors = []
    group = spec.get("group", "")
    errors += fields.check_name("spec.group", group, names.subdomain_errors)
    if group and "." not in group:
        errors.append(fields.invalid("spec.group", group, "should be a domain with at least one dot"))
    errors += fields.check_one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errors.append(fields.invalid("spec.preserveUnknownFields", True, why))
    errors += _names(spec.get("names") or {}, "spec.names")
    errors += _versions(spec.get("versions") or [], (old or {}).get("versions") or [])
    return errors + _conversion(spec.get("conversion") or {})


def _names(given: Object, path: str) -> Errors:
    errors: Errors = []
    for field in ("plural", "singular", "kind", "listKind"):
        value = given.get(field, "")
        if not value:
            errors.append(fields.required(f"{path}.{field}"))
            continue
        text = value.lower() if field in ("kind", "listKind") else value
        may_have = "may have mixed case, but should otherwise match: " if text != value else ""
        errors += fields.each_invalid(
            f"{path}.{field}", value, [f"{may_have}{wrong}" for wrong in names.label_1035_errors(text)]
        )
    for field in ("shortNames", "categories"):
        for index, value in enumerate(given.get(field) or ()):
            errors += fields.each_invalid(f"{path}.{field}[{index}]", value, names.label_1035_errors(value))
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        errors.append(fields.invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same"))
    return errors


def _versions(versions: list[Object], old: list[Object]) -> Errors:
    errors: Errors = []
    named = [one.get("name", "") for one in versions]
    if len(set(named)) < len(named):
        errors.append(fields.invalid("spec.versions", named, "must contain unique version names"))
    if sum(1 for one in versions if one.get("storage")) != 1:
        errors.append(fields.invalid("spec.versions", named, "must have exactly one version marked as storage version"))
    before = {one.get("name", ""): one for one in old}
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name", "")
        errors += fields.each_invalid(f"{path}.name", name, names.label_1035_errors(name))
        if version.get("deprecationWarning") and not version.get("deprecated"):
            why = "can only be set for deprecated versions"
            errors.append(fields.invalid(f"{path}.deprecationWarning", version["deprecationWarning"], why))
        errors += _version(version, before.get(name), path)
    return errors


def _version(version: Object, old: Object | None, path: str) -> Errors:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    errors: Errors = []
    if schema is None:
        errors.append(fields.required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
    elif old is None or (old.get("schema") or {}).get("openAPIV3Schema") != schema:
        errors += schema_rules.validate(schema, f"{path}.schema.openAPIV3Schema")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        errors += _column(column, f"{path}.additionalPrinterColumns[{index}]")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        errors += _scale(scale, f"{path}.subresources.scale")
    return errors + _selectable(version.get("selectableFields") or [], schema, f"{path}.selectableFields")


def _column(column: Object, path: str) -> Errors:
    errors: Errors = []
    if not column.get("name"):
        errors.append(fields.required(f"{path}.name"))
    kind = column.get("type", "")
    if not kind:
        errors.append(fields.required(f"{path}.type", f"must be one of {','.join(_COLUMN_TYPES)}"))
    elif kind not in _COLUMN_TYPES:
        errors.append(fields.invalid(f"{path}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}"))
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        errors.append(fields.invalid(f"{path}.format", column["format"], f"must be one of {','.join(_COLUMN_FORMATS)}"))
    return errors + _path(column.get("jsonPath", ""), f"{path}.jsonPath")


def _path(text: str, path: str) -> Errors:
    if not text:
        return [fields.required(path)]
    try:
        json_path.compiled(text)
    except json_path.Malformed as wrong:
        return [fields.invalid(path, text, f"unmatched or malformed JSONPath: {wrong}")]
    return []


def _scale(scale: Object, path: str) -> Errors:
    errors: Errors = []
    for field, start, needed in (
        ("specReplicasPath", ".spec.", True),
        ("statusReplicasPath", ".status.", True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        text = scale.get(field, "")
        if not text:
            errors += [fields.required(f"{path}.{field}")] if needed else []
        elif not all(text.removeprefix(".").split(".")) or "[" in text:
            errors.append(
                fields.invalid(f"{path}.{field}", text, "should be a simple json path under " + _places(start))
            )
        elif not text.startswith(start):
            errors.append(fields.invalid(f"{path}.{field}", text, f"should be a json path under {_places(start)}"))
    return errors


def _places(start: str | tuple[str, ...]) -> str:
    listed = (start,) if isinstance(start, str) else start
    return " or ".join(one.rstrip(".") for one in listed)


def _selectable(listed: list[Object], schema: Object | None, path: str) -> Errors:
    errors: Errors = []
    if len(listed) > _SELECTABLE_MAX:
        errors.append(fields.too_many(path, len(listed), _SELECTABLE_MAX))
    seen: set[str] = set()
    for index, one in enumerate(listed):
        at, text = f"{path}[{index}].jsonPath", one.get("jsonPath", "")
        if not text:
            errors.append(fields.required(at))
            continue
        if text in seen:
            errors.append(fields.duplicate(at, text))
        seen.add(text)
        if text == ".metadata" or text.startswith(".metadata."):
            errors.append(fields.invalid(at, text, "must not point to fields in metadata"))
        else:
            errors += _selectable_type(text, schema or {}, at)
    return errors


def _selectable_type(text: str, schema: Object, path: str) -> Errors:
    inner: Any = schema
    for name in text.removeprefix(".").split("."):
        inner = (inner.get("properties") or {}).get(name)
        if inner is None:
            return [fields.invalid(path, text, "is an invalid path: does not refer to a valid field")]
    if inner.get("type") not in _SELECTABLE_TYPES:
        why = "must point to a field of type boolean, integer, string"
        return [fields.invalid(path, text, why)]
    return []


def _conversion(conversion: Object) -> Errors:
    path = "spec.conversion"
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook")
    errors = fields.check_one_of(f"{path}.strategy", strategy, ("None", "Webhook"))
    if strategy == "None" and webhook:
        errors.append(fields.forbidden(f"{path}.webhook", "should not be set when strategy is not set to Webhook"))
    if strategy != "Webhook":
        return errors
    config = (webhook or {}).get("clientConfig")
    if config is None:
        why = "required when strategy is set to Webhook, but not allowed if not set to Webhook"
        errors.append(fields.required(f"{path}.webhookClientConfig", why))
    else:
        errors += webhook_clients.validate(config, f"{path}.webhookClientConfig")
    versions = (webhook or {}).get("conversionReviewVersions") or []
    if not versions:
        errors.append(fields.required(f"{path}.conversionReviewVersions"))
    elif not set(versions) & set(_REVIEW_VERSIONS):
        why = f"must include at least one of {', '.join(_REVIEW_VERSIONS)}"
        errors.append(fields.invalid(f"{path}.conversionReviewVersions", versions, why))
    return errors


def _stored(new: Object, spec: Object) -> Errors:
    """A version that objects are stored in may not be taken away."""
    stored = (new.get("status") or {}).get("storedVersions") or []
    path = "status.storedVersions"
    if not stored:
        return [fields.invalid(path, stored, "must have at least one stored version")]
    listed = [one.get("name", "") for one in spec.get("versions") or ()]
    errors = [
        fields.invalid(f"{path}[{index}]", version, f"missing from spec.versions; {_still_stored(version)}")
        for index, version in enumerate(stored)
        if version not in listed
    ]
    current = storage_version(spec.get("versions") or ())
    if current and current not in stored:
        errors.append(fields.invalid(path, stored, f"must have the storage version {current}"))
    return errors


def _still_stored(version: str) -> str:
    return (
        f"{version} was previously a storage version, and must remain in spec.versions until a storage migration ensures "
        f"no data remains persisted in {version} and removes {version} from status.storedVersions"
    )


def _update(spec: Object, old: Object) -> Errors:
    before = old.get("spec") or {}
    now, then = spec.get("names") or {}, before.get("names") or {}
    errors: Errors = []
    if conditions.is_true(old, "Established"):
        errors += fields.check_immutable("spec.scope", spec.get("scope"), before.get("scope"))
        errors += fields.check_immutable("spec.names.kind", now.get("kind"), then.get("kind"))
    errors += fields.check_immutable("spec.group", spec.get("group"), before.get("group"))
    return errors + fields.check_immutable("spec.names.plural", now.get("plural"), then.get("plural"))
