"""Kustomizations built by us and by a real kubectl: the same bytes, and the same refusals."""

import pathlib
import re

import pytest

from steersman.kubectl import go_yaml
from steersman.kubectl.kustomize import build, images, replacements
from steersman.kubectl.kustomize.errors import KustomizeError
from tests.kubectl.conftest import Kubectl

BASE = {
    "base/kustomization.yaml": """
resources: [web.yaml, others.yaml]
configMapGenerator:
- name: conf
  literals: [a=b, 'q="x"']
  files: [conf.txt, k=conf.txt]
  envs: [e.env]
secretGenerator:
- name: sec
  literals: [p=w, "long=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"]
commonLabels: {app: web}
""",
    "base/conf.txt": "hello\n",
    "base/e.env": "X=1\n# no\nY=2\n",
    "base/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      serviceAccountName: sa
      containers:
      - name: a
        image: nginx:1
        ports: [{containerPort: 80}]
        env:
        - {name: Z, value: "1"}
        - name: C
          valueFrom: {configMapKeyRef: {name: conf, key: a}}
        envFrom: [{secretRef: {name: sec}}]
      - name: b
        image: reg.io/foo/busybox@sha256:abc
      volumes: [{name: v, configMap: {name: conf}}]
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}
""",
    "base/others.yaml": """
{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: sa}, {kind: ServiceAccount, name: default}]
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: []}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ns1}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}
subjects: [{kind: ServiceAccount, name: sa, namespace: foo}]
""",
    "over/kustomization.yaml": """
resources: [../base]
components: [../comp]
namespace: prod
namePrefix: p-
nameSuffix: -s
images: [{name: nginx, newTag: "2"}, {name: reg.io/foo/busybox, newName: bb, digest: "sha256:xyz"}]
replicas: [{name: web, count: 3}]
labels: [{pairs: {x: yy}}, {pairs: {t: u}, includeTemplates: true}]
commonAnnotations: {note: hi}
configMapGenerator: [{name: conf, behavior: merge, literals: [a=c, n=m]}]
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      template:
        spec:
          containers:
          - {name: side, image: s}
          - name: a
            env: [{name: NEW, value: n}]
            ports: [{containerPort: 81}]
- target: {kind: Service}
  patch: |
    - op: add
      path: /spec/type
      value: NodePort
""",
    "comp/kustomization.yaml": """
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment, name: w.*}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: whatever, annotations: {comp: "1"}}
resources: [pdb.yaml]
""",
    "comp/pdb.yaml": "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: pdb}, spec: {minAvailable: 1}}",
    "one/a.yaml": """
{apiVersion: v1, kind: Service, metadata: {name: zz}, spec: {ports: [{name: http, port: 1, targetPort: 5}]}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: src}, data: {host: "a:b:c"}}
---
{apiVersion: x/v1, kind: Foo, metadata: {name: foo}, spec: {l: [{name: a}], m: {a: 1}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: aaa}}
""",
    "one/b.yaml": """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {a: b}}
  template:
    spec:
      priorityClassName: pc
      containers: [{name: c, image: i, envFrom: [{secretRef: {name: s}}]}]
      volumes:
      - {name: v, persistentVolumeClaim: {claimName: pvc}}
      - {name: p, projected: {sources: [{secret: {name: s}}, {configMap: {name: cm}}]}}
  volumeClaimTemplates: [{metadata: {name: v}, spec: {storageClassName: sc}}]
