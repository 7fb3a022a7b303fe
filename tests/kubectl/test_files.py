"""Manifests on the command line: which files, which objects in them, and what is wrong with them; beside the real kubectl."""

import re

import pytest

from steersman.kubectl import files
from steersman.kubectl.problems import CommandError
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

FILES = {
    "syntax.yaml": "a: [\n",
    "colons.yaml": "a: b: c\n",
    "no-version.json": '{"kind": "Foo"}',
    "pod-without-version.yaml": "kind: Pod\nmetadata: {name: x}\n",
    "no-kind.yaml": "apiVersion: v1\nmetadata: {name: x}\n",
    "unknown.yaml": "apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n",
    "list.yaml": "- a\n",
    "words.yaml": "hello\n",
    "empty.yaml": "",
    "cut.json": '{"apiVersion":"v1",',
    "two.json": '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"}}'
    '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system"}}',
    "second-broken.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n---\nfoo: [\n---\na: b\n",
    "after-the-end.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n...\nfoo: bar\n",
    "behind-the-line.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n--- {kind: Node}\n",
    "four-dashes.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n----\n",
    "remarks.yaml": "# first\r\n--- # one\r\napiVersion: v1\r\nkind: Node\r\nmetadata: {name: node-1}\r\n---\r\n---",
    "directive.yaml": "%YAML 1.1\n---\napiVersion: v1\n",
    "elsewhere.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n",
    "several.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n---\n---\n"
    "apiVersion: v1\nkind: Node\nmetadata: {name: node-1, namespace: x}\n",
    "items.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: node-1}}\n"
    "- {apiVersion: v1, kind: Node, metadata: {name: node-2}}\n",
    "folder/several.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n",
    "folder/below/one.json": '{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-2"}}',
    "folder/README": "not a manifest",
    "bare/README": "not a manifest",
}
LINES = [
    *(f"get -f {name} -o name" for name in FILES if "/" not in name),
    *(f"get -f {name}" for name in ("unknown.yaml", "no-kind.yaml", "cut.json", "items.yaml")),
    "get -f folder -o name",
    "get -f folder -R -o name",
    "get -f bare -o name",
    "get -f two.json,items.yaml -o name",
    "get -f unknown.yaml -f two.json -o name",
    "get -f missing -f gone",
    "get -f *.nope",
    "get -f http://127.0.0.1:1/x.yaml",
    "get -f elsewhere.yaml -n default",
    "get -f two.json nodes",
    "get -f two.json nodes/x",
    "get -f two.json -k folder",
    "get node nope -n nope",
    "get cm a -n nope",
]


@pytest.fixture(autouse=True)
def _files(request: pytest.FixtureRequest) -> None:
    if "kubectl" in request.fixturenames:
        kubectl: Kubectl = request.getfixturevalue("kubectl")
        for name, text in FILES.items():
            kubectl.file(name, text)


@pytest.mark.slow
@pytest.mark.kubectl
def test_both_say_the_same(cluster: Cluster, kubectl: Kubectl) -> None:
    for line in LINES:
        kubectl.check_same(line)


@pytest.mark.slow
def test_standard_input_and_the_folders_order(kubectl: Kubectl) -> None:
    assert kubectl("get -f - -o name", FILES["items.yaml"]) == "node/node-1\nnode/node-2\n"
    assert kubectl("get -f folder -R -o name") == "node/node-2\nnode/node-1\n"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (b"{kind: A, apiVersion: v1}\n---\nkind: B\napiVersion: v1\n", ["A", "B"]),
        (b'{"kind":"A","apiVersion":"v1"}\n{"kind":"B","apiVersion":"v1"}', ["A", "B"]),
        (b"kind: PodList\napiVersion: v1\nitems: [{kind: Pod, apiVersion: v1}]\n", ["Pod"]),
        (b"# nothing\n---\n", []),
        (b"kind: A\napiVersion: v1\n...\nfoo: [\n---\r\nkind: B\r\napiVersion: v1", ["A", "B"]),
    ],
)
def test_objects_in_a_text(text: bytes, kinds: list[str]) -> None:
    assert [obj["kind"] for obj in files.parse(text, "x")] == kinds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"foo: [\n", "error converting YAML to JSON: yaml: line 1: did not find expected node content"),
        (b"---\nfoo: [\n", "error converting YAML to JSON: yaml: line 2: did not find expected node content"),
        (b"--- # first\n\nfoo: [\n", "error converting YAML to JSON: yaml: line 3: did not find expected node content"),
        (
            b"# a\n\n---\n\na: b\nb: [\n",
            "error converting YAML to JSON: yaml: line 3: did not find expected node content",
        ),
        (b"---- a\n", "invalid Yaml document separator: - a"),
        (b"---{a: b}\n", "invalid Yaml document separator: {a: b}"),
    ],
)
def test_each_document_counts_its_own_lines(text: bytes, said: str) -> None:
    with pytest.raises(CommandError) as raised:
        list(files.parse(text, "x"))
    assert str(raised.value) == f"error parsing x: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"apiVersion: v1\nkind: 5", """Object 'Kind' is missing in '{"apiVersion":"v1","kind":5}'"""),
        (b"apiVersion: 1\nkind: A", "number into Go struct field metadataOnlyObject.apiVersion of type string"),
        (
            b"apiVersion: v1\nkind: A\nmetadata: text",
            "string into Go struct field metadataOnlyObject.metadata of type v1.ObjectMeta",
        ),
        (
            b"apiVersion: v1\nkind: A\nmetadata: {name: 5}",
            "number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            b"apiVersion: v1\nkind: A\nmetadata: {name: x, annotations: {a: true}}",
            "bool into Go struct field ObjectMeta.metadata.annotations of type string",
        ),
        (
            b"apiVersion: v1\nkind: A\nmetadata: {name: x, labels: [a]}",
            "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
    ],
)
def test_what_every_object_has_must_be_of_its_type(text: bytes, said: str) -> None:
    with pytest.raises(CommandError, match=f"{re.escape(said)}$"):
        list(files.parse(text, "x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"apiVersion: 1\nkind: A", "apiVersion isn't string type"),
        (b"{apiVersion: v1, kind: List}", "invalid object to validate"),
        (b"{apiVersion: v1, kind: List, items: [{kind: A}, {kind: B}]}", "apiVersion not set"),
    ],
)
def test_what_a_list_holds_is_validated(text: bytes, said: str) -> None:
    with pytest.raises(CommandError, match=f"error validating data: {said}; if you"):
        list(files.parse(text, "x", validate=True))


def test_what_is_validated_says_so() -> None:
    with pytest.raises(
        CommandError, match=r"error validating data: \[apiVersion not set, kind not set\]; if you choose"
    ):
        list(files.parse(b"a: 1", "x", validate=True))
