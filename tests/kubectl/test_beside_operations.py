"""Lines that look after workloads and nodes, said to our verbs and to a real kubectl: both print the same and end the same.

None of them changes anything: those that do are in test_operations.
"""

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: box}
spec: {containers: [{name: main, image: "localhost/hello:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "localhost/hello:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
"""

LINES = """
rollout history
rollout history deploy
rollout history deploy/web
rollout history deploy -l app=web
rollout history deploy/web --revision=1
rollout history deploy/web --revision=2
rollout history deploy/web --revision=99
rollout history deploy/web --revision=-1
rollout history deploy/web -o name
rollout history deploy/web -o jsonpath={.metadata.name}
rollout history deploy/nothing
rollout history pod/box
rollout history configmap/settings
rollout status
rollout status deploy
rollout status deploy/web
rollout status deploy/web -w=false
rollout status deploy/web --revision=1
rollout status deploy/web --revision=-2
rollout status pod/box
rollout status replicaset -l app=web
rollout pause
rollout pause pod/box
rollout pause daemonset/nothing
rollout resume pod/box
rollout resume deploy/web
rollout restart pod/box
rollout undo
rollout undo pod/box
rollout undo deploy/web --dry-run=client
rollout undo deploy/web --dry-run=server
rollout undo deploy/web --dry-run=maybe
rollout undo deploy/web --to-revision=77
rollout undo deploy/web --to-revision=-1
rollout undo deploy/web --to-revision=2
rollout nothing
taint
taint nodes
taint nodes node-1
taint nodes node-1 a
taint nodes node-1 a=b:Maybe
taint nodes node-1 a=b:NoSchedule --dry-run=client
taint nodes node-1 a=b:NoSchedule --dry-run=server
taint nodes node-1 a=b:NoSchedule --dry-run=client -o jsonpath={.spec.taints}
taint nodes nothing a=b:NoSchedule
taint nodes node-1 x-
taint nodes node-1 x- y:NoExecute-
taint nodes a=b:NoSchedule
taint nodes node-1 a=b:NoSchedule late
taint nodes node-1 a=b:NoSchedule a=c:NoSchedule
taint nodes node-1 a=b:NoSchedule a-
taint nodes --all -l a=b a=b:NoSchedule
taint nodes --all a=b:NoSchedule --dry-run=client -o name
taint nodes -l a=nothing a=b:NoSchedule
taint pods box a=b:NoSchedule
taint nothing box a=b:NoSchedule
taint node/node-1 a=b:NoSchedule
cordon
cordon nothing
cordon pod/box
cordon node-1 -l a=b
cordon -l a=nothing
cordon -l ''
cordon node/node-1 --dry-run=client
cordon node-1 --dry-run=server
cordon node-1 --dry-run=maybe
uncordon
uncordon node-1
uncordon node-1 node-2
drain
drain nothing
drain node-1 --pod-selector='a b'
drain node-1 --dry-run=client --pod-selector=app=nothing
drain node-1 node-2 --dry-run=client --force
drain node-1 -l a=b
certificate approve
certificate approve nothing
certificate deny nothing
certificate approve -f /nothing
debug box
debug --image=x
debug box --image=A:::
debug box --image=x --replace
debug box --image=x --same-node
debug box --image=x --copy-to=a --target=main
debug box --image=x -t --profile=general
debug box --image=x --profile=nothing
debug box --image=x --image-pull-policy=nothing
debug box --image=x --custom=/nothing
debug box --copy-to=z
debug box --copy-to=z -- a
debug box --attach --copy-to=z --set-image=*=b
debug box --set-image=a=b
debug box -c new --copy-to=q -- a
debug box --image=x --target=nothing -c look --profile=general
debug nothing --image=x --profile=general
debug deploy/nothing --image=x
debug service/kubernetes --image=x --profile=general
"""


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Cluster) -> None:
    cluster.apply(MANIFEST)
    cluster.wait("deployment/web", "Available")
    cluster.apply(MANIFEST.replace("hello:1", "hello:2", 2).replace("hello:2", "hello:1", 1))
    cluster.wait("deployment/web", lambda obj: (obj.get("status") or {}).get("observedGeneration") == 2)
    cluster.wait("deployment/web", lambda obj: obj["status"].get("replicas") == obj["status"].get("updatedReplicas"))
    cluster.wait("pod/box", "Ready")


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)
