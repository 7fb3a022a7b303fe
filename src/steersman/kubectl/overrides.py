"""`--overrides`: what a generated object is changed by before it is sent. Pure."""

import json

from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.merging import locally
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("override-type", default="merge", help="How --overrides is meant: json, merge, or strategic."),
    Flag("overrides", help="JSON that changes the generated object."),
)


def apply(flags: Values, obj: Object) -> Object:
    """Raises CommandError."""
    text, how = flags["overrides"], flags["override-type"]
    if not text:
        return obj
    if how not in ("json", "merge", "strategic"):
        raise CommandError(f"invalid override type: {how}")
    try:
        patch = json.loads(text)
    except ValueError as wrong:
        raise CommandError(
            f"invalid JSON Patch: {wrong}" if how == "json" else f"Invalid JSON Patch: {wrong}"
        ) from wrong
    return locally.patched(obj, how, patch)


def in_namespace(obj: Object, namespace: str) -> Object:
    """The namespace where upstream's typed objects have it: behind the name."""
    if not namespace:
        return obj
    meta = obj["metadata"]
    name = {"name": meta["name"]} if "name" in meta else {}
    rest = {key: value for key, value in meta.items() if key not in ("name", "namespace")}
    return {**obj, "metadata": {**name, "namespace": namespace, **rest}}
