"""Lines that change a cluster, said to our verbs in one namespace and to a real kubectl in another: both print the same.

The lines of a story follow each other; what depends on the moment (times, UIDs, addresses, generated names) is made equal.
"""

import pathlib
import re
import shlex

import pytest

from tests.kubectl.conftest import Done, Kubectl, made_equal

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

OURS, REAL = "ours", "real"
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
    "gen.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: gen-}}",
    "inv.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: inv}, spec: {replicas: -1}}",
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

STORIES = {
    "apply": """
apply -f web.yaml
apply -f web.yaml
apply -f web2.yaml
get deploy web -o jsonpath={.spec}
apply -f web.yaml --dry-run=client
apply -f web.yaml --dry-run=server
apply -f web.yaml -o yaml
apply -f web.yaml -o json
apply -f web.yaml -o name
apply -f nof.yaml
apply -f no.yaml
apply -f bad.yaml
apply -f bad.yaml --validate=warn
apply -f bad.yaml --validate=false
apply -f gen.yaml
apply -f inv.yaml
apply
apply foo
apply -f web.yaml --prune
apply -f web.yaml --prune --all -l a=b
apply -f web.yaml --force-conflicts
apply -f web.yaml --server-side --dry-run=client
apply -f web.yaml --server-side --force
apply -f web.yaml --server-side
apply -f web2.yaml --server-side
apply -f web.yaml
label deploy web app=other --overwrite
apply -f web2.yaml --server-side
apply -f web2.yaml --server-side --force-conflicts
apply -f cms.yaml
apply -f cms2.yaml --prune -l p=q
apply -f cms.yaml -l z=q
apply -f cms2.yaml --prune -l p=q --prune-allowlist=core/v1/ConfigMap --dry-run=client
apply -f cms2.yaml --prune -l p=q --prune-allowlist=x
apply -f cms2.yaml --prune -l p=q --prune-allowlist=core/v1/Foo
create -f cms.yaml
apply -f cms.yaml
apply view-last-applied deploy/web
apply view-last-applied cm/cm1 -o json
apply view-last-applied deploy/nope
apply view-last-applied -f cms.yaml
apply set-last-applied -f cms2.yaml
apply set-last-applied -f web.yaml --dry-run=client -o name
""",
    "label and annotate": """
create configmap plain --from-literal=a=b
create configmap cm1
label cm plain a=b
label cm plain a=b
label cm plain a=c
label cm plain a=c --overwrite
label cm plain a-
label cm plain a-
label cm plain
label cm plain =b
label cm plain a
label cm plain a=b a-
label cm plain a=b=c
label cm plain 'a=b c'
label a=b
label cm --all x=y
label cm plain cm1 --list
label cm plain --list -o yaml
label cm nope a=b
label -f cms.yaml z=1 --local -o yaml
label -f cms2.yaml z=1 --dry-run=client
label -f cms2.yaml z=1 --dry-run=server
label cm -l x=y z=2
label cm plain z=3 --resource-version=1 --overwrite
label cm -l x=y z=3 --resource-version=1 --overwrite
label --local a=b
annotate cm plain a=b
annotate cm plain a=c
annotate cm plain a=c b=d --overwrite
annotate cm plain a- zz-
annotate cm plain a=b a-
annotate cm plain
annotate cm plain --list
annotate cm plain foo
annotate cm plain a=b -o yaml --overwrite
annotate cm plain a=b foo
""",
    "patch and delete": """
create configmap plain --from-literal=a=b
patch cm plain -p '{"data":{"a":"c"}}'
patch cm plain -p '{"data":{"a":"c"}}'
patch cm plain --type=merge -p '{"data":{"z":"c"}}' -o yaml
patch cm plain --type=json -p '[{"op":"remove","path":"/data/z"}]'
patch cm plain --type=json -p '[{"op":"remove","path":"/data/z"}]'
patch cm plain --type=foo -p '{}'
patch cm plain
patch cm plain -p '{'
patch cm plain -p '{"data":{"q":"c"}}' --dry-run=client -o yaml
patch cm plain -p '{"data":{"q":"c"}}' --dry-run=server -o name
patch -f web2.yaml -p '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"z"}]}}}}' --local -o yaml
patch cm plain --patch-file=nof
patch cm plain -p '{"data":5}'
patch cm nope -p '{}'
delete cm plain --dry-run=client
delete cm plain --dry-run=server
delete cm plain -o name
delete cm plain
delete cm plain --ignore-not-found
delete cm
delete cm plain --all
delete cm --all -l a=b
delete cm -l p=zz
create -f cms.yaml
delete -f cms.yaml
delete -f cms.yaml
delete cm nope nope2
delete cm x --cascade=foo
delete cm x --force --grace-period=3
delete cm x --now --grace-period=3
delete cm x -o json
delete
delete foo x
""",
    "create": """
create
create foo
create -f nofile
create -f no.yaml
create configmap c --from-literal=a=b --from-file=key.txt --dry-run=client -o yaml
create configmap c --from-env-file=some.env --append-hash --dry-run=client -o yaml
create configmap c --from-literal=a
create configmap c --from-literal=a=b --from-literal=a=c
create configmap c --from-file=nofile
create configmap c --from-file=a=b=c
create configmap c --from-literal='a b=b'
create configmap c --from-literal=a=b --from-env-file=x
create configmap c --from-literal=a=b --save-config -o json --dry-run=client
create secret generic s --from-literal=a=b --append-hash --dry-run=client -o yaml
create secret generic s --from-literal=a=b --from-literal=a=c
create secret docker-registry s --docker-username=u --docker-password=p --docker-email=e --dry-run=client -o json
create secret docker-registry s
create secret tls s --cert=key.txt --key=key.txt
create secret tls s
create deployment d --image=nginx:1 --port=80 -r 3 --save-config --dry-run=client -o json -- sleep 1
create deployment d --image=a --image=b --dry-run=client -o yaml
create deployment d --image=a --image=b -- c
create deployment d
create job j --image=i --dry-run=client -o json -- a
create job j --from=cronjob/x
create job j
create cronjob cj --image=i --schedule='* * * * *' --restart=Never --dry-run=client -o json -- a
create cronjob cj --image=i --schedule='* * * * *'
create job from --from=cronjob/cj
create job from --from=cronjob/cj --dry-run=client -o yaml
create cronjob cj
create ingress i --rule=foo/bar=svc:80,tls=sec --class=c --annotation=a=b --default-backend=s:http --dry-run=client -o json
create ingress i '--rule=x/*=y:z,tls' --rule=x/q=y:1 --dry-run=client -o yaml
create ingress i --rule=foo
create ingress i
create pdb p --selector='a=b,c!=d,e in (f,g)' --min-available=30% --dry-run=client -o json
create pdb p --selector=a=b --min-available=x
create pdb p
create quota q --hard=cpu=1,memory=1024Mi --scopes=BestEffort --dry-run=client -o json
create quota q --hard=cpu
create role r --verb=get,list,get --resource=pods,pods/log,deploy --resource-name=x --dry-run=client -o json
create role r --verb=foo --resource=podz
create role r --verb=bind --resource=pods
create clusterrole r --verb=get --non-resource-url=/healthz --dry-run=client -o json
create clusterrole r --aggregation-rule=a=b,c=d --dry-run=client -o yaml
create clusterrole r --verb=use --non-resource-url=/x
create rolebinding b --role=x --user=u --group=g --serviceaccount=ns:n --dry-run=client -o json
create rolebinding b --role=x --user=u
create rolebinding b --role=x --user=u
create clusterrolebinding b --clusterrole=x --serviceaccount=foo
create service clusterip s --tcp=80:8080 --tcp=5 --dry-run=client -o json
create service clusterip s --tcp=80:_http
create svc nodeport s --tcp=80 --node-port=30001 --dry-run=client -o yaml
create service externalname s --external-name=A_b
create service loadbalancer s --tcp=x
create sa s
create sa s
create priorityclass p --value=10 --description=d --dry-run=client -o json
create namespace A_b
create token default --duration=-1s
create token default --bound-object-kind=Pod
create token nosuch
create cm zz --dry-run=server -o name
create cm zz --dry-run=foo
create cm zz --validate=foo
create cm zz -o foo
""",
}

