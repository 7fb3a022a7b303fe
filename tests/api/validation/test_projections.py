"""Sources of projected volumes: after upstream's TestValidateVolumes."""

from typing import Any

import pytest

from steersman.api.validation import volumes
from steersman.meta.objects import Object

AT = "spec.volumes[0].projected"
TYPES = '"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"'


def certificate(**about: Any) -> Object:
    made = {"signerName": "a.io/b", "keyType": "ED25519", "credentialBundlePath": "bundle.pem", **about}
    return {"podCertificate": {key: value for key, value in made.items() if value is not None}}


def bundle(**about: Any) -> Object:
    return {"clusterTrustBundle": {"path": "ca.pem", **about}}


def secret(path: str, name: str = "s") -> Object:
    return {"secret": {"name": name, "items": [{"key": "k", "path": path}]}}


@pytest.mark.parametrize(
    ("sources", "expect"),
    [
        ([certificate()], []),
        ([certificate(maxExpirationSeconds=3600, keyPath="key", certificateChainPath="chain")], []),
        ([bundle(name="mine"), certificate(userAnnotations={"a.io/b": "c"})], []),
        ([bundle(signerName="a.io/b", labelSelector={})], []),
        (
            [certificate(signerName="a", keyType="DSA")],
            [
                f'{AT}.sources[0].podCertificate.signerName: Invalid value: "a": must be a fully qualified domain and path of '
                "the form 'example.com/signer-name'",
                f'{AT}.sources[0].podCertificate.keyType: Unsupported value: "DSA": supported values: {TYPES}',
            ],
        ),
        (
            [certificate(credentialBundlePath=None)],
            [
                f"{AT}.sources[0].podCertificate: Required value: specify at least one of credentialBundlePath, keyPath, and "
                "certificateChainPath"
            ],
        ),
        (
            [certificate(maxExpirationSeconds=60)],
            [
                f"{AT}.sources[0].podCertificate.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]"
            ],
        ),
        (
            [certificate(keyPath="/key")],
            [f'{AT}.sources[0].podCertificate.keyPath: Invalid value: "/key": must be a relative path'],
        ),
        ([certificate(keyPath="bundle.pem")], [f'{AT}: Invalid value: "bundle.pem": conflicting duplicate paths']),
        (
            [certificate(userAnnotations={"b": "c"})],
            [
                f'{AT}.sources[0].podCertificate.userAnnotations: Invalid value: "b": must be a domain-prefixed key (such as '
                '"acme.io/foo")'
            ],
        ),
        (
            [bundle()],
            [f"{AT}.sources[0].clusterTrustBundle: Required value: either name or signerName must be specified"],
        ),
        (
            [bundle(name="a", signerName="a.io/b")],
            [
                f'{AT}.sources[0].clusterTrustBundle: Invalid value: {{"path":"ca.pem","name":"a","signerName":"a.io/b"}}: only '
                "one of name and signerName may be used"
            ],
        ),
        (
            [bundle(name="a", labelSelector={})],
            [
                f"{AT}.sources[0].clusterTrustBundle.labelSelector: Invalid value: {{}}: labelSelector must be unset if name is "
                "specified"
            ],
        ),
        (
            [bundle(name="a.io:b:C")],
            [
                f'{AT}.sources[0].clusterTrustBundle.name: Invalid value: "a.io:b:C": not a valid clustertrustbundlename: a '
                "lowercase RFC 1123 subdomain must consist of"
            ],
        ),
        ([bundle(name="a", path="")], [f"{AT}.sources[0].clusterTrustBundle.path: Required value"]),
        ([secret("a"), secret("a", "t")], [f'{AT}: Invalid value: "t": conflicting duplicate paths']),
        (
            [secret("a"), {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}],
            [f'{AT}: Invalid value: "a": conflicting duplicate paths'],
        ),
        (
            [{**secret("a"), **bundle(name="b")}],
            [f"{AT}.sources[0]: Forbidden: may not specify more than 1 volume type per source"],
        ),
        (
            [{"serviceAccountToken": {"path": "", "expirationSeconds": 60}}],
            [
                f"{AT}.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than "
                "10 minutes",
                f"{AT}.path: Required value",
            ],
        ),
        (
            [{"serviceAccountToken": {"path": "..token", "expirationSeconds": 1 << 33}}],
            [
                f"{AT}.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 8589934592: may not specify a duration "
                "larger than 2^32 seconds",
                f"{AT}.path: Invalid value: \"..token\": must not start with '..'",
            ],
        ),
        (
            [secret("../a")],
            [f"{AT}.sources[0].secret.items[0].path: Invalid value: \"../a\": must not contain '..'"],
        ),
        (
            [{"downwardAPI": {"items": [{"path": "a", "mode": 512}]}}],
            [
                f"{AT}.sources[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
                f"{AT}.sources[0].downwardAPI.mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both "
                "inclusive",
            ],
        ),
    ],
)
def test_sources(sources: list[Object], expect: list[str]) -> None:
    found = list(map(str, volumes.validate([{"name": "v", "projected": {"sources": sources}}], "spec.volumes")))
    assert len(found) == len(expect), found
    for one, begin in zip(found, expect, strict=True):
        assert one.startswith(begin)
