"""Write `fields.json`: the field numbers of Kubernetes' messages, read from the file descriptors inside a kubectl binary.

`python -m steersman.apiserver.protobuf.extract PATH_TO_KUBECTL` (1.33 or older; later ones carry none). For developers.
"""

import pathlib
import sys
import zlib

import orjson

from steersman.apiserver.protobuf import wire

_GZIP = b"\x1f\x8b\x08"
_DESCRIPTOR_BYTES_MAX = 1 << 20
# FieldDescriptorProto.Type → ours.
_SCALARS = {1: "double", 3: "int", 4: "int", 5: "int", 8: "bool", 9: "string", 12: "bytes", 13: "int"}
_MESSAGE, _REPEATED = 11, 3
_PACKAGES = ("k8s.io.api.", "k8s.io.apimachinery.")
_STABLE = ("v1", "v2", "resource", "intstr", "runtime")


def descriptors(binary: bytes) -> list[bytes]:
    """Every gzipped FileDescriptorProto of a `generated.proto`."""
    found, at = [], 0
    while (at := binary.find(_GZIP, at)) >= 0:
        try:
            raw = zlib.decompressobj(31).decompress(binary[at : at + _DESCRIPTOR_BYTES_MAX])
        except zlib.error:
            raw = b""
        if b"generated.proto" in raw[:200]:
            found.append(raw)
        at += 1
    return found


def messages(descriptor: bytes) -> dict[str, dict[str, list[str]]]:
    """message name (as OpenAPI names it) → field number → [JSON name, type]; `[]` marks lists, `map:` maps."""
    top = _children(descriptor)
    package = _text(top, 2)
    if not package.startswith(_PACKAGES) or package.rpartition(".")[2] not in _STABLE:
        return {}
    return {_openapi(f"{package}.{_text(_children(raw), 1)}"): _fields(raw) for raw in top.get(4, [])}


def _fields(message: bytes) -> dict[str, list[str]]:
    top = _children(message)
    entries = {_text(_children(raw), 1): _fields(raw) for raw in top.get(3, [])}
    found = {}
    for raw in top.get(2, []):
        field = _children(raw)
        kind = field[5][0]
        if kind == _MESSAGE:
            name = _text(field, 6).removeprefix(".")
            entry = entries.get(name.rpartition(".")[2])
            spelled = f"map:{entry['2'][1]}" if entry else _openapi(name)
        else:
            spelled = _SCALARS[kind]
        if field[4][0] == _REPEATED and not spelled.startswith("map:"):
            spelled = "[]" + spelled
        found[str(field[3][0])] = [_text(field, 1), spelled]
    return found


def _children(raw: bytes):  # type: ignore[no-untyped-def]
    found: dict[int, list[object]] = {}
    for number, _, value in wire.fields(raw):
        found.setdefault(number, []).append(bytes(value) if isinstance(value, memoryview) else value)
    return found


def _text(children, number: int) -> str:  # type: ignore[no-untyped-def]
    return str(children[number][0].decode())


def _openapi(name: str) -> str:
    return "io.k8s." + name.removeprefix("k8s.io.")


def main(path: str) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    for descriptor in descriptors(pathlib.Path(path).read_bytes()):
        found.update(messages(descriptor))
    target = pathlib.Path(__file__).with_name("fields.json")
    lines = [f"{orjson.dumps(name).decode()}:{orjson.dumps(fields).decode()}" for name, fields in sorted(found.items())]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