STORIES["scale and autoscale"] = """
apply -f web.yaml
scale deploy web
scale deploy web --replicas=3
scale deploy web --replicas=3 --current-replicas=9
scale deploy web nope --replicas=3
scale deploy --replicas=3
scale cm x --replicas=3
scale svc web --replicas=3
scale deploy web --replicas=-1
scale deploy web --replicas=2 --dry-run=server
scale deploy web --replicas=1 --current-replicas=3 -o name
scale deploy -l a=b --replicas=1
autoscale deploy web
autoscale deploy web --max=3 --min=5
autoscale deploy web --max=3 --min=2 --cpu-percent=50 --dry-run=client -o json
autoscale deploy web --max=3 --cpu-percent=50 --name=zz
autoscale deploy web --max=3 --cpu-percent=50 --name=zz
autoscale svc web --max=3
"""
STORIES["run and expose"] = """
run
run p --image=
run p --image='A B'
run p --image=x --restart=Foo
run p --image=x --rm
run p --image=x -t
run p --image=x --expose
run p --image=x --image-pull-policy=Foo
run p --image=x -i --dry-run=client
run p --image=x --env=A --dry-run=client
run p --image=x --labels=a --dry-run=client
run p --image=x --port=a --dry-run=client
run p --image=x --env=A=1 --env=B= --labels=a=b,c=d --port=80 --annotations=x=y --privileged -o json --dry-run=client -- a b
run p --image=x --expose --port=80 --dry-run=client -o yaml
run p --image=x --overrides='{"spec":{"nodeName":"z"}}' --dry-run=client -o yaml
run p --image=x --override-type=foo --overrides='{}' --dry-run=client
run p --image=x --command --restart=Never --save-config --dry-run=server -o name -- sleep 1
run p --image=localhost/hello:1 --expose --port=80
run p --image=localhost/hello:1
run P_x --image=x
expose pod p --name=q --type=NodePort --target-port=x --session-affinity=ClientIP -o json --dry-run=client
expose pod p
expose svc p --name=copy --dry-run=client -o yaml
expose svc p --name=copy --selector=a=b,c=d --port=1,2 --protocol=UDP --dry-run=client -o yaml
expose pod nope
expose pod p --name=A_b
expose pod p --selector=a --name=z
expose
"""
STORIES["set"] = """
apply -f web.yaml
create cm cfg --from-literal=a.b=c --from-literal=x-y=z
create rolebinding rb --role=x --user=u
set image
set image deploy/web
set image deploy/web main=a side=b
set image deploy/web main=a
set image deploy/web '*=c'
set image deploy/web nope=c
set image deploy/web main=
set image deploy/web main=e --dry-run=client -o yaml
set image -f web.yaml main=q --local -o yaml
set image svc/web main=a
set env deploy/web A=b
set env deploy/web A=b
set env deploy/web A=1 -c nope
set env deploy/web A=2 --overwrite=false
set env deploy/web --from=configmap/cfg --prefix=P_
set env deploy/web --list
set env deploy/web --list --resolve
set env deploy/web A-
set env deploy/web 1A=b
set env A=b
set resources deploy/web
set resources deploy/web --limits=cpu=200m,memory=512Mi --requests=cpu=100m
set resources deploy/web -c=nope --limits=cpu=1
set resources deploy/web --limits=cpu=x
set selector svc/web a=b
set selector svc/web 'a in (b)'
set selector deploy/web a=b
set selector -f web.yaml a=b --local -o yaml
set serviceaccount deploy/web foo
set sa
set subject rolebinding rb --user=v --serviceaccount=a:b
set subject rolebinding rb --user=v
set subject deploy/web --user=v
set subject rolebinding rb --user=v --local
get rolebinding rb -o jsonpath={.subjects}
"""
STORIES["replace, diff and edit"] = """
replace
replace -f web.yaml
apply -f web.yaml
replace -f web.yaml
replace -f web.yaml --save-config -o name
replace -f web.yaml --timeout=5s
replace -f web.yaml --dry-run=server
replace -f web.yaml --force --grace-period=0
diff
diff -f web.yaml
diff -f gen.yaml
diff -f web2.yaml
KUBECTL_EXTERNAL_DIFF=nodiff diff -f web2.yaml
KUBECTL_EXTERNAL_DIFF="diff -q" diff -f web2.yaml
EDITOR=./one.sh edit deploy/web --output-patch
EDITOR=true edit deploy/web
EDITOR=./less.sh edit deploy/web
EDITOR=nosuch edit deploy/web
EDITOR=false edit deploy/web
KUBE_EDITOR=./other.sh EDITOR=true edit svc/web
EDITOR=./empty.sh edit svc/web
EDITOR=./empty.sh edit svc/web --validate=false
EDITOR=./foo.sh edit svc/web
EDITOR=./twice.sh edit deploy/web svc/web
EDITOR=./twice.sh edit deploy/web
edit
edit svc/nope
EDITOR=./one.sh apply edit-last-applied deploy/web
EDITOR=./data.sh create -f cms2.yaml --edit
EDITOR=./data.sh create -f cms.yaml --edit
"""

