"""What is wrong with an AuthenticationConfiguration, in upstream's words."""

import pytest

from steersman.apiserver.jwt_issuers import configuration

URL = "https://issuer.example"


def issuer(**more):
    return {
        "issuer": {"url": URL, "audiences": ["me"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
        **more,
    }


def whole(*jwt, **more):
    return {"apiVersion": configuration.API_VERSIONS[0], "kind": configuration.KIND, "jwt": list(jwt), **more}


def test_what_is_said():
    found = configuration.parse(whole(issuer(), anonymous={"enabled": True, "conditions": [{"path": "/healthz"}]}))
    [one] = found.issuers
    assert (one.url, one.discovery_url) == (URL, f"{URL}/.well-known/openid-configuration")
    assert found.anonymous
    assert found.anonymous_paths == {"/healthz"}


EMAIL = (
    "claims.email_verified must be used in claimMappings.username.expression or "
    "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in "
    "claimMappings.username.expression"
)
WRONG = [
    pytest.param(issuer(issuer={"audiences": ["me"]}), "jwt[0].issuer.url: Required value", id="no URL"),
    pytest.param(
        issuer(issuer={"url": "http://a", "audiences": ["me"]}),
        'jwt[0].issuer.url: Invalid value: "http://a": URL scheme must be https',
        id="no TLS",
    ),
    pytest.param(
        issuer(issuer={"url": "https://own", "audiences": ["me"]}),
        'jwt[0].issuer.url: Invalid value: "https://own": URL must not overlap with disallowed issuers: [https://own]',
        id="our own",
    ),
    pytest.param(
        issuer(issuer={"url": URL, "discoveryURL": f"{URL}/", "audiences": ["me"]}),
        f'jwt[0].issuer.discoveryURL: Invalid value: "{URL}/": discoveryURL must be different from URL',
        id="discovered at itself",
    ),
    pytest.param(
        issuer(issuer={"url": URL, "audiences": ["a", "b"]}),
        'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
        id="audiences",
    ),
    pytest.param(
        issuer(claimMappings={"username": {"claim": "sub"}}),
        "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. "
        "It can be set to an empty string to disable prefixing",
        id="no prefix",
    ),
    pytest.param(
        issuer(claimMappings={}),
        "jwt[0].claimMappings.username: Required value: claim or expression is required",
        id="nobody",
    ),
    pytest.param(
        issuer(claimValidationRules=[{"expression": "claims.hd"}]),
        'jwt[0].claimValidationRules[0].expression: Invalid value: "claims.hd": must evaluate to bool',
        id="no yes or no",
    ),
    pytest.param(
        issuer(claimMappings={"username": {"expression": "claims.email"}}),
        f'jwt[0].claimMappings.username.expression: Invalid value: "claims.email": {EMAIL}',
        id="whose address nobody has verified",
    ),
    pytest.param(
        issuer(
            claimMappings={
                "username": {"claim": "sub", "prefix": ""},
                "extra": [{"key": "a.kubernetes.io/B", "valueExpression": "claims.sub"}],
            }
        ),
        '[jwt[0].claimMappings.extra[0].key: Invalid value: "a.kubernetes.io/B": must be lowercase, '
        'jwt[0].claimMappings.extra[0].key: Invalid value: "a.kubernetes.io/B": '
        "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use]",
        id="others' keys",
    ),
    pytest.param(
        issuer(userValidationRules=[{"expression": "user.username != 'x'"}] * 2),
        "jwt[0].userValidationRules[1].expression: Duplicate value: \"user.username != 'x'\"",
        id="twice",
    ),
]


@pytest.mark.parametrize(("one", "message"), WRONG)
def test_wrong(one, message):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the text is compared whole
        configuration.parse(whole(one), "https://own")
    assert str(wrong.value) == message


def test_conditions_of_nobody():
    with pytest.raises(ValueError, match="enabled should be set to true when conditions are defined"):
        configuration.parse(whole(anonymous={"enabled": False, "conditions": [{"path": "/"}]}))


def test_what_does_not_compile():
    with pytest.raises(ValueError, match=r"username\.expression: Invalid value: \"claims\.\": compilation failed"):
        configuration.parse(whole(issuer(claimMappings={"username": {"expression": "claims."}})))
