"""Whose tokens are good, and which user each is: AuthenticationConfiguration of apiserver.config.k8s.io. Pure, but for `read`.

Source: "Authenticating" in the Kubernetes documentation; rules and texts as upstream's apis/apiserver/validation.
"""

import dataclasses
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from steersman.api.cel.source import CompileError
from steersman.api.validation import fields
from steersman.apiserver.jwt_issuers import expressions
from steersman.apiserver.jwt_issuers.expressions import Expression
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

API_VERSIONS, KIND = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"), "AuthenticationConfiguration"
_RESERVED = ("kubernetes.io", "k8s.io")
_EMAIL = (
    "claims.email_verified must be used in claimMappings.username.expression or "
    "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in "
    "claimMappings.username.expression"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Mapping:
    """Where a value comes from: a claim, with something before it, or an expression."""

    claim: str = ""
    prefix: str = ""
    expression: Expression | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What must be true of a token's claims, or of the user that was made of them."""

    claim: str = ""
    value: str = ""
    expression: Expression | None = None
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Issuer:
    """`discovery_url` is where its document is; `authority` PEM, "" for the system's."""

    url: str
    discovery_url: str
    authority: str
    audiences: frozenset[str]
    claim_rules: tuple[Rule, ...]
    username: Mapping
    groups: Mapping
    uid: Mapping
    extra: tuple[tuple[str, Expression], ...]
    user_rules: tuple[Rule, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """`anonymous` None: as the server's flag says; else whether nobody may ask, and of which paths (empty: all)."""

    issuers: tuple[Issuer, ...] = ()
    anonymous: bool | None = None
    anonymous_paths: frozenset[str] = frozenset()


def read(path: str | Path, disallowed: str = "") -> Configuration:
    """Raises ValueError, OSError."""
    try:
        return parse(yaml.safe_load(Path(path).read_text()), disallowed)
    except (yaml.YAMLError, ValueError) as wrong:
        raise ValueError(f"{path}: {wrong}") from wrong


def parse(found: Any, disallowed: str = "") -> Configuration:
    """`disallowed` is the cluster's own issuer. Raises ValueError, which names the fields."""
    if not isinstance(found, dict) or found.get("apiVersion") not in API_VERSIONS or found.get("kind") != KIND:
        raise ValueError(f"not an {KIND} of {API_VERSIONS[0]}")
    wrong = list(_validate(found, disallowed))
    if wrong:
        raise ValueError(str(wrong[0]) if len(wrong) == 1 else f"[{', '.join(map(str, wrong))}]")
    anonymous = found.get("anonymous")
    return Configuration(
        tuple(_issuer(one) for one in found.get("jwt") or ()),
        None if anonymous is None else bool(anonymous.get("enabled")),
        frozenset(one["path"] for one in (anonymous or {}).get("conditions") or ()),
    )


def _issuer(found: Object) -> Issuer:
    issuer, mappings = found["issuer"], found["claimMappings"]
    url = issuer["url"]
    return Issuer(
        url=url,
        discovery_url=issuer.get("discoveryURL") or f"{url.rstrip('/')}/.well-known/openid-configuration",
        authority=issuer.get("certificateAuthority") or "",
        audiences=frozenset(issuer["audiences"]),
        claim_rules=tuple(_rule(one, expressions.of_claims) for one in found.get("claimValidationRules") or ()),
        username=_mapping(mappings["username"]),
        groups=_mapping(mappings.get("groups") or {}),
        uid=_mapping(mappings.get("uid") or {}),
        extra=tuple((one["key"], expressions.of_claims(one["valueExpression"])) for one in mappings.get("extra") or ()),
        user_rules=tuple(_rule(one, expressions.of_user) for one in found.get("userValidationRules") or ()),
    )


def _rule(found: Object, compile_: expressions.Compile) -> Rule:
    text = found.get("expression")
    expression = compile_(text) if text else None
    return Rule(found.get("claim", ""), found.get("requiredValue", ""), expression, found.get("message", ""))


def _mapping(found: Object) -> Mapping:
    text = found.get("expression")
    return Mapping(found.get("claim", ""), found.get("prefix") or "", expressions.of_claims(text) if text else None)


# What is wrong


def _validate(found: Object, disallowed: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(found.get("jwt") or ()):
        at = f"jwt[{index}]"
        issuer = one.get("issuer") or {}
        yield from _validate_issuer(issuer, f"{at}.issuer", disallowed)
        for name in ("url", "discoveryURL"):
            if issuer.get(name) and issuer[name] in seen:
                yield fields.duplicate(f"{at}.issuer.{name}", issuer[name])
            seen.add(issuer.get(name) or "")
        yield from _validate_claim_rules(one.get("claimValidationRules") or (), f"{at}.claimValidationRules")
        yield from _validate_mappings(one, f"{at}.claimMappings")
        yield from _validate_user_rules(one.get("userValidationRules") or (), f"{at}.userValidationRules")
    anonymous = found.get("anonymous") or {}
    if anonymous.get("conditions") and not anonymous.get("enabled"):
        why = "enabled should be set to true when conditions are defined"
        yield fields.invalid("anonymous.conditions", anonymous["conditions"], why)


def _validate_issuer(issuer: Object, at: str, disallowed: str) -> Iterator[FieldError]:
    url, discovery = issuer.get("url") or "", issuer.get("discoveryURL") or ""
    if not url:
        yield fields.required(f"{at}.url")
    else:
        if url == disallowed:
            yield fields.invalid(f"{at}.url", url, f"URL must not overlap with disallowed issuers: [{disallowed}]")
        yield from _validate_url(url, f"{at}.url")
    if discovery:
        if discovery.rstrip("/") == url.rstrip("/"):
            yield fields.invalid(f"{at}.discoveryURL", discovery, "discoveryURL must be different from URL")
        yield from _validate_url(discovery, f"{at}.discoveryURL")
    audiences, policy = issuer.get("audiences") or [], issuer.get("audienceMatchPolicy") or ""
    if not audiences:
        yield fields.required(f"{at}.audiences", f"at least one {at}.audiences is required")
    for index, one in enumerate(audiences):
        if not one:
            yield fields.required(f"{at}.audiences[{index}]")
        if one in audiences[:index]:
            yield fields.duplicate(f"{at}.audiences[{index}]", one)
    if len(audiences) > 1 and policy != "MatchAny":
        why = "audienceMatchPolicy must be MatchAny for multiple audiences"
        yield fields.invalid(f"{at}.audienceMatchPolicy", policy, why)
    elif policy not in ("", "MatchAny"):
        why = "audienceMatchPolicy must be empty or MatchAny for single audience"
        yield fields.invalid(f"{at}.audienceMatchPolicy", policy, why)


def _validate_url(url: str, at: str) -> Iterator[FieldError]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https":
        yield fields.invalid(at, url, "URL scheme must be https")
    if parts.username is not None:
        yield fields.invalid(at, url, "URL must not contain a username or password")
    if parts.query:
        yield fields.invalid(at, url, "URL must not contain a query")
    if parts.fragment:
        yield fields.invalid(at, url, "URL must not contain a fragment")


def _validate_claim_rules(rules: Any, at: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        here, claim, text = f"{at}[{index}]", rule.get("claim") or "", rule.get("expression") or ""
        if claim and text:
            yield fields.invalid(here, claim, "claim and expression can't both be set")
        elif claim:
            if rule.get("message"):
                yield fields.invalid(f"{here}.message", rule["message"], "may not be specified when claim is set")
            if claim in seen:
                yield fields.duplicate(f"{here}.claim", claim)
            seen.add(claim)
        elif text:
            if rule.get("requiredValue"):
                why = "may not be specified when expression is set"
                yield fields.invalid(f"{here}.requiredValue", rule["requiredValue"], why)
            yield from _compiled(text, f"{here}.expression", expressions.of_claims, says_yes_or_no=True)
        else:
            yield fields.required(here, "claim or expression is required")


def _validate_mappings(issuer: Object, at: str) -> Iterator[FieldError]:
    found = issuer.get("claimMappings") or {}
    yield from _validate_prefixed(found.get("username") or {}, f"{at}.username", is_required=True)
    yield from _validate_prefixed(found.get("groups") or {}, f"{at}.groups", is_required=False)
    uid = found.get("uid") or {}
    if uid.get("claim") and uid.get("expression"):
        yield fields.invalid(f"{at}.uid", "", "claim and expression can't both be set")
    elif uid.get("expression"):
        yield from _compiled(uid["expression"], f"{at}.uid.expression", expressions.of_claims)
    yield from _validate_extra(found.get("extra") or (), f"{at}.extra")
    text = (found.get("username") or {}).get("expression") or ""
    others = [one.get("valueExpression") or "" for one in found.get("extra") or ()]
    others += [one.get("expression") or "" for one in issuer.get("claimValidationRules") or ()]
    if expressions.looks_at(text, "email") and not any(
        expressions.looks_at(one, "email_verified") for one in (text, *others)
    ):
        yield fields.invalid(f"{at}.username.expression", text, _EMAIL)


def _validate_prefixed(found: Object, at: str, *, is_required: bool) -> Iterator[FieldError]:
    claim, text = found.get("claim") or "", found.get("expression") or ""
    if claim and text:
        yield fields.invalid(at, "", "claim and expression can't both be set")
    elif text:
        if found.get("prefix") is not None:
            yield fields.invalid(f"{at}.prefix", found["prefix"], "prefix can't be set when expression is set")
        yield from _compiled(text, f"{at}.expression", expressions.of_claims)
    elif claim and found.get("prefix") is None:
        why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
        yield fields.required(f"{at}.prefix", why)
    elif is_required and not claim:
        yield fields.required(at, "claim or expression is required")


def _validate_extra(extra: Any, at: str) -> Iterator[FieldError]:
    for index, one in enumerate(extra):
        here, key = f"{at}[{index}]", one.get("key") or ""
        domain, slash, path = key.partition("/")
        if not key:
            yield fields.required(f"{here}.key")
        elif not slash or not path:
            why = 'must be a domain-prefixed path (such as "acme.io/foo")'
            yield fields.invalid(f"{here}.key", key, why)
        else:
            yield from fields.each_invalid(f"{here}.key", domain, names.subdomain_errors(domain))
        if key != key.lower():
            yield fields.invalid(f"{here}.key", key, "must be lowercase")
        if slash and any(domain == one or domain.endswith(f".{one}") for one in _RESERVED):
            why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
            yield fields.invalid(f"{here}.key", key, why)
        if key in [other.get("key") for other in extra[:index]]:
            yield fields.duplicate(f"{here}.key", key)
        if not one.get("valueExpression"):
            yield fields.required(f"{here}.valueExpression")
        else:
            yield from _compiled(one["valueExpression"], f"{here}.valueExpression", expressions.of_claims)


def _validate_user_rules(rules: Any, at: str) -> Iterator[FieldError]:
    for index, rule in enumerate(rules):
        text = rule.get("expression") or ""
        if not text:
            yield fields.required(f"{at}[{index}].expression")
        elif text in [other.get("expression") for other in rules[:index]]:
            yield fields.duplicate(f"{at}[{index}].expression", text)
        else:
            yield from _compiled(text, f"{at}[{index}].expression", expressions.of_user, says_yes_or_no=True)


def _compiled(
    text: str, at: str, compile_: expressions.Compile, *, says_yes_or_no: bool = False
) -> Iterator[FieldError]:
    try:
        found = compile_(text)
    except CompileError as wrong:
        yield fields.invalid(at, text, f"compilation failed: {wrong}")
        return
    if says_yes_or_no and not found.says_yes_or_no:
        yield fields.invalid(at, text, "must evaluate to bool")