_UID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_VERSION = re.compile(r'((?:resourceVersion|generation)\\*"?: \\*"?)\d+')
_ADDRESS = re.compile(r"\b10(\.\d+){3}\b")
_TEMPORARY = re.compile(r"/tmp/[\w./-]*?(LIVE|MERGED|edit)-\w+")
_FILE_TIME = re.compile(r"\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000")
_ENVIRONMENT = re.compile(r"(?:[A-Z_]+=(?:\"[^\"]*\"|\S*) )*")


_DIFFERENT = (
    (_UID, "UID"),
    (_TIME, "TIME"),
    (_ADDRESS, "ADDRESS"),
    (_TEMPORARY, r"\1"),
    (_FILE_TIME, ""),
)


def of_any_namespace(done: Done, namespace: str) -> Done:
    def equal(text: str) -> str:
        for pattern, instead in _DIFFERENT:
            text = pattern.sub(instead, text)
        text = _VERSION.sub(r"\1N", text)
        return re.sub(rf"\b{namespace}\b", "NAMESPACE", text)

    done = made_equal(done)
    return Done(done.code, equal(done.out), equal(done.err))


@pytest.fixture
def story(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """A namespace for each of the two."""
    name = re.sub(r"\W+", "-", request.node.callspec.params["which"])
    for namespace in (OURS, REAL):
        kubectl(f"create namespace {namespace}-{name}")
        wait_for_account(kubectl, f"{namespace}-{name}")
    for file, text in FILES.items():
        path = pathlib.Path(kubectl.file(file, text))
        path.chmod(0o755)
    return name


@pytest.mark.parametrize("which", STORIES)
def test_both_say_the_same(kubectl: Kubectl, story: str, which: str) -> None:
    for line in STORIES[which].strip().splitlines():
        ours, real = f"{OURS}-{story}", f"{REAL}-{story}"
        given = _ENVIRONMENT.match(line)
        assert given
        environment = dict(pair.split("=", 1) for pair in shlex.split(given.group()))
        words = line[given.end() :]
        said = of_any_namespace(kubectl.run(in_namespace(words, ours), **environment), ours)
        expected = of_any_namespace(kubectl.real(in_namespace(words, real), **environment), real)
        assert said == expected, line


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
