"""`kubectl explain`: a schema of OpenAPI v3 as text. Pure.

Source of the layout: kubectl's explain/v2/templates/plaintext.tmpl.
"""

from collections.abc import Iterator
from typing import Any

from steersman.kubectl.explaining import wrapping
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

Schema = dict[str, Any]

# Width of lines, and how many values of an enum stand in a list of fields.
WIDTH, LINE_WIDTH, ENUMS_MAX = 76, 78, 4
_NONE: frozenset[str] = frozenset()


class Failed(CommandError):
    """The field is not there; the head of the page was written."""

    def __init__(self, text: str, printed: str) -> None:
        super().__init__(text)
        self.printed = printed


def page(document: Object, group: str, version: str, kind: str, path: list[str], *, recursive: bool) -> str:
    """Raises CommandError, Failed."""
    gvk = {"group": group, "kind": kind, "version": version}
    head = (f"GROUP:      {group}\n" if group else "") + f"KIND:       {kind}\nVERSION:    {version}\n\n"
    schemas = ((document.get("components") or {}).get("schemas") or {}).items()
    for _, schema in sorted(schemas):
        if gvk in schema.get("x-kubernetes-group-version-kind", ()):
            body = "".join(_Pages(document, recursive=recursive).output(schema, path, _NONE))
            if not body:
                raise Failed(f'error: field "{path[-1]}" does not exist', head)
            return f"{head}{body}\n"
    raise CommandError(f"error: GVK {gvk} not found in OpenAPI schema")


class _Pages:
    def __init__(self, document: Object, *, recursive: bool) -> None:
        self._document = document
        self._recursive = recursive

    def output(self, schema: Schema, path: list[str], seen: frozenset[str]) -> Iterator[str]:
        """The field that the path leads to; nothing when there is none. `seen`: references since the last field."""
        reference = schema.get("$ref", "")
        resolved = self._resolved(schema)
        if not path:
            yield from self._described(resolved)
            return
        if reference and reference in seen:
            return
        seen = seen | {reference}
        properties = resolved.get("properties") or {}
        if path[0] in properties:
            field = properties[path[0]]
            if len(path) == 1:
                yield f"FIELD: {path[0]} <{self._type(field)}>\n{_long_enum(field)}\n\n"
            yield from self.output(field, path[1:], _NONE)
        elif resolved.get("items"):
            yield from self.output(resolved["items"], path, seen)
        elif isinstance(resolved.get("additionalProperties"), dict) and resolved["additionalProperties"]:
            yield from self.output(resolved["additionalProperties"], path, seen)
        else:
            for one in resolved.get("allOf") or ():
                found = "".join(self.output(one, path, seen))
                if found:
                    yield found
                    return

    def _described(self, schema: Schema) -> Iterator[str]:
        text = "".join(self._descriptions(schema)) or "<empty>"
        yield f"DESCRIPTION:\n{wrapping.indented(wrapping.wrapped(text, WIDTH), 4)}\n"
        yield from _external_docs(schema)
        fields = "".join(self._fields(schema, 1, _NONE))
        if fields:
            yield f"FIELDS:\n{fields}"

    def _descriptions(self, schema: Schema) -> Iterator[str]:
        """Its own, and those of what it is made of."""
        schema = self._resolved(schema)
        if schema.get("description"):
            yield f"{schema['description']}\n"
        for inner in _inner(schema):
            yield from self._descriptions(inner)

    def _fields(self, schema: Schema, level: int, seen: frozenset[str]) -> Iterator[str]:
        reference = schema.get("$ref", "")
        if reference and reference in seen:
            return
        seen = seen | {reference}
        resolved = self._resolved(schema)
        for name, field in sorted((resolved.get("properties") or {}).items()):
            yield self._field(name, field, level, is_required=name in (resolved.get("required") or ()))
            if self._recursive:
                yield from self._fields(field, level + 1, seen)
        for inner in _inner(resolved):
            yield from self._fields(inner, level, seen)

    def _field(self, name: str, field: Schema, level: int, *, is_required: bool) -> str:
        indent = level * 2
        line = f"{' ' * indent}{name}\t<{self._type(field)}>{' -required-' if is_required else ''}"
        line += _short_enum(field, indent) + "\n"
        if self._recursive:
            return line
        text = wrapping.wrapped(field.get("description") or "<no description>", LINE_WIDTH - indent)
        return f"{line}{wrapping.indented(text, indent + 2)}\n{_field_docs(field, indent)}\n"

    def _type(self, schema: Schema) -> str:
        """`string`, `[]Container`, `map[string]Quantity`."""
        if schema.get("items"):
            return f"[]{self._type(schema['items'])}"
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict) and additional:
            return f"map[string]{self._type(additional)}"
        all_of: list[Schema] = schema.get("allOf") or []
        if len(all_of) == 1 and not schema.get("properties"):
            return self._type(all_of[0])
        if "$ref" in schema:
            kind = self._resolved(schema).get("type") or "object"
            return str(kind) if kind != "object" else schema["$ref"].rpartition("/")[2].rpartition(".")[2] or "Object"
        kind = schema.get("type") or "object"
        return "Object" if kind == "object" else str(kind)

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref", "")
        found: Any = self._document
        if not reference:
            return schema
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) or {}
        return found or schema


def _inner(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("allOf") or ()
    if schema.get("items"):
        yield schema["items"]
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict) and additional:
        yield additional


def _enum_text(value: Any) -> str:
    return '""' if value == "" else str(value)


def _long_enum(schema: Schema) -> str:
    values = schema.get("enum") or ()
    return "ENUM:" + "".join(f"\n    {_enum_text(value)}" for value in values) if values else ""


def _short_enum(schema: Schema, indent: int) -> str:
    values = schema.get("enum") or ()
    if not values:
        return ""
    shown = ", ".join(_enum_text(value) for value in values[:ENUMS_MAX])
    return f"\n{' ' * indent}enum: {shown}{', ....' if len(values) > ENUMS_MAX else ''}"


def _external_docs(schema: Schema) -> Iterator[str]:
    docs = schema.get("externalDocs")
    if docs:
        yield "\nEXTERNAL DOCS:\n"
        if docs.get("description"):
            yield wrapping.indented(wrapping.wrapped(docs["description"], WIDTH), 4) + "\n"
        if docs.get("url"):
            yield f"    URL: {docs['url']}\n"


def _field_docs(schema: Schema, indent: int) -> str:
    docs = schema.get("externalDocs")
    if not docs:
        return ""
    text = f"\n{' ' * (indent + 2)}EXTERNAL DOCS:\n"
    if docs.get("description"):
        text += wrapping.indented(wrapping.wrapped(docs["description"], WIDTH - indent), indent + 4) + "\n"
    if docs.get("url"):
        text += f"{' ' * (indent + 4)}URL: {docs['url']}\n"
    return text
