"""`kubectl explain --output=plaintext-openapiv2`: the older layout, from a document of OpenAPI v2. Pure.

Source of the layout: kubectl's pkg/explain (model_printer.go, fields_printer.go, formatter.go).
"""

from collections.abc import Iterator
from typing import Any

from steersman.kubectl.explaining import wrapping
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

Schema = dict[str, Any]
WIDTH = 80
DESCRIPTION_INDENT, FIELD_INDENT, FIELD_DESCRIPTION_INDENT = 5, 3, 2


def page(document: Object, group: str, version: str, kind: str, path: list[str], *, recursive: bool) -> str:
    """Raises CommandError."""
    gvk = {"group": group, "kind": kind, "version": version}
    definitions: dict[str, Schema] = document.get("definitions") or {}
    schema = next((one for one in definitions.values() if gvk in one.get("x-kubernetes-group-version-kind", ())), None)
    if schema is None:
        raise CommandError(f'couldn\'t find resource for "{group}/{version}, Kind={kind}"')
    found = _Pages(definitions)
    head = f"KIND:     {kind}\nVERSION:  {f'{group}/{version}' if group else version}\n\n"
    for name in path:
        schema = found.field(schema, name)
    return head + "".join(found.page(schema, path[-1] if path else "", recursive=recursive))


class _Pages:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def field(self, schema: Schema, name: str) -> Schema:
        """Raises CommandError."""
        while "properties" not in schema:
            inner = self._inner(schema)
            if inner is None:
                raise CommandError(f'field "{name}" does not exist')
            schema = inner
        if name not in schema["properties"]:
            raise CommandError(f'field "{name}" does not exist')
        found: Schema = schema["properties"][name]
        return found

    def page(self, schema: Schema, name: str, *, recursive: bool) -> Iterator[str]:
        kind, descriptions = self.type(schema), [schema.get("description", "")]
        while "properties" not in schema:
            inner = self._inner(schema)
            if inner is None or ("items" in schema and self._is_primitive(inner)) or "additionalProperties" in schema:
                break
            schema = inner
            descriptions.append(schema.get("description", ""))
        has_fields = "properties" in schema
        if name:
            yield f"{'RESOURCE:' if has_fields else 'FIELD:   '} {name} <{kind}>\n\n"
        yield "DESCRIPTION:\n"
        yield from _described(descriptions)
        if has_fields:
            yield "\nFIELDS:\n"
            yield from self._tree(schema, FIELD_INDENT, frozenset()) if recursive else self._list(schema)

    def type(self, schema: Schema) -> str:
        if "$ref" in schema:
            return self.type(self._definitions.get(schema["$ref"].rpartition("/")[2]) or {})
        if schema.get("type") == "array" or "items" in schema:
            return f"[]{self.type(schema.get('items') or {})}"
        if "properties" in schema:
            return "Object"
        if schema.get("type") == "object":
            additional = schema.get("additionalProperties")
            return f"map[string]{self.type(additional) if isinstance(additional, dict) else ''}"
        kind = schema.get("type", "")
        return str(kind) if isinstance(kind, str) else ""

    def _inner(self, schema: Schema) -> Schema | None:
        if "$ref" in schema:
            return self._definitions.get(schema["$ref"].rpartition("/")[2])
        additional = schema.get("additionalProperties")
        inner = schema.get("items") or (additional if isinstance(additional, dict) else None)
        found: Schema | None = inner
        return found

    def _is_primitive(self, schema: Schema) -> bool:
        return "$ref" not in schema and "properties" not in schema

    def _list(self, schema: Schema) -> Iterator[str]:
        pad = " " * FIELD_INDENT
        for name, field in sorted(schema["properties"].items()):
            required = " -required-" if name in (schema.get("required") or ()) else ""
            yield f"{pad}{name}\t<{self.type(field)}>{required}\n"
            indent = FIELD_INDENT + FIELD_DESCRIPTION_INDENT
            for line in wrapping.filled(field.get("description", ""), WIDTH - indent):
                yield f"{' ' * indent}{line}\n" if line else "\n"
            yield "\n"

    def _tree(self, schema: Schema, indent: int, seen: frozenset[str]) -> Iterator[str]:
        for name, field in sorted((schema.get("properties") or {}).items()):
            yield f"{' ' * indent}{name}\t<{self.type(field)}>\n"
            inner: Schema | None = field
            names = seen
            while inner is not None and "properties" not in inner:
                reference = inner.get("$ref", "")
                if reference in names:
                    inner = None
                    break
                names = names | {reference} if reference else names
                inner = self._inner(inner)
            if inner is not None:
                yield from self._tree(inner, indent + FIELD_INDENT, names)


def _described(descriptions: list[str]) -> Iterator[str]:
    if not any(descriptions):
        yield f"{' ' * DESCRIPTION_INDENT}<empty>\n"
    for place, text in enumerate(descriptions):
        if not text:
            continue
        if place:
            yield "\n"
        for line in wrapping.filled(text, WIDTH - DESCRIPTION_INDENT):
            yield f"{' ' * DESCRIPTION_INDENT}{line}\n" if line else "\n"
