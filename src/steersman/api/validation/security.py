"""Security contexts of pods and containers: numbers, profiles, sysctls, what privileges exclude each other."""

import re

from steersman.api.validation import app_armor, fields, mounts
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

ID_MAX = (1 << 31) - 1
_OUT_OF_RANGE = f"must be between 0 and {ID_MAX}, inclusive"
_SECCOMP = ("Localhost", "RuntimeDefault", "Unconfined")
_CHANGE_POLICIES = ("Always", "OnRootMismatch")
_GROUPS_POLICIES = ("Merge", "Strict")
_SELINUX_POLICIES = ("MountOption", "Recursive")
_PROC_MOUNTS = ("Default", "Unmasked")

_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SYSCTL_PART}[\./])*{_SYSCTL_PART}"
_SYSCTL_MAX = 253
_is_sysctl = re.compile(_SYSCTL).fullmatch


def validate_pod(context: Object, spec: Object, path: str) -> list[FieldError]:
    errors = _ids(context, ("runAsUser", "runAsGroup", "fsGroup"), path)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= ID_MAX:
            errors.append(fields.invalid(f"{path}.supplementalGroups[{index}]", group, _OUT_OF_RANGE))
    errors += _sysctls(context, spec, f"{path}.sysctls")
    for field, supported in (
        ("fsGroupChangePolicy", _CHANGE_POLICIES),
        ("supplementalGroupsPolicy", _GROUPS_POLICIES),
        ("seLinuxChangePolicy", _SELINUX_POLICIES),
    ):
        if context.get(field) is not None and context[field] not in supported:
            errors.append(fields.not_supported(f"{path}.{field}", context[field], supported))
    return [*errors, *_profiles(context, path)]


def validate_container(context: Object, path: str) -> list[FieldError]:
    errors = _ids(context, ("runAsUser", "runAsGroup"), path)
    mount = context.get("procMount")
    if mount is not None and mount not in _PROC_MOUNTS:
        errors.append(fields.not_supported(f"{path}.procMount", mount, _PROC_MOUNTS))
    if context.get("allowPrivilegeEscalation") is False:
        text = "cannot set `allowPrivilegeEscalation` to false and "
        if context.get("privileged"):
            errors.append(fields.invalid(path, context, f"{text}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            errors.append(fields.invalid(path, context, f"{text}`capabilities.Add` CAP_SYS_ADMIN"))
    return [*errors, *_profiles(context, path)]


def validate_unmasked(spec: Object, path: str) -> list[FieldError]:
    """Only with users of its own may a pod see all of /proc."""
    if spec.get("hostUsers") is False:
        return []
    return [
        fields.invalid(
            f"{path}.{field}[{index}].securityContext.procMount",
            "Unmasked",
            "`hostUsers` must be false to use `Unmasked`",
        )
        for field in ("initContainers", "containers")
        for index, container in enumerate(spec.get(field) or ())
        if (container.get("securityContext") or {}).get("procMount") == "Unmasked"
    ]


def _ids(context: Object, names: tuple[str, ...], path: str) -> list[FieldError]:
    found = ((name, context.get(name)) for name in names)
    return [
        fields.invalid(f"{path}.{name}", value, _OUT_OF_RANGE)
        for name, value in found
        if value is not None and not 0 <= value <= ID_MAX
    ]


def _profiles(context: Object, path: str) -> list[FieldError]:
    errors = app_armor.validate_profile(context.get("appArmorProfile"), f"{path}.appArmorProfile")
    profile, here = context.get("seccompProfile"), f"{path}.seccompProfile"
    if profile is None:
        return errors
    kind, name = profile.get("type"), profile.get("localhostProfile")
    if kind == "Localhost" and name is None:
        text = "must be set when seccomp type is Localhost"
        errors.append(fields.required(f"{here}.localhostProfile", text))
    elif kind == "Localhost":
        errors += mounts.check_descending(f"{here}.localhostProfile", name)
    elif kind != "Localhost" and name is not None:
        text = "can only be set when seccomp type is Localhost"
        errors.append(fields.invalid(f"{here}.localhostProfile", name, text))
    if not kind:
        errors.append(fields.required(f"{here}.type", "type is required when seccompProfile is set"))
    elif kind not in _SECCOMP:
        errors.append(fields.not_supported(f"{here}.type", kind, _SECCOMP))
    return errors


def _sysctls(context: Object, spec: Object, path: str) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, one in enumerate(context.get("sysctls") or ()):
        name, here = one.get("name", ""), f"{path}[{index}].name"
        plain = name.replace("/", ".")
        if not name:
            errors.append(fields.required(here))
        elif len(name) > _SYSCTL_MAX or not _is_sysctl(name):
            text = f"must have at most {_SYSCTL_MAX} characters and match regex ^{_SYSCTL}$"
            errors.append(fields.invalid(here, name, text))
        elif name in seen:
            errors.append(fields.duplicate(here, name))
        if spec.get("hostNetwork") and plain.startswith("net."):
            errors.append(fields.invalid(here, name, "may not be specified when 'hostNetwork' is true"))
        if spec.get("hostIPC") and plain.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            errors.append(fields.invalid(here, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
    return errors
