"""The types of every built-in kind: check an incoming object, drop what its type does not know, look up merge keys.

The definitions come from the schema package (`kubernetes-validate`), which ships upstream's OpenAPI definitions per release.
They are read on first use, and each definition is compiled once into a closure, so that checking a 3 kB pod takes some tens
of microseconds. What the package rewrites: nullability is a `["string", "null"]` type, Quantity and IntOrString are `oneOf`.

What `decode` does to an object is what upstream's decoding into Go structs and encoding again does: unknown fields, nulls,
empty optional lists and maps, and the zeros of plain fields (`hostNetwork: false`) vanish, quantities take their canonical form,
times become UTC with the precision of their type.
"""

import functools
import pathlib
from typing import Any, Literal

import msgspec

from steersman.api import checks, go_fields
from steersman.api.kind import Kind
from steersman.meta import errors
from steersman.meta.objects import Object

RELEASE = "1.37.0"
"""The newest release the schema package carries."""

FieldValidation = Literal["Ignore", "Warn", "Strict"]

Definition = dict[str, Any]

_REFERENCE = "#/$defs/"


class Schema:
    """The definitions of one release, compiled as they are asked for."""

    def __init__(self, release: str = RELEASE) -> None:
        self.release = release
        self._checks: dict[str, checks.Check] = {}
        self._compiling: set[str] = set()
        # Fields found before, by the identity of the definition, which is kept alive for that.
        self._fields: dict[tuple[int, str], Definition | None] = {}
        self._kept: list[Definition] = []

    @functools.cached_property
    def definitions(self) -> dict[str, Definition]:
        """Every definition by its OpenAPI name (`io.k8s.api.core.v1.Pod`)."""
        found: dict[str, Definition] = msgspec.json.decode(_definitions_file(self.release).read_bytes())["$defs"]
        return found

    @functools.cached_property
    def _names(self) -> dict[tuple[str, str, str], str]:
        """(group, version, kind) → definition name; for kinds known in many groups (DeleteOptions), meta's own wins."""
        found: dict[tuple[str, str, str], str] = {}
        for name, definition in self.definitions.items():
            for gvk in definition.get("x-kubernetes-group-version-kind", ()):
                found.setdefault((gvk["group"], gvk["version"], gvk["kind"]), name)
        return found

    def kinds(self) -> list[tuple[str, str, str]]:
        """(group, version, kind) of everything with a type of its own."""
        return list(self._names)

    def name_of(self, group: str, version: str, kind: str) -> str | None:
        """The definition's name, or None for a kind without one (custom resources)."""
        return self._names.get((group, version, kind))

    def definition_of(self, group: str, version: str, kind: str) -> Definition | None:
        name = self.name_of(group, version, kind)
        return None if name is None else self.definitions[name]

    def resolve(self, definition: Definition) -> Definition:
        """Follow a `$ref` (its own description wins)."""
        reference = definition.get("$ref")
        if reference is None:
            return definition
        target = self.definitions[reference.removeprefix(_REFERENCE)]
        return {**target, "description": definition["description"]} if "description" in definition else target

    def field(self, definition: Definition | None, name: str) -> Definition | None:
        """The definition of a field or of a map's values, for walking along a path; None where nothing is known."""
        if definition is None:
            return None
        at = id(definition), name
        if at not in self._fields:
            self._fields[at] = self._field(definition, name)
            self._kept.append(definition)
        return self._fields[at]

    def _field(self, definition: Definition, name: str) -> Definition | None:
        target = self.resolve(definition)
        found = target.get("properties", {}).get(name)
        if found is None:
            found = target.get("additionalProperties")
        return found if isinstance(found, dict) else None

    def items(self, definition: Definition | None) -> Definition | None:
        """The definition of a list's items."""
        return None if definition is None else self.resolve(definition).get("items")

    def decode(self, kind: Kind, obj: Object, field_validation: FieldValidation = "Ignore") -> tuple[Object, list[str]]:
        """A new, clean object and the warnings to send with the answer.

        Fills in a missing apiVersion or kind. Raises StatusError 400 for a wrong type and, when Strict, for unknown fields.
        Kinds without a definition pass unchanged.
        """
        obj = _with_type(kind, obj)
        if kind.custom is not None:
            return kind.custom.decode(kind, obj, field_validation)
        name = self.name_of(kind.group, kind.version, kind.kind)
        if name is None:
            return obj, []
        unknown: list[str] = []
        try:
            clean: Object = self.check(name)(obj, None, unknown)
        except checks.WrongType as wrong:
            raise cannot_be_handled(kind, str(wrong)) from wrong
        if not unknown or field_validation == "Ignore":
            return clean, []
        if field_validation == "Strict":
            raise cannot_be_handled(kind, "strict decoding error: " + ", ".join(unknown))
        return clean, unknown

    def check(self, name: str) -> checks.Check:
        """The compiled check of a definition: (value, path, unknown) → clean value."""
        found = self._checks.get(name)
        if found is None:
            self._compiling.add(name)
            found = self._checks[name] = self._compile_named(name)
            self._compiling.discard(name)
        return found

    def _compile_named(self, name: str) -> checks.Check:
        special = checks.SPECIAL.get(name)
        if special is not None:
            return special
        if name in checks.EITHER:
            return checks.either(self._reference(checks.EITHER[name]))
        definition = self.definitions[name]
        if "properties" not in definition and "type" in definition and _type_of(definition) == "object":
            return (
                checks.any_object(name)
                if name in checks.OPEN
                else checks.of_object(name, {}, {}, frozenset(), frozenset())
            )
        return self._compile(definition, name)

    def _compile(self, definition: Definition, name: str) -> checks.Check:
        reference = definition.get("$ref")
        if reference is not None:
            return self._reference(reference.removeprefix(_REFERENCE))
        kind = _type_of(definition)
        if kind == "object" and "properties" in definition:
            return self._compile_object(definition, name)
        if kind == "object" and isinstance(definition.get("additionalProperties"), dict):
            return checks.of_map(self._compile(definition["additionalProperties"], name), self._go_type(definition))
        if kind == "array":
            zero = checks.ZEROS.get(_type_of(self.resolve(definition["items"])))
            return checks.of_array(self._compile(definition["items"], name), self._go_type(definition), zero)
        return checks.SCALARS.get((kind, definition.get("format", "")), checks.anything)

    def _reference(self, name: str) -> checks.Check:
        """The check itself, or, inside a definition that contains itself, a detour to it."""
        if name not in self._compiling:
            return self.check(name)
        compiled = self._checks

        def check(value: Any, path: checks.Path, unknown: list[str]) -> Any:
            return compiled[name](value, path, unknown)

        return check

    def _compile_object(self, definition: Definition, name: str) -> checks.Check:
        plain: dict[str, type] = {}
        rest: dict[str, checks.Check] = {}
        for field, of_field in definition["properties"].items():
            rest[field] = self._compile(of_field, name)
            if rest[field] is checks.string:
                plain[field] = str
            elif rest[field] is checks.boolean:
                plain[field] = bool
        required = frozenset(definition.get("required", ()))
        return checks.of_object(name, plain, rest, required, go_fields.vanishing(name))

    def _go_type(self, definition: Definition) -> str:
        """The Go type as upstream's messages name it: `[]v1.Container`, `map[string]string`."""
        reference = definition.get("$ref")
        if reference is not None:
            *_, package, name = reference.split(".")
            return f"{package}.{name}"
        kind = _type_of(definition)
        if kind == "array":
            return "[]" + self._go_type(definition["items"])
        if kind == "object":
            inner = definition.get("additionalProperties")
            return "map[string]" + (self._go_type(inner) if isinstance(inner, dict) else "interface {}")
        return checks.GO_TYPES.get((kind, definition.get("format", "")), kind)


