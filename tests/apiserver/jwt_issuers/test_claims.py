"""Which user a token's claims are."""

import datetime

import pytest

from steersman.apiserver.jwt_issuers import claims as reading
from steersman.apiserver.jwt_issuers import configuration
from tests.apiserver.jwt_issuers.test_configuration import issuer, whole

CLAIMS = {"sub": "7", "aud": ["me", "you"], "email": "a@b", "groups": ["x", "y"], "hd": "b", "roles": "admin"}


def user(mappings=None, claims=None, **more):
    [found] = configuration.parse(whole(issuer(**({"claimMappings": mappings} if mappings else {}), **more))).issuers
    return reading.user_of(found, {**CLAIMS, **(claims or {})})


BY_NAME = {"username": {"claim": "sub", "prefix": "oidc:"}}


def test_claims_become_a_user():
    found = user({**BY_NAME, "groups": {"claim": "groups", "prefix": "g:"}, "uid": {"claim": "sub"}})
    assert (found.name, found.uid, found.groups) == ("oidc:7", "7", ("g:x", "g:y", "system:authenticated"))


def test_expressions_make_a_user():
    mappings = {
        "username": {"expression": "claims.sub + ':' + claims.hd"},
        "groups": {"expression": "claims.roles == 'admin' ? ['admins'] : []"},
        "uid": {"expression": "claims.sub"},
        "extra": [
            {"key": "example.org/roles", "valueExpression": "claims.roles"},
            {"key": "example.org/none", "valueExpression": "''"},
        ],
    }
    found = user(mappings)
    assert (found.name, found.uid, found.groups) == ("7:b", "7", ("admins", "system:authenticated"))
    assert found.extra == {"example.org/roles": ("admin",)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("one", ("one",)), (["a", ""], ("a",)), (None, ())],
    ids=["one text", "empty ones are left out", "none"],
)
def test_groups(given, expected):
    found = user({**BY_NAME, "groups": {"claim": "groups", "prefix": ""}}, {"groups": given})
    assert found.groups == (*expected, "system:authenticated")


def test_an_address_has_to_be_verified():
    by_email = {"username": {"claim": "email", "prefix": ""}}
    assert user(by_email).name == "a@b"
    assert user(by_email, {"email_verified": True}).name == "a@b"
    with pytest.raises(reading.Refused, match="email not verified"):
        user(by_email, {"email_verified": False})


REFUSED = [
    pytest.param({"claims": {"aud": "other"}}, "the token is for", id="for others"),
    pytest.param({"claims": {"aud": 7}}, "neither a text nor a list of texts", id="for a number"),
    pytest.param({"claims": {"aud": ["me", {}]}}, "neither a text nor a list of texts", id="for no text"),
    pytest.param({"claims": {"sub": 7}}, "claim sub is no text", id="a name that is no text"),
    pytest.param(
        {"claimValidationRules": [{"claim": "hd", "requiredValue": "c"}]}, "claim hd value does not match", id="claim"
    ),
    pytest.param({"claimValidationRules": [{"claim": "no"}]}, "required claim no not present", id="no such claim"),
    pytest.param(
        {"claimValidationRules": [{"expression": "claims.hd == 'c'", "message": "not ours"}]}, "^not ours$", id="rule"
    ),
    pytest.param({"claimValidationRules": [{"expression": "claims.no == 'c'"}]}, "no such key: no", id="fails"),
    pytest.param(
        {"userValidationRules": [{"expression": "!user.username.startsWith('oidc:')", "message": "no"}]},
        "^no$",
        id="user",
    ),
    pytest.param(
        {"userValidationRules": [{"expression": "user.groups.exists(g, g == 'x')"}]},
        "user validation rule",
        id="groups",
    ),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_refused(more, message):
    with pytest.raises(reading.Refused, match=message):
        user(BY_NAME, **more)


NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
AT = NOW.timestamp()


@pytest.mark.parametrize(
    ("claims", "good"),
    [({"exp": AT + 1}, True), ({"exp": AT}, False), ({}, False), ({"exp": AT + 1, "nbf": AT + 200}, True),
     ({"exp": AT + 999, "nbf": AT + 400}, False), ({"exp": float("nan")}, False), ({"exp": float("inf")}, False)],
    ids=["good", "over", "for ever", "almost begun", "not begun", "no time", "at no time"],
)  # fmt: skip
def test_times(claims, good):
    try:
        reading.check_times(claims, NOW)
        found = True
    except reading.Refused:
        found = False
    assert found is good
