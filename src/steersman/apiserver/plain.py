"""What is no resource: version, health, metrics, the list of paths, discovery and OpenAPI, the documents of the token issuer."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from steersman.api.kind import Kind
from steersman.apiserver import documents, gauges, health, metrics, negotiation, tokens
from steersman.meta import times
from steersman.meta.exposition import Sample
from steersman.meta.objects import Object
from steersman.serving import messages, zpages

_ALWAYS = ("/api", "/apis", "/healthz", "/livez", "/metrics", "/metrics/slis", "/openapi/v2", "/openapi/v3", "/readyz",
    "/version", *zpages.PATHS)  # fmt: skip
_OF_ISSUER = ("/.well-known/openid-configuration", "/openid/v1/jwks")
_JWK_SET = {"content-type": "application/jwk-set+json"}


class Plain:
    """`kinds()` are those served now; `component` is this server, `more()` are measures of others, `time` is the clock's."""

    def __init__(
        self,
        healthy: health.Health,
        measured: metrics.Metrics,
        served: documents.Documents,
        kinds: Callable[[], Sequence[Kind]],
        now: gauges.Gauges,
        token_key: tokens.TokenKey | None,
        component: zpages.Component,
        more: Callable[[], Sequence[metrics.Gauge]],
        samples: Callable[[], Iterable[Sample]],
        time: Callable[[], datetime.datetime],
    ) -> None:
        self._health = healthy
        self._metrics = measured
        self._documents = served
        self._kinds = kinds
        self._gauges = now
        self._token_key = token_key
        self._component = component
        self._more = more
        self._samples = samples
        self._time = time

    async def answer(self, request: messages.Request) -> messages.Response | None:
        """None for a path that is nothing."""
        if request.method not in ("GET", "HEAD"):
            return None
        key = self._token_key
        match request.path:
            case "/version" | "/version/":
                return health.version_response(self._component.version, times.format_seconds(self._component.started))
            case "/metrics":
                of_store = await self._gauges.of_store(self._kinds())
                return self._metrics.answer(
                    [*self._gauges.of_process(self._component.version), *of_store, *self._more()], self._samples()
                )
            case "/metrics/slis":
                return self._health.slis.answer()
            case "/statusz" | "/flagz":
                return zpages.answer(self._component, request, self._paths(), self._time())
            case "/" | "":
                return _json({"paths": self._paths()})
            case "/.well-known/openid-configuration" if key is not None:
                return _json(_issuer(key))
            case "/openid/v1/jwks" if key is not None:
                return _json(key.jwks(), _JWK_SET)
        return self._health.answer(request) or self._documents.answer(request)

    def _paths(self) -> list[str]:
        kinds = self._kinds()
        checks = {f"/{start}/{name}" for start in ("healthz", "livez", "readyz") for name in self._health.names(start)}
        groups = {f"/apis/{kind.group}" for kind in kinds if kind.group}
        of_issuer = _OF_ISSUER if self._token_key is not None else ()
        return sorted({kind.path for kind in kinds} | groups | checks | {*_ALWAYS, *of_issuer})


def _issuer(key: tokens.TokenKey) -> Object:
    return {
        "issuer": key.issuer,
        "jwks_uri": f"{key.issuer}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [key.algorithm],
    }


def _json(obj: Object, headers: Mapping[str, str] = negotiation.JSON_HEADERS) -> messages.Response:
    return messages.Response(200, dict(headers), orjson.dumps(obj))
