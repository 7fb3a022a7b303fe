"""Questions to the authorizer: `authorizer.group("apps").resource("deployments").check("create").allowed()`.

The answer comes from whoever evaluates: an `Authorizer` holds a function that decides.
Source: apiserver's cel/library/authz.go.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, Overload, member
from steersman.api.cel.types import BOOL, STRING, Type
from steersman.api.cel.values import EvalError

AUTHORIZER = types.opaque("kubernetes.authorization.Authorizer")
RESOURCE_CHECK = types.opaque("kubernetes.authorization.ResourceCheck")
_PATH_CHECK = types.opaque("kubernetes.authorization.PathCheck")
_GROUP_CHECK = types.opaque("kubernetes.authorization.GroupCheck")
_DECISION = types.opaque("kubernetes.authorization.Decision")


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """`service_account` is namespace and name, None for the user of the request."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    TYPE_NAME: ClassVar[str] = "kubernetes.authorization.Decision"

    allowed: bool
    reason: str = ""
    error: str = ""


Decide = Callable[[Question], Decision]


@dataclasses.dataclass(frozen=True, slots=True)
class Authorizer:
    TYPE_NAME: ClassVar[str] = "kubernetes.authorization.Authorizer"

    decide: Decide
    question: Question = dataclasses.field(default_factory=lambda: Question(""))


class PathCheck(Authorizer):
    __slots__ = ()
    TYPE_NAME: ClassVar[str] = "kubernetes.authorization.PathCheck"


class GroupCheck(Authorizer):
    __slots__ = ()
    TYPE_NAME: ClassVar[str] = "kubernetes.authorization.GroupCheck"


class ResourceCheck(Authorizer):
    __slots__ = ()
    TYPE_NAME: ClassVar[str] = "kubernetes.authorization.ResourceCheck"


def _narrowed(kind: type[Authorizer], field: str) -> Callable[[Authorizer, str], Authorizer]:
    return lambda one, value: kind(one.decide, dataclasses.replace(one.question, **{field: value}))  # type: ignore[arg-type]


def _path(one: Authorizer, path: str) -> Authorizer:
    if not path:
        raise EvalError("path must not be empty")
    return PathCheck(one.decide, dataclasses.replace(one.question, path=path))


def _service_account(one: Authorizer, namespace: str, name: str) -> Authorizer:
    return Authorizer(one.decide, dataclasses.replace(one.question, service_account=(namespace, name)))


def _check(one: Authorizer, verb: str) -> Decision:
    return one.decide(dataclasses.replace(one.question, verb=verb))


def _on_resource(field: str, wire: str) -> tuple[str, tuple[Overload, ...]]:
    return wire, (
        member(f"resourcecheck_{wire}", (RESOURCE_CHECK, STRING), RESOURCE_CHECK, _narrowed(ResourceCheck, field)),
    )


def _about(name: str, result: Type, read: Callable[[Decision], object]) -> tuple[str, tuple[Overload, ...]]:
    return name, (member(f"decision_{name}", (_DECISION,), result, read),)


FUNCTIONS: Functions = {
    "path": (member("authorizer_path", (AUTHORIZER, STRING), _PATH_CHECK, _path),),
    "group": (member("authorizer_group", (AUTHORIZER, STRING), _GROUP_CHECK, _narrowed(GroupCheck, "group")),),
    "serviceAccount": (
        member("authorizer_serviceaccount", (AUTHORIZER, STRING, STRING), AUTHORIZER, _service_account),
    ),
    "resource": (
        member("groupcheck_resource", (_GROUP_CHECK, STRING), RESOURCE_CHECK, _narrowed(ResourceCheck, "resource")),
    ),
    **dict(
        (
            _on_resource("subresource", "subresource"),
            _on_resource("namespace", "namespace"),
            _on_resource("name", "name"),
            _on_resource("field_selector", "fieldSelector"),
            _on_resource("label_selector", "labelSelector"),
            _about("errored", BOOL, lambda decision: bool(decision.error)),
            _about("error", STRING, lambda decision: decision.error),
            _about("allowed", BOOL, lambda decision: decision.allowed),
            _about("reason", STRING, lambda decision: decision.reason),
        )
    ),
    "check": (
        member("pathcheck_check", (_PATH_CHECK, STRING), _DECISION, _check),
        member("resourcecheck_check", (RESOURCE_CHECK, STRING), _DECISION, _check),
    ),
}
