"""Upstream's cases of the node authorizer: every resource it knows, with reasons."""

import pytest

from steersman.apiserver import bootstrap_rbac
from steersman.apiserver.attributes import Attributes
from steersman.apiserver.node_authorizer import decide
from steersman.apiserver.node_authorizer.graph import Graph, Thing
from steersman.apiserver.rbac import Grants
from steersman.meta import selectors

CERTIFICATES, RESOURCE, STORAGE = "certificates.k8s.io", "resource.k8s.io", "storage.k8s.io"
YES, NO = (True, ""), (False, "")
UNRELATED = "no relationship found between node 'node0' and this object"


def graph() -> Graph:
    made = Graph()
    for number in (0, 1):
        node = f"node{number}"
        uses = [
            ("secrets", f"secret{number}"), ("configmaps", f"map{number}"), ("serviceaccounts", f"account{number}"),
            ("persistentvolumeclaims", f"pvc{number}"), ("resourceclaims", f"claim{number}"),
            ("secrets", "shared"),
        ]  # fmt: skip
        made.put_pod("ns0", f"pod{number}", node, uses, "m")
        made.put_volume(f"pv{number}", ("ns0", f"pvc{number}"), [("ns0", f"key{number}")])
        made.put_owned(Thing("volumeattachments", "", f"attachment{number}"), node)
        made.put_owned(Thing("resourceslices", "", f"slice{number}"), node)
        made.put_owned(Thing("podcertificaterequests", "ns0", f"pcr{number}"), node)
    return made


STATIC = Grants()
STATIC.add(bootstrap_rbac.NODE_RULES)
GRAPH = graph()


def no(reason: str) -> tuple[bool, str]:
    return False, reason


def ask(
    verb: str, resource: str, name: str = "", *, group: str = "", namespace: str = "ns0", fields: str = ""
) -> Attributes:
    selected = selectors.parse_fields(fields).requirements
    return Attributes(verb, group, "v1", resource, namespace, name, fields=selected)


def check(asked: Attributes, expect: tuple[bool, str], node: str = "node0") -> None:
    assert decide.decide(GRAPH.is_related, STATIC, node, asked) == expect


