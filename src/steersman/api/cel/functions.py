"""What a function is: overloads with types, and which of them a call means once its values are there."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steersman.api.cel import types, values
from steersman.api.cel.types import Type

Implementation = Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Overload:
    """`id` is cel-go's; `params` begin with the target of a method. `call` raises EvalError."""

    id: str
    params: tuple[Type, ...]
    result: Type
    call: Implementation
    is_member: bool = False


Functions = Mapping[str, tuple[Overload, ...]]


def plain(id: str, params: Iterable[Type], result: Type, call: Implementation) -> Overload:  # noqa: A002 — cel-go's word
    return Overload(id, tuple(params), result, call)


def member(id: str, params: Iterable[Type], result: Type, call: Implementation) -> Overload:  # noqa: A002
    return Overload(id, tuple(params), result, call, is_member=True)


def merged(*libraries: Functions) -> dict[str, tuple[Overload, ...]]:
    """Several libraries may give one name more overloads."""
    found: dict[str, tuple[Overload, ...]] = {}
    for library in libraries:
        for name, overloads in library.items():
            found[name] = found.get(name, ()) + overloads
    return found


_INDEXED = frozenset(
    (
        "index_list",
        "optional_list_index_value",
        "list_optindex_optional_int",
        "optional_list_optindex_optional_int",
    )
)
_CLASSES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "uint": (values.Uint,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "null": (type(None),),
    "timestamp": (values.Timestamp,),
    "duration": (values.Duration,),
    "type": (values.TypeValue,),
}


def takes(wanted: Type, kind: type) -> bool:
    """Whether values of this class are of the type, as far as a class can tell."""
    exact = _CLASSES.get(wanted.kind)
    if exact is not None:
        return kind in exact
    if wanted.kind == "list":
        return issubclass(kind, list)
    if wanted.kind in ("map", "struct"):
        return issubclass(kind, dict)
    if wanted.kind == "opaque":
        name = "optional_type" if kind is values.Optional else getattr(kind, "TYPE_NAME", "")
        return bool(name == wanted.name)
    return True


def dispatcher(overloads: Iterable[Overload]) -> Callable[..., tuple[Overload, Implementation]]:
    """Finds the overload by the classes of the values; each combination of classes is looked up once."""
    candidates = tuple(overloads)
    known: dict[tuple[type, ...], tuple[Overload, Implementation]] = {}

    def find(*args: Any) -> tuple[Overload, Implementation]:
        kinds = tuple(arg.__class__ for arg in args)
        found = known.get(kinds)
        if found is None:
            for one in candidates:
                if _applies(one, kinds):
                    found = known[kinds] = one, one.call
                    break
            else:
                raise values.no_overload()
        return found

    return find


def _applies(one: Overload, kinds: tuple[type, ...]) -> bool:
    """Whole numbers of any kind are indexes; which of them are whole, the values tell."""
    if len(one.params) != len(kinds):
        return False
    if one.id in _INDEXED and kinds[-1] in (values.Uint, float):
        kinds = (kinds[0], int)
    return all(map(takes, one.params, kinds))


def needs_dispatch(overloads: list[Overload], given: Iterable[Type]) -> bool:
    """Whether types alone do not say which overload it is."""
    if len(overloads) != 1:
        return True
    return any(
        types.is_loose(one) and wanted.kind not in ("dyn", "param")
        for one, wanted in zip(given, overloads[0].params, strict=True)
    )
