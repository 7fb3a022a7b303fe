"""What a server serves, and which of it a word means: `po`, `deploy`, `deployments.apps`, `pods.v1.`, `Pod`, `all`.

Keeps true: words are looked up as kubectl does: exact names before short ones, the server's order of groups, each group's preferred
version first. `fetch` asks (aggregated discovery, or the older kind); the rest is pure.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from steersman.aio import tasks
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.call import Call

_AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
ACCEPT = f"{_AGGREGATED},application/json"
# What is asked for beside another when an older server has one document for each group and version.
AT_ONE_TIME_MAX = 16


class Resource(NamedTuple):
    """One resource in one version. `subresources` by name, as `Resource`s whose kind is that of the body."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """What stands before names: `pod`, `deployment.apps`."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Of an object, or of the collection. Raises CommandError for words that would lead elsewhere."""
        _check_segment("namespace", namespace)
        _check_segment("resource name", name)
        space = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return (
            f"{self.root}{space}/{self.plural}"
            + (f"/{name}" if name else "")
            + (f"/{subresource}" if subresource else "")
        )


def _check_segment(what: str, text: str) -> None:
    if text in (".", "..") or "/" in text or "%" in text:
        from steersman.meta import names

        raise CommandError(f'invalid {what} "{text}": [{" ".join(names.path_segment_errors(text))}]')


class Group(NamedTuple):
    """`versions` in the server's order, the preferred one first as it says."""

    name: str
    versions: tuple[str, ...]

    @property
    def preferred(self) -> str:
        return self.versions[0]


