"""What a kubelet may write, in the cases and words of upstream's admission_test.go.

Most cases are asked as a node that is a master too, so that it is admission that refuses, and not authorization before it.
"""

import copy
from typing import Any

import pytest

from steersman.serving.messages import Peer
from tests.apiserver import kit
from tests.controllers.certificates import requests

ME = Peer("127.0.0.1", "system:node:mynode", ("system:nodes", "system:masters"))
ONLY_ME = Peer("127.0.0.1", "system:node:mynode", ("system:nodes",))

NODES = "/api/v1/nodes"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
TOKENS = "/api/v1/namespaces/default/serviceaccounts/default/token"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CERTIFICATES = "/apis/certificates.k8s.io/v1/namespaces/default/podcertificaterequests"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CSI_NODES = "/apis/storage.k8s.io/v1/csinodes"
SLICES = "/apis/resource.k8s.io/v1/resourceslices"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture
async def cluster(api: kit.Api) -> kit.Api:
    """Two nodes; pods on either and on none, one of them with all kinds of volumes that tokens are for."""
    await kit.with_account(api)
    for name in ("mynode", "othernode"):
        await api.make(NODES, node(name))
    for name, on in (("mypod", "mynode"), ("otherpod", "othernode"), ("unboundpod", "")):
        await api.make(kit.PODS, kit.pod(name, **({"nodeName": on} if on else {})))
    return api


def node(name, labels=None, **spec):
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}


async def uid(api: kit.Api, path: str) -> Any:
    return (await api.ask("GET", path)).body["metadata"]["uid"]


