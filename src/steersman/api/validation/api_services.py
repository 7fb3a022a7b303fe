"""APIService. Source: upstream's kube-aggregator, pkg/apis/apiregistration/validation."""

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

GROUP_PRIORITY_MAX = 20000
VERSION_PRIORITY_MAX = 1000


def validate(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    group, version = spec.get("group") or "", spec.get("version") or ""
    wanted = f"{version}.{group}"

    def check(name: str) -> list[str]:
        return names.path_segment_errors(name) or (
            [] if name == wanted else [f'must be `spec.version+"."+spec.group`: "{wanted}"']
        )

    errors = metadata.validate(new, old, namespaced=False, check=check, qualified=False)
    if not group and version != "v1":
        why = "only v1 may have an empty group and it better be legacy kube"
        errors.append(fields.required("spec.group", why))
    errors += fields.check_optional_name("spec.group", group, names.subdomain_errors)
    errors += fields.each_invalid("spec.version", version, names.label_1035_errors(version))
    for field, limit in (("groupPriorityMinimum", GROUP_PRIORITY_MAX), ("versionPriority", VERSION_PRIORITY_MAX)):
        value = spec.get(field) or 0
        if not 0 < value <= limit:
            errors.append(fields.invalid(f"spec.{field}", value, f"must be positive and less than {limit}"))
    return errors + (_local(spec) if spec.get("service") is None else _remote(spec))


def _local(spec: Object) -> list[FieldError]:
    errors = []
    if spec.get("caBundle"):
        errors.append(fields.invalid("spec.caBundle", spec["caBundle"], "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        why = "local APIServices may not have insecureSkipTLSVerify"
        errors.append(fields.invalid("spec.insecureSkipTLSVerify", True, why))
    return errors


def _remote(spec: Object) -> list[FieldError]:
    service, errors = spec["service"], []
    errors += [fields.required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    port = service.get("port", 443)
    if wrong := names.port_number_errors(port):
        errors.append(fields.invalid("spec.service.port", port, f"port is not valid: {', '.join(wrong)}"))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        why = "may not be true if caBundle is present"
        errors.append(fields.invalid("spec.insecureSkipTLSVerify", True, why))
    return errors
