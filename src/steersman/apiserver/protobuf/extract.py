"""Write `api/go_fields.json`: how Kubernetes' messages look on the wire, read from the Go packages that declare them.

`python -m steersman.apiserver.protobuf.extract PATH_TO_src/k8s.io`: the folder with `api`, `apimachinery`, `kube-aggregator` and
`apiextensions-apiserver` (whatever of them there is) of a Go workspace. For developers.

Numbers and types come from each package's `generated.proto`; what the wire does not tell (which fields are pointers, which are
written although empty, what is embedded) from the tags of the Go structs. Messages that are in the file and not in the folder stay.
"""

import pathlib
import re
import sys
from collections.abc import Iterator

import orjson

from steersman.api import go_fields, releases, schema

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MESSAGE = re.compile(r"message (\w+) \{(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"(optional|repeated|map<string, ([\w.]+)>) *([\w.]*) (\w+) = (\d+);")
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_TAGS = re.compile(r'^\s+(?:\w+\s+)?(\S+)\s+`[^`\n]*json:"([^"]*)"[^`\n]*protobuf:"\w+,(\d+)', re.MULTILINE)
_SCALARS = {
    **dict.fromkeys(("int32", "int64", "uint32", "uint64"), "int"),
    **{name: name for name in ("double", "bool", "string", "bytes")},
}

Message = dict[str, list[str]]


def package(folder: pathlib.Path, name: str) -> Iterator[tuple[str, Message]]:
    """(message name as OpenAPI has it, field number → [JSON name, type] as in `api.go_fields`) of one package."""
    text = _COMMENT.sub("", (folder / "generated.proto").read_text())
    structs = dict(_structs(folder))
    for found in _MESSAGE.finditer(text):
        tags = structs.get(found[1], {})
        yield (
            f"{_openapi(name)}.{found[1]}",
            dict(_field(one, tags, name) for one in _FIELD.findall(found[2])),
        )


def _field(declared: tuple[str, ...], tags: dict[str, tuple[str, str]], package_name: str) -> tuple[str, list[str]]:
    label, of_map, kind, name, number = declared
    kind = of_map or kind
    spelled = _SCALARS.get(kind) or _openapi(kind.removeprefix(".") if "." in kind else f"{package_name}.{kind}")
    spelled = f"map:{spelled}" if of_map else f"[]{spelled}" if label == "repeated" else spelled
    go_type, json = tags.get(number, ("", f"{name},omitempty"))
    json_name, _, options = json.partition(",")
    if go_type.startswith("*"):
        spelled = f"*{spelled}"
    elif not options:
        spelled = f"!{spelled}"
    return number, [json_name, spelled]


def _structs(folder: pathlib.Path) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """(name, field number → (Go type, JSON tag))."""
    for path in folder.glob("*.go"):
        if not path.name.startswith(("generated", "zz_")) and not path.name.endswith("_test.go"):
            for name, body in _STRUCT.findall(path.read_text()):
                yield name, {number: (go_type, json) for go_type, json, number in _TAGS.findall(body)}


def _openapi(name: str) -> str:
    return "io.k8s." + name.removeprefix("k8s.io.").replace("_", "-")  # a package's name has no dashes


def _served() -> frozenset[str]:
    """Every type that a release we speak has."""
    minors = range(releases.OLDEST_MINOR, releases.NEWEST_MINOR + 1)
    return frozenset().union(*(schema.of_release(f"1.{minor}.0").definitions for minor in minors))


def main(path: str) -> None:
    root = pathlib.Path(path)
    found: dict[str, Message] = orjson.loads(go_fields.FILE.read_bytes())
    served = _served()
    for proto in sorted(root.glob("*/**/generated.proto")):
        name = ".".join(("k8s", "io", *proto.parent.relative_to(root).parts))
        messages = dict(package(proto.parent, name))
        if not served.isdisjoint(messages):
            found.update(messages)
    lines = [f"{orjson.dumps(name).decode()}:{orjson.dumps(fields).decode()}" for name, fields in sorted(found.items())]
    go_fields.FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
