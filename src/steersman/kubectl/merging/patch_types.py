"""What a server's OpenAPI says on how lists and maps of a kind are patched: strategies and merge keys by field."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Definition = Mapping[str, Any]

_REFERENCES = ("#/components/schemas/", "#/definitions/", "#/$defs/")


class PatchTypes(NamedTuple):
    """A walk over the definitions of one document: `root` is the kind's own; every step gives None where nothing is known."""

    definitions: Mapping[str, Definition]
    root: Definition | None

    def resolve(self, definition: Definition | None) -> Definition | None:
        """The definition that `$ref` names (also as the one member of `allOf`), with the strategies that stand beside it."""
        if definition is None:
            return None
        inner = definition.get("allOf")
        reference = definition.get("$ref") or (inner[0].get("$ref") if inner and len(inner) == 1 else None)
        if not reference:
            return definition
        for prefix in _REFERENCES:
            reference = reference.removeprefix(prefix)
        target = self.definitions.get(reference)
        beside = {key: value for key, value in definition.items() if key.startswith("x-kubernetes-")}
        return {**target, **beside} if target is not None else None

    def field(self, definition: Definition | None, name: str) -> Definition | None:
        """The field's own words (strategy, merge key), not yet resolved."""
        target = self.resolve(definition)
        if target is None:
            return None
        found = target.get("properties", {}).get(name)
        if found is None:
            found = target.get("additionalProperties")
        return found if isinstance(found, dict) else None

    def items(self, definition: Definition | None) -> Definition | None:
        target = self.resolve(definition)
        return None if target is None else target.get("items")


NOTHING = PatchTypes({}, None)


def of_document(document: Mapping[str, Any], group: str, version: str, kind: str) -> PatchTypes:
    """From an OpenAPI document (v2 or v3) of the server; without a root where the kind has no type there."""
    definitions = document.get("definitions") or document.get("components", {}).get("schemas", {})
    wanted = {"group": group, "version": version, "kind": kind}
    root = next((one for one in definitions.values() if wanted in one.get("x-kubernetes-group-version-kind", ())), None)
    return PatchTypes(definitions, root)


def strategies(definition: Definition | None) -> tuple[str, bool]:
    """(`merge`, `replace` or "", whether the keys to keep are told) of a field."""
    words = str((definition or {}).get("x-kubernetes-patch-strategy", "")).split(",")
    kept = [word for word in words if word not in ("", "retainKeys")]
    return (kept[0] if kept else ""), "retainKeys" in words


def merge_key(definition: Definition | None) -> str:
    return str((definition or {}).get("x-kubernetes-patch-merge-key", ""))
