"""What a type says about ownership: which values are one field, which have fields of their own.

Five kinds of node: a leaf (scalar, or a list or map owned as a whole), a struct or map, a list with keys and a set of scalars
(both in `lists`), and the node of a value without a schema, which is what the value is. Each can say which fields a value has
(`fields`), which came with it (`whole`), what differs (`compare`), and can merge, prune and check values.
Source: structured-merge-diff's typed package.

Nodes are built by `compiling`; they hold nothing but their type, so one tree serves a whole process.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from steersman.api.managed_fields import scalars, sets
from steersman.api.managed_fields.sets import EMPTY, SELF, Set

MISSING: Any = object()  # no value, where None is JSON's null


class Mistyped(Exception):
    """A value that its type has no place for: the message names the field."""


class Checked(Protocol):
    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        """What is wrong with a value from outside, in upstream's words."""


class Node(Checked, Protocol):
    """`old` and `new` are the node's value before and after; MISSING stands for none."""

    leaf: bool

    def fields(self, value: Any) -> Set | None:
        """What applying the value owns: leaves, list items and map entries. None where it owns nothing."""

    def whole(self, value: Any) -> Set:
        """Every path of a value that came or went as a whole, containers too."""

    def compare(self, old: Any, new: Any) -> tuple[Set | None, Set | None]:
        """(modified and added, removed) of two values that differ; None for an empty set."""

    def merge(self, old: Any, new: Any) -> Any:
        """`old` with all that `new` says; parts are shared with both."""

    def remove(self, value: Any, items: Set, kept: Set = EMPTY) -> Any:
        """The value without the members of `items`. A container that lost its last one goes too, unless it is in `kept`;
        MISSING where nothing is left."""

    def named(self, fields: Set) -> Set:
        """`fields` and every declared field on the way to them."""


class Leaf:
    """A value that is owned as one; `scalar` is what it may be: string, numeric, boolean, untyped, or "" for anything."""

    leaf = True

    def __init__(self, scalar: str = "", inner: "Checked | None" = None) -> None:
        self.scalar = scalar
        self.inner = inner  # an atomic list or map, checked inside although owned as a whole

    def fields(self, value: Any) -> Set | None:
        return EMPTY

    def whole(self, value: Any) -> Set:
        return EMPTY

    def compare(self, old: Any, new: Any) -> tuple[Set | None, Set | None]:
        return EMPTY, None

    def merge(self, old: Any, new: Any) -> Any:
        return old if new is MISSING else new

    def remove(self, value: Any, items: Set, kept: Set = EMPTY) -> Any:
        return value

    def named(self, fields: Set) -> Set:
        return fields

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        if self.inner is not None:
            yield from self.inner.check(value, path)
        elif value is not None:
            wrong = scalars.wrong_scalar(self.scalar, value)
            if wrong:
                yield f"{sets.text(path)}: {wrong}"


ANY = Leaf()