async def mirror(api: kit.Api, **spec):
    owner = {"apiVersion": "v1", "kind": "Node", "name": "mynode", "uid": await uid(api, f"{NODES}/mynode")}
    made = kit.pod("mirror", **{"nodeName": "mynode", **spec})
    made["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "true"}
    made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    return made


def why(answer: kit.Answer) -> str:
    """What was said after `… is forbidden: `; "" when nothing was refused."""
    if answer.status < 400:
        return ""
    code, reason, message = answer.refusal
    assert (code, reason) == (403, "Forbidden"), message
    return message.partition(" is forbidden: ")[2]


# --- who it is about ---

WHO = {
    "a node": (("system:node:mynode", "system:nodes"), 'node "mynode" is not allowed to modify node "othernode"'),
    "without a name": (("system:node:", "system:nodes"), 'could not determine node from user "system:node:"'),
    "out of the group": (("system:node:mynode", "devs"), ""),
    "of another name": (("mynode", "system:nodes"), ""),
}


@pytest.mark.parametrize(("user", "expect"), WHO.values(), ids=WHO.keys())
async def test_only_nodes_are_restricted(cluster: kit.Api, user, expect):
    name, group = user
    peer = Peer("127.0.0.1", name, (group, "system:masters"))
    assert why(await cluster.ask("DELETE", f"{NODES}/othernode", peer=peer)) == expect


# --- pods ---

ITSELF = "set to itself"
PODS = {
    "a mirror": ({}, ""),
    "no mirror": (
        {"annotations": None},
        'pod does not have "kubernetes.io/config.mirror" annotation, node "mynode" can only create mirror pods',
    ),
    "of no node": ({"nodeName": None}, f'node "mynode" can only create pods with spec.nodeName {ITSELF}'),
    "of another node": ({"nodeName": "othernode"}, f'node "mynode" can only create pods with spec.nodeName {ITSELF}'),
    "of nobody": ({"owners": []}, f'node "mynode" can only create pods with an owner reference {ITSELF}'),
    "of several": ({"owners": [{}, {}]}, f'node "mynode" can only create pods with a single owner reference {ITSELF}'),
    "owned by another node": (
        {"owners": [{"name": "othernode"}]},
        f'node "mynode" can only create pods with an owner reference {ITSELF}',
    ),
    "owned by another kind": (
        {"owners": [{"kind": "Pod"}]},
        f'node "mynode" can only create pods with an owner reference {ITSELF}',
    ),
    "not controlled": (
        {"owners": [{"controller": False}]},
        f'node "mynode" can only create pods with a controller owner reference {ITSELF}',
    ),
    "blocking": (
        {"owners": [{"blockOwnerDeletion": True}]},
        'node "mynode" must not set blockOwnerDeletion on an owner reference',
    ),
    "of an earlier Node": (
        {"owners": [{"uid": "old"}]},
        "node mynode UID mismatch: expected old got {uid}",
    ),
}


@pytest.mark.parametrize(("change", "expect"), PODS.values(), ids=PODS.keys())
async def test_new_pods(cluster: kit.Api, change, expect):
    pod = await mirror(cluster)
    if "annotations" in change:
        del pod["metadata"]["annotations"]
    if "nodeName" in change:
        pod["spec"] = {**pod["spec"], "nodeName": change["nodeName"] or ""}
    if "owners" in change:
        [owner] = pod["metadata"]["ownerReferences"]
        pod["metadata"]["ownerReferences"] = [
            {**owner, "uid": owner["uid"] + str(index or ""), **one} for index, one in enumerate(change["owners"])
        ]
    expect = expect.format(uid=await uid(cluster, f"{NODES}/mynode"))
    assert why(await cluster.ask("POST", kit.PODS, pod, peer=ME)) == expect


async def test_a_mirror_of_an_unknown_node(cluster: kit.Api):
    pod = await mirror(cluster)
    await cluster.ask("DELETE", f"{NODES}/mynode")
    refused = await cluster.ask("POST", kit.PODS, pod, peer=ME)
    assert refused.refusal == (404, "NotFound", 'node "mynode" not found')


def volume(**source):
    return {"volumes": [{"name": "v", **source}]}


def projected(**source):
    return volume(projected={"sources": [source]})


def container(**fields):
    return {"containers": [{"name": "main", "image": "x", **fields}]}


NO_SECRETS, NO_ACCOUNTS = "a mirror pod may not reference secrets", "a mirror pod may not reference service accounts"
REFERENCES = {
    "account": ({"serviceAccountName": "default"}, NO_ACCOUNTS),
    "pull secret": ({"imagePullSecrets": [{"name": "s"}]}, NO_SECRETS),
    "secret in env": (
        container(env=[{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        NO_SECRETS,
    ),
    "secret as env": (container(envFrom=[{"secretRef": {"name": "s"}}]), NO_SECRETS),
    "secret as volume": (volume(secret={"secretName": "s"}), NO_SECRETS),
    "projected secret": (projected(secret={"name": "s"}), NO_SECRETS),
    "a driver's secret": (volume(csi={"driver": "d", "nodePublishSecretRef": {"name": "s"}}), NO_SECRETS),
    "config map in env": (
        container(env=[{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]),
        "configmaps",
    ),
    "config map as volume": (volume(configMap={"name": "m"}), "configmaps"),
    "projected config map": (projected(configMap={"name": "m"}), "configmaps"),
    "claim": (volume(persistentVolumeClaim={"claimName": "c"}), "persistentvolumeclaims"),
    "ephemeral": (
        volume(
            ephemeral={
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                }
            }
        ),
        "persistentvolumeclaims (via ephemeral volumes)",
    ),
    "driver": (volume(csi={"driver": "d"}), "csidrivers (via CSI volumes)"),
    "resource claim": (
        {"resourceClaims": [{"name": "r", "resourceClaimName": "c"}]},
        "resourceclaims",
    ),
    "token": (
        projected(serviceAccountToken={"path": "t", "expirationSeconds": 600}),
        "a mirror pod may not use service account token volume projections",
    ),
    "trust bundle": (projected(clusterTrustBundle={"name": "b", "path": "p"}), "clustertrustbundles"),
    "certificate": (
        projected(podCertificate={"signerName": "a.b/c", "keyType": "ED25519", "credentialBundlePath": "p"}),
        "podcertificates",
    ),
    "a key of that name": (
        container(env=[{"name": "secretRef", "value": "s"}, {"name": "configMap", "value": "m"}]),
        "",
    ),
    "nothing of the API": (
        {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/tmp"}}]},
        "",
    ),
    "downward API": (projected(downwardAPI={"items": []}), ""),
}


@pytest.mark.parametrize(("spec", "expect"), REFERENCES.values(), ids=REFERENCES.keys())
async def test_mirrors_lead_to_nothing(cluster: kit.Api, spec, expect):
    pod = await mirror(cluster, **spec)
    if expect and not expect.startswith("a mirror"):
        expect = f'node "mynode" can not create pods that reference {expect}'
    assert why(await cluster.ask("POST", kit.PODS, pod, peer=ME)) == expect


WRITES: dict[str, tuple[str, str, Any, str]] = {
    "delete mine": ("DELETE", "mypod", None, ""),
    "delete theirs": (
        "DELETE",
        "otherpod",
        None,
        'node "mynode" can only delete pods with spec.nodeName set to itself',
    ),
    "delete unbound": (
        "DELETE",
        "unboundpod",
        None,
        'node "mynode" can only delete pods with spec.nodeName set to itself',
    ),
    "update mine": (
        "PATCH",
        "mypod",
        {"metadata": {"labels": {"a": "b"}}},
        'unexpected operation "UPDATE", node "mynode" can only create and delete mirror pods',
    ),
    "my status": ("PATCH", "mypod/status", {"status": {"message": "m"}}, ""),
    "their status": (
        "PATCH",
        "otherpod/status",
        {"status": {"message": "m"}},
        'node "mynode" can only update pod status for pods with spec.nodeName set to itself',
    ),
    "status of unbound": (
        "PATCH",
        "unboundpod/status",
        {"status": {"message": "m"}},
        'node "mynode" can only update pod status for pods with spec.nodeName set to itself',
    ),
    "labels by status": (
        "PATCH",
        "mypod/status",
        {"metadata": {"labels": {"a": "b"}}},
        'node "mynode" cannot update labels through pod status',
    ),
    "claims by status": (
        "PATCH",
        "mypod/status",
        {"status": {"resourceClaimStatuses": [{"name": "a", "resourceClaimName": "b"}]}},
        'node "mynode" cannot update resource claim statues',
    ),
    "extended claims by status": (
        "PATCH",
        "mypod/status",
        {"status": {"extendedResourceClaimStatus": {"resourceClaimName": "b", "requestMappings": []}}},
        'node "mynode" cannot update extended resource claim status',
    ),
    "evict mine": ("POST", "mypod/eviction", {"metadata": {"name": "mypod"}}, ""),
    "evict mine, unnamed": ("POST", "mypod/eviction", {}, ""),
    "evict theirs": (
        "POST",
        "otherpod/eviction",
        {"metadata": {"name": "otherpod"}},
        "node mynode can only evict pods with spec.nodeName set to itself",
    ),
    "bind": (
        "POST",
        "unboundpod/binding",
        {"target": {"name": "mynode"}},
        "unexpected pod subresource \"binding\", only 'status' and 'eviction' are allowed",
    ),
    "resize": (
        "PATCH",
        "mypod/resize",
        {"spec": {}},
        "unexpected pod subresource \"resize\", only 'status' and 'eviction' are allowed",
    ),
    "debug": (
        "PATCH",
        "mypod/ephemeralcontainers",
        {"spec": {}},
        "unexpected pod subresource \"ephemeralcontainers\", only 'status' and 'eviction' are allowed",
    ),
}


@pytest.mark.parametrize(("method", "what", "body", "expect"), WRITES.values(), ids=WRITES.keys())
async def test_writes_of_pods(cluster: kit.Api, method, what, body, expect):
    headers = kit.MERGE if method == "PATCH" else {}
    answer = await cluster.ask(method, f"{kit.PODS}/{what}", body, headers=headers, peer=ME)
    assert why(answer) == expect


async def test_evicting_what_is_not_there(cluster: kit.Api):
    gone = await cluster.ask("POST", f"{kit.PODS}/gone/eviction", {"metadata": {"name": "gone"}}, peer=ME)
    assert gone.refusal == (404, "NotFound", 'pod "gone" not found')


# --- nodes ---

ITS_OWN = (
    *("foo", "example.com/foo", "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"),
    *("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"),
    *(
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
    ),
    *("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "kubelet.kubernetes.io/foo"),
    *("foo.kubelet.kubernetes.io/foo", "node.kubernetes.io/foo", "foo.node.kubernetes.io/foo"),
)
NOT_ITS_OWN = (
    *("foo.node-restriction.kubernetes.io/foo", "node-restriction.kubernetes.io/foo"),
    *("node-role.kubernetes.io/control-plane", "other.k8s.io/foo", "other.kubernetes.io/foo"),
)


async def test_labels_of_a_new_node(cluster: kit.Api):
    await cluster.ask("DELETE", f"{NODES}/mynode")
    refused = await cluster.ask("POST", NODES, node("mynode", dict.fromkeys((*ITS_OWN, *NOT_ITS_OWN), "v")), peer=ME)
    names = ", ".join(NOT_ITS_OWN)
    assert why(refused) == f'node "mynode" is not allowed to set the following labels: {names}'
    assert why(await cluster.ask("POST", NODES, node("mynode", dict.fromkeys(ITS_OWN, "v")), peer=ME)) == ""


@pytest.mark.parametrize("part", ["", "/status"])
@pytest.mark.parametrize(("was", "new"), [({}, "v"), ("v", "w"), ("v", None)], ids=["add", "change", "remove"])
async def test_labels_of_a_node(cluster: kit.Api, part, was, new):
    if was:
        old = {"metadata": {"labels": dict.fromkeys((*ITS_OWN, *NOT_ITS_OWN), was)}}
        await cluster.ask("PATCH", f"{NODES}/mynode", old, headers=kit.MERGE)

    async def written(labels):
        wanted = {"metadata": {"labels": dict.fromkeys(labels, new)}}
        return why(await cluster.ask("PATCH", f"{NODES}/mynode{part}", wanted, headers=kit.MERGE, peer=ME))

    assert await written((*ITS_OWN, *NOT_ITS_OWN)) == f"is not allowed to modify labels: {', '.join(NOT_ITS_OWN)}"
    assert await written(ITS_OWN) == ""


TAINT = {"key": "mykey", "value": "A", "effect": "NoSchedule"}
SOURCE = {"configMap": {"namespace": "bar", "name": "foo", "uid": "fooUID", "kubeletConfigKey": "kubelet"}}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}
CHANGES = {
    "taints": ({"spec": {"taints": [TAINT]}}, 'node "mynode" is not allowed to modify taints'),
    "owners": ({"metadata": {"ownerReferences": [OWNER]}}, 'node "mynode" is not allowed to modify ownerReferences'),
    "annotations": ({"metadata": {"annotations": {"a": "b"}}}, ""),
    "configuration": (
        {"spec": {"configSource": SOURCE}},
        'node "mynode" is not allowed to update configSource to a new non-nil configSource',
    ),
}


@pytest.mark.parametrize("part", ["", "/status"])
@pytest.mark.parametrize(("change", "expect"), CHANGES.values(), ids=CHANGES.keys())
async def test_updates_of_a_node(cluster: kit.Api, part, change, expect):
    answer = await cluster.ask("PATCH", f"{NODES}/mynode{part}", change, headers=kit.MERGE, peer=ME)
    assert why(answer) == expect


NEW_NODES = {
    "tainted": (node("mynode", taints=[TAINT]), ""),
    "another": (node("third"), 'node "mynode" is not allowed to modify node "third"'),
    "configured": (
        node("mynode", configSource=SOURCE),
        'node "mynode" is not allowed to create pods with a non-nil configSource',
    ),
}


@pytest.mark.parametrize(("new", "expect"), NEW_NODES.values(), ids=NEW_NODES.keys())
async def test_new_nodes(cluster: kit.Api, new, expect):
    await cluster.ask("DELETE", f"{NODES}/mynode")
    assert why(await cluster.ask("POST", NODES, new, peer=ME)) == expect


@pytest.mark.parametrize("part", ["", "/status"])
async def test_other_nodes(cluster: kit.Api, part):
    change = {"metadata": {"annotations": {"a": "b"}}}
    answer = await cluster.ask("PATCH", f"{NODES}/othernode{part}", change, headers=kit.MERGE, peer=ME)
    assert why(answer) == 'node "mynode" is not allowed to modify node "othernode"'


# --- claims ---

CLAIM: dict[str, Any] = {
    "metadata": {"name": "c"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
GROWTH: dict[str, Any] = {
    "capacity": {"storage": "2Gi"},
    "conditions": [{"type": "FileSystemResizePending", "status": "False"}],
    "allocatedResources": {"storage": "2Gi"},
    "allocatedResourceStatuses": {"storage": "NodeResizeInProgress"},
}


async def test_a_node_tells_that_a_volume_has_grown(cluster: kit.Api):
    await cluster.make(CLAIMS, CLAIM)
    answer = await cluster.ask("PATCH", f"{CLAIMS}/c/status", {"status": GROWTH}, headers=kit.MERGE, peer=ME)
    assert why(answer) == ""
    assert {**answer.body["status"], "conditions": GROWTH["conditions"]} == {"phase": "Pending", **GROWTH}


async def test_nothing_else_of_a_claim_is_a_nodes(cluster: kit.Api):
    await cluster.make(CLAIMS, CLAIM)
    for method, path in (("PATCH", f"{CLAIMS}/c"), ("DELETE", f"{CLAIMS}/c")):
        body = {"metadata": {"labels": {"a": "b"}}} if method == "PATCH" else None
        refused = await cluster.ask(method, path, body, headers=kit.MERGE, peer=ME)
        assert why(refused) == "may only update PVC status"
    refused = await cluster.ask("POST", CLAIMS, {**CLAIM, "metadata": {"name": "d"}}, peer=ME)
    assert why(refused) == "may only update PVC status"


BEYOND = {
    "phase": (
        {"status": {"phase": "Bound"}},
        '@@ -25,7 +25,7 @@\n     "VolumeAttributesClassName": null\n   },\n   "Status": {\n'
        '-    "Phase": "Pending",\n+    "Phase": "Bound",\n'
        '     "AccessModes": null,\n     "Capacity": null,\n     "Conditions": null,\n',
    ),
    "volume": (
        {"spec": {"volumeName": "v"}},
        '@@ -17,7 +17,7 @@\n         "storage": "1Gi"\n       }\n     },\n-    "VolumeName": "",\n+    "VolumeName": "v",\n'
        '     "StorageClassName": null,\n     "VolumeMode": "Filesystem",\n     "DataSource": null,\n',
    ),
    "labels": (
        {"metadata": {"labels": {"b": "1", "a": "2"}}},
        '@@ -3,6 +3,10 @@\n   "namespace": "default",\n   "uid": "UID",\n   "creationTimestamp": "NOW",\n+  "labels": {\n'
        '+    "a": "2",\n+    "b": "1"\n+  },\n   "finalizers": [\n     "kubernetes.io/pvc-protection"\n   ],\n',
    ),
}


@pytest.mark.parametrize(("change", "difference"), BEYOND.values(), ids=BEYOND.keys())
async def test_a_refusal_shows_what_would_change(cluster: kit.Api, change, difference):
    made = (await cluster.make(CLAIMS, CLAIM))["metadata"]
    refused = await cluster.ask("PATCH", f"{CLAIMS}/c/status", change, headers=kit.MERGE, peer=ME)
    text = why(refused).replace(made["uid"], "UID").replace(made["creationTimestamp"], "NOW")
    start = 'node "mynode" is not allowed to update fields other than status.quantity and status.conditions: '
    assert text == start + difference


# --- tokens ---


def token(name="mypod", uid="", audiences=(), **reference):
    bound = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid, **reference}
    return {"spec": {"audiences": list(audiences), "boundObjectRef": bound}}


TOKEN_REQUESTS = {
    "unbound": ({"spec": {"audiences": []}}, "node requested token not bound to a pod"),
    "bound to a secret": (token(kind="Secret"), "node requested token not bound to a pod"),
    "bound to nothing": (token(name=""), "node requested token not bound to a pod"),
    "without uid": (token(), "node requested token with a pod binding without a uid"),
    "of an earlier pod": (
        token(uid="old"),
        "the UID in the bound object reference (old) does not match the UID in record. "
        "The object might have been deleted and then recreated",
    ),
    "for another node": (token("otherpod", "="), "node requested token bound to a pod scheduled on a different node"),
    "two audiences": (token(uid="=", audiences=["a", "b"]), "node may only request 0 or 1 audiences"),
    "for the API": (token(uid="="), ""),
    "for somebody else": (
        token(uid="=", audiences=["vault"]),
        'audience "vault" not found in pod spec volume, '
        "system:node:mynode is not authorized to request tokens for this audience",
    ),
}


@pytest.mark.parametrize(("request_", "expect"), TOKEN_REQUESTS.values(), ids=TOKEN_REQUESTS.keys())
async def test_tokens(cluster: kit.Api, request_, expect):
    asked = copy.deepcopy(request_)
    reference = asked["spec"].get("boundObjectRef") or {}
    if reference.get("uid") == "=":
        reference["uid"] = await uid(cluster, f"{kit.PODS}/{reference['name']}")
    assert why(await cluster.ask("POST", TOKENS, asked, peer=ONLY_ME)) == expect


async def test_a_token_for_a_pod_that_is_gone(cluster: kit.Api):
    refused = await cluster.ask("POST", TOKENS, token("gone", "u"), peer=ME)
    assert refused.refusal == (404, "NotFound", 'pod "gone" not found')


async def with_driver(api: kit.Api, **volumes) -> None:
    """The driver `d` wants tokens for `foo`; the claim `c` is bound to its volume, the claim `old` to one of an old kind."""
    for driver in ("d", "file.csi.azure.com"):
        spec = {"tokenRequests": [{"audience": "foo"}]}
        await api.make("/apis/storage.k8s.io/v1/csidrivers", {"metadata": {"name": driver}, "spec": spec})
    csi = {"csi": {"driver": "d", "volumeHandle": "h"}}
    azure = {"azureFile": {"secretName": "s", "shareName": "x", "secretNamespace": "default"}}
    for claim, volume, source in (("c", "v", csi), ("p-v", "w", csi), ("old", "o", azure)):
        of_volume = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **source}
        await api.make("/api/v1/persistentvolumes", {"metadata": {"name": volume}, "spec": of_volume})
        made = {"metadata": {"name": claim}, "spec": {**CLAIM["spec"], "volumeName": volume}}
        await api.make(CLAIMS, made)


NEEDS = {
    "projected": (projected(serviceAccountToken={"path": "t", "audience": "foo"}), ""),
    "inline driver": (volume(csi={"driver": "d"}), ""),
    "claim of a driver": (volume(persistentVolumeClaim={"claimName": "c"}), ""),
    "ephemeral claim": (volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM["spec"]}}), ""),
    "inline of an old kind": (volume(azureFile={"secretName": "s", "shareName": "x"}), ""),
    "claim of an old kind": (volume(persistentVolumeClaim={"claimName": "old"}), ""),
    "none": (
        volume(emptyDir={}),
        'audience "foo" not found in pod spec volume, '
        "system:node:mynode is not authorized to request tokens for this audience",
    ),
    "unknown driver": (
        volume(csi={"driver": "x"}),
        'error validating audience "foo": csidriver.storage.k8s.io "x" not found',
    ),
    "unknown claim": (
        volume(persistentVolumeClaim={"claimName": "x"}),
        'error validating audience "foo": persistentvolumeclaim "x" not found',
    ),
    "several unknown": (
        {
            "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "x"}},
                {"name": "b", "csi": {"driver": "y"}},
            ]
        },
        'error validating audience "foo": [persistentvolumeclaim "x" not found, csidriver.storage.k8s.io "y" not found]',
    ),
}


@pytest.mark.parametrize(("spec", "expect"), NEEDS.values(), ids=NEEDS.keys())
async def test_audiences_are_those_that_a_pod_has_use_of(cluster: kit.Api, spec, expect):
    await with_driver(cluster)
    made = await cluster.make(kit.PODS, kit.pod("p", nodeName="mynode", **spec))
    asked = token("p", made["metadata"]["uid"], ["foo"])
    assert why(await cluster.ask("POST", TOKENS, asked, peer=ONLY_ME)) == expect


async def test_others_audiences_are_a_right(cluster: kit.Api):
    rule = {"verbs": ["request-serviceaccounts-token-audience"], "apiGroups": [""], "resources": ["vault"]}
    await allow(cluster, {**rule, "resourceNames": ["default"]})
    of_pod = await uid(cluster, f"{kit.PODS}/mypod")
    assert why(await cluster.ask("POST", TOKENS, token(uid=of_pod, audiences=["vault"]), peer=ONLY_ME)) == ""
    assert why(await cluster.ask("POST", TOKENS, token(uid=of_pod, audiences=["else"]), peer=ONLY_ME))


async def allow(api: kit.Api, rule) -> None:
    await api.make(ROLES, {"metadata": {"name": "r"}, "rules": [rule]})
    reference = {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "Group", "name": "system:nodes", "apiGroup": "rbac.authorization.k8s.io"}
    await api.make(BINDINGS, {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]})
    await kit.rules_followed()


