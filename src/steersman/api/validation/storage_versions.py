"""StorageVersions and StorageVersionMigrations."""

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object


def validate_storage_version(new: Object, old: Object | None) -> list[FieldError]:
    """Named `<group>.<resource>`; every server can decode what it writes."""
    errors = metadata.validate(new, old, namespaced=False, check=_name_errors)
    for index, one in enumerate((new.get("status") or {}).get("storageVersions") or ()):
        path = f"status.storageVersions[{index}]"
        errors += fields.check_name(f"{path}.apiServerID", one.get("apiServerID"), names.subdomain_errors)
        encoding, decodable = one.get("encodingVersion", ""), one.get("decodableVersions") or []
        if not encoding:
            errors.append(fields.required(f"{path}.encodingVersion"))
        elif encoding not in decodable:
            text = f"decodableVersions must include encodingVersion {encoding}"
            errors.append(fields.invalid(f"{path}.decodableVersions", decodable, text))
    return errors


def validate_migration(new: Object, old: Object | None) -> list[FieldError]:
    """What is migrated never changes."""
    resource = (new.get("spec") or {}).get("resource") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if not resource.get("resource"):
        errors.append(fields.required("spec.resource.resource"))
    if resource.get("group"):
        errors += fields.each_invalid(
            "spec.resource.group", resource["group"], names.subdomain_errors(resource["group"])
        )
    if old is not None:
        errors += fields.check_immutable("spec.resource", resource, (old.get("spec") or {}).get("resource") or {})
    return errors


def _name_errors(name: str) -> list[str]:
    if "." not in name:
        return ["name must be in the form of <group>.<resource>"]
    return names.subdomain_errors(name)
