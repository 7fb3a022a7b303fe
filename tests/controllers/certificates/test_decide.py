"""Who is approved, what is signed, and when a request goes."""

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from steersman import controllers
from steersman.api import certificate_requests, kinds
from steersman.controllers.csr_approving import decide as approving
from steersman.controllers.csr_cleaner import decide as cleaning
from steersman.controllers.csr_signing import decide as signing
from steersman.controllers.csr_signing.signing import Signer
from steersman.meta import conditions
from tests.controllers import paper, shapes
from tests.controllers.certificates import requests

SERVING = certificate_requests.KUBELET_SERVING
SERVING_USAGES = ("digital signature", "server auth")
NODE = ("system:node:n", "system:nodes")


def of(encoded, signer, usages):
    return certificate_requests.refusal(signer, certificate_requests.parse(encoded), usages)


REFUSALS = {
    "client": (requests.pkcs10("a", "b"), certificate_requests.CLIENT, requests.CLIENT_USAGES, ""),
    "client that serves": (
        requests.pkcs10(), certificate_requests.CLIENT, SERVING_USAGES,
        "usages did not match [client auth digital signature key encipherment]",
    ),
    "kubelet": (requests.pkcs10(*NODE), certificate_requests.KUBELET_CLIENT, requests.CLIENT_USAGES, ""),
    "kubelet of no group": (
        requests.pkcs10("system:node:n"), certificate_requests.KUBELET_CLIENT, requests.CLIENT_USAGES,
        "subject organization is not system:nodes",
    ),
    "kubelet of another name": (
        requests.pkcs10("n", "system:nodes"), certificate_requests.KUBELET_CLIENT, requests.CLIENT_USAGES,
        "subject common name does not begin with system:node:",
    ),
    "kubelet with names": (
        requests.pkcs10(*NODE, dns=("n",)), certificate_requests.KUBELET_CLIENT, requests.CLIENT_USAGES,
        "DNS subjectAltNames are not allowed",
    ),
    "serving": (requests.pkcs10(*NODE, addresses=("10.0.0.1",)), SERVING, (*SERVING_USAGES, "key encipherment"), ""),
    "serving without names": (requests.pkcs10(*NODE), SERVING, SERVING_USAGES, "DNS or IP subjectAltName is required"),
    "another signer": (requests.pkcs10(), "example.com/signer", SERVING_USAGES, None),
}  # fmt: skip


