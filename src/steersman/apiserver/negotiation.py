"""Which form a client wants and sends: Accept, Content-Type, and the bodies themselves.

Keeps true: what we cannot speak is 406 or 415, what we cannot read is 400, never a 500.
"""

import dataclasses
import functools
from typing import Any, cast

import orjson
import yaml

from steersman.apiserver import depth, duplicates, yaml_limits
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = f"application/json, application/yaml, {PROTOBUF}"
ACCEPTED_OF_CUSTOM = "application/json, application/yaml"
JSON_HEADERS = {"content-type": "application/json"}
_JSON_RANGES = frozenset(("application/json", "application/*", "*/*", ""))
_YAML_RANGES = frozenset(("application/yaml", "text/yaml", "application/x-yaml"))
_META_FORMS = frozenset(("Table", "PartialObjectMetadata", "PartialObjectMetadataList"))
_META_VERSIONS = frozenset(("v1", "v1beta1"))

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """How to answer: `encoding` json, yaml or protobuf, `shape` "" (the object itself), Table or PartialObjectMetadata[List]."""

    encoding: str = "json"
    shape: str = ""
    shape_version: str = "v1"

    @property
    def is_plain(self) -> bool:
        """Stored bytes can be sent as they are."""
        return self.encoding == "json" and not self.shape


PLAIN = Form()


@functools.lru_cache(maxsize=512)
def accepted(header: str) -> Form:
    """The first form of an Accept header that we speak; protobuf only when nothing else is taken. Raises StatusError 406.

    Clients of Go name protobuf first and JSON second: what JSON costs them is less than what protobuf would cost us.
    """
    forms = [form for media_range in header.split(",") if (form := _form_of_range(media_range)) is not None]
    if not forms:
        raise errors.not_acceptable(ACCEPTED)
    return next((form for form in forms if form.encoding != "protobuf"), forms[0])


def _form_of_range(media_range: str) -> Form | None:
    kind, *rest = (part.strip() for part in media_range.split(";"))
    parameters = dict(part.split("=", 1) for part in rest if "=" in part)
    return _form(kind.lower(), parameters)


def _form(kind: str, parameters: dict[str, str]) -> Form | None:
    if kind in _JSON_RANGES:
        encoding = "json"
    elif kind in _YAML_RANGES:
        encoding = "yaml"
    elif kind == PROTOBUF and parameters.get("as") != "Table":
        encoding = "protobuf"
    else:
        return None
    shape = parameters.get("as", "")
    if not shape:
        return Form(encoding)
    group, version = parameters.get("g", ""), parameters.get("v", "")
    if shape in _META_FORMS and group == "meta.k8s.io" and version in _META_VERSIONS:
        return Form(encoding, shape, version)
    return None


def form_of(request: messages.Request) -> Form:
    header = request.headers.get("accept")
    return accepted(header) if header else PLAIN


def form_of_refusal(request: messages.Request) -> Form:
    """Only a client that reads protobuf alone gets that; JSON is what everybody else can read, whatever they asked for."""
    header = request.headers.get("accept", "")
    return Form("protobuf") if header.startswith(PROTOBUF) and "," not in header else PLAIN


def whole_form_of(request: messages.Request) -> Form:
    """For answers that have no other shape than their own. Raises StatusError 406."""
    header = request.headers.get("accept", "")
    ranges = [one for one in header.split(",") if "as=" not in one.replace(" ", "")]
    if header and not ranges:
        raise errors.not_acceptable(ACCEPTED)
    return accepted(",".join(ranges)) if header else PLAIN


def content_type(request: messages.Request) -> str:
    """The media type alone, lower case; JSON where none is said."""
    header = request.headers.get("content-type", "")
    return header.partition(";")[0].strip().lower() or "application/json"


def is_json(request: messages.Request) -> bool:
    """A body of JSON, patches included."""
    return content_type(request).endswith("json")


