"""What a type says about ownership: which values are one field, which have fields of their own.

Five kinds of node: a leaf (scalar, or a list or map owned as a whole), a struct or map, a list with keys, a set of scalars,
and the node of a value without a schema, which is what the value is. Each can say which fields a value has (`fields`), which
came with it (`whole`), what differs (`compare`), and can merge, prune and check values.
Source: structured-merge-diff's typed package.

Nodes are built by `compiling`; they hold nothing but their type, so one tree serves a whole process.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from steersman.api.managed_fields import sets
from steersman.api.managed_fields.sets import EMPTY, SELF, Set

MISSING: Any = object()  # no value, where None is JSON's null
_KEYS_MAX = 4096  # remembered texts of list keys; a cluster has few names of containers, ports and conditions


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
            wrong = _wrong_scalar(self.scalar, value)
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
            yield f"{sets.text(path)}: expected map, got {_shown(value)}"
            return
        for name, item in value.items():
            at = (*path, f"f:{name}")
            node = self.declared.get(name) or self.rest
            if node is None:
                yield f"{sets.text(at)}: field not declared in schema"
                return
            yield from node.check(item, at)


class _Keyed:
    """A list whose items have an identity: the common part of lists with keys and sets."""

    leaf = False
    item: Node

    def element(self, item: Any) -> str:
        """The path element of an item. Raises Mistyped where it has no identity."""
        raise NotImplementedError

    def indexed(self, value: Any) -> tuple[dict[str, Any], set[str]]:
        """Items by path element, and the elements that stand in the list more than once."""
        found: dict[str, Any] = {}
        twice: set[str] = set()
        element_of = self.element
        for item in value or ():
            element = element_of(item)
            if element in found:
                twice.add(element)
            else:
                found[element] = item
        return found, twice

    def fields(self, value: Any) -> Set | None:
        if not value or value.__class__ is not list:
            return None
        items, twice = self.indexed(value)
        if self.item.leaf:
            return dict.fromkeys(items, EMPTY)
        result: Set = {}
        for element, item in items.items():
            inner = None if element in twice else self.item.fields(item)
            result[element] = {SELF: EMPTY, **inner} if inner else EMPTY
        return result

    def whole(self, value: Any) -> Set:
        if not value or value.__class__ is not list:
            return EMPTY
        items, twice = self.indexed(value)
        result: Set = {SELF: EMPTY}
        for element, item in items.items():
            result[element] = EMPTY if element in twice else self.item.whole(item)
        return result

    def compare(self, old: Any, new: Any) -> tuple[Set | None, Set | None]:
        if not isinstance(old or [], list) or not isinstance(new or [], list):
            return EMPTY, None  # stored under another schema
        before, twice_before = self.indexed(old)
        after, twice_after = self.indexed(new)
        if twice_before or twice_after:
            return self._compare_doubled(old, new, twice_before, twice_after)
        changed: Set = {}
        removed: Set = {}
        for element, item in after.items():
            was = before.get(element, MISSING)
            if was is MISSING:
                changed[element] = self.item.whole(item)
            elif was != item:
                more, less = self.item.compare(was, item)
                if more is not None:
                    changed[element] = more
                if less is not None:
                    removed[element] = less
        for element, item in before.items():
            if element not in after:
                removed[element] = self.item.whole(item)
        return changed or None, removed or None

    def _compare_doubled(
        self, old: Any, new: Any, twice_before: set[str], twice_after: set[str]
    ) -> tuple[Set | None, Set | None]:
        """Items that share an identity are owned together, as one field."""
        doubled = twice_before | twice_after
        changed, removed = self.compare(
            *([one for one in v or () if self.element(one) not in doubled] for v in (old, new))
        )
        changed, removed = dict(changed or {}), dict(removed or {})
        for element in sorted(doubled):
            was = [one for one in old or () if self.element(one) == element]
            now = [one for one in new or () if self.element(one) == element]
            if len(was) > 1 and len(now) > 1:
                if was != now:
                    changed[element] = EMPTY
            elif len(was) > 1:
                removed[element] = EMPTY
                if now:
                    changed[element] = self.item.whole(now[0])
            else:
                changed[element] = EMPTY
                if was:
                    removed[element] = self.item.whole(was[0])
        return changed or None, removed or None

    def merge(self, old: Any, new: Any) -> Any:
        if new is MISSING or old is MISSING:
            return old if new is MISSING else new
        if not isinstance(new, list) or not isinstance(old, list):
            return old if new is None and old else new
        if not new:
            return old or new
        before, twice = self.indexed(old)
        after, _ = self.indexed(new)
        result = []
        for element, position in _merged_order([self.element(one) for one in old], list(after)):
            if element not in after:
                result.append(old[position])
            else:
                was = MISSING if element in twice else before.get(element, MISSING)
                result.append(self.item.merge(was, after[element]))
        return result

    def remove(self, value: Any, items: Set, kept: Set = EMPTY) -> Any:
        if value.__class__ is not list:
            return value
        result = []
        for item in value:
            element = self.element(item)
            node = items.get(element)
            if node is None:
                result.append(item)
            elif not sets.is_member(node):
                rest = self.item.remove(item, node, kept.get(element) or EMPTY)
                result.append({} if rest is MISSING else rest)
        return result or MISSING

    def named(self, fields: Set) -> Set:
        return {element: self.item.named(node) if node else node for element, node in fields.items()}

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        if value is None:
            return
        if not isinstance(value, list):
            yield f"{sets.text(path)}: expected list, got {_shown(value)}"
            return
        seen: set[str] = set()
        for index, item in enumerate(value):
            try:
                element = self.element(item)
            except Mistyped as wrong:
                yield f"{sets.text(path)}: element {index}: {wrong}"
                return
            if element in seen:
                yield f"{sets.text(path)}: duplicate entries for key {sets.text((element,))}"
            seen.add(element)
            yield from self.item.check(item, (*path, element))


class ListMap(_Keyed):
    """A list of maps that some of their fields tell apart; `defaults` stand in for keys left out."""

    def __init__(self, keys: list[str], item: Node, defaults: dict[str, Any] | None = None) -> None:
        self.item = item
        self._keys = sorted(keys)
        self._defaults = defaults or {}
        self._texts: dict[Any, str] = {}
        self._one = self._keys[0] if len(self._keys) == 1 and not self._defaults else ""

    def element(self, item: Any) -> str:
        if item.__class__ is dict and self._one:
            value = item.get(self._one)
            known = self._texts.get(value) if value.__class__ is str else None
            if known is not None:
                return known
        return self._element(item)

    def _element(self, item: Any) -> str:
        if not isinstance(item, dict):
            what = "a null element" if item is None else "non-map elements"
            raise Mistyped(f"associative list with keys may not have {what}")
        key = {}
        for name in self._keys:
            value = item.get(name, MISSING)
            if value is MISSING:
                value = self._defaults.get(name, MISSING)
            if value is MISSING:
                why = f'an element that omits key field "{name}" (and doesn\'t have default value)'
                raise Mistyped(f"associative list with keys has {why}")
            key[name] = value
        text = "k:" + orjson.dumps(key).decode()
        if self._one and isinstance(key[self._one], str):
            if len(self._texts) >= _KEYS_MAX:
                self._texts.clear()
            self._texts[key[self._one]] = text
        return text


class ListSet(_Keyed):
    """A list of scalars that stand in it once each."""

    def __init__(self, item: Node = ANY) -> None:
        self.item = item

    def element(self, item: Any) -> str:
        if isinstance(item, dict):
            raise Mistyped("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise Mistyped("not supported: associative list with lists as elements")
        if item is None:
            raise Mistyped("associative list without keys has an element that's an explicit null")
        return "v:" + orjson.dumps(item).decode()


class Inside:
    """What stands inside of an atomic list: only ever checked."""

    def __init__(self, item: Node) -> None:
        self._item = item

    def check(self, value: Any, path: sets.Path) -> Iterator[str]:
        if value is None:
            return
        if not isinstance(value, list):
            yield f"{sets.text(path)}: expected list, got {_shown(value)}"
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


def _merged_order(left: list[str], right: list[str]) -> Iterator[tuple[str, int]]:
    """The order of a merged list, as (element, place in `left`): `right`'s own order, and between it what only `left` has,
    where it stood among the elements they share. An element of both comes once, with place -1."""
    wanted, known = set(right), set(left)
    shared = iter([element for element in right if element in known])
    following = next(shared, None)
    done: set[str] = set()
    at = taken = 0
    while at < len(left) or taken < len(right):
        here = left[at] if at < len(left) else None
        if here is not None and taken < len(right):
            if here == right[taken]:
                done.add(here)
                yield here, -1
                at, taken, following = at + 1, taken + 1, next(shared, None)
                continue
            if here in wanted and following is not None and here != following:
                at += 1
                continue
        if here is not None:
            if here not in wanted:
                yield here, at
                at += 1
                continue
            if here in done:
                at += 1
        if taken < len(right):
            element = right[taken]
            done.add(element)
            yield element, -1
            taken += 1
            if element == following:
                following = next(shared, None)


def _wrong_scalar(kind: str, value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "numeric" and not is_number:
        return f"expected numeric (int or float), got {_go_type(value)}"
    if kind == "string" and not isinstance(value, str):
        return f"expected string, got &value.valueUnstructured{{Value:{_shown(value)[2:-1]}}}"
    if kind == "boolean" and not isinstance(value, bool):
        return f"expected boolean, got {_shown(value)}"
    if kind == "untyped" and isinstance(value, (dict, list)):
        return f"expected any scalar, got {_shown(value)}"
    return ""


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "[]interface {}"
    return "map[string]interface {}"


def _shown(value: Any) -> str:
    """A value as Go prints it inside of a message."""
    return f"&{{{_go_text(value)}}}"


def _go_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case list():
            return "[" + " ".join(_go_text(one) for one in value) + "]"
        case dict():
            return "map[" + " ".join(f"{key}:{_go_text(one)}" for key, one in sorted(value.items())) + "]"
    return str(value)