# --- what is named after a node, or says its name ---

OTHERS_LEASE = "can only access node lease with the same name as the requesting node"
OTHERS_CSI_NODE = "can only access CSINode with the same name as the requesting node"


async def test_leases(cluster: kit.Api):
    spec = {"holderIdentity": "mynode", "leaseDurationSeconds": 40}
    for name, expect in (("mynode", ""), ("othernode", OTHERS_LEASE)):
        lease = {"metadata": {"name": name}, "spec": spec}
        assert why(await cluster.ask("POST", LEASES, lease, peer=ME)) == expect
        if expect:
            await cluster.make(LEASES, lease)
        change = {"spec": {"leaseDurationSeconds": 41}}
        path = f"{LEASES}/{name}"
        assert why(await cluster.ask("PATCH", path, change, headers=kit.MERGE, peer=ME)) == expect
        assert why(await cluster.ask("DELETE", path, peer=ME)) == expect
    elsewhere = LEASES.replace("kube-node-lease", "default")
    refused = await cluster.ask("POST", elsewhere, {"metadata": {"name": "mynode"}, "spec": spec}, peer=ME)
    assert why(refused) == 'can only access leases in the "kube-node-lease" system namespace'


async def test_csi_nodes(cluster: kit.Api):
    for name, expect in (("mynode", ""), ("othernode", OTHERS_CSI_NODE)):
        made = {"metadata": {"name": name}, "spec": {"drivers": []}}
        assert why(await cluster.ask("POST", CSI_NODES, made, peer=ME)) == expect
        if expect:
            await cluster.make(CSI_NODES, made)
        path = f"{CSI_NODES}/{name}"
        change = {"metadata": {"annotations": {"a": "b"}}}
        assert why(await cluster.ask("PATCH", path, change, headers=kit.MERGE, peer=ME)) == expect
        assert why(await cluster.ask("DELETE", path, peer=ME)) == expect