@functools.cache
def of_release(release: str = RELEASE) -> Schema:
    """The one Schema of a release in this process."""
    return Schema(release)


def decode(kind: Kind, obj: Object, field_validation: FieldValidation = "Ignore") -> tuple[Object, list[str]]:
    """`Schema.decode` with the newest release."""
    return of_release().decode(kind, obj, field_validation)


def _definitions_file(release: str) -> pathlib.Path:
    import importlib.util

    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None, "kubernetes-validate is a dependency"
    assert spec.origin is not None, "kubernetes-validate is a dependency"
    return pathlib.Path(spec.origin).parent / "kubernetes-json-schema" / f"v{release}-local" / "_definitions.json"


def _with_type(kind: Kind, obj: Object) -> Object:
    if not isinstance(obj, dict):
        raise errors.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {checks.json_type(obj)} into Go value of type "
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    api_version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if (api_version, name) != (kind.api_version, kind.kind):
        raise _of_another_type(kind, str(api_version), str(name))
    if obj.get("apiVersion") and obj.get("kind"):
        return obj
    return {**obj, "apiVersion": api_version, "kind": name}


_SCHEME = "pkg/api/legacyscheme/scheme.go:30"  # where upstream's messages say that kinds are registered


def _of_another_type(kind: Kind, api_version: str, name: str) -> errors.StatusError:
    """Upstream reads the body as what it says it is, and fails to make it what the path says."""
    group, _, version = api_version.rpartition("/")
    is_known = kind.custom is not None or of_release().name_of(group, version, name) is not None
    if is_known and (group, name) == (kind.group, kind.kind):
        return errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    if kind.custom is not None:
        return errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): the kind in the data is {name}"
        )
    package = (kind.group or "core").partition(".")[0]
    why = f"converting ({version}.{name}) to ({package}.{kind.kind}): unknown conversion"
    if not is_known:
        why = f'no kind "{name}" is registered for version "{api_version}" in scheme "{_SCHEME}"'
    return errors.bad_request(f'{name} in version "{version}" cannot be handled as a {kind.kind}: {why}')


def cannot_be_handled(kind: Kind, why: str) -> errors.StatusError:
    return errors.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}',
    )


def _type_of(definition: Definition) -> str:
    declared = definition.get("type", "")
    if isinstance(declared, list):
        return next((str(one) for one in declared if one != "null"), "")
    return str(declared)
