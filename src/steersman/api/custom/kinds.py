"""The rows of the table of kinds that a CustomResourceDefinition adds: one per served version.

Used by the API server, which serves them, and by controllers, which follow what is served.
"""

from collections.abc import Callable, Mapping

from steersman.api import strategies
from steersman.api.custom import columns, json_path, naming, publishing, types
from steersman.api.kind import Kind, Subresource
from steersman.api.validation import metadata
from steersman.meta import errors
from steersman.meta.objects import Object


def of(definition: Object) -> list[Kind]:
    """Empty until the definition is established."""
    if not naming.is_served(definition):
        return []
    return [row(definition, version) for version in definition["spec"]["versions"] if version.get("served")]


def storage(definition: Object) -> Kind:
    """The row of the version objects are stored in, served or not."""
    versions = definition["spec"]["versions"]
    return row(definition, next(version for version in versions if version.get("storage")))


def row(definition: Object, version: Object) -> Kind:
    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    group, kind = spec["group"], spec["names"]["kind"]
    subresources = version.get("subresources") or {}
    has_status = "status" in subresources
    custom = types.Type(
        publishing.name_of(group, version["name"], kind),
        (version.get("schema") or {}).get("openAPIV3Schema"),
        tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
    )
    shown, cells = columns.of(version)
    namespaced = spec["scope"] == "Namespaced"

    def validate(new: Object, old: Object | None) -> list[errors.FieldError]:
        return [*metadata.validate(new, old, namespaced=namespaced, qualified=False), *custom.validate(new, old)]

    return Kind(
        group,
        version["name"],
        kind,
        spec["names"]["plural"],
        names.get("singular") or kind.lower(),
        namespaced=namespaced,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(group, version["name"], kind, subresources),
        columns=shown,
        cells=cells,
        validate=validate,
        warnings=custom.warnings,
        prepare=strategies.keep_status if has_status else _keep,
        prepare_status=_only_status,
        fields=_selectable(version.get("selectableFields") or []),
        spec_fields=(),
        has_generation=True,
        custom=custom,
    )


def _subresources(group: str, version: str, kind: str, given: Object) -> tuple[Subresource, ...]:
    found = []
    if "status" in given:
        found.append(Subresource("status", kind, group, version))
    if given.get("scale"):
        found.append(Subresource("scale", "Scale", "autoscaling", "v1"))
    return tuple(found)


def _keep(new: Object, old: Object | None) -> None:
    """Without a status subresource the status is a field like any other."""


def _only_status(new: Object, old: Object) -> None:
    """A write to `…/status` changes nothing of the metadata but the record of who wrote what."""
    status, manages = new.get("status"), new["metadata"].get("managedFields")
    new.clear()
    new.update(old)
    new["metadata"] = {name: value for name, value in old["metadata"].items() if name != "resourceVersion"}
    if manages is not None:
        new["metadata"]["managedFields"] = manages
    if status is None:
        new.pop("status", None)
    else:
        new["status"] = status


def _selectable(listed: list[Object]) -> Callable[[Object], Mapping[str, str]] | None:
    paths = {one["jsonPath"].removeprefix("."): json_path.compiled(one["jsonPath"]) for one in listed}
    if not paths:
        return None

    def fields(obj: Object) -> Mapping[str, str]:
        return {name: _text(path.first(obj)) for name, path in paths.items()}

    return fields


def _text(value: object) -> str:
    return "" if value is None else json_path.shown(value)
