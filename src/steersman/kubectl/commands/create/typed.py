"""Parts of objects as upstream's typed clients write them: the order of the fields, and zeros that are printed. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from steersman.meta.objects import Object


def metadata(
    name: str = "", namespace: str = "", *, labels: Mapping[str, str] | None = None, annotations: Any = None
) -> Object:
    found: Object = {"name": name} if name else {}
    if namespace:
        found["namespace"] = namespace
    found["creationTimestamp"] = None
    for field, values in (("labels", labels), ("annotations", annotations)):
        if values:
            found[field] = dict(sorted(values.items()))
    return found


def container(name: str, image: str, command: Iterable[str] = (), *, port: int | None = None) -> Object:
    found: Object = {"name": name, "image": image}
    words = list(command)
    if words:
        found["command"] = words
    if port is not None:
        found["ports"] = [{"containerPort": port}]
    return {**found, "resources": {}}


def int_or_text(text: str) -> int | str:
    """IntOrString as kubectl parses it: a number where it is one."""
    try:
        return int(text)
    except ValueError:
        return text