class Discovery:
    """`resources` in the server's order: group by group, each group's versions as it lists them. `problems` say which versions
    it could not tell about."""

    note: Callable[[str], None] = staticmethod(lambda text: None)
    """Called with what a user should know of how a word was understood."""

    def __init__(
        self, groups: Sequence[Group], resources: Sequence[Resource], problems: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.groups = tuple(groups)
        self.resources = tuple(resources)
        self.problems = tuple(problems)
        preferred = {(group.name, group.preferred) for group in groups}
        order = {group.name: place for place, group in enumerate(groups)}
        # Python sorts stably: within a group and rank, the server's order stays.
        self._ranked = sorted(
            self.resources, key=lambda one: (order[one.group], (one.group, one.version) not in preferred)
        )

    def failures(self) -> list[Exception]:
        """What the server could not tell, as kubectl words it."""
        if not self.problems:
            return []
        told = ", ".join(f"{where}: {what}" for where, what in self.problems)
        return [CommandError(f"unable to retrieve the complete list of server APIs: {told}")]

    def find(self, word: str) -> Resource:
        """The resource that TYPE[.VERSION][.GROUP] means. Raises CommandError."""
        found = self.look_up(word)
        if found is None:
            raise CommandError(f'the server doesn\'t have a resource type "{word.partition(".")[0]}"')
        return found

    def look_up(self, word: str) -> Resource | None:
        parts = word.split(".", 2)
        if len(parts) == 3:
            name, version, group = parts
            found = self._match(name, group, version, exact=True)
            if found is not None:
                return found
        name, _, group = word.partition(".")
        return self._match(name, group) or self._kind_word(word)

    def find_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an object."""
        group, _, version = api_version.rpartition("/")
        for one in self.resources:
            if one.kind == kind and one.group == group and one.version == version:
                return one
        return None

    def of_object(self, obj: Object) -> Resource | None:
        """An object that says no version is looked for in none, which no server has."""
        if not obj["apiVersion"]:
            found = self.kind_in_group("", obj["kind"])
            return found and found._replace(version="")
        return self.find_kind(obj["apiVersion"], obj["kind"])

    def kind_in_group(self, group: str, kind: str) -> Resource | None:
        """The resource of a kind in the version that is preferred."""
        return next((one for one in self._ranked if one.kind == kind and one.group == group), None)

    def category(self, word: str) -> list[Resource]:
        """What `all` or another category stands for, in kubectl's order; none when it is no category."""
        found: dict[tuple[str, str], Resource] = {}
        for one in self._ranked:
            if word in one.categories:
                found.setdefault((one.group, one.plural), one)
        return list(found.values())

    def preferred(self) -> list[Resource]:
        """Each resource once, in its group's preferred version, or the first that has it."""
        found: dict[tuple[str, str], Resource] = {}
        for one in self._ranked:
            found.setdefault((one.group, one.plural), one)
        return list(found.values())

    def _match(self, name: str, group: str = "", version: str = "", *, exact: bool = False) -> Resource | None:
        name, group = self._long_name(name, group)
        candidates = [
            one
            for one in self._ranked
            if name.lower() in (one.plural, one.singular or one.kind.lower()) and version in ("", one.version)
        ]
        if exact or not group:
            return next((one for one in candidates if one.group == group or not (exact or group)), None)
        same = [one for one in candidates if one.group == group]
        return next(iter(same or [one for one in candidates if one.group.startswith(group)]), None)

    def _long_name(self, name: str, group: str) -> tuple[str, str]:
        """A short name written out."""
        if any(name in (one.plural, one.singular) for one in self.resources if group in ("", one.group)):
            return name, group
        short = list(dict.fromkeys((one.plural, one.group) for one in self.resources if name in one.short_names))
        found = [pair for pair in short if group in ("", pair[1])]
        for plural, other in found[1:]:
            what = f"{plural}.{other}" if other else plural
            self.note(f'short name "{name}" could also match lower priority resource {what}')
        if not found and group:
            found = [pair for pair in short if pair[1].startswith(group)]
        return found[0] if found else (name, group)

    def _kind_word(self, word: str) -> Resource | None:
        """Kind, Kind.group, Kind.version.group."""
        parts = word.split(".", 2)
        if len(parts) == 3:
            found = self.find_kind(f"{parts[2]}/{parts[1]}" if parts[2] else parts[1], parts[0])
            if found is not None:
                return found
        kind, _, group = word.partition(".")
        return self.kind_in_group(group, kind)


async def fetch(call: "Call") -> Discovery:
    """Raises StatusError, Unreachable."""
    core, others = await tasks.together(_ask(call, "/api"), _ask(call, "/apis"))
    if core.get("kind") == "APIGroupDiscoveryList" and others.get("kind") == "APIGroupDiscoveryList":
        return from_aggregated([*core["items"], *others["items"]])
    return await _fetch_older(call, core, others)


def from_aggregated(items: Iterable[Object]) -> Discovery:
    groups: list[Group] = []
    resources: list[Resource] = []
    problems: list[tuple[str, str]] = []
    for item in items:
        name = (item.get("metadata") or {}).get("name", "")
        versions = item.get("versions") or []
        if not versions:
            continue
        groups.append(Group(name, tuple(one["version"] for one in versions)))
        for version in versions:
            if version.get("freshness") == "Stale":
                where = f"{name}/{version['version']}" if name else version["version"]
                problems.append((where, f"stale GroupVersion discovery: {where}"))
            resources.extend(
                _aggregated_resource(name, version["version"], one) for one in version.get("resources") or []
            )
    return Discovery(groups, resources, problems)


def _aggregated_resource(group: str, version: str, one: Object) -> Resource:
    kind = one.get("responseKind") or {}
    return Resource(
        group=kind.get("group") or group,
        version=kind.get("version") or version,
        kind=kind.get("kind", ""),
        plural=one["resource"],
        singular=one.get("singularResource", ""),
        namespaced=one.get("scope") == "Namespaced",
        short_names=tuple(one.get("shortNames") or ()),
        verbs=tuple(one.get("verbs") or ()),
        categories=tuple(one.get("categories") or ()),
        subresources=tuple(sub["subresource"] for sub in one.get("subresources") or ()),
    )


async def _ask(call: "Call", path: str) -> Object:
    response = await call.request("GET", path, headers={"accept": ACCEPT})
    found: Object = orjson.loads(response.body)
    return found


async def _fetch_older(call: "Call", core: Object, others: Object) -> Discovery:
    """A document for each group and version."""
    groups = [Group("", tuple(core.get("versions") or ("v1",)))] if core.get("kind") == "APIVersions" else []
    for one in others.get("groups") or []:
        versions = [version["version"] for version in one.get("versions") or []]
        first = (one.get("preferredVersion") or {}).get("version")
        groups.append(Group(one["name"], tuple(sorted(versions, key=lambda version: version != first))))
    limit = asyncio.Semaphore(AT_ONE_TIME_MAX)

    async def one_version(group: str, version: str) -> list[Resource] | tuple[str, str]:
        where = f"{group}/{version}" if group else version
        async with limit:
            try:
                found = await call.ask("GET", f"/apis/{where}" if group else f"/api/{where}")
            except StatusError as refused:
                return where, str(refused)
        return from_list(group, version, found)

    asked = [one_version(group.name, version) for group in groups for version in group.versions]
    answers = await tasks.together(*asked)
    resources = [one for answer in answers if isinstance(answer, list) for one in answer]
    return Discovery(groups, resources, [answer for answer in answers if isinstance(answer, tuple)])


def from_list(group: str, version: str, found: Object) -> list[Resource]:
    """An APIResourceList's resources, subresources put with their parents."""
    listed: list[dict[str, Any]] = found.get("resources") or []
    subresources: dict[str, list[str]] = {}
    for one in listed:
        parent, slash, name = one["name"].partition("/")
        if slash:
            subresources.setdefault(parent, []).append(name)
    return [
        Resource(
            group=one.get("group") or group,
            version=one.get("version") or version,
            kind=one["kind"],
            plural=one["name"],
            singular=one.get("singularName", ""),
            namespaced=bool(one.get("namespaced")),
            short_names=tuple(one.get("shortNames") or ()),
            verbs=tuple(one.get("verbs") or ()),
            categories=tuple(one.get("categories") or ()),
            subresources=tuple(subresources.get(one["name"], ())),
        )
        for one in listed
        if "/" not in one["name"]
    ]
