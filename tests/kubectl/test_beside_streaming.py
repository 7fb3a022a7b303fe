"""Lines about pods' insides, said to our verbs and to a real kubectl: both print the same and end the same."""

import json

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

EXEC = json.dumps({"date": {"stdout": "today\n"}, "false": {"exit_code": 3, "stderr": "no\n"}})
MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata:
  name: box
  labels: {{app: box}}
  annotations: {{fake.steersman.dev/logs: "one\\ntwo\\nthree\\n", fake.steersman.dev/exec: '{EXEC}'}}
spec: {{containers: [{{name: main, image: "localhost/hello:1"}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web}}
      annotations: {{fake.steersman.dev/logs: "one\\ntwo\\n", fake.steersman.dev/exec: '{EXEC}'}}
    spec:
      containers: [{{name: main, image: "localhost/hello:1"}}, {{name: side, image: "localhost/hello:1"}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
"""

LINES = """
logs box
logs box --tail=1
logs box main
logs pods/box
logs box --limit-bytes=2
logs box --prefix --all-containers
logs box -p
logs box -p --ignore-errors
logs deploy/web
logs deploy/web --all-containers
logs deploy/web --all-pods
logs -l app=web --tail=1 --prefix
logs -l app=nothing
logs -l 'a b'
logs
logs a b c
logs box -l a=b
logs nothing
logs box -c nothing
logs configmap/settings
logs service/kubernetes
logs box main -c main
logs box --all-containers -c main
logs box --since=1h --since-time=2020-01-01T00:00:00Z
logs box --since-time=yesterday
logs box --since-time=2020-13-01T00:00:00Z
logs box --since=-5s
logs box --tail=-2
logs box --limit-bytes=-1
logs box --pod-running-timeout=0
logs -f -l app=web --all-containers --max-log-requests=1
exec box -- date
exec box -- false
exec deploy/web -- date
exec deploy/web -c side -- date
exec deploy/web -q -- date
exec -it box -- date
exec -t box -- date
exec box date
exec box
exec
exec -- date
exec box -c nothing -- date
exec nothing -- date
exec deploy/nothing -- date
exec configmap/settings -- date
exec service/kubernetes -- date
exec -f /nothing -- date
exec box --pod-running-timeout=0s -- date
attach
attach a b c
attach box --pod-running-timeout=0s
attach deploy/web -c nothing
attach configmap/settings
cp
cp a b
cp box:/a box:/b
cp box: x
cp :x y
cp a/b/c:/x y
cp /nothing box:/x
cp nothing:/x y
port-forward
port-forward box
port-forward nothing 80
port-forward box http
port-forward box a:80
port-forward box 80:99999
port-forward box :0
port-forward box 8080 --address=example.com
port-forward service/kubernetes 80
port-forward configmap/settings 80
proxy --port=1 --unix-socket=/tmp/x
proxy --port=70000
"""


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Cluster) -> None:
    cluster.apply(MANIFEST)
    cluster.wait("deployment/web", "Available")
    cluster.wait("pod/box", "Ready")


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)


def test_what_is_piped_in_goes_through(kubectl: Kubectl) -> None:
    """Paper containers do not read: that the input ends is enough for the command to end."""
    done = kubectl.run("exec -i box -- date", "some\ninput\n")
    assert done == (0, "today\n", "")
