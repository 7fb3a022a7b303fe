"""Requests outside of any resource: discovery, OpenAPI, health, version, metrics, token issuer.

Keeps true: documents made from the table of kinds are made once per state of that table and carry an ETag.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from steersman.api import openapi
from steersman.api.kind import Kind, Kinds
from steersman.apiserver import discovery, negotiation
from steersman.apiserver.aggregation import aggregator
from steersman.apiserver.protobuf import openapi as openapi_protobuf
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

_AGGREGATED = {
    "v2": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "v2beta1": "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
}


class Documents:
    """`answer(request)` is None for a path that is none of these."""

    def __init__(
        self,
        kinds: Callable[[], list[Kind]],
        others: aggregator.Aggregator,
        publisher: openapi.Publisher,
        server_address: str,
    ) -> None:
        self._all_kinds = kinds
        self._others = others
        self._publisher = publisher
        self._server_address = server_address
        self._made: dict[str, tuple[bytes, str]] = {}
        self._state: tuple[Any, ...] = ()
        self._state_of_others: tuple[Any, ...] = ()

    def _kinds(self) -> list[Kind]:
        """Those that this server serves itself."""
        places = self._others.places
        served = self._all_kinds()
        return [kind for kind in served if (kind.group, kind.version) not in places] if places else served

    def _groups(self) -> discovery.Groups:
        others = self._others
        return discovery.groups_of([*self._kinds(), *others.rows], others.places, others.priority)

    def _aggregated(self, *, core: bool, version: str) -> Object:
        stale = [place for place, is_current in self._others.places.items() if not is_current]
        return discovery.aggregated(self._groups(), core=core, version=version, stale=stale)

    def answer(self, request: messages.Request) -> messages.Response | None:
        path = request.path.rstrip("/")
        parts = path.split("/")[1:] or [""]
        if parts[0] == "openapi":
            return self._openapi(request, parts)
        found = None
        if parts[0] in ("api", "apis") and len(parts) == 1:
            version = _aggregated_version(request.headers.get("accept", ""))
            if version:
                core = parts[0] == "api"
                make = lambda: self._aggregated(core=core, version=version)  # noqa: E731
                return self._send(request, f"{path} {version}", make, _AGGREGATED[version])
        found = self._discovery(parts)
        return None if found is None else self._send(request, path, found)

    def _discovery(self, parts: list[str]) -> Callable[[], Object] | None:
        match parts:
            case ["api"]:
                return lambda: discovery.api_versions(self._server_address)
            case ["apis"]:
                return lambda: discovery.api_group_list(self._groups())
            case ["apis", group]:
                versions = self._groups().get(group)
                return None if versions is None else lambda: discovery.api_group(group, versions, alone=True)
            case ["api", version]:
                return self._resources("", version)
            case ["apis", group, version]:
                return self._resources(group, version)
        return None

    def _resources(self, group: str, version: str) -> Callable[[], Object] | None:
        if not group and version != "v1":
            return None
        found = [kind for kind in self._kinds() if (kind.group, kind.version) == (group, version)]
        return (lambda: discovery.api_resource_list(group, version, found)) if found else None

    def _openapi(self, request: messages.Request, parts: list[str]) -> messages.Response | None:
        match parts:
            case ["openapi", "v2"]:
                if openapi_protobuf.ASKED in request.headers.get("accept", ""):
                    return self._send_protobuf(request)
                _check_openapi_accept(request.headers.get("accept", ""), "v2")
                return self._send(request, "openapi v2", self._v2)
            case ["openapi", "v3"]:
                return self._send(request, "openapi v3", self._v3_index)
            case ["openapi", "v3", *rest]:
                path = "/".join(rest)
                theirs = self._others.v3.get(path)
                if theirs is None and path not in self._publisher.v3_paths(self._kinds()):
                    return None
                _check_openapi_accept(request.headers.get("accept", ""), "v3")
                answer = self._send(request, f"openapi v3 {path}", lambda: self._v3(path))
                if "hash=" in request.query:  # the address changes with the content, so it may be kept for ever
                    answer.headers["cache-control"] = "public, immutable"
                return answer
        return None

    def _v2(self) -> Object:
        return self._others.merged_v2(self._publisher.v2(self._kinds()))

    def _v3_index(self) -> Object:
        index = self._publisher.v3_index(self._kinds())
        for path, document in self._others.v3.items():
            digest = hashlib.sha256(document).hexdigest().upper()
            index["paths"][path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return index

    def _v3(self, path: str) -> Object:
        theirs = self._others.v3.get(path)
        return orjson.loads(theirs) if theirs is not None else self._publisher.v3(self._kinds(), path)

    def _send_protobuf(self, request: messages.Request) -> messages.Response:
        def make() -> bytes:
            return openapi_protobuf.document(self._v2())

        body, tag = self._make("openapi v2 protobuf", make)
        headers = {"content-type": openapi_protobuf.CONTENT_TYPE, "etag": tag, "vary": "Accept"}
        if tag in request.headers.get("if-none-match", ""):
            return messages.Response(304, headers)
        return messages.Response(200, headers, body)

    def _make(self, name: str, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """The document of that name and its ETag, made anew when the table of kinds has changed."""
        state, others = tuple(self._all_kinds()), self._others.state
        if others != self._state_of_others:
            self._made.clear()
            self._state_of_others = others
        if len(state) != len(self._state) or any(new is not old for new, old in zip(state, self._state, strict=True)):
            self._made.clear()
            self._state = state
        made = self._made.get(name)
        if made is None:
            body = make()
            made = self._made[name] = (body, f'"{hashlib.sha256(body).hexdigest().upper()}"')
        return made

    def _send(
        self, request: messages.Request, name: str, make: Callable[[], Object], content_type: str = "application/json"
    ) -> messages.Response:
        body, tag = self._make(name, lambda: orjson.dumps(make()))
        headers = {"content-type": content_type, "etag": tag, "vary": "Accept", "cache-control": "public"}
        if tag in request.headers.get("if-none-match", ""):
            return messages.Response(304, headers)
        accept = request.headers.get("accept", "")
        if content_type == "application/json":
            _check_shape(accept)
        form = negotiation.accepted(_plain(accept))
        if form.encoding == "yaml":
            return negotiation.respond(form, orjson.loads(body))
        return messages.Response(200, headers, body)


def _aggregated_version(accept: str) -> str:
    """v2 or v2beta1 when that is what the client wants most, "" for the legacy form."""
    for media_range in accept.split(","):
        fields = dict(part.strip().split("=", 1) for part in media_range.split(";")[1:] if "=" in part)
        if fields.get("as") == "APIGroupDiscoveryList" and fields.get("g") == "apidiscovery.k8s.io":
            version = fields.get("v", "")
            if version in _AGGREGATED and media_range.strip().startswith(("application/json", "*/*")):
                return version
            continue
        if media_range.split(";")[0].strip() in ("application/json", "*/*", "application/*", ""):
            return ""
    return ""


def _check_shape(accept: str) -> None:
    """Who takes nothing but another shape (`as=…`) of a document that has one shape is refused, as upstream does."""
    if accept and all("as=" in one for one in accept.split(",")):
        raise errors.not_acceptable("application/json, application/yaml, application/vnd.kubernetes.protobuf")


def _plain(accept: str) -> str:
    """Without the ranges that have parameters of their own: documents have one shape."""
    ranges = [one for one in accept.split(",") if "as=" not in one and "proto" not in one]
    return ",".join(ranges)


def _check_openapi_accept(accept: str, version: str) -> None:
    """Old clients ask for protobuf alone and fall back to JSON when it is refused."""
    if not accept:
        return
    ranges = [one.split(";")[0].strip() for one in accept.split(",")]
    if any(one in ("application/json", "application/*", "*/*") for one in ranges):
        return
    raise errors.not_acceptable(f"application/json (OpenAPI {version} is not served as protobuf)")


def kinds_of(tables: list[Kinds]) -> list[Kind]:
    """The rows of several tables; the first to name a resource wins."""
    found: dict[tuple[str, str, str], Kind] = {}
    for table in tables:
        for kind in table:
            found.setdefault((kind.group, kind.version, kind.plural), kind)
    return list(found.values())
