"""`/steersman/…`: questions about what was.

| path | answers |
| --- | --- |
| `/steersman/at/MOMENT` | the newest revision of then |
| `/steersman/at/MOMENT/api…` | any get or list (and discovery, as it is now) as it was then: a cluster for any client, read-only |
| `/steersman/history/api…/NAME` | an object's changes that are still known, each with its cause |
| `/steersman/writes/REVISION` | what one write changed, and why |
| `/steersman/backup` | the store's content as a file |
| POST `/steersman/rewind/MOMENT` | brings objects back to what they were; with `dryRun=All` it only says which |

Whoever may get an object may see how it was, nodes excepted. `writes`, `backup` and `rewind` are about any object: rules name
them as paths.
"""

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.apiserver import authorization, keys, negotiation, paths, questions, users
from steersman.apiserver.attributes import Attributes
from steersman.apiserver.call import Moment, check_dry_run
from steersman.apiserver.past import backup, moments, rewind, rewinding
from steersman.meta import errors, times
from steersman.serving import messages
from steersman.store import contract

PREFIX = "/steersman/"
HISTORY_MAX = 500  # changes of one object that are told, the newest ones

_NOT_NODES = "what a node needs of an object is what it is now"

# Answers a request to the API as it is, or as it was at a moment.
Ask = Callable[[messages.Request, users.User, Moment | None], Awaitable[messages.Response]]


class Past:
    """`ask` serves the API, `kind_of` finds the kind a target names (StatusError 404), `kind_of_object` that of an object."""

    def __init__(
        self,
        store: contract.Store,
        clock: Clock,
        authorizer: authorization.Authorizer,
        ask: Ask,
        kind_of: Callable[[paths.Target, users.User], Kind],
        kind_of_object: Callable[[str, str], Kind | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._authorizer = authorizer
        self._ask = ask
        self._kind_of = kind_of
        self._kind_of_object = kind_of_object

    async def answer(self, request: messages.Request, user: users.User) -> messages.Response:
        """Raises StatusError."""
        if users.NODES in user.groups:
            raise authorization.forbidden(user, questions.of_path(request.method, request.path), _NOT_NODES)
        question, _, rest = request.path.removeprefix(PREFIX).partition("/")
        if question == "rewind":
            return await self._rewind(request, rest, user)
        if question not in ("at", "history", "writes", "backup"):
            raise errors.no_route()
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if question == "at":
            return await self._at(request, rest, user)
        if question == "backup":
            self._authorizer.check(user, Attributes("get", path=request.path))
            return await backup.answer(self._store)
        if question == "history":
            return await self._history(paths.parse("GET", f"/{rest}"), user)
        return await self._writes(request.path, rest, user)

    async def _at(self, request: messages.Request, rest: str, user: users.User) -> messages.Response:
        moment, slash, path = rest.partition("/")
        if not path:
            self._authorizer.check(user, Attributes("get", path=request.path))
        then = await moments.of(self._store, moment, self._clock.now())
        if not path:
            return _json({"revision": then.revision, "time": times.format_micros(then.time)})
        return await self._ask(dataclasses.replace(request, path=slash + path), user, then)

    async def _history(self, target: paths.Target, user: users.User) -> messages.Response:
        if not target.is_resource or not target.name or target.subresource:
            raise errors.no_route()
        place = target.group, target.version, target.resource, target.namespace, target.name
        self._authorizer.check(user, Attributes("get", *place))
        kind = self._kind_of(target, user)
        key = keys.key(kind, target.namespace, target.name)
        known = await self._store.changes(key, self._store.compacted_revision)
        changes = [event for event in known if event.key == key][-HISTORY_MAX:]
        told = [await self._told(event) for event in changes]
        if not told and await self._store.get(key) is None:
            raise errors.not_found(kind.plural, target.name, kind.group)
        return _json({"keptFrom": self._store.compacted_revision, "changes": told})

    async def _told(self, event: contract.Event) -> dict[str, Any]:
        before = None if event.before is None else orjson.loads(event.before.value)
        after = None if event.deleted else orjson.loads(event.value)
        return {**await self._cause(event.revision), "before": before, "after": after}

    async def _writes(self, path: str, text: str, user: users.User) -> messages.Response:
        self._authorizer.check(user, Attributes("get", path=path))
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise errors.bad_request(f'"{text}" is no revision')
        revision = int(text)
        cause = await self._store.cause(revision)
        if cause is None:
            raise errors.expired(f"nothing is known any more of revision {revision}")
        changes = []
        if revision > self._store.compacted_revision:
            later = await self._store.changes("", revision - 1)
            changes = [_named(event) for event in later if event.revision == revision]
        return _json({**await self._cause(revision), "changes": changes})

    async def _rewind(self, request: messages.Request, moment: str, user: users.User) -> messages.Response:
        if request.method != "POST":
            raise errors.method_not_allowed()
        self._authorizer.check(user, Attributes("post", path=request.path))
        dry = request.parameter("dryRun")
        check_dry_run([dry] if dry else [], "UpdateOptions")
        then = await moments.of(self._store, moment, self._clock.now())
        if dry:
            outcome = await rewind.plan(self._store, self._clock, then.revision)
        else:
            cause = contract.Cause(user.name, "rewind", then.revision, times.format_micros(self._clock.now()))
            delete = functools.partial(self._delete, user)
            try:
                outcome = await rewind.run(self._store, self._clock, then.revision, delete, cause)
            except contract.Compacted as error:
                raise errors.expired(f"rewinding took so long that the history of then is gone: {error}") from error
        return _json({"revision": then.revision, **dataclasses.asdict(outcome)})

    async def _delete(self, user: users.User, unwanted: rewinding.Unwanted) -> None:
        kind = self._kind_of_object(unwanted.api_version, unwanted.kind)
        if kind is None:
            return  # its definition went before it, and it with that
        place = f"/namespaces/{unwanted.namespace}" if unwanted.namespace else ""
        path = f"{kind.path}{place}/{kind.plural}/{unwanted.name}"
        body = orjson.dumps({"propagationPolicy": "Background", "preconditions": {"uid": unwanted.uid}})
        try:
            await self._ask(messages.Request("DELETE", path, "", dict(negotiation.JSON_HEADERS), body), user, None)
        except errors.StatusError as refusal:
            if refusal.code not in (404, 409):  # it is gone, or another one of its name is there
                raise

    async def _cause(self, revision: int) -> dict[str, Any]:
        cause = await self._store.cause(revision) or contract.NOBODY
        return {"revision": revision, **cause._asdict()}


def _named(event: contract.Event) -> dict[str, Any]:
    obj = orjson.loads(event.value)
    what = "delete" if event.deleted else "create" if event.before is None else "change"
    meta = obj["metadata"]
    owner = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    return {
        "what": what,
        "kind": obj["kind"],
        "apiVersion": obj["apiVersion"],
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "controller": owner and {"kind": owner["kind"], "name": owner["name"]},
    }


def _json(body: dict[str, Any]) -> messages.Response:
    return messages.Response(200, dict(negotiation.JSON_HEADERS), orjson.dumps(body))
