"""How webhook configurations and policies print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import selectors
from steersman.meta.objects import Object

_WEBHOOKS = "Webhooks indicates the number of webhooks registered in this configuration"

WEBHOOK_COLUMNS = (cells.NAME, Column("Webhooks", "integer", description=_WEBHOOKS), cells.AGE)


def webhooks(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), len(obj.get("webhooks") or ()), cells.age(obj, now)]


_VALIDATIONS = "Validations indicates the number of validation rules defined in this configuration"
_MUTATIONS = "Mutation indicates the number of mutations rules defined in this configuration"
_PARAM_KIND = "ParamKind specifies the kind of resources used to parameterize this policy"
_POLICY_NAME = "PolicyName indicates the policy definition which the policy binding binded to"
_PARAM_REF = "ParamRef indicates the param resource which sets the configration param"

VALIDATING_POLICY_COLUMNS = (
    cells.NAME,
    Column("Validations", "integer", description=_VALIDATIONS),
    Column("ParamKind", description=_PARAM_KIND),
    cells.AGE,
)
MUTATING_POLICY_COLUMNS = (
    cells.NAME,
    Column("Mutations", "integer", description=_MUTATIONS),
    Column("ParamKind", description=_PARAM_KIND),
    cells.AGE,
)
BINDING_COLUMNS = (
    cells.NAME,
    Column("PolicyName", description=_POLICY_NAME),
    Column("ParamRef", description=_PARAM_REF),
    cells.AGE,
)

_UNSET = "<unset>"


def validating_policy(obj: Object, now: datetime.datetime) -> list[Any]:
    return _policy(obj, "validations", now)


def mutating_policy(obj: Object, now: datetime.datetime) -> list[Any]:
    return _policy(obj, "mutations", now)


def _policy(obj: Object, counted: str, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    kind = spec.get("paramKind")
    shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else _UNSET
    return [cells.name(obj), len(spec.get(counted) or ()), shown, cells.age(obj, now)]


def binding(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    ref = spec.get("paramRef")
    shown = _UNSET
    if ref and ref.get("name"):
        shown = f"{ref['namespace']}/{ref['name']}" if ref.get("namespace") else ref["name"]
    elif ref:
        shown = selectors.format(selectors.from_object(ref.get("selector")))
    return [cells.name(obj), spec.get("policyName", ""), shown, cells.age(obj, now)]
