"""Which objects of a kind a list or watch wants: label and field selectors, compiled once per request."""

import dataclasses

from steersman.api.kind import Kind
from steersman.apiserver.call import Call
from steersman.meta import errors, selectors
from steersman.meta.objects import Object

_COMMON_FIELDS = ("metadata.name", "metadata.namespace")
_EMPTY: Object = {"metadata": {"name": "", "namespace": ""}, "spec": {}, "status": {}}


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    kind: Kind
    labels: selectors.Selector
    fields: selectors.FieldSelector

    @property
    def is_everything(self) -> bool:
        return self.labels.is_everything and self.fields.is_everything

    @property
    def name(self) -> str | None:
        """The only name that can match, if the field selector says so."""
        return self.fields.exact("metadata.name") if self.fields.requirements else None

    def matches(self, obj: Object) -> bool:
        if not self.labels.is_everything and not self.labels.matches(obj["metadata"].get("labels") or {}):
            return False
        return self.fields.is_everything or self.fields.matches(_fields(self.kind, obj))


def of(call: Call) -> Selection:
    """Raises StatusError 400 for text that is no selector and for fields that cannot be selected on."""
    labels, fields = call.parameter("labelSelector"), call.parameter("fieldSelector")
    if not labels and not fields:
        return Selection(call.kind, selectors.EVERYTHING, selectors.FieldSelector())
    try:
        selection = Selection(call.kind, selectors.parse(labels), selectors.parse_fields(fields))
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from error
    _check_fields(selection)
    return selection


def _check_fields(selection: Selection) -> None:
    """Says only which field it is: kubectl itself puts the two selectors before it."""
    if not selection.fields.requirements:
        return
    kind = selection.kind
    known = set(_COMMON_FIELDS) | set(kind.fields(_EMPTY) if kind.fields else ())
    for requirement in selection.fields.requirements:
        if requirement.field not in known:
            if kind.fields:
                raise errors.bad_request(f"field label not supported: {requirement.field}")
            only = 'only "metadata.name", "metadata.namespace"'
            raise errors.bad_request(f'"{requirement.field}" is not a known field selector: {only}')


def _fields(kind: Kind, obj: Object) -> dict[str, str]:
    meta = obj["metadata"]
    found = {"metadata.name": meta.get("name", ""), "metadata.namespace": meta.get("namespace", "")}
    if kind.fields is not None:
        found.update(kind.fields(obj))
    return found