async def test_resource_slices(cluster: kit.Api):
    can_only = "can only {} ResourceSlice with the same NodeName as the requesting node"
    for name, where, own in (
        ("mine", {"nodeName": "mynode"}, True),
        ("theirs", {"nodeName": "othernode"}, False),
        ("all", {"allNodes": True}, False),
    ):
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        made = {"metadata": {"name": name}, "spec": {"driver": "d.example.com", "pool": pool, "devices": [], **where}}
        assert why(await cluster.ask("POST", SLICES, made, peer=ME)) == ("" if own else can_only.format("create"))
        if not own:
            await cluster.make(SLICES, made)
        refused = await cluster.ask("DELETE", f"{SLICES}/{name}", peer=ME)
        assert why(refused) == ("" if own else can_only.format("delete"))


# --- certificates ---

WRONG_NAME = "can only create a node CSR with CN=system:node:mynode"
SERVING, CLIENT = "kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"
SIGNING = {
    "my client certificate": (CLIENT, "system:node:mynode", ""),
    "another's": (CLIENT, "system:node:othernode", WRONG_NAME),
    "my server's": (SERVING, "system:node:mynode", ""),
    "another's server's": (SERVING, "system:node:othernode", WRONG_NAME),
    "of another signer": ("example.com/other", "anybody", ""),
}


