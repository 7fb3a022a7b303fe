"""Pods and pod templates: what a pod spec may say, and what an update of a running pod may change."""

from steersman.api.validation import (
    app_armor,
    containers,
    fields,
    known_specs,
    metadata,
    resources,
    scheduling,
    security,
    volumes,
)
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_DEADLINE_MAX = (1 << 31) - 1
_NAMESERVERS_MAX, _SEARCHES_MAX, _SEARCHES_LETTERS_MAX = 3, 32, 2048
_HOSTNAME_MAX = 64  # what Linux takes as a host's name

_VALID_OF_PODS, _VALID_OF_TEMPLATES = known_specs.KnownSpecs(), known_specs.KnownSpecs()

MUTABLE_ONLY = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate(new: Object, old: Object | None) -> list[FieldError]:
    errors = [*metadata.validate(new, old), *app_armor.validate_annotations(new)]
    if old is None:
        spec = new.get("spec") or {}
        return [*errors, *validate_spec(spec, "spec", is_pod=True), *_create(spec), *app_armor.validate_match(new)]
    errors += app_armor.validate_update(new, old)
    if new.get("spec") == old.get("spec"):
        return errors
    return [*errors, *_update(new.get("spec") or {}, old.get("spec") or {})]


def validate_template(template: Object, path: str) -> list[FieldError]:
    meta = template.get("metadata") or {}
    return [
        *labels.validate(meta.get("labels") or {}, f"{path}.metadata.labels"),
        *labels.validate_annotations(meta.get("annotations") or {}, f"{path}.metadata.annotations"),
        *metadata.finalizers(meta.get("finalizers") or [], f"{path}.metadata.finalizers"),
        *validate_spec(template.get("spec") or {}, f"{path}.spec"),
    ]


def validate_spec(spec: Object, path: str, *, is_pod: bool = False) -> list[FieldError]:
    valid = _VALID_OF_PODS if is_pod else _VALID_OF_TEMPLATES
    shape = known_specs.shape_of(spec)
    if shape in valid:
        return []
    errors = _every_rule(spec, path, is_pod=is_pod)
    if not errors:
        valid.add(shape)
    return errors


def _every_rule(spec: Object, path: str, *, is_pod: bool) -> list[FieldError]:
    mountable = {volume.get("name", ""): volume for volume in spec.get("volumes") or ()}
    around = containers.Around(spec, mountable, is_pod)
    return [
        *volumes.validate(spec.get("volumes") or [], f"{path}.volumes"),
        *containers.validate(spec.get("containers") or [], f"{path}.containers", around),
        *containers.validate_init(spec.get("initContainers") or [], f"{path}.initContainers", around),
        *containers.validate_ephemeral(spec.get("ephemeralContainers") or [], f"{path}.ephemeralContainers", around),
        *(resources.validate_of_pod(spec, path) if spec.get("resources") else ()),
        *fields.check_one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES),
        *fields.check_one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES),
        *security.validate_pod(spec.get("securityContext") or {}, spec, f"{path}.securityContext"),
        *_dns(spec, path),
        *_names(spec, path),
        *_hostname(spec, path),
        *_numbers(spec, path),
        *security.validate_unmasked(spec, path),
        *_host_aliases(spec, f"{path}.hostAliases"),
        *scheduling.validate(spec, path),
    ]


