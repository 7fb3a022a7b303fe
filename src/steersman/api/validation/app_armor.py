"""AppArmor profiles and their annotations. Source: upstream's pkg/apis/core/validation (ValidateAppArmor…)."""

from steersman.api import app_armor
from steersman.api.validation import fields
from steersman.meta import objects
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

TYPES = ("Localhost", "RuntimeDefault", "Unconfined")


def validate_profile(profile: Object | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, name = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        return [fields.required(f"{path}.type", "type is required when appArmorProfile is set")]
    if kind not in TYPES:
        return [fields.not_supported(f"{path}.type", kind, TYPES)]
    here = f"{path}.localhostProfile"
    if kind != "Localhost":
        text = "can only be set when AppArmor type is Localhost"
        return [fields.invalid(here, name, text)] if name is not None else []
    errors = []
    if name is not None and name != name.strip():
        errors.append(fields.invalid(here, name, "must not be padded with whitespace"))
    elif not name:
        errors.append(fields.required(here, "must be set when AppArmor type is Localhost"))
    if name is not None and len(name) > app_armor.LENGTH_MAX:
        errors.append(fields.too_long(here, app_armor.LENGTH_MAX))
    return errors


def validate_annotations(pod: Object) -> list[FieldError]:
    """Each is about a container that is there, in a form that means something."""
    names = {one.get("name") for _, one in app_armor.containers(pod.get("spec") or {})}
    errors = []
    for key, value in objects.annotations(pod).items():
        if key.startswith(app_armor.ANNOTATION):
            path, name = f"metadata.annotations[{key}]", key.removeprefix(app_armor.ANNOTATION)
            if name not in names:
                errors.append(fields.invalid(path, name, "container not found"))
            if value not in ("", "runtime/default", "unconfined") and not value.startswith(app_armor.LOCALHOST):
                errors.append(fields.invalid(path, value, f'invalid AppArmor profile name: "{value}"'))
    return errors


def validate_match(pod: Object) -> list[FieldError]:
    """A new pod may not say one thing in the field and another in the annotation."""
    errors = []
    for path, one in app_armor.containers(pod.get("spec") or {}):
        annotation = objects.annotations(pod).get(app_armor.ANNOTATION + one.get("name", ""))
        profile = (one.get("securityContext") or {}).get("appArmorProfile")
        if annotation is None or profile is None:
            continue
        meant, here = app_armor.field_of(annotation) or {}, f"{path}.securityContext.appArmorProfile"
        if meant.get("type") != profile.get("type"):
            errors.append(fields.forbidden(f"{here}.type", "apparmor type in annotation and field must match"))
        elif meant.get("localhostProfile") != profile.get("localhostProfile"):
            text = "apparmor profile in annotation and field must match"
            errors.append(fields.forbidden(f"{here}.localhostProfile", text))
    return errors


def validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = objects.annotations(old), objects.annotations(new)
    changed = "may not remove or update AppArmor annotations"
    return [
        fields.forbidden(
            f"metadata.annotations[{key}]", changed if key in before else "may not add AppArmor annotations"
        )
        for key in (*before, *(key for key in after if key not in before))
        if key.startswith(app_armor.ANNOTATION) and before.get(key) != after.get(key)
    ]
