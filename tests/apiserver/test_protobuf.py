"""Protobuf bodies and answers: what Go's typed clients send and read."""

import base64
import pathlib
from typing import Any

import orjson
import pytest

from steersman.api import kinds, schema
from steersman.apiserver.protobuf import encoding, extract, messages, objects, wire
from steersman.meta.objects import Object
from tests.apiserver import kit

ONLY_PROTOBUF = {"accept": messages.MEDIA_TYPE}
TABLE_RELEASE = "1.36.0"  # what `go_fields.json` was read from

# A Pod as client-go 0.36 writes it: every plain field, set or not.
WRITTEN_BY_GO = bytes.fromhex(
    "6b3873000a090a0276311203506f6412c6010a210a04676f6c6412001a0022002a003200380042005a0b0a036170701204676f6c64128b0112640a046d"
    "61696e12116c6f63616c686f73742f68656c6c6f3a311a05736c6565701a04313030302a00420c0a0a0a0363707512030a0131521c0a101a0e0a0a0801"
    "10001a04687474701200100018002000280030006a007200800100880100900100a201001a002000320042004a0052005800600068008201008a01009a"
    "0100c20100f00100ca0201681a130a001a0022002a0032004a005a0072008801001a002200"
)
ITS_JSON = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "gold", "labels": {"app": "gold"}},
    "spec": {
        "containers": [
            {
                "name": "main",
                "image": "localhost/hello:1",
                "command": ["sleep", "1000"],
                "resources": {"limits": {"cpu": "1"}},
                "livenessProbe": {"tcpSocket": {"port": "http"}},
            }
        ],
        "terminationGracePeriodSeconds": 0,
        "enableServiceLinks": False,
        "hostnameOverride": "h",
    },
    "status": {},
}


def test_a_body_is_what_the_clients_json_would_have_been():
    assert objects.decode(WRITTEN_BY_GO) == ITS_JSON


def test_the_answer_means_the_same():
    assert objects.decode(encoding.encode(ITS_JSON) or b"") == ITS_JSON


def definition_names() -> list[str]:
    types = schema.of_release(TABLE_RELEASE)
    names = (types.name_of(kind.group, kind.version, kind.kind) for kind in kinds.BUILTIN)
    return sorted({name for name in names if name is not None} & set(types.definitions))


@pytest.mark.parametrize("name", definition_names())
def test_every_field_of_every_kind_survives(name: str):
    """There and back, with everything set that the release's schema has."""
    full = sample({"$ref": name}, 4)
    gvk = schema.of_release(TABLE_RELEASE).definitions[name]["x-kubernetes-group-version-kind"][0]
    group = gvk["group"]
    full |= {"kind": gvk["kind"], "apiVersion": f"{group}/{gvk['version']}" if group else gvk["version"]}
    written = encoding.encode(full)
    assert written is not None
    assert objects.decode(written) == full


SAMPLES: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "2026-01-02T03:04:05Z",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "2026-01-02T03:04:05.000006Z",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"f:a": {}},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "100m",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": -5,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"kind": "A", "b": [1]},
    messages.CUSTOM + "JSON": {"a": None},
    messages.CUSTOM + "JSONSchemaPropsOrBool": {"type": "string"},
    messages.CUSTOM + "JSONSchemaPropsOrArray": [{"type": "string"}],
    messages.CUSTOM + "JSONSchemaPropsOrStringArray": ["a"],
}


def sample(definition: Object, depth: int) -> Any:
    """A value with every field; one of None where it would nest too deep."""
    reference = definition.get("$ref", "").removeprefix("#/$defs/")
    if reference in SAMPLES:
        return SAMPLES[reference]
    if reference:
        return sample(schema.of_release(TABLE_RELEASE).definitions[reference], depth - ("JSONSchemaProps" in reference))
    kind = definition.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        if "additionalProperties" in definition:
            return {"key": sample(definition["additionalProperties"], depth)}
        fields = definition.get("properties", {}) if depth else {}
        return {name: sample(one, depth) for name, one in fields.items() if name not in ("kind", "apiVersion")}
    if kind == "array":
        return [sample(definition["items"], depth)]
    if definition.get("format") == "byte":
        return base64.b64encode(b"\x00\xff").decode()
    return {"string": "é", "integer": -1, "number": 1.5, "boolean": True}[kind]


ALTERNATIVES = {
    "schema": {"type": "object", "items": {"type": "string"}, "additionalProperties": {"type": "string"}},
    "other": {"items": [{"type": "string"}], "additionalProperties": False, "dependencies": {"a": ["b"]}},
    "values": {
        "enum": [1, "a", None],
        "default": {"a": []},
        "maximum": 0,
        "x-kubernetes-preserve-unknown-fields": False,
    },
}