def _create(spec: Object) -> list[FieldError]:
    """What only a later write may say."""
    errors = []
    if spec.get("ephemeralContainers"):
        errors.append(fields.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(fields.forbidden("spec.nodeName", text))
    return errors


# Fields that name something, where they are set.
_NAMED: tuple[tuple[str, names.Check], ...] = (
    ("serviceAccountName", names.subdomain_errors),
    ("nodeName", names.subdomain_errors),
    ("hostname", names.label_errors),
    ("subdomain", names.label_errors),
    ("priorityClassName", names.subdomain_errors),
    ("runtimeClassName", names.subdomain_errors),
)


def _names(spec: Object, path: str) -> list[FieldError]:
    errors = []
    for field, check in _NAMED:
        if spec.get(field) and (wrong := check(spec[field])):
            errors += fields.each_invalid(f"{path}.{field}", spec[field], wrong)
    operating_system = spec.get("os")
    if operating_system is not None:
        errors += fields.check_one_of(f"{path}.os.name", operating_system.get("name"), ("linux", "windows"))
    if spec.get("hostUsers") is False:
        errors += [
            fields.forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false")
            for field, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
            if spec.get(field)
        ]
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        condition = gate.get("conditionType", "")
        errors += fields.each_invalid(
            f"{path}.readinessGates[{index}].conditionType", condition, names.qualified_name_errors(condition)
        )
    return errors


def _hostname(spec: Object, path: str) -> list[FieldError]:
    """hostnameOverride says all of the name (KEP-4762)."""
    name, errors = spec.get("hostnameOverride"), []
    if name is None:
        return []
    here = f"{path}.hostnameOverride"
    errors += fields.each_invalid(here, name, names.subdomain_errors(name))
    if len(name) > _HOSTNAME_MAX:
        errors.append(fields.too_long(here, _HOSTNAME_MAX))
    if spec.get("setHostnameAsFQDN"):
        errors.append(fields.forbidden(here, "may not be specified when setHostnameAsFQDN is true"))
    if spec.get("hostNetwork"):
        errors.append(fields.forbidden(here, "may not be specified when hostNetwork is true"))
    return errors


def _numbers(spec: Object, path: str) -> list[FieldError]:
    errors = []
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _DEADLINE_MAX:
        text = f"must be between 1 and {_DEADLINE_MAX}, inclusive"
        errors.append(fields.invalid(f"{path}.activeDeadlineSeconds", deadline, text))
    return errors


def _dns(spec: Object, path: str) -> list[FieldError]:
    policy, config = spec.get("dnsPolicy"), spec.get("dnsConfig") or {}
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    here = f"{path}.dnsConfig"
    if policy == "None" and spec.get("dnsConfig") is None:
        return [fields.required(here, "must provide `dnsConfig` when `dnsPolicy` is None")]
    if policy == "None" and not servers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [fields.required(f"{here}.nameservers", text)]
    errors = []
    if len(servers) > _NAMESERVERS_MAX:
        text = f"must not have more than {_NAMESERVERS_MAX} nameservers"
        errors.append(fields.invalid(f"{here}.nameservers", list(servers), text))
    if len(searches) > _SEARCHES_MAX:
        text = f"must not have more than {_SEARCHES_MAX} search paths"
        errors.append(fields.invalid(f"{here}.searches", list(searches), text))
    if len(" ".join(searches)) > _SEARCHES_LETTERS_MAX:
        text = f"must not have more than {_SEARCHES_LETTERS_MAX} characters (including spaces) in the search list"
        errors.append(fields.invalid(f"{here}.searches", list(searches), text))
    for index, server in enumerate(servers):
        errors += fields.each_invalid(f"{here}.nameservers[{index}]", server, names.ip_errors(server))
    for index, search in enumerate(searches):
        if search != ".":
            plain = search.removesuffix(".")
            errors += fields.each_invalid(f"{here}.searches[{index}]", plain, names.dns_name_errors(plain))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(fields.required(f"{here}.options[{index}]", "must not be empty"))
    return errors


def _host_aliases(spec: Object, path: str) -> list[FieldError]:
    errors = []
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        address = alias.get("ip", "")
        errors += fields.each_invalid(f"{path}[{index}].ip", address, names.ip_errors(address))
        for at, name in enumerate(alias.get("hostnames") or ()):
            errors += fields.each_invalid(f"{path}[{index}].hostnames[{at}]", name, names.subdomain_errors(name))
    return errors


# Updates.


def _update(new: Object, old: Object) -> list[FieldError]:
    for field in ("containers", "initContainers"):
        if len(new.get(field) or ()) != len(old.get(field) or ()):
            return [fields.forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
    errors = []
    for field in ("containers", "initContainers"):
        for index, container in enumerate(new.get(field) or ()):
            image = container.get("image", "")
            if image != image.strip() or not image:
                errors += [fields.required(f"spec.{field}[{index}].image")]
    errors += _deadline_update(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    errors += _tolerations_update(new.get("tolerations") or [], old.get("tolerations") or [])
    errors += _gates_update(new.get("schedulingGates") or [], old.get("schedulingGates") or [])
    if errors:
        return errors
    if _immutable_part(new, old) != _immutable_part(old, old):
        return [fields.forbidden("spec", MUTABLE_ONLY)]
    return []


def _immutable_part(spec: Object, old: Object) -> Object:
    """The spec without what an update may change."""
    free = {"activeDeadlineSeconds", "tolerations", "schedulingGates"}
    if old.get("schedulingGates"):
        free |= {
            "nodeSelector",
            "affinity",
        }  # a gated pod may still be directed, within limits checked by the scheduler
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        free.add("terminationGracePeriodSeconds")
    if spec is old:
        free |= {"terminationGracePeriodSeconds"} if "terminationGracePeriodSeconds" in free else set()
    kept = {field: value for field, value in spec.items() if field not in free}
    for field in ("containers", "initContainers"):
        if kept.get(field):
            kept[field] = [{key: value for key, value in one.items() if key != "image"} for one in kept[field]]
    return kept


def _deadline_update(new: int | None, old: int | None) -> list[FieldError]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        return (
            [] if old is None else [fields.invalid(path, None, "must not update from a positive integer to nil value")]
        )
    if not 0 <= new <= _DEADLINE_MAX:
        return [fields.invalid(path, new, f"must be between 0 and {_DEADLINE_MAX}, inclusive")]
    if old is not None and new > old:
        return [fields.invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations_update(new: list[Object], old: list[Object]) -> list[FieldError]:
    """Tolerations may be added, and their seconds changed."""
    if new == old:
        return []
    ours = [_without_seconds(one) for one in new]
    if all(_without_seconds(one) in ours for one in old):
        return scheduling.validate_tolerations(new, "spec.tolerations")
    return [
        fields.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    ]


def _without_seconds(toleration: Object) -> Object:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _gates_update(new: list[Object], old: list[Object]) -> list[FieldError]:
    known = {gate.get("name") for gate in old}
    return [
        fields.forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]
