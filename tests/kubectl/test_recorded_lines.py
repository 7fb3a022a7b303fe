"""Lines about pods' insides, workloads and nodes: our verbs, in this process, say what a real kubectl said.

The files in `lines/` are read as stories are (test_writes); none of their lines changes anything, and so they need no order. With
STEERSMAN_RECORD in the environment they are written anew, by the real kubectl.
"""

import json
import pathlib
import re

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Done, Kubectl, made_equal
from tests.kubectl.test_writes import RECORD, read, written

pytestmark = pytest.mark.slow

FILES = sorted((pathlib.Path(__file__).parent / "lines").glob("*.txt"))
EXEC = json.dumps({"date": {"stdout": "today\n"}, "false": {"exit_code": 3, "stderr": "no\n"}})
MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata:
  name: box
  labels: {{app: box}}
  annotations: {{fake.steersman.dev/logs: "one\\ntwo\\nthree\\n", fake.steersman.dev/exec: '{EXEC}'}}
spec: {{nodeName: node-1, containers: [{{name: main, image: "localhost/hello:1"}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web}}
      annotations: {{fake.steersman.dev/logs: "one\\ntwo\\n", fake.steersman.dev/exec: '{EXEC}', revision: "1"}}
    spec:
      containers: [{{name: main, image: "localhost/hello:1"}}, {{name: side, image: "localhost/hello:1"}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
"""
_POD = re.compile(r"\bweb-[0-9a-z]{8,10}(-[0-9a-z]{5})?\b")
_HASH = re.compile(r"(pod-template-hash=)\w+")


def of_any_cluster(done: Done) -> Done:
    done = made_equal(done)
    out, err = (_HASH.sub(r"\1HASH", _POD.sub("web-POD", text)) for text in (done.out, done.err))
    return Done(done.code, out, err)


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Cluster) -> None:
    """A Deployment in its second revision, and a pod."""
    cluster.apply(MANIFEST)
    cluster.wait("deployment/web", "Available")
    cluster.apply(MANIFEST.replace('revision: "1"', 'revision: "2"'))
    cluster.wait("deployment/web", lambda obj: (obj.get("status") or {}).get("observedGeneration") == 2)
    cluster.wait(
        "deployment/web", lambda obj: obj["status"].get("replicas") == obj["status"].get("updatedReplicas") == 1
    )
    cluster.wait("deployment/web", "Available")
    cluster.wait("pod/box", "Ready")


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_ours_say_what_is_recorded(kubectl: Kubectl, file: pathlib.Path) -> None:
    if RECORD:
        pytest.skip("the lines are being recorded")
    for line, expected in read(file):
        assert of_any_cluster(kubectl.run(line)) == expected, line


@pytest.mark.kubectl
@pytest.mark.long
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_real_ones_say_what_is_recorded(kubectl: Kubectl, file: pathlib.Path) -> None:
    text = ""
    for line, expected in read(file):
        said = of_any_cluster(kubectl.real(line))
        text += written(line, said)
        assert RECORD or said == expected, line
    if RECORD:
        file.write_text(text)


def test_what_is_piped_in_goes_through(kubectl: Kubectl) -> None:
    """Paper containers do not read: that the input ends is enough for the command to end."""
    assert kubectl.run("exec -i box -- date", "some\ninput\n") == (0, "today\n", "")