def is_yaml(request: messages.Request) -> bool:
    return content_type(request) in _YAML_RANGES


def yaml_duplicates(body: bytes) -> list[str]:
    """Keys that stand twice, by line."""
    return duplicates.of_yaml(body, Loader)


def read_object(request: messages.Request) -> Object:
    """The body as one object. Raises StatusError 400 or 415."""
    kind = content_type(request)
    if kind == "application/json":
        return read_json(request.body)
    if kind in _YAML_RANGES:
        return _object(read_yaml(request.body))
    if kind == PROTOBUF:
        return _read_protobuf(request.body)
    raise errors.unsupported_media_type(ACCEPTED)


def _read_protobuf(body: bytes) -> Object:
    from steersman.apiserver.protobuf import (
        objects,
        wire,
    )  # late: 200 kB of field numbers that many clusters never need

    try:
        return objects.decode(body)
    except wire.Malformed as error:
        raise errors.bad_request(f"proto: {error}") from error


def read_json(body: bytes) -> Object:
    return _object(read_json_value(body))


def read_json_value(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
        depth.check_json(body, value)
        return value
    except orjson.JSONDecodeError as error:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {_go_error(error, body)}") from error


def _go_error(error: orjson.JSONDecodeError, body: bytes) -> str:
    """What Go's JSON reader says of the same body."""
    if str(error).startswith("depth limit"):
        return "exceeded max depth"
    place = len(error.doc[: error.pos].encode())
    if not body.strip() or place >= len(body.rstrip()) or str(error).startswith("unexpected end"):
        return "unexpected end of JSON input"
    return f"invalid character {chr(body[place])!r} looking for beginning of value"


def read_yaml(body: bytes) -> Any:
    """YAML as the JSON value it stands for. Times stay text, keys must be text. JSON is YAML, and what most clients send as it."""
    try:
        value = orjson.loads(body)
        depth.check_json(body, value)
        return value
    except orjson.JSONDecodeError:
        pass  # no JSON, then
    try:
        yaml_limits.check(body, Loader)
        value = yaml.load(body, Loader=_json_loader())
        depth.check(value)
        return orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, orjson.JSONEncodeError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise errors.bad_request(f"error converting YAML to JSON: yaml: {text}") from error


@functools.cache
def _json_loader() -> Any:
    loader: Any = type("JsonLoader", (Loader,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    return loader


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise errors.bad_request("couldn't get version/kind; json parse error: the body is not an object")
    return cast(Object, value)


def respond(form: Form, obj: Object, status: int = 200, *, pretty: bool = False) -> messages.Response:
    """An object in the encoding the client wants. Raises StatusError 406 where it has none in protobuf."""
    if form.encoding == "protobuf":
        return messages.Response(status, {"content-type": PROTOBUF}, protobuf_of(obj))
    if form.encoding == "yaml":
        text = yaml.dump(obj, Dumper=Dumper, sort_keys=False, default_flow_style=False)
        return messages.Response(status, {"content-type": "application/yaml"}, text.encode())
    body = orjson.dumps(obj, option=orjson.OPT_INDENT_2) if pretty else orjson.dumps(obj)
    return messages.Response(status, dict(JSON_HEADERS), body)


def protobuf_of(obj: Object) -> bytes:
    """Raises StatusError 406 for a kind that has no message."""
    from steersman.apiserver.protobuf import encoding  # late, as in `_read_protobuf`

    body = encoding.encode(obj)
    if body is None:
        raise errors.not_acceptable(ACCEPTED_OF_CUSTOM)
    return body


def respond_bytes(form: Form, value: bytes, status: int = 200, *, pretty: bool = False) -> messages.Response:
    """Stored bytes, as they are wherever the client takes JSON."""
    if form.encoding == "json" and not pretty:
        return messages.Response(status, dict(JSON_HEADERS), value)
    return respond(form, orjson.loads(value), status, pretty=pretty)
