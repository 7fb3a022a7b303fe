"""From arguments and flags to objects: types and names, selectors, files; in kubectl's order, with its error texts.

`Query` says what is wanted, `find` checks it, `Found` goes through it: objects come one by one, so that what stands before a
mistake has been dealt with. Source of the rules: cli-runtime's resource.Builder and its visitors.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

from steersman.kubectl import files, problems
from steersman.kubectl.discovery import Resource
from steersman.kubectl.problems import CommandError
from steersman.meta import errors
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.call import Call

MISSING = (
    "You must provide one or more resources by argument or filename.\n"
    "Example resource specifications include:\n"
    "   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
)


MISSING_FILES = (
    "you must specify resources by --filename when --local is set.\n"
    "Example resource specifications include:\n"
    "   '-f rsrc.yaml'\n   '--filename=rsrc.json'"
)


@dataclasses.dataclass(slots=True)
class Info:
    """An object, or where one is. `source` is the file it was read from; `object` is empty until it is fetched."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    object: Object = dataclasses.field(default_factory=dict)
    source: str = ""

    @property
    def path(self) -> str:
        return self.at()

    def at(self, subresource: str = "") -> str:
        """Where the object is, and never where all of its kind are. Raises CommandError."""
        if not self.name:
            raise CommandError("resource name may not be empty")
        return self.resource.path(self.namespace, self.name, subresource)

    def __str__(self) -> str:
        """`deployment.apps/web`."""
        return f"{self.resource.qualified_kind}/{self.name}"

    def refresh(self, obj: Object) -> None:
        """Be what the server says."""
        self.object = obj
        metadata = obj.get("metadata") or {}
        self.name = metadata.get("name") or self.name
        if self.resource.namespaced:
            self.namespace = metadata.get("namespace") or self.namespace


class Query(NamedTuple):
    """What a verb looks for, as it would tell upstream's builder.

    `fetch`: objects that are named come from the server, else only where they are is told. `latest`: those from files, too.
    `everything`: a type alone means all of its objects. `accept` asks the server for another form (Tables).
    `validate`: what in a file is no object at all is told as kubectl's validation does.
    """

    arguments: Sequence[str] = ()
    filenames: files.Filenames = files.NONE
    namespace: str = ""
    enforce_namespace: bool = False
    all_namespaces: bool = False
    selector: str | None = None
    field_selector: str | None = None
    select_all: bool = False
    everything: bool = False
    chunk_size: int = 0
    subresource: str = ""
    single_type: bool = False
    fetch: bool = True
    latest: bool = False
    flatten: bool = True
    keep_going: bool = False
    local: bool = False
    validate: bool = False
    accept: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


def from_flags(call: "Call", **changes: object) -> Query:
    """A query of the flags that the verb has: -f, -k, -R, -l, --field-selector, --all, -A, --chunk-size, --subresource."""
    flags = call.flags
    all_namespaces = flags.get("all-namespaces", False)
    query = Query(
        arguments=tuple(call.arguments),
        filenames=files.from_flags(flags),
        namespace="" if all_namespaces else call.namespace,
        enforce_namespace=call.enforce_namespace,
        all_namespaces=all_namespaces,
        selector=flags.get("selector") or None,
        field_selector=flags.get("field-selector") or None,
        select_all=flags.get("all", False),
        chunk_size=flags.get("chunk-size", 0),
        subresource=flags.get("subresource", ""),
    )
    return query._replace(**changes)  # type: ignore[arg-type]


class Found:
    """`is_single`: one object was named (a refusal then ends the command)."""

    def __init__(self, call: "Call", query: Query, walk: AsyncIterator[Info | Exception], *, is_single: bool) -> None:
        self.is_single = is_single
        self._call, self._query, self._walk = call, query, walk

    async def visit(self, act: Callable[[Info], Awaitable[None]]) -> None:
        """Do something with each in turn. Raises the first problem; with `keep_going` all of them, at the end."""
        failed: list[Exception] = []
        async with contextlib.aclosing(self._walk) as walk:  # type: ignore[type-var]
            async for one in walk:
                try:
                    if isinstance(one, Exception):
                        raise one
                    if not self._query.latest:
                        self._place(one)
                    if self._query.fetch and not one.object:
                        await retrieve(self._call, one, self._query)
                    if self._query.latest:
                        self._place(one)
                    await act(one)
                except (CommandError, StatusError, problems.Several) as problem:
                    if not self._query.keep_going:
                        raise
                    failed.extend(problem.errors if isinstance(problem, problems.Several) else (problem,))
        problems.raise_all(failed)

    async def infos(self) -> list[Info]:
        """All of them. Raises as `visit` does; `collected` keeps what was found."""
        found, error = await self.collected()
        if error is not None:
            raise error
        return found

    async def collected(self) -> tuple[list[Info], Exception | None]:
        """What was found, and what was wrong with the rest."""
        found: list[Info] = []

        async def keep(info: Info) -> None:
            found.append(info)

        try:
            await self.visit(keep)
        except (CommandError, StatusError, problems.Several) as problem:
            return found, problem
        return found, None

    def _place(self, info: Info) -> None:
        """Objects from files get the namespace that is meant, and must not say another than --namespace."""
        query = self._query
        if not info.source or query.local:
            return
        if not info.resource.namespaced:
            info.namespace = ""
            return
        if not info.namespace and query.namespace:
            info.namespace = query.namespace
            if info.object:
                metadata = info.object.setdefault("metadata", {})
                metadata["namespace"] = query.namespace
        elif query.enforce_namespace and info.namespace != query.namespace:
            raise CommandError(
                f'the namespace from the provided object "{info.namespace}" does not match the namespace "{query.namespace}". '
                f"You must pass '--namespace={info.namespace}' to perform this operation."
            )