---
{apiVersion: v1, kind: Service, metadata: {name: db}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: pvc}, spec: {storageClassName: sc, volumeName: pv}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: sc}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: pc}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: cj}
spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: sa, containers: [{name: x, image: y}]}}}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa}, imagePullSecrets: [{name: s}], secrets: [{name: s}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ing}
spec: {tls: [{secretName: s}], rules: [{http: {paths: [{backend: {service: {name: db}}}]}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa}
spec: {scaleTargetRef: {kind: StatefulSet, name: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np}
spec: {podSelector: {matchLabels: {a: b}}, ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: wh}
webhooks: [{clientConfig: {service: {name: db, namespace: default}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: cr}
rules: [{resources: [secrets], resourceNames: [s, other]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crb}
roleRef: {kind: ClusterRole, name: cr}
subjects: [{kind: ServiceAccount, name: sa}, {kind: ServiceAccount, name: sa, namespace: default}, {kind: User, name: sa}]
---
{apiVersion: example.com/v1, kind: Custom, metadata: {name: cc}, spec: {secretName: s}}
""",
    "one/list.yaml": "{apiVersion: v1, kind: List, items: [{kind: Pod, apiVersion: v1, metadata: {name: x}}]}",
    "one/noname.yaml": "{apiVersion: v1, kind: X}",
    "one/nokind.yaml": "a: b",
}

# Each is a kustomization in the folder `one`.
KUSTOMIZATIONS = [
    "foo: bar",
    "",
    "kind: Foo",
    "resources: [x.yaml]",
    "resources: [../base/web.yaml]",
    "resources: [5]",
    "resources: [a.yaml, a.yaml]",
    "resources: [noname.yaml]",
    "resources: [nokind.yaml]",
    "resources: [list.yaml]",
    "resources: [../base, ../base]",
    "components: [../over]",
    "components: [../nope]",
    "namespace: 5",
    "images: [{name: x, newTag: 1}]",
    "patches: {a: b}",
    "bases: [../base]",
    "resources: [a.yaml]\nreplicas: [{name: x, count: 1}]",
    'resources: [a.yaml]\npatches: [{patch: "{apiVersion: v1, kind: Service, metadata: {name: x}}"}]',
    'patches: [{target: {kind: X}, patch: "[{op: add}]"}]',
    "configMapGenerator: [{name: x, literals: [a]}]",
    "configMapGenerator: [{name: x, literals: [a=b, a=c]}]",
    "configMapGenerator: [{name: x, files: [nof]}]",
    "configMapGenerator: [{literals: [a=b]}]",
    "configMapGenerator: [{name: x}]\nsecretGenerator: [{name: sss}]",
    "secretGenerator: [{name: x, type: t, files: [a.yaml]}]",
    "resources: [a.yaml]\nconfigMapGenerator: [{name: src, behavior: replace, literals: [a=b]}]",
    "resources: [a.yaml]\ngeneratorOptions: {disableNameSuffixHash: true, labels: {a: b}, immutable: true}\n"
    "configMapGenerator: [{name: q, literals: [a=b]}]",
    "resources: [a.yaml]\nnamespace: foo",
    "resources: [a.yaml]\nnamePrefix: foo-",
    "resources: [a.yaml]\nlabels: [{pairs: {a: b}, includeSelectors: true}]",
    "resources: [a.yaml]\nlabels: [{pairs: {a: b}, fields: [{path: spec/m, create: true, kind: Foo}]}]",
    "resources: [a.yaml]\nsortOptions: {order: fifo}",
    "resources: [a.yaml]\nbuildMetadata: [managedByLabel]",
    "resources: [a.yaml]\npatches:\n- target: {kind: Foo}\n  patch: |\n    - {op: replace, path: /spec/l/0/name, value: zz}\n"
    "    - {op: add, path: /metadata/name, value: new}",
    'resources: [a.yaml]\npatches:\n- target: {kind: Foo}\n  patch: "- {op: remove, path: /spec/nope}"',
    'resources: [a.yaml]\npatches:\n- patch: "{apiVersion: x/v1, kind: Foo, metadata: {name: foo}, spec: {l: [{name: b}], '
    'm: {a: null, b: 2}}}"',
    'resources: [a.yaml]\npatches:\n- patch: "{apiVersion: x/v1, kind: Foo, metadata: {name: foo}, $patch: delete}"',
    'resources: [a.yaml]\npatches:\n- patch: "{apiVersion: v1, kind: Service, metadata: {name: zz}, spec: {ports: '
    '[{port: 1, $patch: delete}, {port: 2}], selector: {$patch: replace, q: r}}}"',
    'resources: [a.yaml]\npatches:\n- patch: "{apiVersion: v1, kind: Service, metadata: {name: other}}"\n'
    "  target: {kind: Service}\n  options: {allowNameChange: true}",
    'resources: [a.yaml]\nreplacements:\n- source: {kind: ConfigMap, name: src, fieldPath: data.host, options: {delimiter: ":", '
    'index: 1}}\n  targets: [{select: {kind: Service}, fieldPaths: [metadata.annotations.x, "spec.ports.[name=http].name"], '
    "options: {create: true}}]",
    "resources: [a.yaml]\nreplacements:\n- source: {kind: ConfigMap, name: src}\n  targets: [{select: {kind: Foo}, "
    "fieldPaths: [spec.m.zz]}]",
    "resources: [a.yaml]\nreplacements:\n- source: {kind: Service, name: zz, fieldPath: spec.ports.0.port}\n  targets: [{select: "
    "{kind: Foo}, fieldPaths: [spec.m.a, spec.m.n], options: {create: true}}]",
    "resources: [a.yaml]\nreplacements:\n- source: {kind: Servic, name: zz}\n  targets: [{select: {kind: Foo}, "
    "fieldPaths: [spec.m.a]}]",
    "resources: [b.yaml]\nnamePrefix: p-\nnamespace: nn\ncommonLabels: {cl: x}\ncommonAnnotations: {ca: z}",
    "resources: [b.yaml]\nnameSuffix: -s",
    "resources: [../over]\nnamePrefix: q-",
]


@pytest.fixture
def folder(alone: Kubectl) -> pathlib.Path:
    for name, text in BASE.items():
        alone.file(name, text)
    return alone.folder


@pytest.mark.kubectl
@pytest.mark.slow
def test_the_same_as_a_real_kubectl(alone: Kubectl, folder: pathlib.Path) -> None:
    alone.check_same("kustomize base")
    alone.check_same("kustomize over")
    alone.check_same("kustomize nowhere")
    alone.check_same("kustomize one")
    alone.check_same("kustomize base over")
    for text in KUSTOMIZATIONS:
        alone.file("one/kustomization.yaml", text + "\n")
        alone.check_same("kustomize one")


def test_names_hashes_and_references(folder: pathlib.Path) -> None:
    built = {obj["kind"]: obj for obj in build.build(str(folder / "over"))}
    assert built["ConfigMap"]["metadata"]["name"] == "p-conf-s-f956tm2c5t"
    containers = built["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in containers] == ["side", "a", "b"]
    assert containers[1]["env"][2]["valueFrom"]["configMapKeyRef"]["name"] == "p-conf-s-f956tm2c5t"
    assert built["RoleBinding"]["subjects"][0] == {"kind": "ServiceAccount", "name": "p-sa-s", "namespace": "prod"}
    assert list(built)[:3] == ["Namespace", "ServiceAccount", "Role"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("resources: ['https://example.com/x?ref=1']", "remote resources are not fetched"),
        ("helmCharts: [{name: x}]", "must specify --enable-helm"),
        ("transformers: [x.yaml]", "plugins are not run"),
        ("vars: [{name: X}]", "use replacements instead"),
    ],
)
def test_what_is_not_done_is_refused_in_words(tmp_path: pathlib.Path, text: str, why: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(KustomizeError, match=re.escape(why)):
        build.build(str(tmp_path))


@pytest.mark.parametrize(
    ("image", "wanted", "becomes"),
    [
        ("nginx", {"newTag": "1"}, "nginx:1"),
        ("nginx:1@sha256:0", {"newTag": "2"}, "nginx:2"),
        ("reg:5000/a/nginx:1", {"newName": "b"}, "b:1"),
        ("nginx:1", {"digest": "sha256:1"}, "nginx@sha256:1"),
        ("nginx:1", {"tagSuffix": "-x"}, "nginx:1-x"),
    ],
)
def test_images(image: str, wanted: dict[str, str], becomes: str) -> None:
    assert images.changed(image, wanted) == becomes


def test_paths_of_replacements() -> None:
    assert replacements.split(r"a.b\.c.[name=x.y].0") == ["a", "b.c", "[name=x.y]", "0"]


def test_patches_are_read_by_newer_yaml_than_kustomizations(folder: pathlib.Path) -> None:
    (folder / "one" / "kustomization.yaml").write_text(
        'resources: [a.yaml]\npatches: [{patch: "{apiVersion: v1, kind: ConfigMap, metadata: {name: aaa}, data: {k: n}}"}]\n'
    )
    found = next(obj for obj in build.build(str(folder / "one")) if obj["metadata"]["name"] == "aaa")
    assert found["data"] == {"k": "n"}
    assert next(go_yaml.read_all("k: n")) == {"k": False}