SINGLE = "can only get individual resources of this type"
READ = "can only read resources of this type"
OBJECTS = {
    "secret": (ask("get", "secrets", "secret0"), YES),
    "secret, list of one": (ask("list", "secrets", "secret0"), YES),
    "secret, watch of one": (ask("watch", "secrets", "secret0"), YES),
    "secret of two": (ask("get", "secrets", "shared"), YES),
    "secret behind a volume": (ask("get", "secrets", "key0"), YES),
    "somebody's secret behind a volume": (ask("get", "secrets", "key1"), no(UNRELATED)),
    "somebody's secret": (ask("get", "secrets", "secret1"), no(UNRELATED)),
    "no secret at all": (ask("get", "secrets", "none"), no(UNRELATED)),
    "all secrets": (ask("list", "secrets"), no("No Object name found")),
    "watch of all secrets": (ask("watch", "secrets"), no("No Object name found")),
    "secrets of the cluster": (
        ask("list", "secrets", namespace=""), no("can only read namespaced object of this type"),
    ),
    "update secret": (ask("update", "secrets", "secret0"), no(READ)),
    "create secret": (ask("create", "secrets"), no(READ)),
    "status of a secret": (ask("get", "secrets/status", "secret0"), no("cannot read subresource")),
    "map": (ask("get", "configmaps", "map0"), YES),
    "map, watch of one": (ask("watch", "configmaps", "map0"), YES),
    "somebody's map": (ask("get", "configmaps", "map1"), no(UNRELATED)),
    "all maps": (ask("list", "configmaps"), no("No Object name found")),
    "delete map": (ask("delete", "configmaps", "map0"), no(READ)),
    "claim": (ask("get", "persistentvolumeclaims", "pvc0"), YES),
    "somebody's claim": (ask("get", "persistentvolumeclaims", "pvc1"), no(UNRELATED)),
    "watch of a claim": (ask("watch", "persistentvolumeclaims", "pvc0"), no(SINGLE)),
    "patch of a claim": (ask("patch", "persistentvolumeclaims", "pvc0"), no(SINGLE)),
    "status of a claim": (ask("patch", "persistentvolumeclaims/status", "pvc0"), YES),
    "somebody's claim's status": (ask("update", "persistentvolumeclaims/status", "pvc1"), no(UNRELATED)),
    "get of a claim's status": (
        ask("get", "persistentvolumeclaims/status", "pvc0"), no("can only get/update/patch this type"),
    ),
    "volume": (ask("get", "persistentvolumes", "pv0", namespace=""), YES),
    "somebody's volume": (ask("get", "persistentvolumes", "pv1", namespace=""), no(UNRELATED)),
    "all volumes": (ask("list", "persistentvolumes", namespace=""), no(SINGLE)),
    "patch of a volume": (ask("patch", "persistentvolumes", "pv0", namespace=""), no(SINGLE)),
    "volume's status": (ask("get", "persistentvolumes/status", "pv0", namespace=""), no("cannot get subresource")),
    "attachment": (ask("get", "volumeattachments", "attachment0", group=STORAGE, namespace=""), YES),
    "somebody's attachment": (
        ask("get", "volumeattachments", "attachment1", group=STORAGE, namespace=""), no(UNRELATED),
    ),
    "resource claim": (ask("get", "resourceclaims", "claim0", group=RESOURCE), YES),
    "somebody's resource claim": (ask("get", "resourceclaims", "claim1", group=RESOURCE), no(UNRELATED)),
    "all resource claims": (ask("list", "resourceclaims", group=RESOURCE), no(SINGLE)),
    "account": (ask("get", "serviceaccounts", "account0"), YES),
    "somebody's account": (ask("get", "serviceaccounts", "account1"), no(UNRELATED)),
    "all accounts": (ask("list", "serviceaccounts"), no("can only create tokens for individual service accounts")),
    "token": (ask("create", "serviceaccounts/token", "account0"), YES),
    "somebody's token": (ask("create", "serviceaccounts/token", "account1"), no(UNRELATED)),
    "nobody's token": (
        ask("create", "serviceaccounts/token"), no("can only create tokens for individual service accounts"),
    ),
    "new account": (
        ask("create", "serviceaccounts", "account0"), no("can only create token subresource of serviceaccount"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "expect"), OBJECTS.values(), ids=OBJECTS.keys())
def test_what_pods_need(asked, expect):
    check(asked, expect)


def lease(verb: str, name: str = "", namespace: str = "kube-node-lease") -> Attributes:
    return ask(verb, "leases", name, group="coordination.k8s.io", namespace=namespace)


def csi_node(verb: str, name: str = "", resource: str = "csinodes") -> Attributes:
    return ask(verb, resource, name, group=STORAGE, namespace="")


def resource_slice(verb: str, name: str = "", fields: str = "", resource: str = "resourceslices") -> Attributes:
    return ask(verb, resource, name, group=RESOURCE, namespace="", fields=fields)


def request(verb: str, name: str = "", fields: str = "", resource: str = "podcertificaterequests") -> Attributes:
    return ask(verb, resource, name, group=CERTIFICATES, fields=fields)


LEASE_VERBS = no("can only get, create, update, patch, or delete a node lease")
LEASE_NAME = no("can only access node lease with the same name as the requesting node")
CSI_NAME = no("can only access CSINode with the same name as the requesting node")
SLICES = no("can only list/watch/deletecollection resourceslices with nodeName field selector")
REQUESTS = no("can only list/watch podcertificaterequests with nodeName field selector")
OF_NODES = {
    **{f"{verb} lease": (lease(verb, "node0"), YES) for verb in ("get", "update", "patch", "delete")},
    **{f"{verb} somebody's lease": (lease(verb, "node1"), LEASE_NAME) for verb in ("get", "update", "patch", "delete")},
    "create lease": (lease("create"), YES),
    "list leases": (lease("list"), LEASE_VERBS),
    "watch lease": (lease("watch", "node0"), LEASE_VERBS),
    "lease elsewhere": (
        lease("get", "node0", "foo"), no('can only access leases in the "kube-node-lease" system namespace'),
    ),
    **{f"{verb} CSINode": (csi_node(verb, "node0"), YES) for verb in ("get", "update", "patch", "delete")},
    **{f"{verb} somebody's CSINode": (csi_node(verb, "node1"), CSI_NAME) for verb in ("get", "update", "patch", "delete")},
    "create CSINode": (csi_node("create"), YES),
    "list CSINodes": (csi_node("list"), no("can only get, create, update, patch, or delete a CSINode")),
    "CSINode subresource": (csi_node("get", "node0", "csinodes/csidrivers"), no("cannot authorize CSINode subresources")),
    **{f"{verb} slice": (resource_slice(verb, "slice0"), YES) for verb in ("get", "update", "patch", "delete")},
    **{
        f"{verb} somebody's slice": (resource_slice(verb, "slice1"), no(UNRELATED))
        for verb in ("get", "update", "patch", "delete")
    },
    "create slice": (resource_slice("create"), YES),
    **{
        f"{verb} slices": (resource_slice(verb, fields="spec.nodeName=node0"), YES)
        for verb in ("list", "watch", "deletecollection")
    },
    **{f"{verb} all slices": (resource_slice(verb), SLICES) for verb in ("list", "watch", "deletecollection")},
    "somebody's slices": (resource_slice("list", fields="spec.nodeName=node1"), SLICES),
    "all other slices": (resource_slice("list", fields="spec.nodeName!=node0"), SLICES),
    "escalate slice": (
        resource_slice("escalate", "slice0"),
        no(
            "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, "
            "delete, deletecollection"
        ),
    ),
    "slice's status": (
        resource_slice("get", "slice0", resource="resourceslices/status"),
        no("cannot authorize ResourceSlice subresources"),
    ),
    "create request": (request("create"), YES),
    "get request": (request("get", "pcr0"), YES),
    "get somebody's request": (request("get", "pcr1"), no(UNRELATED)),
    "watch requests": (request("watch", fields="spec.nodeName=node0"), YES),
    "watch all requests": (request("watch"), REQUESTS),
    "delete request": (request("delete", "pcr0"), no("nodes may not delete podcertificaterequests")),
    "request's status": (
        request("get", "pcr0", resource="podcertificaterequests/status"),
        no("nodes may not access the status subresource of PodCertificateRequests"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "expect"), OF_NODES.values(), ids=OF_NODES.keys())
def test_what_nodes_have_of_their_own(asked, expect):
    check(asked, expect)


def own(verb: str, name: str = "", resource: str = "nodes") -> Attributes:
    return ask(verb, resource, name, namespace="")


PODS = no("can only list/watch pods with spec.nodeName field selector")
NODES_AND_PODS = {
    **{f"{verb} itself": (own(verb, "node0"), YES) for verb in ("get", "list", "watch", "update", "patch")},
    "get before it is there": (own("get", "node0"), YES),
    "create": (own("create"), YES),
    "get another": (own("get", "node1"), no("node 'node0' cannot read 'node1', only its own Node object")),
    "watch another": (own("watch", "node1"), no("node 'node0' cannot read 'node1', only its own Node object")),
    "list": (own("list"), no("node 'node0' cannot read all nodes, only its own Node object")),
    "delete": (own("delete", "node0"), NO),
    "status": (own("patch", "node0", "nodes/status"), YES),
    "get status": (own("get", "node0", "nodes/status"), NO),
    "proxy": (own("get", "node0", "nodes/proxy"), NO),
    "pod": (ask("get", "pods", "pod0"), YES),
    "somebody's pod": (ask("get", "pods", "pod1"), no(UNRELATED)),
    "pods": (ask("list", "pods", namespace="", fields="spec.nodeName=node0"), YES),
    "pods that have not ended": (ask("watch", "pods", namespace="", fields="spec.nodeName==node0,status.phase!=x"), YES),
    "somebody's pods": (ask("list", "pods", namespace="", fields="spec.nodeName=node1"), PODS),
    "all pods": (ask("watch", "pods", namespace=""), PODS),
    "one pod": (ask("watch", "pods", "pod0"), YES),
    "one pod of somebody": (ask("list", "pods", "pod1"), no(UNRELATED)),
    "create pod": (ask("create", "pods"), YES),
    "delete pod": (ask("delete", "pods", "pod1"), YES),
    "update pod": (ask("update", "pods", "pod0"), NO),
    "delete pods": (ask("deletecollection", "pods", fields="spec.nodeName=node0"), NO),
    "pod's status": (ask("patch", "pods/status", "pod0"), YES),
    "get pod's status": (ask("get", "pods/status", "pod0"), NO),
    "evict": (ask("create", "pods/eviction", "pod0"), YES),
    "exec": (ask("create", "pods/exec", "pod0"), NO),
    "bind": (ask("create", "pods/binding", "pod0"), NO),
    "log": (ask("get", "pods/log", "pod0"), NO),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "expect"), NODES_AND_PODS.values(), ids=NODES_AND_PODS.keys())
def test_nodes_and_pods(asked, expect):
    check(asked, expect)


EVERY_NODE = {
    "services": (ask("watch", "services", namespace=""), YES),
    "write services": (ask("update", "services", "s"), NO),
    "events": (ask("create", "events"), YES),
    "drivers": (ask("list", "csidrivers", group=STORAGE, namespace=""), YES),
    "runtime classes": (ask("get", "runtimeclasses", "r", group="node.k8s.io", namespace=""), YES),
    "trust bundles": (ask("list", "clustertrustbundles", group=CERTIFICATES, namespace=""), YES),
    "who is that": (ask("create", "tokenreviews", group="authentication.k8s.io", namespace=""), YES),
    "roles": (ask("list", "roles", group="rbac.authorization.k8s.io"), NO),
    "namespaces": (ask("list", "namespaces", namespace=""), NO),
    "a path": (Attributes("get", path="/metrics"), NO),
}


@pytest.mark.parametrize(("asked", "expect"), EVERY_NODE.values(), ids=EVERY_NODE.keys())
def test_what_every_node_may(asked, expect):
    check(asked, expect)


def test_a_node_without_a_name():
    check(ask("get", "secrets", "secret0"), no('unknown node for user "system:node:"'), node="")


def test_a_node_that_nobody_knows():
    reason = "no relationship found between node 'node9' and this object"
    check(ask("get", "secrets", "secret0"), no(reason), node="node9")
