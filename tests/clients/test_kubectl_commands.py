"""kubectl's commands, the long list: each against a cluster on paper, read as the person at the keyboard reads it.

The newest kubectl goes through all of it, every other one that is installed through the first round.
"""

import json
import os
import pathlib
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from steersman.testing import Cluster
from tests.clients.conftest import kubectls

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

COMMAND_SECONDS_MAX = 60
FOUND = kubectls()
if not FOUND:
    pytest.skip("there is no kubectl on the PATH", allow_module_level=True)

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations:
        fake.steersman.dev/logs: "hello\\n"
        fake.steersman.dev/exec: '{"date": {"stdout": "today\\n"}}'
    spec:
      containers: [{name: main, image: "localhost/hello:1"}]
"""
MAP = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {app: %s}}\ndata: {a: '%s'}\n"


class Kubectl:
    """Call it with a command line; it says what was printed, or fails."""

    def __init__(self, path: str, cluster: Cluster, home: pathlib.Path) -> None:
        self.path = path
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(home / "config"),
        }
        (home / "config").write_text(pathlib.Path(cluster.kubeconfig).read_text())

    def run(self, line: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path, *shlex.split(line)],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
            cwd=self.home,
        )

    def __call__(self, line: str, stdin: str = "", **environment: str) -> str:
        done = self.run(line, stdin, **environment)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def fails(self, line: str, stdin: str = "", code: int = 1) -> str:
        done = self.run(line, stdin)
        assert done.returncode == code, f"{line}: {done.stdout}{done.stderr}"
        return done.stderr + done.stdout

    def warned(self, line: str, stdin: str = "") -> str:
        done = self.run(line, stdin)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stderr

    def file(self, name: str, text: str, mode: int = 0o644) -> str:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with Cluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    with shared.fork() as fork:
        yield fork


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(FOUND[0], cluster, tmp_path)


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    kubectl("apply -f -", WEB)
    kubectl("rollout status deployment/web --timeout=30s")
    return kubectl


@pytest.mark.parametrize("path", FOUND, ids=lambda path: pathlib.Path(path).name)
def test_the_first_round_of_every_kubectl(cluster: Cluster, tmp_path: pathlib.Path, path: str):
    kubectl = Kubectl(path, cluster, tmp_path)
    assert "Server Version" in kubectl("version")
    assert "deployment.apps/web created" in kubectl("apply -f -", WEB)
    assert "successfully rolled out" in kubectl("rollout status deployment/web --timeout=30s")
    assert "serverside-applied" in kubectl("apply --server-side -f -", MAP % ("m", "m", "1"))
    assert kubectl("get all").count("pod/web-") == 2
    assert "Name:" in kubectl("describe deployment/web")
    assert "containerPort" in kubectl("explain pod.spec.containers --recursive")
    assert "deployments" in kubectl("api-resources -o wide")
    assert kubectl("logs deployment/web") == "hello\n"
    assert kubectl("exec deployment/web -- date") == "today\n"
    assert "deleted" in kubectl("delete deployment/web")


GENERATORS = [
    (
        "clusterrole reader --verb=get,list --resource=pods,deployments.apps",
        "clusterrole.rbac.authorization.k8s.io/reader",
    ),
    (
        "clusterrolebinding readers --clusterrole=reader --group=people",
        "clusterrolebinding.rbac.authorization.k8s.io/readers",
    ),
    ("configmap settings --from-literal=a=1 --from-file=FILE", "configmap/settings"),
    ("cronjob nightly --image=localhost/hello:1 --schedule='0 3 * * *'", "cronjob.batch/nightly"),
    ("deployment api --image=localhost/hello:1 --replicas=2 --port=80", "deployment.apps/api"),
    ("ingress front --rule=example.com/*=api:80", "ingress.networking.k8s.io/front"),
    ("job once --image=localhost/hello:1", "job.batch/once"),
    ("job now --from=cronjob/nightly", "job.batch/now"),
    ("namespace team", "namespace/team"),
    ("poddisruptionbudget calm --selector=app=api --min-available=1", "poddisruptionbudget.policy/calm"),
    ("priorityclass urgent --value=1000 --description=soon", "priorityclass.scheduling.k8s.io/urgent"),
    ("quota small --hard=pods=50,services=20", "resourcequota/small"),
    ("role writer --verb=create --resource=configmaps", "role.rbac.authorization.k8s.io/writer"),
    ("rolebinding writers --role=writer --user=jane", "rolebinding.rbac.authorization.k8s.io/writers"),
    ("secret generic password --from-literal=p=x", "secret/password"),
    (
        "secret docker-registry pull --docker-server=r.example.com --docker-username=u --docker-password=p",
        "secret/pull",
    ),
    ("service clusterip api --tcp=80:8080", "service/api"),
    ("service nodeport outside --tcp=80", "service/outside"),
    ("service loadbalancer front --tcp=80", "service/front"),
    ("service externalname other --external-name=example.com", "service/other"),
    ("serviceaccount robot", "serviceaccount/robot"),
]


def test_create(kubectl: Kubectl):
    kubectl.file("FILE", "text")
    for line, made in GENERATORS:
        assert kubectl(f"create {line}") == f"{made} created\n"
    assert kubectl("create token robot").count(".") == 2
    assert kubectl("get configmap settings -o jsonpath='{.data.FILE}'") == "text"
    assert "AlreadyExists" in kubectl.fails("create namespace team")
    dry = kubectl("create deployment later --image=x --dry-run=client -o yaml")
    assert "image: x" in dry
    assert "created (server dry run)" in kubectl("create -f - --dry-run=server", dry)
    assert "NotFound" in kubectl.fails("get deployment later")


def test_run_expose_autoscale(web: Kubectl):
    assert web("run tool --image=localhost/hello:1 --labels=a=b --restart=Never") == "pod/tool created\n"
    assert web("expose deployment web --port=80 --target-port=8080 --name=site") == "service/site exposed\n"
    assert "autoscaled" in web("autoscale deployment web --min=2 --max=5 --cpu-percent=50")
    assert web("get hpa web -o jsonpath='{.spec.maxReplicas}'") == "5"
    assert "ClusterIP" in web("get service site")


def test_apply(kubectl: Kubectl):
    manifests = [MAP % (name, "all", "1") for name in ("a", "b")]
    both = "".join(manifests)
    assert kubectl("apply -f -", both) == "configmap/a created\nconfigmap/b created\n"
    assert kubectl("apply -f -", both) == "configmap/a unchanged\nconfigmap/b unchanged\n"
    changed = MAP % ("a", "all", "2")
    difference = kubectl.fails("diff -f -", changed)
    assert '-  a: "1"' in difference
    assert '+  a: "2"' in difference
    assert kubectl("diff -f -", manifests[0]) == ""
    pruned = kubectl("apply -f - --prune -l app=all --prune-allowlist=core/v1/ConfigMap", changed)
    assert pruned == "configmap/a configured\nconfigmap/b pruned\n"
    assert 'a: "2"' in kubectl("apply view-last-applied configmap/a")
    assert "configmap/a serverside-applied" in kubectl("apply --server-side --force-conflicts -f -", manifests[0])
    conflict = kubectl.fails("apply --server-side --field-manager=other -f -", MAP % ("a", "all", "3"))
    assert 'Apply failed with 1 conflict: conflict with "kubectl"' in conflict
    assert "replaced" in kubectl("replace -f -", MAP % ("a", "all", "4"))
    assert "replaced" in kubectl("replace --force -f -", MAP % ("a", "all", "5"))
    strict = kubectl.fails(
        "apply --validate=strict -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndaten: {}"
    )
    assert 'unknown field "daten"' in strict


def test_apply_set(kubectl: Kubectl):
    """Pruning by what was applied before, kept in a Secret."""
    both = "".join(MAP % (name, "set", "1") for name in ("a", "b"))
    extra = {"KUBECTL_APPLYSET": "true"}
    kubectl("apply -f - --prune --applyset=mine -n default", both, **extra)
    assert "configmap/b pruned" in kubectl(
        "apply -f - --prune --applyset=mine -n default", MAP % ("a", "set", "1"), **extra
    )
    assert "applyset.kubernetes.io/id" in kubectl("get secret mine -o yaml")


def test_change(web: Kubectl):
    assert web("label deployment web tier=front") == "deployment.apps/web labeled\n"
    assert web("label deployment web tier-") == "deployment.apps/web unlabeled\n"
    assert web("annotate deployment web note=hi --overwrite") == "deployment.apps/web annotated\n"
    assert web('patch deployment web -p \'{"spec":{"replicas":3}}\'') == "deployment.apps/web patched\n"
    assert "patched" in web('patch deployment web --type=merge -p \'{"spec":{"paused":true}}\'')
    assert "patched" in web('patch deployment web --type=json -p \'[{"op":"remove","path":"/spec/paused"}]\'')
    assert "patched" in web('patch deployment web --subresource=scale --type=merge -p \'{"spec":{"replicas":2}}\'')
    assert web("scale deployment web --current-replicas=2 --replicas=4") == "deployment.apps/web scaled\n"
    assert "Expected replicas to be 9" in web.fails("scale deployment web --current-replicas=9 --replicas=4")
    script = web.file("editor", "#!/bin/sh\nsed -i 's/replicas: 4/replicas: 1/' \"$1\"\n", 0o755)
    assert web("edit deployment web", EDITOR=script, KUBE_EDITOR=script) == "deployment.apps/web edited\n"
    assert web("get deployment web -o jsonpath='{.spec.replicas}'") == "1"


def test_set(web: Kubectl):
    assert web("set image deployment/web main=localhost/hello:2") == "deployment.apps/web image updated\n"
    assert web("set env deployment/web A=b") == "deployment.apps/web env updated\n"
    assert "A=b" in web("set env deployment/web --list")
    resources = "set resources deployment/web --limits=cpu=1,memory=64Mi --requests=cpu=100m"
    assert web(resources) == "deployment.apps/web resource requirements updated\n"
    web("create serviceaccount robot")
    assert web("set serviceaccount deployment/web robot") == "deployment.apps/web serviceaccount updated\n"
    web("create service clusterip other --tcp=80")
    assert web("set selector service other app=web") == "service/other selector updated\n"
    web("create rolebinding people --clusterrole=view --user=a")
    assert "subjects updated" in web("set subject rolebinding people --user=b")


def test_rollout(web: Kubectl):
    web("set image deployment/web main=localhost/hello:2")
    web("rollout status deployment/web --timeout=30s")
    assert web("rollout history deployment/web").split()[-4:] == ["1", "<none>", "2", "<none>"]
    assert "localhost/hello:1" in web("rollout history deployment/web --revision=1")
    assert web("rollout pause deployment/web") == "deployment.apps/web paused\n"
    assert web("rollout resume deployment/web") == "deployment.apps/web resumed\n"
    assert web("rollout undo deployment/web") == "deployment.apps/web rolled back\n"
    assert web("rollout restart deployment/web") == "deployment.apps/web restarted\n"
    web("rollout status deployment/web --timeout=30s")
    assert web("get deployment web -o jsonpath='{.spec.template.spec.containers[0].image}'") == "localhost/hello:1"


def test_get(web: Kubectl):
    columns = web("get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName --no-headers").split()
    assert [word[:4] for word in columns] == ["web-", "node", "web-", "node"]
    assert web("get pods -o jsonpath='{range .items[*]}{.status.phase}{\"\\n\"}{end}'") == "Running\nRunning\n"
    assert web("get deployment web -o go-template='{{.metadata.name}}'") == "web"
    assert web("get pods -o wide").split("\n")[0].split()[-4:] == ["NOMINATED", "NODE", "READINESS", "GATES"]
    assert json.loads(web("get pods -o json"))["kind"] == "List"
    assert web("get pods -l app=web --field-selector=status.phase=Running -o name").count("pod/") == 2
    assert web("get pods --field-selector=spec.nodeName=nowhere -o name") == ""
    assert "LABELS" in web("get pods --show-labels")
    assert "APP" in web("get pods -L app")
    assert web("get pods -A --chunk-size=1 -o name").count("pod/") == 2
    assert "controller-manager" in web("get componentstatuses")
    assert "web" in web("get deploy,rs,po")
    assert "apps/v1" in web("get --raw /apis/apps/v1/deployments")
    assert web("get --raw '/readyz?verbose'").startswith("[+]ping ok\n")
    assert "(NotFound)" in web.fails("get pod none")
    assert "the server doesn't have a resource type" in web.fails("get nonsense")
    assert 'Unable to find "/v1, Resource=configmaps"' in web.fails("get configmaps --field-selector=a=b")


def test_watch_and_wait(web: Kubectl):
    watching = subprocess.Popen(
        [web.path, "get", "configmaps", "--watch", "-o", "name", "--field-selector=metadata.name=seen"],
        env=web.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        # The watch begins with what there is, so it does not matter which comes first.
        web("create configmap seen --from-literal=a=1")
        assert watching.stdout.readline() == "configmap/seen\n"
    finally:
        watching.terminate()
        watching.wait()
        assert watching.stdout is not None
        watching.stdout.close()
    assert "condition met" in web("wait --for=condition=Available deployment/web --timeout=20s")
    assert "condition met" in web("wait --for=jsonpath='{.status.readyReplicas}'=2 deployment/web --timeout=20s")
    assert "timed out waiting" in web.fails("wait --for=condition=Nope deployment/web --timeout=1s")
    assert "ScalingReplicaSet" in web("events --for deployment/web")
    assert "Scheduled" in web("get events --field-selector=reason=Scheduled")
    web("delete deployment web --wait=false --cascade=foreground")
    web("wait --for=delete deployment/web --timeout=20s")


def test_auth(kubectl: Kubectl):
    assert "*.*" in kubectl("auth can-i --list")
    assert kubectl("auth can-i get pods") == "yes\n"
    assert kubectl.fails("auth can-i get pods --as=nobody").strip().endswith("no")
    assert "system:masters" in kubectl("auth whoami")
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: default}\nrules: %s\n"
    one = role % "[{apiGroups: [''], resources: [pods], verbs: [get]}]"
    assert "reconciled" in kubectl("auth reconcile -f -", one)
    more = role % "[{apiGroups: [''], resources: [pods], verbs: [get, list]}]"
    kubectl("auth reconcile -f -", more)
    assert "- list" in kubectl("get role r -o yaml")


def test_nodes(web: Kubectl):
    assert web("cordon node-2") == "node/node-2 cordoned\n"
    assert "SchedulingDisabled" in web("get nodes")
    assert "drained" in web("drain node-2 --ignore-daemonsets --delete-emptydir-data --force --timeout=30s")
    assert web("uncordon node-2") == "node/node-2 uncordoned\n"
    assert web("taint node node-2 color=red:NoSchedule") == "node/node-2 tainted\n"
    assert "color=red:NoSchedule" in web("describe node node-2")
    assert web("taint node node-2 color-") == "node/node-2 untainted\n"
    assert "node-1" in web("top nodes")


def test_into_pods(web: Kubectl):
    pod = web("get pods -l app=web -o name").splitlines()[0]
    assert web(f"logs {pod} --tail=1 --timestamps=false") == "hello\n"
    assert web("logs -l app=web --prefix").count("hello") == 2
    assert web(f"exec {pod} -- date") == "today\n"
    assert "Events:" in web(f"describe {pod}")
    debugging = web.run(f"debug {pod} --image=localhost/hello:1 --container=look --attach=false")
    assert debugging.returncode == 0, debugging.stderr
    assert web(f"get {pod} -o jsonpath='{{.spec.ephemeralContainers[0].name}}'") == "look"


def test_what_there_is(kubectl: Kubectl):
    assert "apps/v1" in kubectl("api-versions").split()
    assert "deployments.apps" in kubectl("api-resources --api-group=apps -o name")
    assert "pods" in kubectl("api-resources --namespaced=true --verbs=list,get -o name").split()
    assert "<map[string]string>" in kubectl("explain pod --recursive")
    assert "maxSurge" in kubectl("explain deployment.spec.strategy.rollingUpdate --api-version=apps/v1")
    assert "Kubernetes control plane" in kubectl("cluster-info")
    dump = kubectl("cluster-info dump --output-directory=dump --namespaces=default")
    assert "Cluster info dumped" in dump
    assert (kubectl.home / "dump" / "nodes.json").exists()
    assert "gitVersion: v1." in kubectl("version -o yaml")


def test_this_machine_only(kubectl: Kubectl):
    """Commands that need no server, in the same environment."""
    assert kubectl("config current-context").strip()
    assert "server: https://" in kubectl("config view --minify")
    assert "modified" in kubectl("config set-context --current --namespace=kube-system")
    assert kubectl("config view --minify -o jsonpath='{..namespace}'") == "kube-system"
    assert "complete" in kubectl("completion bash")
    kubectl.file("kustomization.yaml", "namePrefix: my-\nconfigMapGenerator: [{name: c, literals: [a=1]}]\n")
    assert "name: my-c-" in kubectl("kustomize .")
    assert "configmap/my-c-" in kubectl("apply -k . -n default")
    kubectl.file("bin/kubectl-hello", "#!/bin/sh\necho hi from a plugin\n", 0o755)
    path = f"{kubectl.home}/bin:{os.environ['PATH']}"
    assert "kubectl-hello" in kubectl("plugin list", PATH=path)
    assert kubectl("hello", PATH=path) == "hi from a plugin\n"


def test_proxy(web: Kubectl):
    """A local port that needs no credentials."""
    import urllib.request

    running = subprocess.Popen(
        [web.path, "proxy", "--port=0"],
        env=web.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert running.stdout is not None
        address = running.stdout.readline().rpartition(" ")[2].strip()
        with urllib.request.urlopen(f"http://{address}/api/v1/namespaces/default/pods") as answer:
            assert len(json.load(answer)["items"]) == 2
    finally:
        running.terminate()
        running.wait()
        assert running.stdout is not None
        running.stdout.close()


def test_delete(web: Kubectl):
    web("create configmap a")
    web("create configmap b")
    deleted = web("delete configmap a b").replace(" from default namespace", "")  # newer ones say where
    assert deleted == 'configmap "a" deleted\nconfigmap "b" deleted\n'
    assert web("delete configmap a --ignore-not-found") == ""
    web("delete deployment web --cascade=orphan")
    assert web("get rs -o name").count("replicaset") == 1
    web("delete rs --all --cascade=orphan")
    assert web("delete pods --all --grace-period=0 --force").count("force deleted") == 2
    web("create namespace gone")
    assert "deleted" in web("delete namespace gone --timeout=30s")


def test_warnings_are_shown(kubectl: Kubectl):
    spec = "{nodeSelector: {beta.kubernetes.io/os: linux}, containers: [{name: a, image: b}]}"
    body = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"
    assert "Warning: spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14" in kubectl.warned(
        "apply -f -", body
    )
    assert "Warning: v1 ComponentStatus is deprecated in v1.19+" in kubectl.warned("get componentstatuses")
