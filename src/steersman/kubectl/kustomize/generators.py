"""ConfigMaps and Secrets that a kustomization makes of literals and files; their names get the hash of their content."""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steersman.kubectl import content_hash
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.resources import Resource, Resources, id_of
from steersman.meta import names
from steersman.meta.objects import Object

_LINE = 70  # base64 in Secrets is wrapped after so many characters
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Read = Callable[[str], bytes]


def config_map(entry: Mapping[str, Any], options: Mapping[str, Any], read: Read) -> Resource:
    """Raises KustomizeError."""
    obj = _empty("ConfigMap", entry)
    for key, value in _pairs(entry, read):
        field, text = _text(value)
        data = obj.setdefault(field, {})
        _check_key(obj, key, data)
        data[key] = text
    return _finished(obj, entry, options)


def secret(entry: Mapping[str, Any], options: Mapping[str, Any], read: Read) -> Resource:
    """Raises KustomizeError."""
    obj = _empty("Secret", entry)
    obj |= {"type": entry.get("type") or "Opaque", "data": {}}
    for key, value in _pairs(entry, read):
        _check_key(obj, key, obj["data"])
        obj["data"][key] = encode(value)
    return _finished(obj, entry, options)


def add(resources: Resources, made: Resource) -> None:
    """A new one, or what replaces or is merged into the one that is there, which stays hashed or not. Raises KustomizeError."""
    found = resources.with_any_id(made.id)
    if made.behavior in ("", "create"):
        if found:
            raise KustomizeError(f"merging from generator: id {made.id} exists; behavior must be merge or replace")
        resources.add(made)
        return
    if not found:
        raise KustomizeError(f"merging from generator: id {made.id} does not exist; cannot merge or replace")
    if len(found) > 1:
        raise KustomizeError(f"merging from generator: found multiple objects {[str(one.id) for one in found]}")
    old = found[0]
    obj = dict(made.obj)
    meta = {**old.metadata}
    for field in ("labels", "annotations"):
        merged = {**(old.metadata.get(field) or {}), **(made.metadata.get(field) or {})}
        if merged:
            meta[field] = merged
    if made.behavior == "merge":
        for field in ("data", "binaryData"):
            merged = {**(old.obj.get(field) or {}), **(obj.get(field) or {})}
            if merged:
                obj[field] = merged
    old.obj = {**obj, "metadata": meta}


def hashed_name(resource: Resource) -> str:
    """Unlike `create configmap --append-hash`, kustomize hashes the content without the name."""
    obj = resource.obj
    name = str(resource.metadata.get("name", ""))
    if resource.kind == "ConfigMap":
        found = content_hash.of_config_map("", obj.get("data", ""), obj.get("binaryData"))
    elif resource.kind == "Secret":
        found = content_hash.of_secret("", str(obj.get("type") or ""), obj.get("data", ""), obj.get("stringData"))
    else:
        from steersman.kubectl.merging import last_applied

        found = content_hash.of_text(last_applied.encoded(obj))
    return f"{name}-{found}"


def encode(value: bytes) -> str:
    text = base64.b64encode(value).decode()
    if len(text) <= _LINE:
        return text
    return "".join(f"{text[start : start + _LINE]}\n" for start in range(0, len(text), _LINE))


def _empty(kind: str, entry: Mapping[str, Any]) -> Object:
    if not entry.get("name"):
        raise KustomizeError(f"a {kind.lower()} must have a name")
    meta: Object = {"name": entry["name"]}
    if entry.get("namespace"):
        meta["namespace"] = entry["namespace"]
    return {"apiVersion": "v1", "kind": kind, "metadata": meta}


def _finished(obj: Object, entry: Mapping[str, Any], of_all: Mapping[str, Any]) -> Resource:
    own = entry.get("options") or {}
    for field in ("labels", "annotations"):
        pairs = {**(of_all.get(field) or {}), **(own.get(field) or {})}
        if pairs:
            obj["metadata"][field] = pairs
    if of_all.get("immutable") or own.get("immutable"):
        obj["immutable"] = True
    without_hash = of_all.get("disableNameSuffixHash") or own.get("disableNameSuffixHash")
    made = Resource(obj, behavior=str(entry.get("behavior") or ""), needs_hash=not without_hash)
    if made.behavior not in ("", "create", "replace", "merge"):
        made.behavior = ""
    assert id_of(obj).name
    return made


def _pairs(entry: Mapping[str, Any], read: Read) -> Iterable[tuple[str, bytes]]:
    """In kustomize's order: environment files, literals, files."""
    environments = [*(entry.get("envs") or ()), *([entry["env"]] if entry.get("env") else ())]
    try:
        for path in environments:
            yield from _environment(read(path), path)
    except KustomizeError as wrong:
        raise KustomizeError(f"loading KV pairs: env source files: {_listed(environments)}: {wrong}") from wrong
    literals = entry.get("literals") or ()
    try:
        for source in literals:
            yield _literal(source)
    except KustomizeError as wrong:
        raise KustomizeError(f"loading KV pairs: literal sources {_listed(literals)}: {wrong}") from wrong
    files = entry.get("files") or ()
    try:
        for source in files:
            key, path = _file(source)
            yield key, read(path)
    except KustomizeError as wrong:
        raise KustomizeError(f"loading KV pairs: file sources: {_listed(files)}: {wrong}") from wrong


def _listed(words: Iterable[str]) -> str:
    return f"[{' '.join(words)}]"


def _literal(source: str) -> tuple[str, bytes]:
    key, equals, value = source.partition("=")
    if not key or not equals:
        raise KustomizeError(f"invalid literal source {source}, expected key=value")
    return key, value.strip("\"'").encode()


def _file(source: str) -> tuple[str, str]:
    key, equals, path = source.partition("=")
    if not equals:
        return source.rpartition("/")[2], source
    if "=" in path:
        raise KustomizeError(f"source {source!r} key name or file path contains '='".replace("'", '"', 2))
    if not key:
        raise KustomizeError(f'missing key name for file path "{path}" in source "{source}"')
    if not path:
        raise KustomizeError(f'missing file path for key name "{key}" in source "{source}"')
    return key, path


def _environment(content: bytes, path: str) -> Iterable[tuple[str, bytes]]:
    import os

    for number, line in enumerate(content.removeprefix(_BYTE_ORDER_MARK).split(b"\n"), 1):
        try:
            text = line.removesuffix(b"\r").decode().lstrip()
        except UnicodeDecodeError:
            raise KustomizeError(f"line {number} has invalid utf8 bytes : {line!r}") from None
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        wrong = names.config_key_errors(key)
        if wrong:
            raise KustomizeError(f'"{key}" is not a valid key name: {";".join(wrong)}')
        yield key, (value if equals else os.environ.get(key, "")).encode()


def _text(value: bytes) -> tuple[str, str]:
    try:
        return "data", value.decode()
    except UnicodeDecodeError:
        return "binaryData", encode(value)


def _check_key(obj: Object, key: str, data: Mapping[str, str]) -> None:
    if key in data:
        raise KustomizeError(f"{obj['kind'].lower()} {obj['metadata']['name']} illegally repeats the key `{key}`")
