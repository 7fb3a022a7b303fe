"""Service accounts in pods, their issuer, reviews of what may be done."""

import base64
import json

import pytest

from tests.conformance import servers
from tests.conformance.live import Api, Object, Refused, Space, names, pod, wait

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def account(space: Space, name: str, **fields: object) -> None:
    space.create("serviceaccounts", {"metadata": {"name": name}, **fields})


CHOICES = (None, True, False)


@pytest.mark.parametrize("of_account", CHOICES)
@pytest.mark.parametrize("of_pod", CHOICES)
def test_tokens_are_mounted_unless_unwanted(space: Space, of_pod: bool | None, of_account: bool | None) -> None:
    account(space, "mount", **({} if of_account is None else {"automountServiceAccountToken": of_account}))
    choice: Object = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
    found = space.create("pods", pod("p", serviceAccountName="mount", nodeSelector={"no": "node"}, **choice))
    mounts = [one["mountPath"] for one in found["spec"]["containers"][0].get("volumeMounts", [])]
    wanted = of_pod if of_pod is not None else of_account is not False
    assert mounts == ([MOUNT] if wanted else [])


def claims(token: str) -> Object:
    body = token.split(".")[1]
    found: Object = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_what_is_mounted(space: Space) -> None:
    account(space, "mount")
    body = pod("p", serviceAccountName="mount", securityContext={"runAsUser": 1000})
    source = {"serviceAccountToken": {"path": "mine", "audience": "my-audience", "expirationSeconds": 43200}}
    body["spec"]["volumes"] = [{"name": "t", "projected": {"sources": [source]}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "t", "mountPath": "/projected"}]
    space.create("pods", body)
    uid = space.running("p")["metadata"]["uid"]
    token = space.sh("p", f"cat {MOUNT}/token")
    seen = claims(token)
    assert seen["sub"] == f"system:serviceaccount:{space.name}:mount"
    assert seen["kubernetes.io"]["pod"] == {"name": "p", "uid": uid}
    assert space.sh("p", f"cat {MOUNT}/namespace") == space.name
    assert space.sh("p", f"cat {MOUNT}/ca.crt").strip() == space.api.authority.strip()
    other = space.sh("p", "cat /projected/mine")
    assert claims(other)["aud"] == ["my-audience"]
    review = lambda **spec: space.api.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": spec})["status"]  # noqa: E731
    user = review(token=token)["user"]
    assert user["username"] == seen["sub"]
    assert set(user["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{space.name}",
        "system:authenticated",
    }
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    assert not review(token=other).get("authenticated")
    assert review(token=other, audiences=["my-audience"])["authenticated"]


FIND_ISSUER = f"""
import json, ssl, urllib.request
def get(url):
    token = open("{MOUNT}/token").read()
    request = urllib.request.Request(url, headers={{"Authorization": "Bearer " + token}})
    return json.load(urllib.request.urlopen(request, context=ssl.create_default_context(cafile="{MOUNT}/ca.crt")))
root = "https://kubernetes.default.svc"
found = get(root + "/.well-known/openid-configuration")
print(json.dumps({{**found, **get(root + "/openid/v1/jwks")}}))
"""


def test_a_pod_finds_the_issuer(space: Space) -> None:
    """With its own token, by the server's name."""
    servers.netexec(space, "p", http="80=json")
    found = json.loads(space.sh("p", f"/usr/bin/python3 -c '{FIND_ISSUER}'"))
    assert found["issuer"] == claims(space.sh("p", f"cat {MOUNT}/token"))["iss"]
    assert found["keys"]
    binding = space.api.get(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:service-account-issuer-discovery"
    )
    assert binding["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}
    ]
    as_account = Api(
        space.api.kubeconfig,
        **{
            "Impersonate-User": f"system:serviceaccount:{space.name}:default",
            "Impersonate-Group": "system:serviceaccounts",
        },
    )
    assert as_account.get("/openid/v1/jwks")["keys"]
    as_account.close()


def test_life_of_an_account(space: Space) -> None:
    root = space.path("serviceaccounts")
    with space.api.watch(root, labelSelector="test-serviceaccount-static=true") as events:
        space.create("serviceaccounts", {"metadata": {"name": "t", "labels": {"test-serviceaccount-static": "true"}}})
        assert next(events)["type"] == "ADDED"
        space.api.patch(f"{root}/t", {"automountServiceAccountToken": False}, "strategic")
        space.api.change(f"{root}/t", lambda found: found.update(automountServiceAccountToken=True))
        found = space.api.items("/api/v1/serviceaccounts", labelSelector="test-serviceaccount-static=true")
        assert [(one["metadata"]["namespace"], one["automountServiceAccountToken"]) for one in found] == [
            (space.name, True)
        ]
        space.api.delete(root, labelSelector="test-serviceaccount-static=true")
        assert any(event["type"] == "DELETED" for event in events)


def test_reviews_say_what_is_true(space: Space) -> None:
    account(space, "e2e")
    user = f"system:serviceaccount:{space.name}:e2e"
    attributes = {"verb": "list", "resource": "configmaps", "namespace": space.name, "version": "v1"}
    body = {"spec": {"user": user, "resourceAttributes": attributes}}
    local = space.path("authorization.k8s.io/v1/localsubjectaccessreviews")
    everywhere = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    as_account = Api(space.api.kubeconfig, **{"Impersonate-User": user})

    def may() -> bool:
        try:
            as_account.get(space.path("configmaps"))
        except Refused as refused:
            return bool(refused.reason != "Forbidden")
        return True

    def said() -> set[bool]:
        return {
            space.api.create(everywhere, body)["status"]["allowed"],
            space.api.create(local, {"metadata": {"namespace": space.name}, **body})["status"]["allowed"],
        }

    assert (may(), said()) == (False, {False})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subject = {"kind": "ServiceAccount", "name": "e2e", "namespace": space.name}
    space.create(
        "rbac.authorization.k8s.io/v1/rolebindings", {"metadata": {"name": "b"}, "roleRef": role, "subjects": [subject]}
    )
    wait("it may", may)
    assert said() == {True}
    as_account.close()
    assert names(space.items("serviceaccounts")) == {"default", "e2e"}
