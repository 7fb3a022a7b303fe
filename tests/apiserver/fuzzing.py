"""Requests that nobody should send, made from the OpenAPI documents that the server itself serves.

Each comes from a seed, so that a failure can be sent again. Most are right in all but one or two places: what is wrong
everywhere is refused at the first door.
"""

import dataclasses
import random
import urllib.parse
from typing import Any

import orjson

from steersman.meta.objects import Object

_PATCHES = {
    "application/json-patch+json": 3,
    "application/merge-patch+json": 4,
    "application/strategic-merge-patch+json": 4,
    "application/apply-patch+yaml": 3,
}
_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", "", "x;y", "*/*")
_ACCEPTS = (
    "*/*",
    "application/yaml",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf",
    "a/b;c=d,,",
)
_NAMES = ("a", "b", "p", "d", "s", "default", "x.y", "A_b", "", "-", "a/b", "..", "%00", "ä", "n" * 260, "v1.apps")
_TEXTS = (
    "", "a", "default", "10Gi", "-1", "1e400", "0.5", "100m", "2026-01-01T00:00:00Z", "not a time", "http", "ClusterIP", "None",
    "Always", "a=b", "a in (b", "10.96.0.1", "::1", "10.0.0.0/8", "*", "*/*", "TCP", "\x00", "\ud7ff", "😀" * 3, "x" * 300,
    "kubernetes.io/x", "self.spec.replicas > 0", "[", "(", "{.metadata.name}", "true", "null", "/", "//", "../..", "\n", "$(X)",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 7, 80, 65536, 2**31, 2**53, -(2**63), 2**63 - 1, 2**64 - 1, 0.5, -0.0, 1e308)
