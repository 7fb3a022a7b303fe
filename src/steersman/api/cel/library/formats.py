"""Formats with names: `format.dns1123Label().validate(self)` is none if it fits, else what is wrong.

Source: apiserver's cel/library/format.go.
"""

import base64
import binascii
import datetime
import re
from collections.abc import Callable
from typing import ClassVar

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.library import urls
from steersman.api.cel.types import STRING
from steersman.api.cel.values import NONE, EvalError, Optional
from steersman.meta import names, times

Check = Callable[[str], list[str]]

_FORMAT = types.opaque("kubernetes.NamedFormat")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.ASCII).fullmatch


class Format:
    TYPE_NAME: ClassVar[str] = "kubernetes.NamedFormat"

    def __init__(self, name: str, check: Check) -> None:
        self.name = name
        self.check = check


def _prefix(check: Check) -> Check:
    """A name that may end in a dash, because something is put behind it."""
    return lambda text: check(text[:-1] + "a" if text.endswith("-") and len(text) > 1 else text)


def _reads(what: str, read: Callable[[str], object]) -> Check:
    def check(text: str) -> list[str]:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return [what]
        return []

    return check


def _date(text: str) -> None:
    if len(text) != 10:
        raise ValueError("not a date")
    datetime.date.fromisoformat(text)


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _uri(text: str) -> list[str]:
    try:
        urls.parse(text)
    except EvalError as wrong:
        return [str(wrong).removeprefix(urls.NO_URL)]
    return []


_NAMED: dict[str, Check] = {
    "dns1123Label": names.label_errors,
    "dns1123Subdomain": names.subdomain_errors,
    "dns1035Label": names.label_1035_errors,
    "qualifiedName": names.qualified_name_errors,
    "dns1123LabelPrefix": _prefix(names.label_errors),
    "dns1123SubdomainPrefix": _prefix(names.subdomain_errors),
    "dns1035LabelPrefix": _prefix(names.label_1035_errors),
    "labelValue": names.label_value_errors,
    "uri": _uri,
    "uuid": lambda text: [] if _UUID(text) else ["does not match the UUID format"],
    "byte": _reads("invalid base64", _base64),
    "date": _reads("invalid date", _date),
    "datetime": _reads("invalid datetime", times.parse),
}
_FORMATS = {name: Format(name, check) for name, check in _NAMED.items()}


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _validate(form: Format, text: str) -> Optional:
    wrong = form.check(text)
    return Optional(wrong) if wrong else NONE


def _constant(form: Format) -> Callable[[], Format]:
    return lambda: form


FUNCTIONS: Functions = {
    **{f"format.{name}": (plain(f"format_{name}", (), _FORMAT, _constant(form)),) for name, form in _FORMATS.items()},
    "format.named": (plain("format_named", (STRING,), types.optional_of(_FORMAT), _named),),
    "validate": (member("format_validate", (_FORMAT, STRING), types.optional_of(types.list_of(STRING)), _validate),),
}