@pytest.mark.parametrize(("encoded", "signer", "usages", "expect"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_signers_give(encoded, signer, usages, expect):
    assert of(encoded, signer, usages) == expect


def test_kubelets_are_recognized():
    assert approving.recognized(requests.node_request(username="system:node:n")) == [approving.SELF, approving.OTHER]
    assert approving.recognized(requests.node_request(username="somebody")) == [approving.OTHER]
    assert approving.recognized(requests.request()) == []
    assert approving.recognized(requests.told(requests.node_request(), "Denied")) == []


def test_who_has_the_right_is_approved():
    found = requests.node_request()
    [action] = approving.decide(approving.Seen(found, approving.OTHER)).actions
    approved: Any = action
    assert approved.subresource == "approval"
    [condition] = approved.obj["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Approved", "AutoApproved")
    assert approving.decide(approving.Seen(approved.obj, approving.OTHER)).actions == ()
    assert approving.decide(approving.Seen(found, None)).actions == ()


def signed(found, certificate="PEM") -> Any:
    """The status that is written, or None."""
    actions: Any = signing.decide(signing.Seen(found, certificate, shapes.NOW)).actions
    return actions[0].obj["status"] if actions else None


def test_only_what_is_approved_is_signed():
    found = requests.request()
    assert signed(found) is None
    assert signed(requests.told(found, "Approved", "Failed")) is None
    assert signed(requests.told(requests.request(signer="example.com/other"), "Approved")) is None
    approved = requests.told(found, "Approved")
    status = signed(approved)
    assert status["certificate"] == "PEM"
    assert signed({**approved, "status": status}) is None


def test_what_no_signer_gives_has_failed():
    status = signed(requests.told(requests.request(usages=SERVING_USAGES), "Approved"))
    condition = status["conditions"][-1]
    assert (condition["type"], condition["reason"]) == ("Failed", "SignerValidationFailure")
    assert "certificate" not in status


@pytest.mark.parametrize(("asked", "given"), [(None, 31536000), (700, 700), (1, 600), (1 << 30, 31536000)])
def test_how_long_it_is_good(asked, given):
    more = {} if asked is None else {"expirationSeconds": asked}
    assert signing.seconds(requests.request(**more)) == given


def test_the_certificate_is_what_was_asked_for():
    authority, key = requests.authority()
    found = requests.request(
        requests.pkcs10(*NODE, dns=("n.example.com",), addresses=("10.0.0.1",)), SERVING, SERVING_USAGES,
        expirationSeconds=3600,
    )  # fmt: skip
    made = x509.load_pem_x509_certificate(base64.b64decode(Signer(authority, key).sign(found, shapes.NOW)))
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert made.subject.rfc4514_string() == "CN=system:node:n,O=system:nodes"
    assert made.not_valid_after_utc == shapes.NOW + datetime.timedelta(hours=1)
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n.example.com"]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_that_is_only_to_log_in_may_do_no_less():
    authority, key = requests.authority()
    found = requests.request(usages=("client auth",))
    made = x509.load_pem_x509_certificate(base64.b64decode(Signer(authority, key).sign(found, shapes.NOW)))
    with pytest.raises(x509.ExtensionNotFound):
        made.extensions.get_extension_for_class(x509.KeyUsage)


def issued():
    authority, _ = requests.authority()
    return base64.b64encode(authority).decode()


GONE = {
    "fresh": (requests.request(), 0, False),
    "pending for a day": (requests.request(), 23.5, True),
    "approved": (requests.told(requests.request(), "Approved"), 0.5, False),
    "approved and forgotten": (requests.told(requests.request(), "Approved"), 1.5, True),
    "denied long ago": (requests.told(requests.request(), "Denied"), 1.5, True),
    "failed long ago": (requests.told(requests.request(), "Approved", "Failed"), 1.5, True),
    "expired": ({**requests.request(), "status": {"certificate": issued()}}, 24 * 366 * 15, True),
    "issued": ({**requests.request(), "status": {"certificate": issued()}}, 24, False),
}


@pytest.mark.parametrize(("found", "hours", "goes"), GONE.values(), ids=GONE.keys())
def test_cleaning(found, hours, goes):
    now = shapes.NOW + datetime.timedelta(hours=hours)
    assert bool(cleaning.decide(cleaning.Seen(found, now)).actions) == goes


def test_from_request_to_certificate():
    async def story():
        async with paper.cluster(controllers.Options(signing_ca=requests.authority())) as cluster:
            made = requests.request()
            made["metadata"] = {"name": "r"}
            made = await cluster.create(kinds.CERTIFICATE_SIGNING_REQUEST, made)
            assert made["spec"]["username"] == "kubernetes-admin"
            assert "system:masters" in made["spec"]["groups"]
            await cluster.settle(1)
            assert (await cluster.get(kinds.CERTIFICATE_SIGNING_REQUEST, "r"))["status"] == {}
            approved = {**made, "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Mine"}]}}
            await cluster.client.update(kinds.CERTIFICATE_SIGNING_REQUEST, approved, subresource="approval")
            await cluster.settle(1)
            done = await cluster.get(kinds.CERTIFICATE_SIGNING_REQUEST, "r")
            certificate = x509.load_pem_x509_certificate(base64.b64decode(done["status"]["certificate"]))
            assert certificate.subject.rfc4514_string() == "CN=tester"
            condition = conditions.get(done, "Approved")
            assert condition is not None
            assert condition["lastUpdateTime"] == condition["lastTransitionTime"]
            await cluster.settle(4300)
            assert await cluster.all(kinds.CERTIFICATE_SIGNING_REQUEST) == []

    paper.run(story)


def test_a_kubelet_with_the_right_is_approved():
    async def story():
        async with paper.cluster(controllers.Options(signing_ca=requests.authority())) as cluster:
            made = requests.node_request()
            made["metadata"] = {"name": "r"}
            await cluster.create(kinds.CERTIFICATE_SIGNING_REQUEST, made)
            await cluster.settle(1)
            done = await cluster.get(kinds.CERTIFICATE_SIGNING_REQUEST, "r")
            assert done["status"]["conditions"][0]["message"] == approving.OTHER.message
            assert done["status"]["certificate"]

    paper.run(story)
