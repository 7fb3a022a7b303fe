"""Nodes of lists whose items have an identity: by keys, or as scalars that stand in the list once each."""

from collections.abc import Iterator
from typing import Any

import orjson

from steersman.api.managed_fields import scalars, sets, types
from steersman.api.managed_fields.sets import EMPTY, SELF, Set
from steersman.api.managed_fields.types import MISSING, Mistyped, Node

_KEYS_MAX = 4096  # remembered texts of list keys; a cluster has few names of containers, ports and conditions


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
            yield f"{sets.text(path)}: expected list, got {scalars.shown(value)}"
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

    def __init__(self, item: Node = types.ANY) -> None:
        self.item = item

    def element(self, item: Any) -> str:
        if isinstance(item, dict):
            raise Mistyped("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise Mistyped("not supported: associative list with lists as elements")
        if item is None:
            raise Mistyped("associative list without keys has an element that's an explicit null")
        return "v:" + orjson.dumps(item).decode()


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