async def retrieve(call: "Call", info: Info, query: Query | None = None) -> None:
    """Fetch the object. Raises CommandError, StatusError."""
    query = query or Query()
    headers = {"accept": query.accept} if query.accept else None
    path = info.at(query.subresource)
    try:
        response = await call.request("GET", path, dict(query.parameters), headers=headers)
    except StatusError as refused:
        if refused.reason == "NotFound" and info.namespace not in ("", "default"):
            await _check_there_is(call, info.namespace)
        raise
    info.refresh(orjson.loads(response.body))


async def _check_there_is(call: "Call", namespace: str) -> None:
    """That the namespace is missing says more than that something in it is. Raises StatusError."""
    with contextlib.suppress(StatusError):
        await call.request("GET", f"/api/v1/namespaces/{namespace}")
        return
    raise errors.not_found("namespaces", namespace)


async def find(call: "Call", query: Query) -> Found:
    """Look at what is asked; nothing is fetched yet but what the server serves. Raises CommandError."""
    query = query._replace(selector=_unless_blank(query.selector), field_selector=_unless_blank(query.field_selector))
    names, types, tuples, query = await _read_arguments(call, query)
    if query.filenames.given:
        if types:
            raise CommandError(
                "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
            )
        if tuples:
            raise CommandError("resource/name arguments cannot be provided when a path is specified")
        files.check(query.filenames)
        return Found(call, query, _from_files(call, query), is_single=query.filenames.is_single)
    if query.local:
        raise CommandError(MISSING_FILES)
    if query.selector is not None or query.field_selector is not None:
        if names:
            raise CommandError("name cannot be provided when a selector is specified")
        if tuples:
            raise CommandError("selectors and the all flag cannot be used when passing resource/name arguments")
        if not types:
            raise CommandError("at least one resource must be specified to use a selector")
        if query.subresource:
            raise CommandError("subresource cannot be used when bulk resources are specified")
        resources = await _resources(call, query, types)
        return Found(call, query, _selected(call, query, resources), is_single=False)
    if tuples:
        return Found(call, query, _named(query, await _tuples(call, query, tuples)), is_single=len(tuples) == 1)
    if names:
        resources = await _resources(call, query, types)
        for resource in resources:
            _check_namespace(query, resource)
        pairs = [(resource, name) for resource in resources for name in names]
        return Found(call, query, _named(query, pairs), is_single=len(pairs) == 1)
    if types:
        await _resources(call, query, types)
        raise CommandError("resource(s) were provided, but no name was specified")
    raise CommandError(MISSING)


def _unless_blank(selector: str | None) -> str | None:
    """`-l " "` is none at all, and not one that selects everything."""
    return selector if not selector or selector.strip() else None


async def _read_arguments(call: "Call", query: Query) -> tuple[list[str], list[str], list[tuple[str, str]], Query]:
    """Names, types, and pairs of them."""
    arguments = list(query.arguments)
    if query.select_all:
        query = query._replace(selector="")
    slashes = sum("/" in argument for argument in arguments)
    if slashes and slashes < len(arguments):
        program = call.program
        raise CommandError(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form "
            f"(e.g. '{program} get resource/<resource_name>' instead of '{program} get resource resource/<resource_name>'"
        )
    if slashes:
        return [], [], [_pair(argument) for argument in arguments], query
    types = await _written_out(call, arguments[0]) if arguments else []
    if len(arguments) == 1 and query.everything and query.selector is None:
        query = query._replace(selector="")
    return arguments[1:], types, [], query


async def _written_out(call: "Call", argument: str) -> list[str]:
    """Types between commas, categories replaced by what they stand for."""
    found: list[str] = []
    for word in argument.split(","):
        members = [one.qualified for one in (await call.discovery()).category(word)] if word else []
        found.extend(members or [word])
    return list(dict.fromkeys(found))


def _pair(argument: str) -> tuple[str, str]:
    parts = argument.split("/")
    if len(parts) != 2:
        raise CommandError("arguments in resource/name form may not have more than one slash")
    if not all(parts) or "," in parts[0]:
        raise CommandError("arguments in resource/name form must have a single resource and name")
    return parts[0], parts[1]


