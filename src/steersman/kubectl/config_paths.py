"""`kubectl config set` and `unset`: dotted names of properties, and what setting them makes of an entry. Pure.

Source of the rules: kubectl's cmd/config/navigation_step_parser.go and set.go.
"""

import base64
import binascii
import dataclasses

from steersman.kubectl import flags
from steersman.kubectl.config_shape import FIELDS, SECTIONS
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

# Names that `set` knows for fields that the file names otherwise.
_ALIASES = {"act-as": "as", "act-as-uid": "as-uid", "act-as-groups": "as-groups", "act-as-user-extra": "as-user-extra"}
_BOOLS = frozenset(("insecure-skip-tls-verify", "disable-compression"))
_BYTES = frozenset(("certificate-authority-data", "client-certificate-data", "client-key-data"))
_NO_VALUES = frozenset(("extensions", "exec", "auth-provider", "as-groups", "as-user-extra"))


@dataclasses.dataclass(frozen=True, slots=True)
class Property:
    """`section` is clusters, users, contexts, current-context or preferences; the others are "" where the name ends earlier."""

    section: str
    name: str = ""
    field: str = ""


def parse(path: str) -> Property:
    """Raises CommandError."""
    section, _, rest = path.partition(".")
    if section == "current-context" and not rest:
        return Property(section)
    if section == "preferences":
        if rest not in ("", "colors"):
            raise CommandError(f"unable to parse {path} after [{{preferences api.Preferences}}] at api.Preferences")
        return Property(section, field=rest)
    if section not in SECTIONS:
        raise CommandError(f"unable to parse {path} after [] at api.Config")
    parts = rest.split(".") if rest else []
    known = _fields(section)
    for place in range(1, len(parts)):
        if parts[place] in known:
            name = ".".join(parts[:place])
            if place + 1 < len(parts):
                raise CommandError(f"unable to parse one or more field values of {path}")
            return Property(section, name, _ALIASES.get(parts[place], parts[place]))
    return Property(section, rest)


def _fields(section: str) -> set[str]:
    known = set(FIELDS[section])
    if section == "users":
        known = known - set(_ALIASES.values()) | set(_ALIASES)
    return known


def changed(body: Object, field: str, text: str, *, raw: bool) -> Object:
    """An entry with a field set. Raises CommandError."""
    if field in _NO_VALUES:
        raise CommandError(f"can't set a map to a value: {body.get(field) or 'map[]'}")
    return {**body, field: value(field, text, raw=raw)}


def value(field: str, text: str, *, raw: bool) -> str | bool:
    """Raises CommandError."""
    if field in _BOOLS or field == "colors":
        try:
            return bool(flags.read_bool(text))
        except ValueError as wrong:
            raise CommandError(str(wrong)) from wrong
    if field in _BYTES:
        return base64.b64encode(text.encode()).decode() if raw else _checked_base64(text)
    return text


def _checked_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as wrong:
        good = len(text) // 4 * 4
        for place, letter in enumerate(text):
            if not (letter.isalnum() or letter in "+/="):
                good = place
                break
        raise CommandError(f"error decoding input value: illegal base64 data at input byte {good}") from wrong
    return text
