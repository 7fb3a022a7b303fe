"""The messages of Kubernetes' types: which field has which number, and what JSON makes of it. Pure data, from `api.go_fields`.

They are Go's own declarations, so that a body means what the client's struct means: Go writes every plain field, also an empty one,
and a pointer only when it is set, while JSON leaves empty plain fields out.
"""

import dataclasses
import functools

from steersman.api import go_fields, schema

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
CUSTOM = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
ALTERNATIVES = tuple(CUSTOM + "JSONSchemaPropsOr" + other for other in ("Array", "Bool", "StringArray"))
"""What in JSON is a schema or something else."""


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """`place`: one, list, map (of `kind`, by text), or inline: the fields of an embedded message stand in the parent's JSON."""

    number: int
    name: str
    kind: str
    place: str
    keeps_zero: bool

    @property
    def is_scalar(self) -> bool:
        return self.kind in go_fields.SCALARS


def name_of(api_version: str, kind: str) -> str | None:
    """The message of a kind, in whatever release; None where there is none: custom resources, and what Go never gave one."""
    group, _, version = api_version.rpartition("/")
    found = schema.of_release().name_of(group, version, kind)
    older = f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"
    return next((name for name in (found, older, META + kind) if name in go_fields.table()), None)


@functools.cache
def fields(message: str) -> tuple[Field, ...]:
    return tuple(_field(int(number), name, kind) for number, (name, kind) in go_fields.table()[message].items())


@functools.cache
def is_list_of_texts(message: str) -> bool:
    """A message that wraps a named list of texts (ExtraValue): in JSON it is the list."""
    return list(go_fields.table()[message].values()) == [["items", "[]string"]]


def _field(number: int, name: str, spelled: str) -> Field:
    kind = spelled.lstrip("*!")
    place = "list" if kind.startswith("[]") else "map" if kind.startswith("map:") else "one" if name else "inline"
    return Field(number, name, kind.removeprefix("[]").removeprefix("map:"), place, spelled[0] in "*!")