async def _resources(call: "Call", query: Query, types: list[str]) -> list[Resource]:
    if len(types) > 1 and query.single_type:
        raise CommandError("you may only specify a single resource type")
    discovery = await call.discovery()
    return list(dict.fromkeys(discovery.find(word) for word in types))


async def _tuples(call: "Call", query: Query, tuples: list[tuple[str, str]]) -> list[tuple[Resource, str]]:
    discovery = await call.discovery()
    found = [(discovery.find(word), name) for word, name in tuples]
    if query.single_type and len({resource for resource, _ in found}) > 1:
        raise CommandError("you may only specify a single resource type")
    for resource, _ in found:
        _check_namespace(query, resource)
    return found


def _check_namespace(query: Query, resource: Resource) -> None:
    if resource.namespaced and not query.namespace:
        raise CommandError(
            "a resource cannot be retrieved by name across all namespaces"
            if query.all_namespaces
            else "namespace may not be empty when retrieving a resource by name"
        )


async def _named(query: Query, pairs: list[tuple[Resource, str]]) -> AsyncIterator[Info | Exception]:
    for resource, name in pairs:
        yield Info(resource, query.namespace if resource.namespaced else "", name)


async def _selected(call: "Call", query: Query, resources: list[Resource]) -> AsyncIterator[Info | Exception]:
    """The lists (Tables where asked), taken apart when `flatten`."""
    for resource in resources:
        try:
            async for page in list_pages(call, query, resource):
                if not query.flatten or "items" not in page:
                    yield Info(resource, query.namespace, "", page)
                    continue
                for item in page["items"] or []:
                    yield info_of(resource, _typed(item, page))
        except StatusError as refused:
            yield _not_listed(refused, resource, query)
        except CommandError as wrong:
            yield wrong


async def list_pages(call: "Call", query: Query, resource: Resource) -> AsyncIterator[Object]:
    """A list in pieces of --chunk-size."""
    parameters: dict[str, str | int] = {
        **dict(query.parameters),
        "labelSelector": query.selector or "",
        "fieldSelector": query.field_selector or "",
        "limit": query.chunk_size,
    }
    headers = {"accept": query.accept} if query.accept else None
    path = resource.path(query.namespace)
    token = ""
    while True:
        response = await call.request("GET", path, parameters | {"continue": token}, headers=headers)
        page: Object = orjson.loads(response.body)
        yield page
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return


def _not_listed(refused: StatusError, resource: Resource, query: Query) -> StatusError:
    """A refusal that says nothing of what was asked says it."""
    if refused.reason not in ("BadRequest", "NotFound"):
        return refused
    what = f"{resource.group}/{resource.version}, Resource={resource.plural}"
    if query.selector or query.field_selector:
        selectors = f'that match label selector "{query.selector or ""}", field selector "{query.field_selector or ""}"'
        said = f'Unable to find "{what}" {selectors}: {refused}'
    else:
        said = f'Unable to list "{what}": {refused}'
    return StatusError({**refused.status, "message": said})


def _typed(item: Object, page: Object) -> Object:
    """Items of a list need not say what they are."""
    item.setdefault("apiVersion", page.get("apiVersion", ""))
    item.setdefault("kind", page.get("kind", "").removesuffix("List"))
    return item


def info_of(resource: Resource, obj: Object, source: str = "") -> Info:
    metadata = obj.get("metadata") or {}
    return Info(resource, metadata.get("namespace", ""), metadata.get("name", ""), obj, source)


async def _from_files(call: "Call", query: Query) -> AsyncIterator[Info | Exception]:
    """Objects in files, as they are there or (`latest`) as the server has them."""
    async for found in files.objects(
        call, query.filenames, flatten=query.flatten or query.latest, validate=query.validate
    ):
        if isinstance(found, Exception):
            yield found
            if not query.keep_going:
                return
            continue
        obj, source = found
        resource = None if query.local else (await call.discovery()).of_object(obj)
        if query.local:
            resource = _guessed(obj)
        if resource is None:
            yield _no_match(obj, source)
            continue
        info = info_of(resource, obj, source)
        if query.selector and not _is_selected(query.selector, obj):
            continue
        if query.latest:
            if not info.namespace and resource.namespaced:
                info.namespace = query.namespace
            if info.name:  # one without stays what the file says
                info.object = {}
        yield info


def _guessed(obj: Object) -> Resource:
    """For --local: nothing is known but the object."""
    group, _, version = obj["apiVersion"].rpartition("/")
    kind = obj["kind"]
    return Resource(group, version, kind, f"{kind.lower()}s", kind.lower())


def _is_selected(selector: str, obj: Object) -> bool:
    from steersman.meta import selectors

    return selectors.parse(selector).matches((obj.get("metadata") or {}).get("labels") or {})


def _no_match(obj: Object, source: str) -> CommandError:
    metadata = obj.get("metadata") or {}
    return CommandError(
        f'resource mapping not found for name: "{metadata.get("name", "")}" namespace: "{metadata.get("namespace", "")}" '
        f'from "{source}": no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"\n'
        "ensure CRDs are installed first"
    )
