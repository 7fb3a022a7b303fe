"""Which part answers a request that may be made, once its kind is known: stored objects, other versions, custom kinds, reviews,
subresources, groups of one's own.

Keeps true: a write of what the server itself goes by (webhooks, definitions, flow schemas) is acted on before it is answered.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, MutableSet

from steersman.api import kinds as builtin
from steersman.api import review_kinds
from steersman.api.kind import Kind
from steersman.apiserver import component_status, negotiation, patching, paths, reviews
from steersman.apiserver.admission import chain
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.audit import trail
from steersman.apiserver.call import Call
from steersman.apiserver.extensions import definitions, handlers, versions
from steersman.apiserver.subresources import table
from steersman.meta import errors
from steersman.serving import messages

Answer = Callable[[Call], Awaitable[messages.Response]]

_READS = frozenset(("get", "list", "watch"))
_NOT_THE_OBJECT = frozenset(("log",))  # subresources of the object's own kind whose GET is something else


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """`stored` answers for kinds of one version. `refreshes`, by resource: what makes this server see what was written.
    `deprecated` is told which old kinds are asked for."""

    stored: handlers.Handlers
    versions: versions.Versions
    definitions: definitions.Definitions
    subresources: table.Subresources
    components: component_status.ComponentStatuses
    reviews: reviews.Reviews
    admission: chain.Chain
    refreshes: Mapping[str, Callable[[], Awaitable[None]]]
    deprecated: MutableSet[tuple[str, str, str, str, str]]
    release: str


class Dispatcher:
    """`groups`: who else answers for a group and version."""

    def __init__(self, parts: Parts) -> None:
        self.groups: dict[tuple[str, str], Answer] = {}
        self._parts = parts

    async def answer(self, call: Call) -> messages.Response:
        """Raises StatusError."""
        if call.target.rest and call.target.subresource not in paths.WITH_REST:
            raise errors.no_route()
        if call.then is not None:
            found = self._handlers(call.kind) if call.kind.custom is None else self._parts.definitions.handlers(call)
            return await found.answer(call)
        if self.groups:
            answer = self.groups.get((call.kind.group, call.kind.version))
            if answer is not None:
                return await answer(call)
        if call.target.subresource:
            return await self._subresource(call)
        if call.target.verb not in call.kind.verbs or not _is_shaped_for(call.target, call.kind):
            raise errors.method_not_allowed()
        return await self._verb(call)

    async def _verb(self, call: Call) -> messages.Response:
        if call.kind.custom is not None:
            return await self._custom(call)
        response = await self._builtin(call)
        if call.target.verb not in _READS:
            await self._settle(call.kind)
        return response

    async def _settle(self, kind: Kind) -> None:
        """A write of what this server goes by itself is acted on before it is answered."""
        refresh = self._parts.refreshes.get(kind.resource)
        if refresh is not None:
            await refresh()

    async def _custom(self, call: Call) -> messages.Response:
        """The main resource, status and scale of a custom kind."""
        found = self._parts.definitions.handlers(call)
        deprecation = self._parts.definitions.deprecation(call.kind)
        if deprecation:
            call.warnings.append(deprecation)
        verb = call.target.verb
        if verb == "patch" and negotiation.content_type(call.request) == patching.STRATEGIC:
            raise errors.unsupported_media_type(", ".join((patching.JSON, patching.MERGE, patching.APPLY)))
        if call.target.subresource == "scale" and found.scaling is not None:
            return await found.scaling.answer(call)
        return await found.answer(call)

    async def _builtin(self, call: Call) -> messages.Response:
        if review_kinds.KINDS.of_resource(call.kind.group, call.kind.version, call.kind.plural) is not None:
            return await self._review(call)
        self._warn_of_deprecation(call)
        if call.kind is builtin.COMPONENT_STATUS:
            return await self._parts.components.answer(call)
        if call.kind is builtin.BINDING:
            return await self._parts.subresources.bind(call)
        return await self._handlers(call.kind).answer(call)

    def _warn_of_deprecation(self, call: Call) -> None:
        deprecation = call.kind.deprecation
        if deprecation is not None and deprecation.since <= int(self._parts.release.split(".")[1]):
            call.warnings.append(deprecation.warning(call.kind.api_version, call.kind.kind))
            removed = f"1.{deprecation.removed}" if deprecation.removed else ""
            trail.annotate("k8s.io/deprecated", "true")
            if removed:
                trail.annotate("k8s.io/removed-release", removed)
            kind = call.kind
            self._parts.deprecated.add((kind.group, kind.version, kind.plural, call.target.subresource, removed))

    def _handlers(self, kind: Kind) -> handlers.Handlers:
        """Of a built-in kind."""
        return self._parts.stored if kind.storage is None else self._parts.versions.handlers(kind)

    async def _review(self, call: Call) -> messages.Response:
        asked = Review(call, "CREATE", self._parts.stored.writer.read(call))
        await self._parts.admission.admit(asked)
        form = negotiation.whole_form_of(call.request)
        return negotiation.respond(form, await self._parts.reviews.answer(call, asked.new), 201, pretty=call.pretty)

    async def _subresource(self, call: Call) -> messages.Response:
        target = call.target
        found = call.kind.subresource(target.subresource)
        if found is None:
            raise errors.no_route()
        if target.verb not in found.verbs and not (target.verb == "options" and found.name == "proxy"):
            raise errors.method_not_allowed()
        if call.kind.custom is not None:
            return await self._custom(call)
        if target.verb == "get" and found.kind == call.kind.kind and found.name not in _NOT_THE_OBJECT:
            return await self._handlers(call.kind).reader.get(call)
        if found.name == "status":
            response = await self._handlers(call.kind).answer(call)
            if target.verb != "get":
                await self._settle(call.kind)
            return response
        return await self._parts.subresources.answer(call)


def _is_shaped_for(target: paths.Target, kind: Kind) -> bool:
    """Whether the path has a name where the verb needs one, and a namespace where it writes."""
    if target.verb in ("list", "watch"):
        return True
    if kind.namespaced and not target.namespace:
        return False
    return bool(target.name) == (target.verb not in ("create", "deletecollection"))
