"""What a machine that knows nothing but a token may see and do: kubeadm's discovery."""

import base64

import pytest
import yaml

from steersman.apiserver import joining
from tests.apiserver import kit

INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def api(store=None):
    told = joining.ClusterInfo("https://10.0.0.1:6443", b"PEM")
    return kit.Api(cluster_info=told, **({"store": store} if store else {}))


async def make_token(served, **fields):
    said = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    said |= {key.replace("_", "-"): value for key, value in fields.items()}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in said.items()}
    secret = {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "data": encoded}
    await served.make("/api/v1/namespaces/kube-system/secrets", secret)


def shown(token="abcdef.0123456789abcdef"):
    return {"headers": {"authorization": f"Bearer {token}"}, "peer": kit.NOBODY}


async def test_everybody_may_read_who_the_cluster_is():
    async with api() as served:
        found = await served.ask("GET", INFO, peer=kit.NOBODY)
        [cluster] = yaml.safe_load(found.body["data"]["kubeconfig"])["clusters"]
        authority = base64.b64encode(b"PEM").decode()
        assert cluster == {
            "name": "",
            "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": authority},
        }
        assert (await served.ask("GET", INFO.removesuffix("/cluster-info"), peer=kit.NOBODY)).status == 403
        assert (await served.ask("GET", INFO.replace("cluster-info", "other"), peer=kit.NOBODY)).status == 403


async def test_signatures_stay_at_the_next_start():
    first = api()
    async with first as served:
        body = {"data": {"jws-kubeconfig-abcdef": "x"}}
        await served.ask("PATCH", INFO, body, headers=kit.MERGE)
        before = first.store.revision
        async with api(first.store) as later:
            assert (await later.ask("GET", INFO)).body["data"]["jws-kubeconfig-abcdef"] == "x"
            assert first.store.revision == before


async def test_a_token_may_ask_for_a_kubelets_certificate_and_no_more():
    async with api() as served:
        await make_token(served, auth_extra_groups=joining.JOINING)
        me = (await served.ask("POST", SELF, {}, **shown())).body["status"]["userInfo"]
        assert me["groups"] == ["system:bootstrappers", joining.JOINING, "system:authenticated"]
        requests = {"group": "certificates.k8s.io", "resource": "certificatesigningrequests", "verb": "create"}
        asked = [requests, {**requests, "subresource": "nodeclient"}, {**requests, "subresource": "selfnodeclient"}]
        asked.append({"resource": "nodes", "verb": "get", "name": "n1"})
        answers = [
            (await served.ask("POST", REVIEWS, {"spec": {"resourceAttributes": one}}, **shown())).body["status"]
            for one in asked
        ]
        assert [one["allowed"] for one in answers] == [True, True, False, True]


REFUSED = {
    "nobody's group": {"auth_extra_groups": "system:masters"},
    "one good group, one of others": {"auth_extra_groups": f"{joining.JOINING},system:nodes"},
    "a list with a hole": {"auth_extra_groups": f"{joining.JOINING},"},
    "expired": {"expiration": "2020-01-01T00:00:00Z"},
    "ends nobody knows when": {"expiration": "soon"},
    "for signing only": {"usage_bootstrap_authentication": "false"},
    "of another id": {"token_id": "fedcba"},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
async def test_tokens_that_are_refused(fields):
    async with api() as served:
        await make_token(served, **fields)
        assert (await served.ask("POST", SELF, {}, **shown())).status == 401


async def test_a_token_of_another_form_is_none():
    async with api() as served:
        await make_token(served, token_secret="short")
        assert (await served.ask("POST", SELF, {}, **shown("abcdef.short"))).status == 401