@pytest.mark.parametrize("props", ALTERNATIVES.values(), ids=ALTERNATIVES.keys())
def test_what_is_one_thing_or_the_other_in_a_custom_schema(props: Object):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": props}}
    definition = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "spec": {"group": "g.io", "names": {"plural": "as", "kind": "A"}, "scope": "Cluster", "versions": [version]},
    }
    assert objects.decode(encoding.encode(definition) or b"") == definition


async def test_a_client_that_reads_nothing_else_gets_protobuf(api: kit.Api):
    made = await api.make(kit.MAPS, kit.config_map("a"))
    one = await api.ask("GET", f"{kit.MAPS}/a", headers=ONLY_PROTOBUF)
    assert one.headers["content-type"] == messages.MEDIA_TYPE
    assert one.body == made
    listed = (await api.ask("GET", kit.MAPS, headers=ONLY_PROTOBUF)).body
    assert listed["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    none = await api.ask("GET", f"{kit.MAPS}/none", headers=ONLY_PROTOBUF)
    assert (none.status, none.body["reason"]) == (404, "NotFound")
    only_metadata = f"{messages.MEDIA_TYPE};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    partial = await api.ask("GET", f"{kit.MAPS}/a", headers={"accept": only_metadata})
    assert partial.body == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": made["metadata"],
    }


@pytest.mark.parametrize("accept", [f"{messages.MEDIA_TYPE},application/json", f"{messages.MEDIA_TYPE}, */*"])
async def test_a_client_that_reads_both_gets_json(api: kit.Api, accept: str):
    answer = await api.ask("GET", kit.MAPS, headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"


async def test_a_watch_in_protobuf(api: kit.Api):
    answer = await api.ask("GET", kit.MAPS, query="watch=true&resourceVersion=0", headers=ONLY_PROTOBUF)
    assert answer.headers["content-type"] == f"{messages.MEDIA_TYPE};stream=watch"
    await api.make(kit.MAPS, kit.config_map("a"))
    stream = answer.response.stream
    assert stream is not None
    frame = await anext(aiter(stream))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    event = {number: value for number, _, value in wire.fields(frame[4:])}
    assert bytes(event[1]) == b"ADDED"
    assert not isinstance(event[2], int)
    raw = {number: value for number, _, value in wire.fields(event[2])}
    assert objects.decode(bytes(raw[1]))["metadata"]["name"] == "a"
    await stream.aclose()  # type: ignore[attr-defined]


async def test_tables_and_custom_kinds_have_no_protobuf(api: kit.Api):
    await api.make(kit.MAPS, kit.config_map("a"))
    table = await api.ask("GET", kit.MAPS, headers={"accept": f"{messages.MEDIA_TYPE};as=Table;g=meta.k8s.io;v=v1"})
    assert table.status == 406
    custom: Object = {"kind": "Crontab", "apiVersion": "example.com/v1", "metadata": {"name": "a"}}
    assert encoding.encode(custom) is None


def test_the_table_is_read_from_declarations_in_go(tmp_path: pathlib.Path):
    (tmp_path / "generated.proto").write_text(
        "message A {\n  // optional string no = 9;\n  optional int32 replicas = 1;\n  map<string, bytes> data = 2;\n"
        "  repeated B items = 3;\n  optional B b = 4;\n}\n"
    )
    (tmp_path / "types.go").write_text(
        'type A struct {\n\tReplicas *int32 `json:"replicas,omitempty" protobuf:"varint,1,opt,name=replicas"`\n'
        '\tData map[string][]byte `json:"data" protobuf:"bytes,2,rep,name=data"`\n'
        '\tB `json:",inline" protobuf:"bytes,4,opt,name=b"`\n}\n'
    )
    assert dict(extract.package(tmp_path, "k8s.io.a_b.v1")) == {
        "io.k8s.a-b.v1.A": {
            "1": ["replicas", "*int"],
            "2": ["data", "!map:bytes"],
            "3": ["items", "[]io.k8s.a-b.v1.B"],
            "4": ["", "io.k8s.a-b.v1.B"],
        }
    }


def test_the_bytes_are_small_and_plain():
    """Against a change of the wire format that both directions would agree on."""
    written = encoding.encode({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v"}})
    assert written == b"k8s\x00\n\x0f\n\x02v1\x12\tConfigMap\x12\r\n\x03\n\x01a\x12\x06\n\x01k\x12\x01v"
    assert orjson.dumps(objects.decode(written))
