"""The static types of expressions, and which of them fit where.

Source: the CEL specification ("Gradual type checking"), cel-go's checker/types.go and checker/format.go.
"""

from collections.abc import Callable, Mapping
from typing import Any


class Type:
    """`kind` is what it is, `name` which one of its kind, `params` what it holds.

    A struct answers `field(name)`: the field's type and its name in the data, None for one it does not have.
    A field that is null is one that is not there, unless the struct `keeps_nulls`.
    """

    __slots__ = ("field", "keeps_nulls", "kind", "name", "params")

    def __init__(
        self,
        kind: str,
        name: str = "",
        params: "tuple[Type, ...]" = (),
        field: "Callable[[str], tuple[Type, str] | None] | None" = None,
    ) -> None:
        self.kind = kind
        self.name = name or kind
        self.params = params
        self.field = field
        self.keeps_nulls = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and (self.kind, self.name, self.params) == (other.kind, other.name, other.params)

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.params))

    def __str__(self) -> str:
        return _FORMATTERS.get(self.kind, _plain)(self)

    def __repr__(self) -> str:
        return f"Type({self})"


def _plain(shown: Type) -> str:
    return f"{shown.name}({', '.join(map(str, shown.params))})" if shown.params else shown.name


_FORMATTERS: dict[str, Callable[[Type], str]] = {"error": lambda shown: "!error!"}

BOOL, INT, UINT, DOUBLE = Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL, DYN, ERROR = Type("string"), Type("bytes"), Type("null"), Type("dyn"), Type("error")
TIMESTAMP, DURATION = Type("timestamp"), Type("duration")

SCALARS = frozenset(("bool", "int", "uint", "double", "timestamp", "duration"))


def list_of(element: Type) -> Type:
    return Type("list", params=(element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", params=(key, value))


def optional_of(value: Type) -> Type:
    return Type("opaque", "optional_type", (value,))


def type_of(what: Type) -> Type:
    return Type("type", params=(what,))


def opaque(name: str) -> Type:
    return Type("opaque", name)


def parameter(name: str) -> Type:
    return Type("param", name)


def struct(name: str, field: Callable[[str], tuple[Type, str] | None], *, keeps_nulls: bool = False) -> Type:
    made = Type("struct", name, field=field)
    made.keeps_nulls = keeps_nulls
    return made


def drops_nulls(one: Type) -> bool:
    return one.kind == "struct" and not one.keeps_nulls


def is_loose(one: Type) -> bool:
    return one.kind in ("dyn", "error")


def is_optional(one: Type) -> bool:
    return one.kind == "opaque" and one.name == "optional_type"


def unwrapped(one: Type) -> Type:
    """What an optional may hold."""
    return one.params[0] if is_optional(one) else one


_NULLABLE = frozenset(("struct", "null", "timestamp", "duration", "opaque"))


class Unifier:
    """What type variables stand for, as far as it is known."""

    def __init__(self) -> None:
        self._known: dict[str, Type] = {}
        self._count = 0

    def fresh(self) -> Type:
        found = parameter(f"_var{self._count}")
        self._count += 1
        return found

    def assignable(self, one: Type, other: Type) -> bool:
        """Whether a value of `one` fits where `other` is wanted; what had to be assumed is kept if so."""
        return self.all_assignable((one,), (other,))

    def all_assignable(self, ones: "tuple[Type, ...]", others: "tuple[Type, ...]") -> bool:
        if len(ones) != len(others):
            return False
        before = dict(self._known)
        if all(map(self._fits, ones, others)):
            return True
        self._known = before
        return False

    def resolve(self, one: Type, *, free_to_dyn: bool = False) -> Type:
        """With everything put in that is known."""
        if one.kind == "param":
            known = self._known.get(one.name)
            if known is None:
                return DYN if free_to_dyn else one
            return self.resolve(known, free_to_dyn=free_to_dyn)
        if not one.params:
            return one
        return Type(
            one.kind,
            one.name,
            tuple(self.resolve(inner, free_to_dyn=free_to_dyn) for inner in one.params),
            one.field,
        )

    def instance(self, signature: "tuple[Type, ...]") -> "tuple[Type, ...]":
        """The same with fresh variables for its own."""
        fresh: dict[str, Type] = {}
        return tuple(self._renamed(one, fresh) for one in signature)

    def _renamed(self, one: Type, fresh: dict[str, Type]) -> Type:
        if one.kind == "param":
            if one.name not in fresh:
                fresh[one.name] = self.fresh()
            return fresh[one.name]
        if not one.params:
            return one
        return Type(one.kind, one.name, tuple(self._renamed(inner, fresh) for inner in one.params), one.field)

    def _fits(self, one: Type, other: Type) -> bool:
        if other.kind == "param":
            fits, known = self._substitutes(one, other)
            if fits:
                return True
            if known:
                return False
        if one.kind == "param":
            return self._substitutes(other, one)[0]
        if is_loose(one) or is_loose(other):
            return True
        if one.kind == "null" or other.kind == "null":
            return (other if one.kind == "null" else one).kind in _NULLABLE
        if one.kind != other.kind:
            return False
        if one.kind == "type":
            return True
        if one.kind in ("struct", "opaque") and one.name != other.name:
            return False
        return len(one.params) == len(other.params) and all(map(self._fits, one.params, other.params))

    def _substitutes(self, one: Type, variable: Type) -> tuple[bool, bool]:
        """Whether the variable may stand for it, and whether the variable is known already."""
        if one == variable:
            return True, True
        known = self._known.get(variable.name)
        if known is not None:
            if one == known:
                return True, True
            if not self._fits(one, known):
                return False, True
            general = one if _is_as_general(one, known) else known
            if not self._mentions(general, variable):
                self._known[variable.name] = general
            return True, True
        if self._mentions(one, variable):
            return False, False
        self._known[variable.name] = one
        return True, False

    def _mentions(self, one: Type, variable: Type) -> bool:
        if one == variable:
            return True
        if one.kind == "param":
            known = self._known.get(one.name)
            return known is not None and self._mentions(known, variable)
        return any(self._mentions(inner, variable) for inner in one.params)


def most_general(one: Type, other: Type) -> Type:
    return one if _is_as_general(one, other) else other


def _is_as_general(one: Type, other: Type) -> bool:
    if one.kind in ("dyn", "param") or other.kind == "null":
        return True
    if other.kind in ("dyn", "param") or one.kind != other.kind:
        return False
    if one.kind in ("struct", "opaque") and one.name != other.name:
        return False
    return len(one.params) == len(other.params) and all(map(_is_as_general, one.params, other.params))


# Names that stand for types in expressions: `type(x) == string`.
NAMED: Mapping[str, Type] = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "null_type": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": Type("type"),
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "optional_type": optional_of(DYN),
    "net.IP": opaque("net.IP"),
    "net.CIDR": opaque("net.CIDR"),
    "kubernetes.URL": opaque("kubernetes.URL"),
    "kubernetes.Quantity": opaque("kubernetes.Quantity"),
    "kubernetes.Semver": opaque("kubernetes.Semver"),
    "kubernetes.NamedFormat": opaque("kubernetes.NamedFormat"),
}


def field_of(one: Type, name: str) -> Any:
    return one.field(name) if one.field is not None else None
