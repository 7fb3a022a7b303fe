"""get and list: stored bytes, joined and never parsed unless a selector, table or other encoding asks for it.

Keeps true: upstream's meaning of resourceVersion, resourceVersionMatch, limit and continue.
Source: "Kubernetes API Concepts", resource versions and retrieving large results in chunks.
"""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from steersman.api.kind import Kind
from steersman.apiserver import continue_tokens, decoded, keys, negotiation, page_expiry, selection, shapes
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.serving import messages
from steersman.store import contract

# A list is joined in pieces of about this size: they stay in the processor's cache on their way through TLS, where one body
# of 30 MB would be copied three times through fresh pages.
PIECE_BYTES = 65536
SCAN_ENTRIES = 1000  # how many entries one look into the store takes while a selector fills a page


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    """Where a list reads: `at` 0 is now; `start` is relative to the prefix."""

    at: int
    limit: int
    start: str = ""
    from_token: bool = False


class Reader:
    def __init__(
        self,
        store: contract.Store,
        objects: decoded.DecodedObjects,
        shaper: shapes.Shaper,
        pages: page_expiry.PageExpiry,
    ) -> None:
        self._pages = pages
        self._store = store
        self._objects = objects
        self._shaper = shaper

    async def get(self, call: Call) -> messages.Response:
        """One object. Raises StatusError 404, or 504 for a revision of the future."""
        target = call.target
        if call.parameters:
            self.check_not_future(call.parameter("resourceVersion"))
        key = keys.key(call.kind, target.namespace, target.name)
        try:
            entry = await self._store.get(key, at_revision=call.at_revision)
        except contract.Compacted as error:
            raise _too_old(_Wanted(call.at_revision, 0)) from error
        if entry is None:
            raise call.not_found()
        if call.form is negotiation.PLAIN and not call.parameters:
            return messages.Response(200, dict(negotiation.JSON_HEADERS), entry.value)
        return self._shaper.one(call, entry.value)

    async def list(self, call: Call) -> messages.Response:
        page, token = await self.page(call)
        revision, remaining = str(page.revision), page.remaining
        if call.form.is_plain and not call.pretty:
            return _joined(call, page, token)
        meta: dict[str, Any] = {"resourceVersion": revision}
        if token:
            meta["continue"] = token
        if remaining:
            meta["remainingItemCount"] = remaining
        return self._shaper.many(call, [orjson.loads(entry.value) for entry in page.entries], meta)

    async def page(self, call: Call) -> tuple[contract.Page, str]:
        """The entries a list asks for, and the token of the next page."""
        selected = selection.of(call)
        wanted = self._wanted(call)
        prefix = keys.prefix(call.kind, call.target.namespace if call.kind.namespaced else "")
        try:
            if selected.is_everything:
                page = await self._store.list(
                    prefix,
                    at_revision=wanted.at,
                    limit=wanted.limit,
                    start=prefix + wanted.start if wanted.start else "",
                )
            else:
                page = await self._scan(call, prefix, selected, wanted)
        except contract.Compacted as error:
            raise _too_old(wanted) from error
        except contract.Future as error:
            raise too_large(wanted.at, self._store.revision) from error
        if not page.remaining:
            return page, ""
        start = page.entries[-1].key.removeprefix(prefix) + "\0"
        revision = page.revision
        return page, continue_tokens.format(continue_tokens.Token(revision, start))

    async def _scan(self, call: Call, prefix: str, selected: selection.Selection, wanted: _Wanted) -> contract.Page:
        """Walk the entries until `limit` match. The count of the rest is unknown then: 1 stands for "some"."""
        if selected.name is not None and (call.target.namespace or not call.kind.namespaced) and not wanted.at:
            return await self._single(prefix, selected)
        found: list[contract.Entry] = []
        start, at = prefix + wanted.start if wanted.start else "", wanted.at
        while True:
            page = await self._store.list(
                prefix, at_revision=at, limit=SCAN_ENTRIES if wanted.limit else 0, start=start
            )
            at = page.revision
            for entry in page.entries:
                if selected.matches(orjson.loads(entry.value)):
                    if wanted.limit and len(found) == wanted.limit:
                        return contract.Page(found, at, -1)
                    found.append(entry)
            if not page.remaining:
                return contract.Page(found, at, 0)
            start = page.entries[-1].key + "\0"

    async def _single(self, prefix: str, selected: selection.Selection) -> contract.Page:
        revision = self._store.revision
        entry = await self._store.get(f"{prefix}{selected.name}")
        found = [entry] if entry is not None and selected.matches(orjson.loads(entry.value)) else []
        return contract.Page(found, max(revision, entry.revision if entry else 0), 0)

    def _wanted(self, call: Call) -> _Wanted:
        if not call.parameters:
            return _Wanted(call.at_revision, 0)
        limit = max(0, call.number("limit") or 0)
        call.number("timeoutSeconds")  # means nothing to a list that is answered at once, but must be a number
        version, match = call.parameter("resourceVersion"), call.parameter("resourceVersionMatch")
        text = call.parameter("continue")
        check_match(version, match, text)
        if text:
            if version not in ("", "0"):
                raise errors.bad_request("specifying resource version is not allowed when using continue")
            token = continue_tokens.parse(text)
            wanted = _Wanted(max(0, token.revision), limit, token.start, True)
            if 0 < token.revision < self._pages.forgotten and not call.at_revision:
                raise _too_old(wanted)
            return wanted
        number = self.check_not_future(version)
        exact = match == "Exact" or (match == "" and limit and number)
        return _Wanted(call.at_revision or (number if exact else 0), limit)

    def check_not_future(self, version: str) -> int:
        """A resourceVersion as a number. Raises StatusError 400, or 504 when it has not happened yet."""
        if not version:
            return 0
        number = parse_version(version)
        if number > self._store.revision:
            raise too_large(number, self._store.revision)
        return number


