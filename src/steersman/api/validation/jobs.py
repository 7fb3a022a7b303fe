"""Jobs: their spec, what an update may change, and which ways their status may go."""

from typing import Any

from steersman.api import strategies
from steersman.api.validation import fields, job_policies, job_status, metadata, pods
from steersman.meta import labels, names, selectors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_PARALLELISM_INDEXED_MAX = 100_000
_FAILED_INDEXES_MAX = 100_000
# Above so many completions with a limit per index, the indexes in the status would become too long.
_COMPLETIONS_MANY = 100_000
_PARALLELISM_MANY_MAX = 10_000
_FAILED_INDEXES_MANY_MAX = 10_000
_MANAGED_BY_MAX = 63
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_POLICIES = ("Never", "OnFailure")
_IMMUTABLE = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def validate_job(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None and spec == old.get("spec"):
        return [*errors, *job_status.validate(new, old)] if new.get("status") != old.get("status") else errors
    errors += _generated_selector(new, spec, old)
    errors += validate_spec(spec, "spec")
    errors += _selector(spec)
    errors += _host_names(new, spec)
    if old is not None:
        errors += _update(spec, old.get("spec") or {}, old)
    return errors


def validate_spec(spec: Object, path: str) -> list[FieldError]:
    """All but the selector: also of a CronJob's template."""
    errors = []
    for field in _COUNTS:
        errors += fields.check_not_negative(f"{path}.{field}", spec.get(field))
    errors += _managed_by(spec.get("managedBy"), f"{path}.managedBy")
    errors += _indexes(spec, path)
    failure, success = spec.get("podFailurePolicy"), spec.get("successPolicy")
    if failure is not None:
        errors += job_policies.validate_failure_policy(spec, f"{path}.podFailurePolicy")
    if success is not None:
        if spec.get("completionMode") != "Indexed":
            errors.append(fields.invalid(f"{path}.successPolicy", success, "requires indexed completion mode"))
        else:
            errors += job_policies.validate_success_policy(spec, f"{path}.successPolicy")
    replacement = spec.get("podReplacementPolicy")
    if replacement is not None:
        supported = ("Failed",) if failure is not None else ("Failed", "TerminatingOrFailed")
        errors += fields.check_one_of(f"{path}.podReplacementPolicy", replacement, supported)
    errors += pods.validate_template(spec.get("template") or {}, f"{path}.template")
    return [*errors, *_restart_policy(spec, f"{path}.template.spec.restartPolicy")]


def _restart_policy(spec: Object, path: str) -> list[FieldError]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy in (None, "", "Always"):
        return [fields.required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in _POLICIES:
        return [fields.not_supported(path, policy, _POLICIES)]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [fields.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _managed_by(name: str | None, path: str) -> list[FieldError]:
    if name is None:
        return []
    errors = []
    domain, slash, rest = name.partition("/")
    if not name:
        errors.append(fields.required(path))
    elif not slash or not domain or not rest:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        errors.append(fields.invalid(path, name, text))
    else:
        errors += fields.each_invalid(path, domain, names.subdomain_errors(domain))
    if len(name) > _MANAGED_BY_MAX:
        errors.append(fields.too_long(path, _MANAGED_BY_MAX))
    return errors


# Indexed Jobs.


def _indexes(spec: Object, path: str) -> list[FieldError]:
    per_index, failed_max = spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes")
    errors = fields.check_not_negative(f"{path}.backoffLimitPerIndex", per_index)
    if failed_max is not None:
        errors += fields.check_not_negative(f"{path}.maxFailedIndexes", failed_max)
        if per_index is None:
            errors.append(fields.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    mode = spec.get("completionMode")
    if mode == "Indexed":
        return [*errors, *_indexed(spec, path)]
    if mode not in (None, "NonIndexed"):
        return [*errors, fields.not_supported(f"{path}.completionMode", mode, ("Indexed", "NonIndexed"))]
    for field, value in (("backoffLimitPerIndex", per_index), ("maxFailedIndexes", failed_max)):
        if value is not None:
            errors.append(fields.invalid(f"{path}.{field}", value, "requires indexed completion mode"))
    return errors


def _indexed(spec: Object, path: str) -> list[FieldError]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed_max = spec.get("maxFailedIndexes")
    errors = []
    if completions is None:
        errors.append(fields.required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > _PARALLELISM_INDEXED_MAX:
        text = f"must be less than or equal to {_PARALLELISM_INDEXED_MAX} when completion mode is Indexed"
        errors.append(fields.invalid(f"{path}.parallelism", parallelism, text))
    if failed_max is not None and completions is not None and failed_max > completions:
        text = "must be less than or equal to completions"
        errors.append(fields.invalid(f"{path}.maxFailedIndexes", failed_max, text))
    if failed_max is not None and failed_max > _FAILED_INDEXES_MAX:
        text = f"must be less than or equal to {_FAILED_INDEXES_MAX}"
        errors.append(fields.invalid(f"{path}.maxFailedIndexes", failed_max, text))
    if (completions or 0) > _COMPLETIONS_MANY and spec.get("backoffLimitPerIndex") is not None:
        errors += _many_completions(parallelism, failed_max, path)
    return errors


def _many_completions(parallelism: int, failed_max: int | None, path: str) -> list[FieldError]:
    why = f"when completions are above {_COMPLETIONS_MANY} and used with backoff limit per index"
    errors = []
    if failed_max is None:
        text = f"must be specified when completions is above {_COMPLETIONS_MANY}"
        errors.append(fields.required(f"{path}.maxFailedIndexes", text))
    if parallelism > _PARALLELISM_MANY_MAX:
        text = f"must be less than or equal to {_PARALLELISM_MANY_MAX} {why}"
        errors.append(fields.invalid(f"{path}.parallelism", parallelism, text))
    if failed_max is not None and failed_max > _FAILED_INDEXES_MANY_MAX:
        text = f"must be less than or equal to {_FAILED_INDEXES_MANY_MAX} {why}"
        errors.append(fields.invalid(f"{path}.maxFailedIndexes", failed_max, text))
    return errors


def _host_names(job: Object, spec: Object) -> list[FieldError]:
    """The host name of an indexed Job's pods ends in the index."""
    completions = spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed" or completions <= 0:
        return []
    name = job["metadata"].get("name", "")
    longest = f"{name}-{completions - 1}"
    if not names.label_errors(longest):
        return []
    text = f"will not able to create pod with invalid DNS label: {longest}"
    return [fields.invalid("metadata.name", name, text)]


# Selectors.


def _selector(spec: Object) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        return [fields.required("spec.selector")]
    errors = metadata.label_selector(selector, "spec.selector")
    template_labels = _template_labels(spec)
    if not errors and not selectors.object_matches(selector, template_labels):
        text = "`selector` does not match template `labels`"
        errors.append(fields.invalid("spec.template.metadata.labels", template_labels, text))
    return errors


def _generated_selector(job: Object, spec: Object, old: Object | None) -> list[FieldError]:
    """A selector of our making selects this Job's pods and no others."""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    name, uid = job["metadata"].get("name", ""), job["metadata"].get("uid", "")
    expected = {strategies.LEGACY_CONTROLLER_UID: uid, strategies.LEGACY_JOB_NAME: name}
    before = _template_labels((old or {}).get("spec") or {})
    if old is None or (strategies.JOB_NAME in before and strategies.CONTROLLER_UID in before):
        expected |= {strategies.CONTROLLER_UID: uid, strategies.JOB_NAME: name}
    errors = [] if uid else [fields.required("metadata.uid")]
    found = _template_labels(spec)
    for key, value in expected.items():
        errors += _has_label(found, key, value)
    try:
        if not selectors.object_matches(selector, expected):
            errors.append(fields.invalid("spec.selector", selector, "`selector` not auto-generated"))
    except selectors.SelectorError:
        pass  # said elsewhere
    return errors


def _has_label(found: dict[str, str], key: str, value: str) -> list[FieldError]:
    path = "spec.template.metadata.labels"
    if key not in found:
        return [fields.required(f"{path}[{key}]", f"must be '{value}'")]
    return [] if found[key] == value else [fields.invalid(f"{path}[{key}]", found[key], f"must be '{value}'")]


def _template_labels(spec: Object) -> dict[str, str]:
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}


# Updates.


def _update(spec: Object, old: Object, job: Object) -> list[FieldError]:
    errors = _completions_update(spec, old)
    errors += fields.check_immutable("spec.selector", spec.get("selector"), old.get("selector"))
    template, before = spec.get("template"), old.get("template")
    rests = _rests(old, job.get("status") or {})
    if rests or (old.get("suspend") and (job.get("status") or {}).get("startTime") is None):
        errors += labels.validate(_template_labels(spec), "spec.template.metadata.labels")
        template, before = _without_directives(template), _without_directives(before)
    if rests:
        template, before = _without_resources(template), _without_resources(before)
    if template != before:
        errors.append(fields.invalid("spec.template", spec.get("template"), fields.IMMUTABLE))
    for field in _IMMUTABLE:
        errors += fields.check_immutable(f"spec.{field}", spec.get(field), old.get(field))
    return errors


def _rests(spec: Object, status: Object) -> bool:
    """It is suspended, its controller has seen that, and its pods are gone: its next ones may be others (KEP-5440)."""
    told = any(one.get("type") == "Suspended" and one.get("status") == "True" for one in status.get("conditions") or ())
    return bool(spec.get("suspend")) and told and not status.get("active")


def _completions_update(spec: Object, old: Object) -> list[FieldError]:
    """An indexed Job grows and shrinks, its completions together with its parallelism."""
    path, new = "spec.completions", spec.get("completions")
    if new == old.get("completions") or spec.get("completionMode") != "Indexed":
        return fields.check_immutable(path, new, old.get("completions"))
    if new is None or new == spec.get("parallelism"):
        return []
    return [fields.invalid(path, new, "can only be modified in tandem with spec.parallelism")]


def _without_resources(template: Any) -> Any:
    """The template without what its containers ask for."""
    spec = dict(template["spec"])
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [{name: value for name, value in one.items() if name != "resources"} for one in spec[field]]
    return {**template, "spec": spec}


def _without_directives(template: Any) -> Any:
    """The template without what directs its pods to nodes, which may change until the Job is started."""
    meta = {
        key: value for key, value in (template.get("metadata") or {}).items() if key not in ("annotations", "labels")
    }
    spec = {
        key: value
        for key, value in (template.get("spec") or {}).items()
        if key not in ("nodeSelector", "tolerations", "schedulingGates", "affinity")
    }
    affinity = (template.get("spec") or {}).get("affinity") or {}
    spec["affinity"] = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    return {"metadata": meta, "spec": spec}
