"""Which user a token's claims are. Pure. Source: upstream's plugin/pkg/authenticator/token/oidc."""

import datetime
import math
from collections.abc import Iterable
from typing import Any

from steersman.api.cel.values import CostExceeded, EvalError
from steersman.apiserver import users
from steersman.apiserver.jwt_issuers import expressions
from steersman.apiserver.jwt_issuers.configuration import Issuer, Mapping, Rule
from steersman.apiserver.jwt_issuers.expressions import Expression
from steersman.meta.objects import Object

LEEWAY_SECONDS = 300  # of clocks, for tokens that are not good yet


class Refused(Exception):
    """Why a token is of no use, for the log: a client hears that it is unauthorized."""


def check_times(claims: Object, now: datetime.datetime) -> None:
    """Raises Refused."""
    at = now.timestamp()
    expires, begins = claims.get("exp"), claims.get("nbf")
    if not isinstance(expires, int | float) or not at < expires < math.inf:  # nor is NaN any time
        raise Refused("the token is expired")
    if isinstance(begins, int | float) and begins > at + LEEWAY_SECONDS:
        raise Refused("the token is not good yet")


def user_of(issuer: Issuer, claims: Object) -> users.User:
    """Raises Refused."""
    _check_audience(issuer, claims)
    for rule in issuer.claim_rules:
        _check_claims(rule, claims)
    name = _username(issuer.username, claims)
    groups = tuple(_groups(issuer.groups, claims))
    extra = {key: values for key, expression in issuer.extra if (values := _extra(key, expression, claims))}
    user = users.authenticated(name, groups, _uid(issuer.uid, claims), extra)
    seen = expressions.user_value(users.User(name, user.uid, groups, extra))
    for rule in issuer.user_rules:
        if rule.expression is not None and _of(rule.expression, seen) is not True:
            raise Refused(rule.message or "a user validation rule is not fulfilled")
    return user


def _check_audience(issuer: Issuer, claims: Object) -> None:
    named = set(_texts("aud", claims.get("aud")))
    if named.isdisjoint(issuer.audiences):
        raise Refused(f"the token is for {sorted(named)}")


def _check_claims(rule: Rule, claims: Object) -> None:
    if rule.expression is not None:
        if _of(rule.expression, claims) is not True:
            raise Refused(rule.message or "a claim validation rule is not fulfilled")
    elif rule.claim not in claims:
        raise Refused(f"required claim {rule.claim} not present in ID token")
    elif claims[rule.claim] != rule.value:
        raise Refused(f"required claim {rule.claim} value does not match")


def _username(mapping: Mapping, claims: Object) -> str:
    if mapping.expression is not None:
        name = _of(mapping.expression, claims)
        if not isinstance(name, str) or not name:
            raise Refused("the username's expression gives no text")
        return name
    name = _text(mapping.claim, claims)
    if mapping.claim == "email" and claims.get("email_verified", True) is not True:
        raise Refused("email not verified")
    return mapping.prefix + name


def _groups(mapping: Mapping, claims: Object) -> Iterable[str]:
    if mapping.expression is not None:
        found = _of(mapping.expression, claims)
    elif mapping.claim:
        found = claims.get(mapping.claim)
    else:
        return ()
    return [mapping.prefix + one for one in _texts("groups", found) if one]


def _uid(mapping: Mapping, claims: Object) -> str:
    if mapping.expression is not None:
        found = _of(mapping.expression, claims)
        if not isinstance(found, str):
            raise Refused("the uid's expression gives no text")
        return found
    return _text(mapping.claim, claims) if mapping.claim else ""


def _extra(key: str, expression: Expression, claims: Object) -> tuple[str, ...]:
    """What is empty is left out."""
    return tuple(filter(None, _texts(key, _of(expression, claims))))


def _text(claim: str, claims: Object) -> str:
    found = claims.get(claim)
    if not isinstance(found, str) or not found:
        raise Refused(f"claim {claim} is no text, or not present")
    return found


def _texts(what: str, found: Any) -> list[str]:
    if found is None:
        return []
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Refused(f"{what}: neither a text nor a list of texts")
    return listed


def _of(expression: Expression, value: Any) -> Any:
    try:
        return expression.of(value)
    except (EvalError, CostExceeded) as wrong:
        raise Refused(str(wrong)) from wrong
