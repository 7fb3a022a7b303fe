"""Asks the metrics APIs: metrics.k8s.io for resources, custom.metrics.k8s.io and external.metrics.k8s.io for the others.

What goes wrong is a value (upstream's text): each metric fails by itself.
"""

import datetime
import urllib.parse
from collections.abc import Callable, Mapping

import orjson

from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable
from steersman.controllers.horizontal_pod_autoscaler.metrics import Values
from steersman.controllers.horizontal_pod_autoscaler.replicas import Measured
from steersman.meta import objects, quantities, selectors, times
from steersman.meta.objects import Object
from steersman.serving.messages import Request

RESOURCES = "/apis/metrics.k8s.io/v1beta1"
CUSTOM = ("/apis/custom.metrics.k8s.io/v1beta2", "/apis/custom.metrics.k8s.io/v1beta1")
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
DEFAULT_WINDOW_SECONDS = 60.0  # of custom metrics that do not say theirs

KindOf = Callable[[str, str], Kind | None]  # apiVersion and kind


class _Refused(Exception):
    """The text of what went wrong."""


class Sources:
    """For one autoscaler: its namespace and the selector (as text) of its pods."""

    def __init__(self, client: Client, namespace: str, selector: str, kind_of: KindOf) -> None:
        self._client = client
        self._namespace = namespace
        self._selector = selector
        self._kind_of = kind_of

    async def values(self, metric: Object) -> Values:
        try:
            match metric.get("type"):
                case "Resource":
                    return await self._resource(metric["resource"]["name"])
                case "ContainerResource":
                    source = metric["containerResource"]
                    return await self._resource(source["name"], source.get("container", ""))
                case "Pods":
                    return await self._pods(metric["pods"]["metric"])
                case "Object":
                    return await self._object(metric["object"])
                case "External":
                    return await self._external(metric["external"]["metric"])
        except (_Refused, Unreachable) as why:
            return str(why)
        return "unknown metric source type"

    async def _resource(self, name: str, container: str = "") -> Mapping[str, Measured]:
        where = f"{RESOURCES}/namespaces/{self._namespace}/pods"
        try:
            listed = (await self._get(where, labelSelector=self._selector))["items"]
        except _Refused as why:
            raise _Refused(f"unable to fetch metrics from resource metrics API: {why}") from why
        if not listed:
            raise _Refused("no metrics returned from resource metrics API")
        found = {}
        for one in listed:
            value = _of_pod(one, name, container)
            if value is not None:
                window = times.parse_duration(str(one.get("window") or "60s"))
                found[objects.name(one)] = Measured(value, _time(one.get("timestamp")), window)
        return found

    async def _pods(self, metric: Object) -> Mapping[str, Measured]:
        place = f"namespaces/{self._namespace}/pods/*/{_quoted(metric['name'])}"
        listed = await self._custom(place, metric, labelSelector=self._selector)
        found = {}
        for one in listed:
            window = float(one.get("windowSeconds") or one.get("window") or DEFAULT_WINDOW_SECONDS)
            name = str((one.get("describedObject") or {}).get("name", ""))
            found[name] = Measured(quantities.millis(one["value"]), _time(one.get("timestamp")), window)
        return found

    async def _object(self, source: Object) -> int:
        described, name = source["describedObject"], _quoted(source["metric"]["name"])
        version = str(described.get("apiVersion", ""))
        kind = self._kind_of(version, described.get("kind", ""))
        if kind is None:
            group = version.rpartition("/")[0]
            raise _Refused(f'no matches for kind "{described.get("kind")}" in group "{group}"')
        if kind.plural == "namespaces" and not kind.group:
            place = f"namespaces/{_quoted(described.get('name', ''))}/metrics/{name}"
        else:
            inside = f"namespaces/{self._namespace}/" if kind.namespaced else ""
            place = f"{inside}{kind.resource}/{_quoted(described.get('name', ''))}/{name}"
        [first, *_] = await self._custom(place, source["metric"])
        return quantities.millis(first["value"])

    async def _external(self, metric: Object) -> int:
        where = f"{EXTERNAL}/namespaces/{self._namespace}/{_quoted(metric['name'])}"
        try:
            listed = (await self._get(where, labelSelector=_text(metric.get("selector"))))["items"]
        except _Refused as why:
            raise _Refused(f"unable to fetch metrics from external metrics API: {why}") from why
        if not listed:
            raise _Refused("no metrics returned from external metrics API")
        return sum(quantities.millis(one["value"]) for one in listed)

    async def _custom(self, place: str, metric: Object, **query: str) -> list[Object]:
        query["metricLabelSelector"] = _text(metric.get("selector"))
        for number, base in enumerate(CUSTOM):
            try:
                listed: list[Object] = (await self._get(f"{base}/{place}", **query))["items"]
            except _Absent as why:
                if number + 1 < len(CUSTOM):
                    continue
                text = "no custom metrics API (custom.metrics.k8s.io) registered"
                raise _Refused(f"unable to fetch metrics from custom metrics API: {text}") from why
            except _Refused as why:
                raise _Refused(f"unable to fetch metrics from custom metrics API: {why}") from why
            if not listed:
                raise _Refused("no metrics returned from custom metrics API")
            return listed
        raise AssertionError("there are versions")

    async def _get(self, path: str, **query: str) -> Object:
        text = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        response = await self._client.request(Request("GET", path, text))
        try:
            body: Object = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            body = {}
        if response.status == 404 and not (body.get("details") or {}).get("name"):
            raise _Absent(str(body.get("message") or "the server could not find the requested resource"))
        if response.status != 200:
            raise _Refused(str(body.get("message") or f"the server answers {response.status}"))
        return body


class _Absent(_Refused):
    """Nobody serves it."""


def _of_pod(metrics: Object, name: str, container: str) -> int | None:
    """Thousandths; None where one of the containers has none."""
    total, seen = 0, False
    for one in metrics.get("containers") or ():
        if container and one.get("name") != container:
            continue
        used = (one.get("usage") or {}).get(name)
        if used is None:
            return None
        total, seen = total + quantities.millis(used), True
    return total if seen else None


def _time(text: str | None) -> datetime.datetime:
    return times.parse(text or "1970-01-01T00:00:00Z")


def _text(selector: Object | None) -> str:
    return selectors.format(selectors.from_object(selector)) if selector else ""


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
