"""`/statusz` and `/flagz`: what a component is, and what it was started with, for people who look for a fault.

Text, or on demand an object of config.k8s.io. Source: upstream's apiserver/pkg/server/{statusz,flagz} (KEP-4827, KEP-4828). Its
text has delimiters by chance, so that nobody parses it; this one has always the same two of those.
"""

import dataclasses
import datetime
import platform
from collections.abc import Iterable, Mapping

import orjson
import yaml

from steersman.meta import errors, times
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response

PATHS = ("/flagz", "/statusz")
GROUP, VERSIONS = "config.k8s.io", ("v1beta1", "v1alpha1")

_ACCEPTED = "application/json, application/yaml, text/plain"
_TEXT_RANGES = ("text/plain", "text/*", "*/*")
_STRUCTURED = {"application/json": "json", "application/yaml": "yaml"}
_OF_CLIENTS = ("/api", "/apis", "/openid", "/openapi", "/.well-known")  # paths that tell nobody how it is
_WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is "
    "for debugging purposes only."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Component:
    """`version` is a release (`1.37.0`), `flags` are shown as they are: no secrets."""

    name: str
    version: str
    started: datetime.datetime
    flags: Mapping[str, str] = dataclasses.field(default_factory=dict)


def answer(of: Component, request: Request, paths: Iterable[str], now: datetime.datetime) -> Response | None:
    """None for another path. `paths` are all that the component has. Raises StatusError 406."""
    if request.path not in PATHS or request.method not in ("GET", "HEAD"):
        return None
    page = request.path.removeprefix("/")
    form, version = _form(request.headers.get("accept", ""), page.capitalize())
    if not form:
        text = _status_text(of, paths, now) if page == "statusz" else _flags_text(of)
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, text.encode())
    told = _status(of, paths, now) if page == "statusz" else {"flags": dict(of.flags)}
    head = {"kind": page.capitalize(), "apiVersion": f"{GROUP}/{version}", "metadata": {"name": of.name}}
    return _encoded(form, {**head, **told})


def _form(accept: str, kind: str) -> tuple[str, str]:
    """`json` or `yaml` and the version, both "" for text: the first of the ranges that there is."""
    if not accept.strip():
        return "", ""
    for media_range in accept.split(","):
        name, *rest = (part.strip() for part in media_range.split(";"))
        given = dict(part.split("=", 1) for part in rest if "=" in part)
        if "as" not in given and name.lower() in _TEXT_RANGES:
            return "", ""
        form = "json" if name == "*/*" or name == "application/*" else _STRUCTURED.get(name.lower(), "")
        if form and (given.get("as"), given.get("g")) == (kind, GROUP) and given.get("v") in VERSIONS:
            return form, given["v"]
    raise errors.not_acceptable(_ACCEPTED)


def _status(of: Component, paths: Iterable[str], now: datetime.datetime) -> Object:
    return {
        "startTime": times.format_seconds(of.started),
        "uptimeSeconds": _up_seconds(of, now),
        "goVersion": f"python{platform.python_version()}",
        "binaryVersion": of.version,
        "emulationVersion": _emulated(of),
        "paths": _folders(paths),
    }


def _status_text(of: Component, paths: Iterable[str], now: datetime.datetime) -> str:
    seconds = _up_seconds(of, now)
    lines = (
        ("Started", of.started.strftime("%a %b %e %H:%M:%S UTC %Y")),
        ("Up", f"{seconds // 3600} hr {seconds // 60 % 60:02d} min {seconds % 60:02d} sec"),
        ("Go version", f"python{platform.python_version()}"),
        ("Binary version", of.version),
        ("Emulation version", _emulated(of)),
        ("Paths", " ".join(_folders(paths))),
    )
    return _head(of, "statusz") + "\n" + "".join(f"{name}: {value}\n" for name, value in lines)


def _flags_text(of: Component) -> str:
    return _head(of, "flagz") + "".join(f"{name}={value}\n" for name, value in sorted(of.flags.items()))


def _head(of: Component, page: str) -> str:
    return f"\n{of.name} {page}\n{_WARNING}\n"


def _encoded(form: str, obj: Object) -> Response:
    if form == "json":
        return Response(200, {"content-type": "application/json"}, orjson.dumps(obj))
    return Response(200, {"content-type": "application/yaml"}, yaml.safe_dump(obj).encode())


def _up_seconds(of: Component, now: datetime.datetime) -> int:
    return max(0, int((now - of.started).total_seconds()))


def _emulated(of: Component) -> str:
    return ".".join(of.version.split(".")[:2])


def _folders(paths: Iterable[str]) -> list[str]:
    folders = {"/" + path.split("/")[1] for path in paths if path.strip("/")}
    return sorted(folders.difference(_OF_CLIENTS))