class Struct:
    """A struct (declared fields), a map (`rest` for all others), or both."""

    leaf = False

    def __init__(self, declared: dict[str, Node], rest: Node | None = None) -> None:
        self.declare(declared, rest)

    def declare(self, declared: dict[str, Node], rest: Node | None = None) -> None:
        """Also after the fact, for types that contain themselves."""
        self.declared = declared
        self.rest = rest
        self._known = {name: (f"f:{name}", None if node.leaf else node) for name, node in declared.items()}

    def node(self, name: str) -> Node:
        return self.declared.get(name) or self.rest or ANY

    def fields(self, value: Any) -> Set | None:
        if value.__class__ is not dict:
            return None if value is None else EMPTY
        result: Set = {}
        known, rest = self._known, self.rest
        for name, item in value.items():
            found = known.get(name)
            if found is None:
                inner = None if rest is None or rest.leaf else rest.fields(item)
                result["f:" + name] = {SELF: EMPTY, **inner} if inner else EMPTY
                continue
            element, node = found
            if node is None or item is None or item == {}:
                result[element] = EMPTY
            else:
                inner = node.fields(item)
                if inner is not None:
                    result[element] = inner
        return result or None

    def whole(self, value: Any) -> Set:
        if value.__class__ is not dict or not value:
            return EMPTY
        result: Set = {SELF: EMPTY}
        known, rest = self._known, self.rest
        for name, item in value.items():
            found = known.get(name)
            if found is None:
                result["f:" + name] = EMPTY if rest is None or rest.leaf else rest.whole(item)
            else:
                element, node = found
                result[element] = EMPTY if node is None else node.whole(item)
        return result

    def compare(self, old: Any, new: Any) -> tuple[Set | None, Set | None]:
        old, new = old or {}, new or {}
        if new.__class__ is not dict or old.__class__ is not dict:
            return EMPTY, None  # stored under another schema
        changed: Set = {}
        removed: Set = {}
        common = 0
        for name, item in new.items():
            before = old.get(name, MISSING)
            if before is MISSING:
                changed["f:" + name] = self.node(name).whole(item)
                continue
            common += 1
            if before is not item and before != item:
                more, less = self.node(name).compare(before, item)
                if more is not None:
                    changed["f:" + name] = more
                if less is not None:
                    removed["f:" + name] = less
        if common < len(old):
            for name, item in old.items():
                if name not in new:
                    removed["f:" + name] = self.node(name).whole(item)
        return changed or None, removed or None

    def merge(self, old: Any, new: Any) -> Any:
        if new is MISSING or old is MISSING:
            return old if new is MISSING else new
        if not isinstance(new, dict) or not isinstance(old, dict):
            return old if new is None and old else new
        if not new:
            return old or new
        result = dict(old)
        for name, item in new.items():
            merged = self.node(name).merge(old.get(name, MISSING), item)
            if merged is not MISSING:
                result[name] = merged
        return result

    def remove(self, value: Any, items: Set, kept: Set = EMPTY) -> Any:
        if value.__class__ is not dict:
            return value
        result = {}
        for name, item in value.items():
            node = items.get("f:" + name)
            if node is None:
                result[name] = item
            elif not sets.is_member(node):
                owned = kept.get("f:" + name)
                rest = self.node(name).remove(item, node, owned or EMPTY)
                if rest is not MISSING:
                    result[name] = rest
                elif owned is not None and sets.is_member(owned):
                    result[name] = type(item)()
        return result or MISSING

    def named(self, fields: Set) -> Set:
        result = {}
        for element, node in fields.items():
            name = element[2:]
            if not node or element[:2] != "f:":
                result[element] = node
                continue
            inner = self.node(name).named(node)
            result[element] = {SELF: EMPTY, **inner} if name in self.declared else inner
        return result

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        if value is None:
            return
        if not isinstance(value, dict):
            yield f"{sets.text(path)}: expected map, got {scalars.shown(value)}"
            return
        for name, item in value.items():
            at = (*path, f"f:{name}")
            node = self.declared.get(name) or self.rest
            if node is None:
                yield f"{sets.text(at)}: field not declared in schema"
                return
            yield from node.check(item, at)


class Inside:
    """What stands inside of an atomic list: only ever checked."""

    def __init__(self, item: Node) -> None:
        self._item = item

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        if value is None:
            return
        if not isinstance(value, list):
            yield f"{sets.text(path)}: expected list, got {scalars.shown(value)}"
            return
        for index, item in enumerate(value):
            yield from self._item.check(item, (*path, f"i:{index}"))


class Deduced:
    """A value without a schema: maps have fields, lists are owned as a whole, whatever they hold."""

    leaf = False

    def __init__(self) -> None:
        self._map = Struct({}, self)

    def _of(self, value: Any) -> Node:
        return self._map if value.__class__ is dict else ANY

    def fields(self, value: Any) -> Set | None:
        return self._of(value).fields(value)

    def whole(self, value: Any) -> Set:
        return self._of(value).whole(value)

    def compare(self, old: Any, new: Any) -> tuple[Set | None, Set | None]:
        before, after = self._of(old), self._of(new)
        if before is after or old is None or new is None:
            return (after if old is None else before).compare(old, new)
        if after.leaf:  # a map became a scalar: the field is another one, what was below it is gone
            return EMPTY, {key: node for key, node in before.whole(old).items() if key != SELF} or None
        return after.whole(new), None

    def merge(self, old: Any, new: Any) -> Any:
        if new is MISSING or old is MISSING or self._of(old) is not self._of(new):
            return old if new is MISSING else new
        return self._of(new).merge(old, new)

    def remove(self, value: Any, items: Set, kept: Set = EMPTY) -> Any:
        return self._of(value).remove(value, items, kept)

    def named(self, fields: Set) -> Set:
        return self._map.named(fields)

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        return iter(())


DEDUCED = Deduced()