_QUERIES = {
    "labelSelector": ("a=b", "a in (b", "!a", "a,,b", "=", "\x00"),
    "fieldSelector": ("metadata.name=p", "spec.x=y", "a", "status.phase!=Running,,"),
    "limit": ("1", "-1", "abc", "9" * 30),
    "continue": ("abc", "e30", "eyJ2IjoiIn0"),
    "resourceVersion": ("0", "1", "abc", "-1", "9" * 18),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x"),
    "dryRun": ("All", "x", ""),
    "fieldValidation": ("Strict", "Warn", "Ignore", "x"),
    "fieldManager": ("me", "x" * 200, "\x00"),
    "force": ("true", "x"),
    "gracePeriodSeconds": ("0", "-5", "x", "9" * 20),
    "propagationPolicy": ("Orphan", "Foreground", "x"),
    "orphanDependents": ("true", "x"),
    "pretty": ("true", "0"),
    "includeObject": ("Object", "None", "x"),
    "timeoutSeconds": ("1", "-1", "x"),
    "container": ("main", "x"),
    "command": ("ls",),
    "stdout": ("true",),
    "ports": ("80", "x"),
    "path": ("/", ".."),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    kind: str  # "" where it has no body


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Fuzzer:
    """`documents` are OpenAPI v3; `schemas` all their definitions by name."""

    def __init__(self, documents: list[Object]) -> None:
        self.schemas: Object = {}
        self.operations: list[Operation] = []
        for document in documents:
            self.schemas |= document["components"]["schemas"]
            for path, item in document["paths"].items():
                for method, operation in item.items():
                    if isinstance(operation, dict) and "responses" in operation:
                        self.operations.append(Operation(method.upper(), path, _body_of(operation)))
        self.creations = [one for one in self.operations if one.method == "POST"]

    def request(self, seed: int) -> Sent:
        return _Maker(self, random.Random(seed)).request()


def _body_of(operation: Object) -> str:
    for content in ((operation.get("requestBody") or {}).get("content") or {}).values():
        reference = (content.get("schema") or {}).get("$ref", "")
        if reference:
            return str(reference.rpartition("/")[2])
    return ""


class _Maker:
    def __init__(self, fuzzer: Fuzzer, chance: random.Random) -> None:
        self._fuzzer = fuzzer
        self._chance = chance
        self._wrong = chance.choices((0.0, 0.03, 1.0), (5, 4, 1))[0]  # how often a value is not what it should be

    def request(self) -> Sent:
        chance = self._chance
        listed = self._fuzzer.creations if chance.random() < 0.3 else self._fuzzer.operations
        operation = chance.choice(listed)
        headers = {"accept": chance.choice(_ACCEPTS)} if chance.random() < 0.1 else {}
        if chance.random() < 0.02:
            headers["impersonate-user"] = chance.choice(("bob", "", "system:node:a"))
        body, media_type = b"", ""
        if operation.method in ("POST", "PUT", "PATCH", "DELETE"):
            body, media_type = self._body(operation)
        if media_type or body:
            headers["content-type"] = media_type
        method = operation.method if chance.random() > 0.02 else chance.choice(("OPTIONS", "HEAD", "FOO", "PUT"))
        return Sent(method, self._path(operation), self._query(operation), headers, body)

    def _path(self, operation: Operation) -> str:
        path = operation.path.replace("{namespace}", "default" if self._chance.random() < 0.9 else self._name())
        while "{" in path:
            start, _, rest = path.partition("{")
            path = start + self._name() + rest.partition("}")[2]
        return path

    def _name(self) -> str:
        return self._chance.choice(_NAMES[:6] if self._chance.random() < 0.92 else _NAMES)

    def _query(self, operation: Operation) -> str:
        pairs = []
        if operation.method == "PATCH" and self._chance.random() < 0.8:
            pairs.append(("fieldManager", "me"))
        while self._chance.random() < 0.25:
            name = self._chance.choice(list(_QUERIES))
            pairs.append((name, self._chance.choice(_QUERIES[name])))
        return urllib.parse.urlencode(pairs)

    # Bodies

    def _body(self, operation: Operation) -> tuple[bytes, str]:
        chance = self._chance
        if operation.method == "PATCH":
            media_type = chance.choices(list(_PATCHES), list(_PATCHES.values()))[0]
            value = self._json_patch() if "json-patch" in media_type else self._object(operation)
        else:
            media_type = "application/json" if chance.random() < 0.95 else chance.choice(_TYPES)
            value = self._object(operation)
        return self._spoiled(_bytes(value)), media_type

    def _object(self, operation: Operation) -> Any:
        kind = operation.kind
        if not kind or kind.endswith("Patch"):
            kind = self._kind_at(operation.path) or chance_kind(self._chance, self._fuzzer.schemas)
        schema = self._fuzzer.schemas.get(kind) or {}
        made = self._fields(schema, 0) if self._chance.random() < 0.98 else self._anything(0)
        if isinstance(made, dict) and self._chance.random() < 0.9:
            made["metadata"] = {**self._metadata(made.get("metadata")), "name": self._name()}
            if self._chance.random() < 0.8:
                made.pop("apiVersion", None)
                made.pop("kind", None)
        return made

    def _kind_at(self, path: str) -> str:
        """Of the object that is changed by a patch of this path."""
        found = next((one for one in self._fuzzer.operations if one.path == path and one.method == "PUT"), None)
        return found.kind if found is not None else ""

    def _metadata(self, given: Any) -> Object:
        found = given if isinstance(given, dict) and self._chance.random() < 0.3 else {}
        return {key: value for key, value in found.items() if key not in ("namespace", "resourceVersion", "uid")}

    def _of(self, schema: Object, level: int) -> Any:
        chance = self._chance
        if chance.random() < self._wrong:
            return self._anything(level)
        reference = schema.get("$ref") or next((one.get("$ref") for one in schema.get("allOf") or ()), None)
        if reference:
            return self._of(self._fuzzer.schemas.get(reference.rpartition("/")[2]) or {}, level)
        if "oneOf" in schema:
            return self._of(chance.choice(schema["oneOf"]), level)
        match schema.get("type"):
            case "object":
                return self._fields(schema, level)
            case "array":
                return [self._of(schema.get("items") or {}, level + 1) for _ in range(chance.choice((0, 1, 1, 2)))]
            case "string":
                return chance.choice(schema.get("enum") or _TEXTS[:20])
            case "integer" | "number":
                return chance.choice(_NUMBERS[:6])
            case "boolean":
                return chance.random() < 0.5
        return self._anything(level)

    def _fields(self, schema: Object, level: int) -> Object:
        chance, made = self._chance, {}
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        share = 0.8 if level == 0 else 0.5 if level == 1 else 0.2 if level < 4 else 0.05
        for name, of_field in properties.items():
            if chance.random() < (0.95 if name in required else share) and level < 12:
                made[name] = self._of(of_field, level + 1)
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            made |= {chance.choice(_TEXTS): self._of(more, level + 1) for _ in range(chance.choice((0, 1, 2)))}
        if chance.random() < self._wrong:
            made[chance.choice(("nonsense", "", "$patch", "metadata", "spec", "\x00"))] = self._anything(level)
        return made

    def _anything(self, level: int) -> Any:
        chance = self._chance
        match chance.randrange(9):
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2 | 3:
                return chance.choice(_NUMBERS)
            case 4 | 5:
                return chance.choice(_TEXTS)
            case 6 if level < 6:
                return [self._anything(level + 1) for _ in range(chance.randrange(3))]
            case 7 if level < 6:
                return {chance.choice(_TEXTS): self._anything(level + 1) for _ in range(chance.randrange(3))}
        return {}

    def _json_patch(self) -> Any:
        chance = self._chance
        places = (
            "metadata",
            "labels",
            "spec",
            "status",
            "data",
            "template",
            "containers",
            "0",
            "-",
            "name",
            "a~1b",
            "~",
            "",
        )
        operations = []
        for _ in range(chance.randrange(1, 4)):
            pointer = "".join(f"/{chance.choice(places)}" for _ in range(chance.randrange(1, 4)))
            one = {"op": chance.choice(("add", "remove", "replace", "move", "copy", "test", "x")), "path": pointer}
            if chance.random() < 0.7:
                one["value"] = self._anything(0)
            if chance.random() < 0.3:
                one["from"] = f"/{chance.choice(places)}"
            operations.append(one)
        return operations if chance.random() < 0.95 else self._anything(0)

    def _spoiled(self, body: bytes) -> bytes:
        chance = self._chance
        if not body or chance.random() > 0.08:
            return body
        place = chance.randrange(len(body))
        match chance.randrange(6):
            case 0:
                return body[:place]
            case 1:
                return body[:place] + bytes([chance.randrange(256)]) + body[place + 1 :]
            case 2:
                return body + body
            case 3:
                return b"[" * chance.choice((3, 300, 3000)) + body
            case 4:
                return body.replace(b'"name"', b'"name":"twice","name"', 1)
        return bytes(chance.randrange(256) for _ in range(chance.randrange(60)))


def chance_kind(chance: random.Random, schemas: Object) -> str:
    return chance.choice(sorted(schemas))


def _bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
