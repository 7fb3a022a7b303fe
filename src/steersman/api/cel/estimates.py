"""What an expression may cost at worst, from sizes that types allow: rules are refused that could hold up the server.

Deviating from upstream means to refuse definitions that others take, so this follows it call by call.
Source: cel-go's checker/cost.go; apiserver's cel/library/cost.go.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from steersman.api.cel import costs, types
from steersman.api.cel.estimators import ANY_SIZE, ONE, UNBOUNDED, Estimated, Operand, Range, estimated, fixed
from steersman.api.cel.functions import Overload
from steersman.api.cel.schemas import Declaration
from steersman.api.cel.syntax import Call, Fold, Ident, ListOf, Literal, MapOf, Message, Node, Select
from steersman.api.cel.types import Type

Path = tuple[str, ...]


class _Entries(NamedTuple):
    """Sizes of what a list or map holds, where they are known."""

    of: str
    key: Range
    value: Range


class _Local(NamedTuple):
    path: Path
    size: Range | None
    entries: _Entries | None


def of(root: Node, declaration: Declaration | None) -> Range:
    """`declaration` is that of `self` and of every other variable with a schema; None where nothing is known."""
    try:
        return _Estimate(declaration).cost(root)
    except RecursionError:
        return ANY_SIZE  # nobody writes so deep an expression for people


class _Estimate:
    def __init__(self, declaration: Declaration | None) -> None:
        self._declaration = declaration
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, _Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    def cost(self, node: Node) -> Range:
        return _VISITORS[node.__class__](self, node)

    # Nodes.

    def _literal(self, node: Literal) -> Range:
        return fixed(0)

    def _ident(self, node: Ident) -> Range:
        local = self._local(node)
        self._paths[id(node)] = local.path if local else (node.name,)
        return ONE

    def _select(self, node: Select) -> Range:
        total = self.cost(node.operand)
        if node.is_test:
            return total
        if node.operand.type.kind in ("map", "struct", "param"):
            total = total.plus(ONE)
        self._paths[id(node)] = (*self._path(node.operand), node.field)
        return total

    def _list(self, node: ListOf) -> Range:
        total, item = fixed(costs.LIST_BASE), Range(UNBOUNDED if node.elements else 0, 0)
        for element in node.elements:
            total = total.plus(self.cost(element))
            item = item.union(self._size_or_any(element))
        self._entries[id(node)] = _Entries("list", ONE, item)
        return total

    def _map(self, node: MapOf) -> Range:
        low = UNBOUNDED if node.entries else 0
        total, keys, items = fixed(costs.MAP_BASE), Range(low, 0), Range(low, 0)
        for entry in node.entries:
            assert entry.key is not None, "an entry of a map has a key"
            total = total.plus(self.cost(entry.key)).plus(self.cost(entry.value))
            keys = keys.union(self._size_or_any(entry.key))
            items = items.union(self._size_or_any(entry.value))
        self._entries[id(node)] = _Entries("map", keys, items)
        return total

    def _message(self, node: Message) -> Range:
        total = fixed(costs.MESSAGE_BASE)
        for entry in node.entries:
            total = total.plus(self.cost(entry.value))
        return total

    def _fold(self, node: Fold) -> Range:
        if node.macro == "bind":
            return self._bind(node)
        total = self.cost(node.over).plus(self.cost(node.init))
        self._push(node.accu, _Local(self._path(node.init), self._size(node.init), self._held(node.init)))
        names = self._push_ranges(node)
        turn = self.cost(node.condition).plus(self.cost(node.step))
        for name in names:
            self._locals[name].pop()
        total = total.plus(self.cost(node.result))
        self._locals[node.accu].pop()
        count = self._size_or_any(node.over)
        if isinstance(node.init, Literal):
            self._sizes[id(node)] = self._size_or_any(node.init)
        else:
            self._sizes[id(node)] = count
            held = self._held(node.step)
            if held is not None:
                self._entries[id(node)] = held
        return total.plus(count.times(turn))

    def _bind(self, node: Fold) -> Range:
        total = self.cost(node.over).plus(self.cost(node.init))
        self._push(node.accu, _Local(self._path(node.init), self._size(node.init), self._held(node.init)))
        body = node.parts[1]
        assert body is not None, "a part that is there"
        total = total.plus(self.cost(body))
        size, held = self._size(body), self._held(body)
        self._locals[node.accu].pop()
        if size is not None:
            self._sizes[id(node)] = size
        if held is not None:
            self._entries[id(node)] = held
        return total

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)

    def _push_ranges(self, node: Fold) -> list[str]:
        held, path = self._held(node.over), self._path(node.over)
        of_list = (held.of if held else node.over.type.kind) == "list"
        key = _Local((*path, "@indices" if of_list else "@keys"), held.key if held else None, None)
        value = _Local((*path, "@items" if of_list else "@values"), held.value if held else None, None)
        if node.variable2:
            self._push(node.variable, key)
            self._push(node.variable2, value)
            return [node.variable, node.variable2]
        self._push(node.variable, value if of_list else key)
        return [node.variable]

    # Calls.

    def _call(self, node: Call) -> Range:
        if node.function == "dyn":
            return self._dyn(node)
        arguments = [self.cost(arg) for arg in node.args]
        total = fixed(0) if node.target is None else self.cost(node.target)
        target = None if node.target is None else self._operand(node.target)
        operands = [self._operand(arg) for arg in node.args]
        own: Range | None = None
        size: Range | None = None
        for overload in node.overloads:
            found = self._overload(node, overload, target, operands, arguments)
            own = found.cost if own is None else own.union(found.cost)
            if found.size is not None:
                size = found.size if size is None else size.union(found.size)
            if overload.id in ("index_list", "index_map"):
                held = self._held(node.args[0])
                size = held.value if held else size
                step = "@items" if overload.id == "index_list" else "@values"
                self._paths[id(node)] = (*self._path(node.args[0]), step)
            if size is None:
                size = self._size(node)
        if size is not None:
            self._sizes[id(node)] = size
        return total.plus(own or fixed(0))

    def _dyn(self, node: Call) -> Range:
        total = self.cost(node.args[0]).plus(ONE)
        size, held = self._size(node.args[0]), self._held(node.args[0])
        if size is not None:
            self._sizes[id(node)] = size
        if held is not None:
            self._entries[id(node)] = held
        return total

    def _overload(
        self, node: Call, overload: Overload, target: Operand | None, operands: list[Operand], arguments: list[Range]
    ) -> Estimated:
        if overload.id in ("logical_and", "logical_or"):
            left, right = arguments
            return Estimated(Range(left.low, left.plus(right).high))
        total = fixed(0)
        for one in arguments:
            total = total.plus(one)
        if overload.id == "conditional":
            asked, then, otherwise = arguments
            held, other = self._held(node.args[1]), self._held(node.args[2])
            if held and other:
                both = _Entries(held.of, held.key.union(other.key), held.value.union(other.value))
                self._entries[id(node)] = both
            size = self._size_or_any(node.args[1]).union(self._size_or_any(node.args[2]))
            return Estimated(asked.plus(then.union(otherwise)), size)
        if overload.id == "add_list":
            held, other = self._held(node.args[0]), self._held(node.args[1])
            if held and other:
                both = _Entries(held.of, held.key.union(other.key), held.value.union(other.value))
                self._entries[id(node)] = both
        found = estimated(node.function, overload, target, operands)
        return Estimated(found.cost.plus(total), found.size)

    def _operand(self, node: Node) -> Operand:
        element = None
        if node.type.kind in ("list", "map") and node.type.params:
            path = self._path(node)
            element = self._declared((*path, "@items")) if path else None
            held = self._held(node)
            element = element or (held.value if held else None) or ANY_SIZE
        return Operand(node, node.type, self._size_or_any(node), element if node.type.kind == "list" else None)

    # Sizes.

    def _local(self, node: Ident) -> _Local | None:
        stack = self._locals.get(node.name)
        return stack[-1] if stack else None

    def _path(self, node: Node) -> Path:
        if isinstance(node, Ident) and (local := self._local(node)):
            return local.path
        return self._paths.get(id(node), ())

    def _size_or_any(self, node: Node) -> Range:
        found = self._size(node)
        return ANY_SIZE if found is None else found

    def _size(self, node: Node) -> Range | None:
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        own = _own_size(node)
        if own is not None:
            return own
        declared = self._declared(self._path(node))
        if declared is not None:
            return declared
        if _is_scalar(node.type):
            return ONE
        local = self._local(node) if isinstance(node, Ident) else None
        return local.size if local else None

    def _declared(self, path: Path) -> Range | None:
        """What the schema allows at a path below a variable."""
        seen = self._declaration
        if not path or seen is None:
            return None
        for name in path[1:]:
            if name in ("@items", "@values"):
                seen = seen.element
            elif name in ("@keys", "@indices"):
                return Range(0, 0) if name == "@keys" and seen.kind == "map" else None
            else:
                seen = seen.field(name)
            if seen is None:
                return None
        return Range(0, seen.items_max)

    def _held(self, node: Node) -> _Entries | None:
        if id(node) in self._entries:
            return self._entries[id(node)]
        local = self._local(node) if isinstance(node, Ident) else None
        return local.entries if local else None


def _own_size(node: Node) -> Range | None:
    if isinstance(node, Literal):
        return fixed(len(node.value) if isinstance(node.value, str | bytes) else 1)
    if isinstance(node, ListOf):
        return fixed(len(node.elements))
    return fixed(len(node.entries)) if isinstance(node, MapOf) else None


def _is_scalar(one: Type) -> bool:
    return one.kind in types.SCALARS or (types.is_optional(one) and _is_scalar(one.params[0]))


_VISITORS: dict[type, Callable[[_Estimate, Any], Range]] = {
    Literal: _Estimate._literal,
    Ident: _Estimate._ident,
    Select: _Estimate._select,
    ListOf: _Estimate._list,
    MapOf: _Estimate._map,
    Message: _Estimate._message,
    Call: _Estimate._call,
    Fold: _Estimate._fold,
}
