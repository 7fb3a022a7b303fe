"""What a row of the table of kinds says: everything the API server, kubectl and the client know about one kind.

The rows themselves are in `kinds/`, a file per group.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One printed column: `type` and `format` are OpenAPI's; priority 0 is always shown, higher only with `-o wide`.

    Where `description` is empty, it is the schema's documentation of `field` (`status.podIP`).
    """

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    field: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Subresource:
    """`kind`, `group` and `version` are those of the body (e.g. Scale of autoscaling/v1)."""

    name: str
    kind: str
    group: str = ""
    version: str = ""
    verbs: tuple[str, ...] = ("get", "patch", "update")


@dataclasses.dataclass(frozen=True, slots=True)
class Deprecation:
    """Since which release 1.N a version is deprecated and from which it is gone (0: not known), and what to use instead."""

    since: int
    removed: int = 0
    replacement: str = ""

    def warning(self, api_version: str, kind: str) -> str:
        """Upstream's words, which kubectl shows."""
        gone = f", unavailable in v1.{self.removed}+" if self.removed else ""
        instead = f"; use {self.replacement}" if self.replacement else ""
        return f"{api_version} {kind} is deprecated in v1.{self.since}+{gone}{instead}"


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """How a version is kept that is not the stored one: as an object of another row, here and back.

    Both functions get an object of their own, may change it, and return one with the other's apiVersion; what one version
    cannot say, it keeps where the other finds it again. Values only, no clock: an object is shown often.
    """

    kind: "Kind"
    to: Callable[[Object], Object]
    back: Callable[[Object], Object]


class CustomType(Protocol):
    """The type of a custom kind: what the schema package says of a built-in one.

    `schema` is the version's openAPIV3Schema, None where it has none; `name` names its definition in OpenAPI documents.
    """

    schema: Object | None
    name: str

    def __hash__(self) -> int: ...

    def decode(self, kind: "Kind", obj: Object, field_validation: str) -> tuple[Object, list[str]]:
        """A new object, pruned and with defaults, and warnings. Raises StatusError 400."""

    def definitions(self, kind: "Kind", *, openapi: str) -> dict[str, Object]:
        """Object and list as OpenAPI definitions by name, for `openapi` v2 or v3."""

    @property
    def digest(self) -> str:
        """Changes whenever what is published does."""


def _derived() -> Any:
    return dataclasses.field(init=False, repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version.

    `cells(obj, now) -> list` gives one value per column. `default(obj)` fills a new dict in place, before it is stored.
    `validate(new, old) -> errors` sees defaulted objects; `old` is None on create.
    `warnings(new, old)` are told beside the answer: what is valid, but hardly meant.
    `fields(obj)` are the values field selectors may ask for, beyond metadata.name and metadata.namespace.
    `prepare(new, old)` runs before defaulting on every main-resource write: drops what a client may not set, keeps what it may
    not change. `spec_fields` are the top-level fields whose change raises metadata.generation (empty: all
    but metadata and a status that is a subresource).
    `prepare_status(new, old)` is its twin for the status subresource: all but the status (and, of metadata, what a status
    writer may change) stays as it was.
    `creates_on_update`: a PUT of an object that is not there makes it.
    `orphans_by_default`: a DELETE that says nothing about dependants leaves them (kinds older than the garbage collector),
    with `delete_warning`.
    `row_conditions(obj)` marks rows of a table (a finished pod is Completed).
    `storage` is where objects of a version are kept whose kind is stored in another one (`of_version`); None: as they are.
    `deprecation` is told in a warning with every answer.
    `custom` is the type of a kind that a CustomResourceDefinition made; None for the built-in ones, whose types are `schema`'s.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    columns: tuple[Column, ...] = ()
    cells: Callable[[Object, Any], list[Any]] | None = None
    default: Callable[[Object], None] | None = None
    validate: Callable[[Object, Object | None], list[FieldError]] | None = None
    warnings: Callable[[Object, Object | None], list[str]] | None = None
    prepare: Callable[[Object, Object | None], None] | None = None
    prepare_status: Callable[[Object, Object], None] | None = None
    fields: Callable[[Object], Mapping[str, str]] | None = None
    spec_fields: tuple[str, ...] = ("spec",)
    has_generation: bool = False
    graceful_delete_seconds: Callable[[Object], int | None] | None = None
    ttl_seconds: int = 0  # how long an object is kept after its last write; 0: for ever
    deletes_to_status: bool = True  # DELETE answers a Status; False: the object (Service, Pod, …)
    creates_on_update: bool = False
    orphans_by_default: bool = False
    delete_warning: str = ""
    row_conditions: Callable[[Object], list[Object]] | None = None
    custom: CustomType | None = None
    deprecation: Deprecation | None = None
    storage: Storage | None = None

    # Made of the above, once: every request asks for them.
    api_version: str = _derived()
    resource: str = _derived()  # `deployments.apps`, or `pods` for the core group
    path: str = _derived()  # `/api/v1` or `/apis/GROUP/VERSION`
    prefix: str = _derived()  # of the keys of its objects in the store: `/GROUP/PLURAL/` of the row they are stored as
    _subresources: Mapping[str, Subresource] = _derived()

    def __post_init__(self) -> None:
        group, stored = self.group, self.stored
        derived = {
            "api_version": f"{group}/{self.version}" if group else self.version,
            "resource": f"{self.plural}.{group}" if group else self.plural,
            "path": f"/apis/{group}/{self.version}" if group else f"/api/{self.version}",
            "prefix": f"/{stored.group or 'core'}/{stored.plural}/",
            "_subresources": {sub.name: sub for sub in self.subresources},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def stored(self) -> "Kind":
        """The row whose objects are in the store."""
        return self.storage.kind if self.storage is not None else self

    def subresource(self, name: str) -> Subresource | None:
        return self._subresources.get(name)


def of_version(row: Kind, version: str, **changes: Any) -> Kind:
    """The same kind in another version, stored as `row`, where all fields are called the same. `changes` are of the new row."""
    other = Kind(row.group, version, row.kind, row.plural, row.singular)

    def to(obj: Object) -> Object:
        return {**obj, "apiVersion": row.api_version}

    def back(obj: Object) -> Object:
        return {**obj, "apiVersion": other.api_version}

    subresources = tuple(
        dataclasses.replace(sub, version=version) if (sub.group, sub.kind) == (row.group, row.kind) else sub
        for sub in row.subresources
    )
    same: dict[str, Any] = {"version": version, "subresources": subresources, "storage": Storage(row, to, back)}
    return dataclasses.replace(row, **same | changes)


class Kinds:
    """A set of kinds that can be asked by resource and by kind; custom resources join and leave it."""

    def __init__(self, rows: Iterable[Kind] = ()) -> None:
        self._by_resource: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Kind) -> None:
        self._by_resource[row.group, row.version, row.plural] = row
        self._by_kind[row.api_version, row.kind] = row

    def remove(self, row: Kind) -> None:
        self._by_resource.pop((row.group, row.version, row.plural), None)
        self._by_kind.pop((row.api_version, row.kind), None)

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._by_resource.values()))

    def of_resource(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_resource.get((group, version, plural))

    def of_object(self, api_version: str, kind: str) -> Kind | None:
        return self._by_kind.get((api_version, kind))
