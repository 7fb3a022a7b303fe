"""Parts of descriptions that a cluster seldom shows, kind by kind."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.kubectl.describe import claims, ingresses, rbac, services
from steersman.kubectl.describe.writing import Seen
from steersman.kubectl.problems import CommandError
from tests.kubectl.describe.test_writing import NOW, described


def endpoint(address: str, ready: bool | None = True) -> dict[str, Any]:
    return {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}


@pytest.mark.parametrize(
    ("slices", "text"),
    [
        ([], "<none>"),
        ([{"ports": [{"name": "", "port": 80}], "endpoints": [endpoint("10.0.0.1"), endpoint("fd00::1", None)]}],
         "10.0.0.1:80,[fd00::1]:80"),
        ([{"ports": [{"name": "other", "port": 80}], "endpoints": [endpoint("10.0.0.1")]}], ""),
        ([{"ports": [{"name": "", "port": 80}], "endpoints": [endpoint(f"10.0.0.{n}", n != 2) for n in range(6)]}],
         "10.0.0.0:80,10.0.0.1:80,10.0.0.3:80 + 2 more..."),
        ([{"endpoints": [endpoint("10.0.0.1")]}], "10.0.0.1"),
    ],
)  # fmt: skip
def test_addresses_of_a_service(slices: list[dict[str, Any]], text: str) -> None:
    assert services.addresses(slices, {""}) == text


def test_backends_of_an_ingress() -> None:
    rule = {"http": {"paths": [{"path": "/", "backend": {"service": {"name": "gone", "port": {"number": 80}}}}]}}
    obj = {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [rule]}}
    assert ingresses.service_names(obj) == ["gone"]
    backends = {"gone": ingresses.Backend(None, [], 'services "gone" not found')}
    text = described("networking.k8s.io", obj, Seen(NOW, others={"backends": backends}))
    assert '/   gone:80 (<error: services "gone" not found>)\n' in text
    assert "Default backend:  <default>\n" in text


def test_rules_are_put_together_by_resource() -> None:
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "get"]},
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a", "b"], "verbs": ["*"]},
        {"nonResourceURLs": ["/x"], "verbs": ["get", "post"]},
    ]
    shown = [
        (rbac.qualified(one.resources, one.groups), one.names, one.urls, one.verbs)
        for one in rbac.compact(map(rbac.Rule.of, rules))
    ]
    assert shown == [
        ("pods", ("a",), (), ("*",)),
        ("pods", ("b",), (), ("*",)),
        ("pods", (), (), ("get", "list")),
        ("", (), ("/x",), ("get",)),
        ("pods.apps", (), (), ("get",)),
        ("", (), ("/x",), ("post",)),
    ]


def test_pods_that_use_a_claim() -> None:
    claim = {"metadata": {"name": "c", "ownerReferences": [{"kind": "Pod", "uid": "3"}, {"kind": "Pod", "uid": "9"}]}}
    volume = {"persistentVolumeClaim": {"claimName": "c"}}
    pods: list[dict[str, Any]] = [
        {"metadata": {"name": "mounts", "uid": "1"}, "spec": {"volumes": [volume]}},
        {"metadata": {"name": "not", "uid": "2"}, "spec": {"volumes": [{"emptyDir": {}}]}},
        {"metadata": {"name": "owns", "uid": "3"}, "spec": {}},
    ]
    assert [pod["metadata"]["name"] for pod in claims.users(claim, pods)] == ["mounts", "owns"]


def autoscaler(metric: dict[str, Any], current: dict[str, Any] | None) -> str:
    obj = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, "metrics": [metric]},
        "status": {"currentMetrics": [current] if current else []},
    }
    lines = described("autoscaling", obj).splitlines()
    return " ".join(lines[lines.index(next(line for line in lines if line.startswith("Metrics:"))) + 1].split())


@pytest.mark.parametrize(
    ("metric", "current", "line"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
            {"resource": {"name": "cpu", "current": {"averageUtilization": 40, "averageValue": "100m"}}},
            "resource cpu on pods (as a percentage of request): 40% (100m) / 50%",
        ),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "1"}}},
            None,
            "resource cpu on pods: <unknown> / 1",
        ),
        (
            {"type": "External", "external": {"metric": {"name": "q"}, "target": {"value": "30"}}},
            {"external": {"metric": {"name": "q"}, "current": {"value": "7"}}},
            '"q" (target value): 7 / 30',
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "q"}, "target": {"averageValue": "10"}}},
            {"pods": {"metric": {"name": "q"}, "current": {"averageValue": "2500m"}}},
            '"q" on pods: 2500m / 10',
        ),
        ({"type": "Odd"}, None, '<unknown metric type "Odd">'),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_metrics_of_an_autoscaler(metric: dict[str, Any], current: dict[str, Any] | None, line: str) -> None:
    assert autoscaler(metric, current) == line


def request(builder: x509.CertificateSigningRequestBuilder) -> dict[str, Any]:
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    text = base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()
    return {"kind": "CertificateSigningRequest", "metadata": {"name": "r"}, "spec": {"request": text, "username": "u"}}


def test_what_stands_in_a_certificate_signing_request() -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "one"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "two"),
            x509.NameAttribute(NameOID.COMMON_NAME, "alice"),
        ]
    )
    names = x509.SubjectAlternativeName([x509.DNSName("a.example.com"), x509.DNSName("b")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    obj = request(builder)
    obj["status"] = {"conditions": [{"type": "Approved"}], "certificate": "x"}
    text = described("certificates.k8s.io", obj)
    assert "Status:             Approved,Issued\n" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[lines.index("Subject:") :] == [
        "Subject:",
        "Common Name: alice",
        "Serial Number:",
        "Organization: one",
        "two",
        "Subject Alternative Names:",
        "DNS Names: a.example.com",
        "b",
    ]


def test_a_request_that_is_none() -> None:
    obj = {"kind": "CertificateSigningRequest", "metadata": {"name": "r"}, "spec": {"request": "eA=="}}
    with pytest.raises(CommandError, match="Error parsing CSR"):
        described("certificates.k8s.io", obj)
