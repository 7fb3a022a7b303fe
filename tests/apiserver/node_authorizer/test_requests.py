"""What nodes get from the API server: upstream's test/e2e/auth/node_authz.go, and what follows from pods that come and go."""

from typing import Any

from steersman.api import kinds
from steersman.apiserver.attributes import Attributes
from steersman.apiserver.node_authorizer.authorizer import NodeAuthorizer
from steersman.meta.objects import Object
from steersman.serving.messages import Peer
from tests.apiserver import kit

SECRETS = "/api/v1/namespaces/default/secrets"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
REVIEWS = "/apis/authorization.k8s.io/v1"
NODES = "/api/v1/nodes"


def node(number: int) -> Peer:
    return Peer("127.0.0.1", f"system:node:node{number}", ("system:nodes",))


NODE1, NODE2 = node(1), node(2)
UNRELATED = (
    'secrets "s" is forbidden: User "system:node:node1" cannot get resource "secrets" in API group "" in the namespace '
    "\"default\": no relationship found between node 'node1' and this object"
)


def secret(name: str = "s") -> Object:
    return {"metadata": {"name": name}, "stringData": {"key": "keep it secret"}}


def pod_with(number: int, name: str = "p", **source: Any) -> Object:
    volumes = [{"name": "v", **source}]
    return kit.pod(name, nodeName=f"node{number}", volumes=volumes, automountServiceAccountToken=False)


SECRET_VOLUME: dict[str, Any] = {"secret": {"secretName": "s"}}


async def statuses(api: kit.Api, path: str, query: str = "") -> tuple[int, int]:
    """For node1 and node2."""
    answers = [await api.ask("GET", path, query=query, peer=peer) for peer in (NODE1, NODE2)]
    return answers[0].status, answers[1].status


async def test_what_is_not_there_is_forbidden_and_not_unknown(api: kit.Api):
    assert (await api.ask("GET", f"{SECRETS}/s", peer=NODE1)).refusal == (403, "Forbidden", UNRELATED)
    assert (await api.ask("GET", f"{kit.MAPS}/s", peer=NODE1)).status == 403


async def test_a_secret_is_for_the_node_of_its_pod_as_long_as_that_is_there(api: kit.Api):
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    await api.make(kit.MAPS, kit.config_map("c"))
    assert await statuses(api, f"{SECRETS}/s") == (403, 403)
    await api.make(kit.PODS, pod_with(1, **SECRET_VOLUME))
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (200, 403)
    assert await statuses(api, SECRETS, "fieldSelector=metadata.name%3Ds") == (200, 403)
    assert await statuses(api, SECRETS) == (403, 403)
    assert await statuses(api, f"{kit.MAPS}/c") == (403, 403)
    await api.ask("DELETE", f"{kit.PODS}/p", {"gracePeriodSeconds": 0})
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (403, 403)


async def test_from_the_moment_that_it_is_bound(api: kit.Api):
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    pod = pod_with(1, **SECRET_VOLUME)
    del pod["spec"]["nodeName"]
    await api.make(kit.PODS, pod)
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (403, 403)
    await api.make(f"{kit.PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "node2"}})
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (403, 200)


async def test_a_container_that_comes_later_brings_its_secrets(api: kit.Api):
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    await api.make(kit.PODS, pod_with(1, emptyDir={}))
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (403, 403)
    debugger = {"name": "d", "image": "localhost/hello:1", "envFrom": [{"secretRef": {"name": "s"}}]}
    body = {"spec": {"ephemeralContainers": [debugger]}}
    await api.ask("PATCH", f"{kit.PODS}/p/ephemeralcontainers", body, headers=kit.STRATEGIC)
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (200, 403)


async def test_a_volume_and_its_secret_by_way_of_the_claim(api: kit.Api):
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    source = {"driver": "d", "volumeHandle": "h", "nodeStageSecretRef": {"name": "s", "namespace": "default"}}
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    await api.make(CLAIMS, {"metadata": {"name": "c"}, "spec": {**asked, "volumeName": "v"}})
    reference = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "c"}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "csi": source, "claimRef": reference}
    await api.make("/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})
    await api.make(kit.PODS, pod_with(2, persistentVolumeClaim={"claimName": "c"}))
    await kit.rules_followed()
    for path in (f"{CLAIMS}/c", "/api/v1/persistentvolumes/v", f"{SECRETS}/s"):
        assert await statuses(api, path) == (403, 200), path
    assert await statuses(api, "/api/v1/persistentvolumes") == (403, 403)
    patched = await api.ask("PATCH", "/api/v1/persistentvolumes/v", {}, headers=kit.MERGE, peer=NODE2)
    assert patched.status == 403


async def test_nodes_see_themselves_and_their_pods(api: kit.Api):
    await kit.with_account(api)
    for number in (1, 2):
        await api.make(NODES, {"metadata": {"name": f"node{number}"}})
    await api.make(kit.PODS, pod_with(1, emptyDir={}))
    await kit.rules_followed()
    assert await statuses(api, f"{NODES}/node1") == (200, 403)
    assert await statuses(api, NODES, "fieldSelector=metadata.name%3Dnode1") == (200, 403)
    assert await statuses(api, NODES) == (403, 403)
    assert await statuses(api, f"{kit.PODS}/p") == (200, 403)
    assert await statuses(api, "/api/v1/pods", "fieldSelector=spec.nodeName%3Dnode1") == (200, 403)
    assert await statuses(api, "/api/v1/pods") == (403, 403)
    assert (await api.ask("DELETE", f"{NODES}/node2", peer=NODE1)).status == 403


async def test_tokens_are_for_accounts_of_pods(api: kit.Api):
    await kit.with_account(api)
    pod = await api.make(kit.PODS, pod_with(1, projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}))
    await kit.rules_followed()
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]}
    path, body = "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"boundObjectRef": reference}}
    assert (await api.ask("POST", path, body, peer=NODE1)).status == 201
    assert (await api.ask("POST", path, body, peer=NODE2)).status == 403


