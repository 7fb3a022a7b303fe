"""Where objects are kept in the store, and how their bytes are laid out.

Keys: `/GROUP/PLURAL/NAMESPACE/NAME`; `core` for the core group, no namespace for cluster-scoped kinds.
Bytes: apiVersion, kind and metadata stand first, and resourceVersion first in metadata, so that everything before the
revision is the same for all objects of a kind and no text inside an object can be mistaken for its place.
"""

import orjson

from steersman.api.kind import Kind
from steersman.meta.objects import Object

_heads: dict[tuple[str, str], bytes] = {}  # by version and kind; a process knows a few hundred


def prefix(kind: Kind, namespace: str = "") -> str:
    """All objects of the kind, or those in one namespace; the same for all versions of a kind."""
    whole = kind.prefix
    return f"{whole}{namespace}/" if namespace else whole


def key(kind: Kind, namespace: str, name: str) -> str:
    return f"{kind.prefix}{namespace}/{name}" if namespace and kind.namespaced else kind.prefix + name


def head(kind: Kind) -> bytes:
    """The bytes before the revision of every object of this kind."""
    found = _heads.get((kind.api_version, kind.kind))
    if found is None:
        text = f'{{"kind":"{kind.kind}","apiVersion":"{kind.api_version}","metadata":{{"resourceVersion":"'
        found = _heads[kind.api_version, kind.kind] = text.encode()
    return found


def tail(obj: Object) -> bytes:
    """The bytes after the revision. `obj` is not changed; its own resourceVersion is left out."""
    meta = obj["metadata"]
    if "resourceVersion" in meta:
        meta = {name: value for name, value in meta.items() if name != "resourceVersion"}
    rest = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "metadata")}
    meta_bytes = orjson.dumps(meta)
    rest_bytes = orjson.dumps(rest)
    start = b'",' + meta_bytes[1:] if meta else b'"}'
    return start + b"," + rest_bytes[1:] if rest else start + b"}"


def with_revision(kind: Kind, value: bytes, revision: int) -> bytes:
    """The same object under another resourceVersion."""
    start = head(kind)
    assert value.startswith(start), "stored bytes begin with the head of their kind"
    return b"%b%d%b" % (start, revision, value[value.index(b'"', len(start)) :])


def split(key_text: str) -> tuple[str, str]:
    """(namespace, name) of a key."""
    parts = key_text.split("/")
    return (parts[3], parts[4]) if len(parts) > 4 else ("", parts[-1])