def parse_version(version: str) -> int:
    if not (version.isascii() and version.isdigit() and len(version) < 19):
        raise _options_invalid(
            "resourceVersion",
            "FieldValueInvalid",
            f'Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax',
        )
    return int(version)


def check_match(version: str, match: str, token: str) -> None:
    """The rules of resourceVersionMatch. Raises StatusError 422."""
    if not match:
        return
    if not version:
        why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise _options_invalid("resourceVersionMatch", "FieldValueForbidden", why)
    if token:
        why = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
        raise _options_invalid("resourceVersionMatch", "FieldValueForbidden", why)
    if match not in ("Exact", "NotOlderThan"):
        why = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        raise _options_invalid("resourceVersionMatch", "FieldValueNotSupported", why)
    if match == "Exact" and version == "0":
        why = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        raise _options_invalid("resourceVersionMatch", "FieldValueForbidden", why)


def _options_invalid(field: str, reason: str, message: str) -> errors.StatusError:
    return errors.invalid("ListOptions", "", [errors.FieldError(field, reason, message)], "meta.k8s.io")


def too_large(wanted: int, current: int) -> errors.StatusError:
    text = f"Too large resource version: {wanted}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return errors.StatusError(errors.status(504, "Timeout", text, causes=[cause], retryAfterSeconds=1))


def _too_old(wanted: _Wanted) -> errors.StatusError:
    if not wanted.from_token:
        return errors.expired(f"too old resource version: {wanted.at}")
    refusal = errors.expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
        "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
        "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
        "deleted between the time the first chunk was returned and now may show up in the list."
    )
    refusal.status["metadata"] = {"continue": continue_tokens.format(continue_tokens.Token(-1, wanted.start))}
    return refusal


def _joined(call: Call, page: contract.Page, token: str) -> messages.Response:
    """The stored bytes of all entries as one list; a large one leaves in pieces that are joined as the client takes them."""
    kind = call.kind
    more = ""
    if token:
        more += f',"continue":"{token}"'
    if page.remaining > 0:
        more += f',"remainingItemCount":{page.remaining}'
    meta = f'{{"resourceVersion":"{page.revision}"{more}}}'
    start = f'{{"kind":"{kind.kind}List","apiVersion":"{kind.api_version}","metadata":{meta},"items":['.encode()
    between, values = _items(kind, page.entries)
    if values:
        start += between[1:]
    size = len(start) + sum(map(len, values)) + len(between) * max(0, len(values) - 1) + len(b"]}")
    headers = dict(negotiation.JSON_HEADERS)
    if size <= PIECE_BYTES:
        return messages.Response(200, headers, b"".join((start, between.join(values), b"]}")))
    headers["content-length"] = str(size)
    stream = _pieces(start, between, values, 1 + PIECE_BYTES * len(values) // size)
    return messages.Response(200, headers, stream=stream)


def _items(kind: Kind, entries: Sequence[contract.Entry]) -> tuple[bytes, list[bytes]]:
    """What stands between the items of a list, and each item without what stands there.

    Only custom objects say in a list what they are: the others' Go types do not.
    """
    if kind.custom is not None:
        return b",", [entry.value for entry in entries]
    typed = keys.head(kind).index(b'"metadata"')
    return b",{", [entry.value[typed:] for entry in entries]


async def _pieces(start: bytes, between: bytes, values: list[bytes], values_per_piece: int) -> AsyncIterator[bytes]:
    yield start
    for first in range(0, len(values), values_per_piece):
        end = first + values_per_piece
        yield between.join(values[first:end]) + (between if end < len(values) else b"]}")