async def test_whoever_acts_as_a_node_may_no_more(api: kit.Api):
    acting = {"impersonate-user": "system:node:node1", "impersonate-group": "system:nodes"}
    assert (await api.ask("GET", f"{SECRETS}/s", headers=acting)).body["message"] == UNRELATED


async def test_a_name_without_the_group_is_no_node(api: kit.Api):
    alone = Peer("127.0.0.1", "system:node:node1")
    assert (await api.ask("GET", f"{NODES}/node1", peer=alone)).body["message"] == (
        'nodes "node1" is forbidden: User "system:node:node1" cannot get resource "nodes" in API group "" '
        "at the cluster scope"
    )


async def test_reviews_answer_as_requests_do(api: kit.Api):
    def asked(**resource: object) -> Object:
        return {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods", **resource}}}

    own = {"fieldSelector": {"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["node1"]}]}}
    of_node = {"user": "system:node:node1", "groups": ["system:nodes"]}
    for resource, expect in (
        (own, {"allowed": True}),
        ({}, {"allowed": False, "reason": "can only list/watch pods with spec.nodeName field selector"}),
    ):
        body = asked(**resource)
        body["spec"] |= of_node
        answer = await api.ask("POST", f"{REVIEWS}/subjectaccessreviews", body)
        assert answer.body["status"] == expect


async def test_the_rights_of_a_node_are_no_list(api: kit.Api):
    peer = Peer("127.0.0.1", "system:node:node1", ("system:nodes", "system:authenticated"))
    body = {"spec": {"namespace": "default"}}
    answer = await api.ask("POST", f"{REVIEWS}/selfsubjectrulesreviews", body, peer=peer)
    status = answer.body["status"]
    assert status["incomplete"] is True
    assert status["evaluationError"] == "node authorizer does not support user rule resolution"


async def test_a_rule_may_give_a_node_more(api: kit.Api):
    await api.make(SECRETS, secret())
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}
    await api.make(f"{rbac}/clusterroles", {"metadata": {"name": "r"}, "rules": [rule]})
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:nodes"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
    binding = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [group]}
    await api.make(f"{rbac}/clusterrolebindings", binding)
    await kit.rules_followed()
    assert await statuses(api, f"{SECRETS}/s") == (200, 200)


async def test_a_later_server_knows_what_is_there(api: kit.Api):
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    await api.make(kit.PODS, pod_with(1, **SECRET_VOLUME))
    async with kit.Api(store=api.store.fork()) as later:
        assert await statuses(later, f"{SECRETS}/s") == (200, 403)


async def test_what_changed_while_nobody_looked_is_seen_when_it_is_listed_again(api: kit.Api):
    """After a gap in the watch: what is gone is forgotten, what is new is there."""
    await kit.with_account(api)
    await api.make(SECRETS, secret())
    await api.make(kit.PODS, pod_with(1, **SECRET_VOLUME))
    deaf = NodeAuthorizer(api.store, api.server.objects)
    await deaf.start()
    asked = Attributes("get", "", "v1", "secrets", "default", "s")
    assert deaf.decide("node1", asked).allowed
    await api.ask("DELETE", f"{kit.PODS}/p", {"gracePeriodSeconds": 0})
    await api.make(kit.PODS, pod_with(2, "q", **SECRET_VOLUME))
    assert deaf.decide("node1", asked).allowed
    await deaf.list_again(kinds.POD)
    assert [deaf.decide(f"node{number}", asked).allowed for number in (1, 2)] == [False, True]
