"""Conversion by a webhook: a real one, over TLS on loopback."""

import base64
import datetime
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from steersman.aio import clock as clocks
from steersman.cluster import pki
from steersman.serving import http_server, listeners, tls
from steersman.serving.messages import Request, Response
from tests.apiserver import kit
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS, crontab

V2 = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"schedule": {"type": "string"}}}}}
IN_V2 = CRONTABS.replace("/v1/", "/v2/")


class Hook:
    """v1 says `cronSpec`, v2 `schedule`."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure = ""

    async def handle(self, request: Request) -> Response:
        self.asked += 1
        review = orjson.loads(request.body)
        wanted = review["request"]["desiredAPIVersion"]
        result = {"status": "Failed", "message": self.failure} if self.failure else {"status": "Success"}
        response = {
            "uid": review["request"]["uid"],
            "result": result,
            "convertedObjects": [convert(obj, wanted) for obj in review["request"]["objects"]],
        }
        body = orjson.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
        return Response(200, {"content-type": "application/json"}, body)


def convert(obj: Any, wanted: str) -> Any:
    spec = obj["spec"]
    if wanted.endswith("/v2"):
        return {**obj, "apiVersion": wanted, "spec": {"schedule": spec.get("cronSpec", "")}}
    return {**obj, "apiVersion": wanted, "spec": {"cronSpec": spec.get("schedule", ""), "image": "any"}}


@pytest.fixture
async def hook(tmp_path: pathlib.Path) -> AsyncIterator[tuple[Hook, Any]]:
    """The webhook and the clientConfig that reaches it."""
    authority = pki.Authority(tmp_path, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("webhook", "webhook", ["127.0.0.1"])
    listener = listeners.tcp("127.0.0.1", 0)
    running = Hook()
    context = tls.server_context(serving.certificate, serving.key, authority.pair.certificate)
    async with await http_server.serve(running.handle, sockets=[listener], ssl_context=context):
        bundle = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
        yield running, {"url": f"https://127.0.0.1:{listener.getsockname()[1]}/convert", "caBundle": bundle}


async def defined(api: kit.Api, config: Any) -> None:
    webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
    body = definitions.definition(
        definitions.version(),
        definitions.version("v2", V2, storage=False),
        conversion={"strategy": "Webhook", "webhook": webhook},
    )
    await api.make(DEFINITIONS, body)


async def test_objects_are_read_and_written_in_both_versions(api: kit.Api, hook: tuple[Hook, Any]):
    running, config = hook
    await defined(api, config)
    await api.make(CRONTABS, crontab("a"))
    assert running.asked == 0
    found = await api.ask("GET", f"{IN_V2}/a")
    assert found.body["spec"] == {"schedule": "* * * * */5"}
    assert (await api.ask("GET", f"{IN_V2}/a")).raw == found.raw
    assert running.asked == 1  # the converted object is remembered
    new = {"apiVersion": "stable.example.com/v2", "metadata": {"name": "b"}, "spec": {"schedule": "1 * * * *"}}
    made = await api.ask("POST", IN_V2, new)
    assert made.status == 201, made.raw
    assert (await api.ask("GET", f"{CRONTABS}/b")).body["spec"]["cronSpec"] == "1 * * * *"
    listed = (await api.ask("GET", IN_V2)).body["items"]
    assert [one["spec"] for one in listed] == [{"schedule": "* * * * */5"}, {"schedule": "1 * * * *"}]


async def test_a_failure_is_told(api: kit.Api, hook: tuple[Hook, Any]):
    running, config = hook
    await defined(api, config)
    await api.make(CRONTABS, crontab("a"))
    running.failure = "no way"
    answer = await api.ask("GET", f"{IN_V2}/a")
    assert answer.status == 500
    assert answer.body["message"].endswith("conversion webhook for stable.example.com/v1, Kind=CronTab failed: no way")
    running.failure = ""

    assert (await api.ask("GET", f"{IN_V2}/a")).status == 200