@pytest.mark.parametrize(("signer", "name", "expect"), SIGNING.values(), ids=SIGNING.keys())
async def test_certificates_of_nodes(cluster: kit.Api, signer, name, expect):
    usages = ("digital signature", "server auth" if signer == SERVING else "client auth")
    made = requests.request(requests.pkcs10(name, "system:nodes"), signer=signer, usages=usages)
    answer = await cluster.ask("POST", CSRS, {**made, "metadata": {"name": "r"}}, peer=ME)
    assert why(answer) == expect


async def test_a_request_that_cannot_be_read(cluster: kit.Api):
    made = requests.request("eA==", signer=CLIENT, usages=("digital signature", "client auth"))
    answer = await cluster.ask("POST", CSRS, {**made, "metadata": {"name": "r"}}, peer=ME)
    assert why(answer) == "unable to parse csr: PEM block type must be CERTIFICATE REQUEST"


OF_POD = 'PodCertificateRequest for pod "default/p"'
POD_CERTIFICATES = {
    "mine": ({}, (201, "")),
    "of another node": (
        {"nodeName": "othernode"},
        (403, 'PodCertificateRequest.Spec.NodeName="othernode", which is not the requesting node "mynode"'),
    ),
    "of an earlier Node": (
        {"nodeUID": "x"},
        (500, f'{OF_POD} names node UID "x", inconsistent with the running node ("NODE")'),
    ),
    "of no pod": (
        {"podName": "gone"},
        (500, 'while retrieving pod "default/gone" named in the PodCertificateRequest: pod "gone" not found'),
    ),
    "of an earlier pod": (
        {"podUID": "x"},
        (500, f'{OF_POD} contains pod UID ("x") which differs from running pod "POD"'),
    ),
    "of a pod elsewhere": (
        {"podName": "otherpod", "podUID": "="},
        (403, 'pod "default/otherpod" is not running on node "mynode" named in the PodCertificateRequest'),
    ),
    "of another account": (
        {"serviceAccountName": "else"},
        (403, f'{OF_POD} contains serviceAccountName ("else") that differs from running pod ("default")'),
    ),
    "of an earlier account": (
        {"serviceAccountUID": "x"},
        (500, f'{OF_POD} names service account UID "x", which differs from the running service account ("ACCOUNT")'),
    ),
    "of another signer": (
        {"signerName": "example.com/else"},
        (
            403,
            'signer "example.com/else" not found in pod spec volume, '
            "system:node:mynode is not authorized to request certificates from this signer",
        ),
    ),
}


