"""Events, top and auth: said to our verbs and to a real kubectl, both print the same and end the same."""

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "localhost/hello:1"}, {name: side, image: "localhost/hello:1"}]
"""
ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %s, namespace: default}
rules: [{apiGroups: ["", apps], resources: [pods, deployments], verbs: [get, VERB]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %s}
roleRef: {kind: ClusterRole, name: ROLE, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: User, name: USER, apiGroup: rbac.authorization.k8s.io}]
"""

LINES = """
events
events -A --no-headers
events --for deploy/web --types=Normal
events --for web
events --for foo/web
events --types=foo
events -o json
events -o wide
events -n nothing
events --watch --request-timeout=1s
auth whoami
auth whoami -o json
auth whoami -o name
auth whoami --as bob --as-group g --as-uid 7
auth can-i
auth can-i get pods
auth can-i get pods --as bob -q
auth can-i get pods/web --subresource=log
auth can-i get nodes
auth can-i get deploy.foo
auth can-i frob FOO --as bob
auth can-i get /healthz
auth can-i frob /healthz --as bob
auth can-i get /x --subresource=log
auth can-i impersonate users
auth can-i --list --as system:serviceaccount:default:default
auth can-i --list -q
auth can-i get pods --no-headers
top node
top node node-1 --no-headers
top node node-1 node-2
top node --sort-by=foo
top node node-1 -l a=b
top node --show-capacity --sort-by=memory
top pod --containers --sum
top pod -A --sum --no-headers
top pod nope
top pod -l app=zz
top pod -l 'a in (b'
"""


@pytest.fixture(scope="module", autouse=True)
def web(cluster: Cluster) -> None:
    cluster.apply(WEB)
    cluster.wait("deployment/web", "Available")


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_both_say_the_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)


def test_roles_and_bindings_are_brought_to_what_files_say(kubectl: Kubectl) -> None:
    first = ROLES.replace("VERB", "list").replace("ROLE", "view").replace("USER", "bob")
    other = first.replace("list]", "watch]").replace("bob", "eve")
    steps = (
        (first, "--dry-run=client"),
        (first, ""),
        (first, ""),
        (other, ""),
        (first, "--remove-extra-permissions --remove-extra-subjects"),
        (other.replace("view", "edit"), "-o name"),
        (first, "--dry-run=server"),
    )
    for text, flags in steps:
        kubectl.file("ours.yaml", text.replace("%s", "ours"))
        kubectl.file("real.yaml", text.replace("%s", "real"))
        ours = kubectl.run(f"auth reconcile -f ours.yaml {flags}")
        real = kubectl.real(f"auth reconcile -f real.yaml {flags}")
        assert (ours.code, ours.out.replace("/ours", "/real"), ours.err) == real
