"""CertificateSigningRequests: who asked, who approves, who signs."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from steersman.api import certificate_requests
from steersman.serving.messages import Peer
from tests.apiserver import kit
from tests.apiserver.kit import MERGE
from tests.controllers.certificates import requests

PLACE = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


async def asked(api: kit.Api, encoded: str = "", **spec):
    made = requests.request(encoded, **spec)
    made["metadata"] = {"name": "r"}
    return await api.ask("POST", PLACE, made)


def told(kind, **more):
    return {"status": {"conditions": [{"type": kind, "status": "True", "reason": "x", **more}]}}


async def test_who_asks_is_known(api: kit.Api):
    made = (await asked(api, username="somebody", groups=["else"], uid="1")).body
    assert (made["spec"]["username"], made["spec"]["groups"]) == ("admin", ["system:masters", "system:authenticated"])
    assert "uid" not in made["spec"]
    changed = await api.ask("PATCH", f"{PLACE}/r", {"spec": {"username": "else"}}, headers=MERGE)
    assert changed.body["spec"]["username"] == "admin"


async def test_nobody_becomes_a_master(api: kit.Api):
    refused = await asked(api, requests.pkcs10("me", "system:masters"))
    assert refused.refusal == (
        403,
        "Forbidden",
        'certificatesigningrequests.certificates.k8s.io "r" is forbidden: '
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    )


def forged():
    """Another signature than that of the key it is for."""
    found = x509.load_pem_x509_csr(base64.b64decode(requests.pkcs10()))
    whole = bytearray(found.public_bytes(serialization.Encoding.DER))
    whole[-1] ^= 1
    changed = x509.load_der_x509_csr(bytes(whole)).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(changed).decode()


WRONG = {
    "signature": ({"encoded": forged()}, ": x509: ECDSA verification failure"),
    "request": ({"encoded": "eA=="}, 'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST'),
    "usages": ({"usages": ()}, "spec.usages: Required value"),
    "legacy": (
        {"signer": certificate_requests.LEGACY},
        "the legacy signerName is not allowed via this API version",
    ),
    "expiration": ({"expirationSeconds": 5}, "may not specify a duration less than 600 seconds (10 minutes)"),
}


@pytest.mark.parametrize(("spec", "why"), WRONG.values(), ids=WRONG.keys())
async def test_validation(api: kit.Api, spec, why):
    refused = await asked(api, **spec)
    assert refused.status == 422
    assert why in refused.body["message"]


async def test_approval(api: kit.Api):
    await asked(api)
    approved = await api.ask("PATCH", f"{PLACE}/r/approval", told("Approved"), headers=MERGE)
    assert approved.status == 200
    [condition] = approved.body["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"]
    assert (await api.ask("GET", f"{PLACE}/r/approval")).body["status"] == approved.body["status"]
    undone = await api.ask("PATCH", f"{PLACE}/r/approval", {"status": {"conditions": []}}, headers=MERGE)
    assert undone.status == 422
    assert 'updates may not remove a condition of type "Approved"' in undone.body["message"]
    both = {"status": {"conditions": [condition, told("Denied")["status"]["conditions"][0]]}}
    refused = await api.ask("PATCH", f"{PLACE}/r/approval", both, headers=MERGE)
    assert "Approved and Denied conditions are mutually exclusive" in refused.body["message"]


async def test_the_status_is_for_signers(api: kit.Api):
    await asked(api)
    refused = await api.ask("PATCH", f"{PLACE}/r/status", told("Approved"), headers=MERGE)
    assert 'updates may not add a condition of type "Approved"' in refused.body["message"]
    authority, _ = requests.authority()
    certificate = base64.b64encode(authority).decode()
    nonsense = await api.ask("PATCH", f"{PLACE}/r/status", {"status": {"certificate": "eA=="}}, headers=MERGE)
    assert nonsense.status == 422
    signed = await api.ask("PATCH", f"{PLACE}/r/status", {"status": {"certificate": certificate}}, headers=MERGE)
    assert signed.body["status"]["certificate"] == certificate
    again = await api.ask("PATCH", f"{PLACE}/r/status", {"status": {"certificate": None}}, headers=MERGE)
    assert "updates may not modify existing certificate content" in again.body["message"]


async def test_approving_and_signing_are_rights_of_their_own(api: kit.Api):
    await asked(api)
    group = ["certificates.k8s.io"]
    parts = ["certificatesigningrequests/approval", "certificatesigningrequests/status"]
    may_write = {"verbs": ["*"], "apiGroups": group, "resources": parts}
    may_approve = {
        "verbs": ["approve"],
        "apiGroups": group,
        "resources": ["signers"],
        "resourceNames": ["kubernetes.io/*"],
    }
    for name, rules in (("bob", [may_write]), ("carol", [may_write, may_approve])):
        await api.make(ROLES, {"metadata": {"name": name}, "rules": rules})
        reference = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        await api.make(BINDINGS, {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})

    await kit.rules_followed()

    async def write(part, kind, peer):
        return await api.ask("PATCH", f"{PLACE}/r/{part}", told(kind), headers=MERGE, peer=peer)

    carol = Peer("127.0.0.1", "carol")
    refused = await write("approval", "Approved", kit.BOB)
    assert refused.status == 403
    signer = certificate_requests.CLIENT
    assert refused.body["message"].endswith(f'user not permitted to approve requests with signerName "{signer}"')
    assert (await write("approval", "Approved", carol)).status == 200
    refused = await write("status", "Failed", carol)
    assert refused.body["message"].endswith(f'user not permitted to sign requests with signerName "{signer}"')
