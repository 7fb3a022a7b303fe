"""What verbs that change a cluster print, line by line: our verbs, in this process, beside what a real kubectl said.

A story is a text file in `stories/`: command lines (`$ …`), and under each what kubectl 1.33 printed: standard output (`| `),
standard error (`! `), and its exit code where it is not 0 (`= 1`). What depends on the moment (times, UIDs, addresses, generated
names) is made equal. With STEERSMAN_RECORD in the environment the files are written anew, by the real kubectl.
"""

import os
import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Done, Kubectl, made_equal

pytestmark = pytest.mark.slow

STORIES = sorted((pathlib.Path(__file__).parent / "stories").glob("*.txt"))
RECORD = bool(os.environ.get("STEERSMAN_RECORD"))
LOOKS_MAX = 200

FILES = {
    "web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "localhost/hello:1", ports: [{containerPort: 80}]}
      - {name: side, image: x}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web, a.b/c: d}}
spec: {selector: {app: web}, ports: [{port: 80}]}
""",
    "web2.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "localhost/hello:2"}]
""",
    "cms.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: cm1, labels: {p: q}}
data: {a: b}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: cm2, labels: {p: q}}}
""",
    "cms2.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm1, labels: {p: q}}, data: {c: d}}",
    "bad.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: bad}, datax: {c: d}}",
    "no.yaml": "a: b\n",
    "nameless.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {labels: {a: b}}}",
    "gen.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: gen-}}",
    "inv.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: inv}, spec: {replicas: -1}}",
    "fin.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: fin, finalizers: [a.b/c]}}",
    "other-selector.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web2}}
  template:
    metadata: {labels: {app: web2}}
    spec:
      containers: [{name: main, image: "localhost/hello:1"}]
""",
    "thing.yaml": "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, spec: {a: 1, l: [{name: x}], m: {q: r}}}",
    "thing2.yaml": "{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}, spec: {b: 1, l: [{name: y}]}}",
    "list.yaml": """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: l1}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: l2}}
""",
    "elsewhere.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: ns1, namespace: other}}",
    "twice.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dup}\ndata: {a: b}\ndata: {c: d}\n",
    "nobody.yaml": "{apiVersion: foo/v1, kind: Bar, metadata: {name: dup}}",
    "key.txt": "value\n",
    "some.env": "X=1\n# no\n Y=2\n",
    # Editors: each changes the file it is called with.
    "one.sh": '#!/bin/sh\nsed -i "s/^  replicas: .*/  replicas: 1/" $1\n',
    "less.sh": '#!/bin/sh\nsed -i "s/^  replicas: .*/  replicas: -1/" $1\n',
    "other.sh": '#!/bin/sh\nsed -i "s/^  name: .*/  name: zz/" $1\n',
    "foo.sh": '#!/bin/sh\nsed -i "s/^spec:/foo:/" $1\n',
    "empty.sh": "#!/bin/sh\n: > $1\n",
    "data.sh": '#!/bin/sh\nsed -i "s/^  a: b/  a: c/" $1\n',
    "twice.sh": '#!/bin/sh\nif grep -q "was not valid" $1; then n=4; else n=-4; fi\n'
    'sed -i "s/^  replicas: .*/  replicas: $n/" $1\n',
}

_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_VERSION = re.compile(r'((?:resourceVersion|generation)\\*"?: \\*"?)\d+')
_ADDRESS = re.compile(r"\b10(\.\d+){3}\b")
_TEMPORARY = re.compile(r"/tmp/[\w./-]*?(LIVE|MERGED|edit)-\w+")
_PROGRAM = re.compile(r"\bkubectl\.1\.\d+\b")
_FILE_TIME = re.compile(r"\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000")
_ENVIRONMENT = re.compile(r"(?:[A-Z_]+=(?:\"[^\"]*\"|\S*) )*")


_DIFFERENT = (
    (_UID, "UID"),
    (_TIME, "TIME"),
    (_ADDRESS, "ADDRESS"),
    (_TEMPORARY, r"\1"),
    (_FILE_TIME, ""),
    (_PROGRAM, "kubectl"),
)


def of_any_namespace(done: Done, namespace: str) -> Done:
    def equal(text: str) -> str:
        for pattern, instead in _DIFFERENT:
            text = pattern.sub(instead, text)
        text = _VERSION.sub(r"\1N", text)
        return re.sub(rf"\b{namespace}\b", "NAMESPACE", text)

    done = made_equal(done)
    return Done(done.code, equal(done.out), equal(done.err))