async def pod_certificate(api: kit.Api, **changes):
    """A request of the pod `p`, and the uids that are in it."""
    wanted = {"signerName": "example.com/s", "keyType": "ED25519", "credentialBundlePath": "b"}
    made = await api.make(kit.PODS, kit.pod("p", nodeName="mynode", **projected(podCertificate=wanted)))
    uids = {
        "NODE": await uid(api, f"{NODES}/mynode"),
        "POD": made["metadata"]["uid"],
        "ACCOUNT": await uid(api, "/api/v1/namespaces/default/serviceaccounts/default"),
    }
    spec = {
        "signerName": "example.com/s", "podName": "p", "podUID": uids["POD"], "serviceAccountName": "default",
        "serviceAccountUID": uids["ACCOUNT"], "nodeName": "mynode", "nodeUID": uids["NODE"],
        "maxExpirationSeconds": 86400, "stubPKCS10Request": "AAAA",
    }  # fmt: skip
    if changes.get("podUID") == "=":
        changes["podUID"] = await uid(api, f"{kit.PODS}/{changes['podName']}")
    return {"metadata": {"name": "r"}, "spec": {**spec, **changes}}, uids


@pytest.mark.parametrize(("changes", "expect"), POD_CERTIFICATES.values(), ids=POD_CERTIFICATES.keys())
async def test_certificates_of_pods(cluster: kit.Api, changes, expect):
    made, uids = await pod_certificate(cluster, **changes)
    create = {"verbs": ["create"], "apiGroups": ["certificates.k8s.io"], "resources": ["podcertificaterequests"]}
    await allow(cluster, create)
    answer = await cluster.ask("POST", CERTIFICATES, made, peer=ONLY_ME)
    told = answer.body.get("message", "").partition(" is forbidden: ")
    text = told[2] or told[0]
    for word, value in uids.items():
        text = text.replace(value, word)
    assert (answer.status, text) == expect


async def test_other_signers_are_a_right(cluster: kit.Api):
    made, _ = await pod_certificate(cluster, signerName="example.com/else")
    group = ["certificates.k8s.io"]
    verbs = ["create", "request-serviceaccounts-podcertificate-signer"]
    resources = ["podcertificaterequests", "example.com:else"]
    await allow(cluster, {"verbs": verbs, "apiGroups": group, "resources": resources})
    assert (await cluster.ask("POST", CERTIFICATES, made, peer=ONLY_ME)).status == 201
