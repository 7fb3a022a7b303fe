"""The annotation that keeps what a user applied last, and what it is written as. Pure."""

import json
from typing import Any

from steersman.meta.objects import Object

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def of(obj: Object) -> str | None:
    """The text in the annotation, or None."""
    found = ((obj.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
    return found if isinstance(found, str) else None


def annotated(obj: Object) -> Object:
    """The object with itself in the annotation."""
    return with_text(obj, encoded(without(obj)) + "\n")


def with_text(obj: Object, text: str) -> Object:
    meta = obj.get("metadata") or {}
    return {**obj, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), ANNOTATION: text}}}


def without(obj: Object) -> Object:
    """As the annotation keeps it: itself not in it, an `annotations` always."""
    meta = dict(obj.get("metadata") or {})
    meta["annotations"] = {key: text for key, text in (meta.get("annotations") or {}).items() if key != ANNOTATION}
    return {**obj, "metadata": meta}


def encoded(value: Any) -> str:
    """JSON as Go writes it: sorted keys, no spaces, `<>&` and the line separators escaped."""
    return escaped(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def escaped(text: str) -> str:
    """The characters that Go's encoder does not leave as they are."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