FILES["unknown.yaml"] = FILES["web.yaml"].replace("replicas: 2", "replicas: 2\n  foo: bar")
FILES["mistyped.yaml"] = FILES["web.yaml"].replace("replicas: 2", "replicas: x")
THINGS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.fixture(scope="module", autouse=True)
def things(cluster: Cluster) -> None:
    cluster.apply(THINGS)
    cluster.wait("crd/things.example.com", "Established")


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """One of its own for each story, and the files in the folder."""
    for file, text in FILES.items():
        pathlib.Path(kubectl.file(file, text)).chmod(0o755)
    kubectl.environment["TMPDIR"] = str(kubectl.folder)
    who = request.node.originalname.split("_")[1]
    name = f"{who}-{request.node.callspec.params['story'].stem.replace('_', '-')}"
    kubectl(f"create namespace {name}")
    wait_for_account(kubectl, name)
    return name


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_ours_say_what_is_recorded(kubectl: Kubectl, namespace: str, story: pathlib.Path) -> None:
    if RECORD:
        pytest.skip("the stories are being recorded")
    for line, expected in read(story):
        words, environment = split(line)
        said = of_any_namespace(kubectl.run(in_namespace(words, namespace), **environment), namespace)
        assert said == expected, line


@pytest.mark.kubectl
@pytest.mark.long
@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_real_ones_say_what_is_recorded(kubectl: Kubectl, namespace: str, story: pathlib.Path) -> None:
    text = ""
    for line, expected in read(story):
        words, environment = split(line)
        said = of_any_namespace(kubectl.real(in_namespace(words, namespace), **environment), namespace)
        text += written(line, said)
        assert RECORD or said == expected, line
    if RECORD:
        story.write_text(text)


def read(story: pathlib.Path) -> Iterator[tuple[str, Done]]:
    """Command lines and what was said to each."""
    for part in re.split(r"^\$ ", story.read_text(), flags=re.MULTILINE)[1:]:
        line, *said = part.removesuffix("\n").split("\n")
        kinds: dict[str, list[str]] = {"| ": [], "! ": [], "= ": []}
        for text in said:
            kinds[text[:2]].append(text[2:])
        code = int(kinds["= "][0]) if kinds["= "] else 0
        yield line, Done(code, *(unescaped(kinds[kind]) for kind in ("| ", "! ")))


def unescaped(lines: list[str]) -> str:
    """A last line without an end is marked."""
    text = "".join(f"{line}\n" for line in lines)
    return text.removesuffix("%\n") if text.endswith("%\n") else text


def written(line: str, said: Done) -> str:
    text = f"$ {line}\n"
    for mark, stream in (("| ", said.out), ("! ", said.err)):
        whole = stream if not stream or stream.endswith("\n") else f"{stream}%\n"
        text += "".join(f"{mark}{one}\n" for one in whole.removesuffix("\n").split("\n")) if whole else ""
    return text + (f"= {said.code}\n" if said.code else "")


def split(line: str) -> tuple[str, dict[str, str]]:
    """The words, and the variables before them."""
    given = _ENVIRONMENT.match(line)
    assert given
    return line[given.end() :], dict(pair.split("=", 1) for pair in shlex.split(given.group()))


def wait_for_account(kubectl: Kubectl, namespace: str) -> None:
    """Pods need the namespace's account, which a controller makes."""
    for _ in range(LOOKS_MAX):
        if kubectl.run(f"get serviceaccount default -n {namespace}").code == 0:
            return
    pytest.fail(f"no account in {namespace}")


def in_namespace(line: str, namespace: str) -> str:
    """Flags must stand before `--`."""
    before, dash, after = line.partition(" -- ")
    return f"{before} -n {namespace}{dash}{after}"


def test_files_are_as_they_are_on_disk(kubectl: Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.file("folder/one.txt", "1")
    kubectl.file("folder/two.bin", "2")
    (tmp_path / "folder" / "raw").write_bytes(b"\xff\x00")
    kubectl.check_same("create configmap c --from-file=folder --dry-run=client -o yaml")
    kubectl.check_same("create secret generic c --from-file=k=folder/raw --dry-run=client -o yaml")


def test_pruning_without_a_list_says_that_it_reaches_out_of_the_namespace(kubectl: Kubectl) -> None:
    kubectl.file("cms.yaml", FILES["cms.yaml"])
    warned = "prune.go:71] Deprecated: kubectl apply will no longer prune non-namespaced resources"
    line = "apply -f cms.yaml --prune -l p=q --dry-run=client"
    assert warned in kubectl.run(line).err
    assert warned not in kubectl.run(f"{line} --prune-allowlist=core/v1/ConfigMap").err
