"""The expressions of an AuthenticationConfiguration: of a token's claims, and of the user made of them. Pure."""

from collections.abc import Callable
from typing import Any

from steersman.api.cel import environment, types
from steersman.api.cel.source import CompileError
from steersman.api.cel.syntax import Ident, Node, Select
from steersman.api.policies import environments
from steersman.apiserver import users
from steersman.meta.objects import Object

_CLAIMS = environment.Environment({"claims": types.map_of(types.STRING, types.DYN)})
_USER = environment.Environment({"user": environments.USER})


class Expression:
    def __init__(self, program: environment.Program) -> None:
        self._program = program

    @property
    def says_yes_or_no(self) -> bool:
        return self._program.type == types.BOOL

    def of(self, value: Any) -> Any:
        """Raises EvalError, CostExceeded."""
        return self._program.run(value)


Compile = Callable[[str], Expression]


def of_claims(text: str) -> Expression:
    """Raises CompileError."""
    return Expression(_CLAIMS.compile(text))


def of_user(text: str) -> Expression:
    """Raises CompileError."""
    return Expression(_USER.compile(text))


def user_value(user: users.User) -> Object:
    """As expressions see it."""
    extra = {key: list(values) for key, values in user.extra.items()}
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}


def looks_at(text: str, claim: str) -> bool:
    """Whether it reads this claim; no for what is no expression."""
    if not text:
        return False
    try:
        return _selects(_CLAIMS.compile(text).root, claim)
    except CompileError:
        return False


def _selects(node: Node, claim: str) -> bool:
    if isinstance(node, Select) and node.field == claim and isinstance(node.operand, Ident):
        return node.operand.name == "claims"
    return any(_selects(child, claim) for child in environment.children(node))
