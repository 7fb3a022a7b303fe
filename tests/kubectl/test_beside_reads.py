"""Lines that look at a cluster, said to our verbs and to a real kubectl: both print the same and end the same."""

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "localhost/hello:1"}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web, a.b/c: d}}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""

LINES = """
get pods
get pods -o wide
get pods,svc
get pods -A
get all
get nodes -L kubernetes.io/hostname --show-labels
get svc -L app,zz,a.b/c
get deploy/web -o json
get deploy/web -o yaml
get pods,svc -o json
get po nope web
get po nope -o name
get foo
get deployments.v1.apps
get deploy.app
get Pod.v1.
get sa/default svc/web
get pods x -l a=b
get -f web.yaml
get -f web.yaml -o name
get -f nope
get cs
get secrets
get secrets -A --no-headers
get -o foo pods
get svc nope web
get svc,pods nope
get svc/web --show-kind
get deploy,sts,ds
get pods --field-selector foo=x
get nodes node-1 node-9 --ignore-not-found
get node node-9 --ignore-not-found -o yaml
get ns -o yaml --show-managed-fields
get pods -l 'a in (b'
get pods -A web
get svc/web/x
get ,
get
get --foo
get pods --as bob
get pods --as bob --as-group system:masters
get pods --request-timeout=zz
get pods --context nope
get --raw /api
get --raw foo
get --raw /nope
get --raw /api -w
get pods --raw /api
get pods --show-labels -o yaml
get pods --output-watch-events
get pods,svc -w
get deploy web --subresource=scale
get deploy --subresource=scale
get deploy web --subresource=status -o name
get all --server-print=false
get svc --server-print=false --show-kind -L app --show-labels
get pv
get nodes --chunk-size=1
get ev --chunk-size=3
get secrets --no-headers --show-kind -o wide --show-labels
get -f web.yaml -n other
get pods -o=
api-resources
api-resources -o wide
api-resources --verbs=list,get --namespaced --sort-by=name
api-resources --api-group=apps --no-headers
api-resources --categories all -o name
api-resources -o json
api-resources foo
api-resources --sort-by=zz
api-resources --api-group=nope
api-versions
version -o foo
version foo
cluster-info
plugin foo
options --foo
-n x foo
hell
"""


@pytest.fixture(scope="module", autouse=True)
def web(cluster: Cluster) -> None:
    cluster.apply(WEB)
    cluster.wait("deployment/web", "Available")


@pytest.fixture(autouse=True)
def _file(kubectl: Kubectl) -> None:
    kubectl.file("web.yaml", WEB)


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_both_say_the_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)
