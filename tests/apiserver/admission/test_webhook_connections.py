"""The way to a webhook: failures, services, connections, figures."""

import asyncio
import datetime
import pathlib

import orjson
import pytest
from aiohttp import web

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.cluster import pki
from steersman.serving import tls
from tests.apiserver import kit
from tests.apiserver.admission.hooks import MUTATING, VALIDATING, Hooks, allow, configure, deny, put_of, rule


async def labelled(api: kit.Api, name: str, **labels: str) -> str:
    await api.make("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    return f"/api/v1/namespaces/{name}/configmaps"


# --- failure ---


@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_a_webhook_that_is_not_there(api: kit.Api, hook: Hooks, policy, status):
    webhook = hook.webhook("/x", rule(), name="gone.example.com", failurePolicy=policy)
    webhook["clientConfig"] = {"url": "https://127.0.0.1:1/x"}
    for where in (MUTATING, VALIDATING):
        await configure(api, where, "one", webhook)
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == status
    if status == 500:
        start = 'Internal error occurred: failed calling webhook "gone.example.com": failed to call webhook: Post '
        assert answer.body["message"].startswith(f'{start}"https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1')
        assert answer.body["reason"] == "InternalError"


async def test_a_webhook_whose_certificate_nobody_vouches_for(api: kit.Api, hook: Hooks):
    hook.answers["/x"] = allow
    webhook = hook.webhook("/x", rule())
    del webhook["clientConfig"]["caBundle"]
    await configure(api, VALIDATING, "one", webhook)
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == 500
    assert "failed calling webhook" in answer.body["message"]
    assert hook.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_a_slow_webhook(api: kit.Api, hook: Hooks, policy, status):
    hook.answers["/slow"] = allow
    hook.delay_seconds = 1.5
    await configure(api, VALIDATING, "one", hook.webhook("/slow", rule(), timeoutSeconds=1, failurePolicy=policy))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == status
    if status == 500:
        assert "context deadline exceeded" in answer.body["message"]
        assert "slow.example.com" in answer.body["message"]
        assert (await api.ask("GET", f"{kit.MAPS}/a")).status == 404


@pytest.mark.slow
async def test_webhooks_change_while_one_is_waited_for(api: kit.Api, hook: Hooks):
    hook.answers["/slow"] = allow
    hook.delay_seconds = 1.5
    slow = hook.webhook("/slow", rule(), timeoutSeconds=1, failurePolicy="Ignore")
    await configure(api, VALIDATING, "one", slow)
    made = asyncio.ensure_future(api.ask("POST", kit.MAPS, kit.config_map("a")))
    await hook.was_asked.wait()
    await configure(api, VALIDATING, "another", hook.webhook("/x", rule("secrets")))
    assert (await made).status == 201


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (web.Response(status=404), "failed to call webhook: the server could not find the requested resource"),
        (
            web.Response(status=500, text="oh no"),
            'failed to call webhook: an error on the server ("oh no") has prevented the request from succeeding',
        ),
        (web.Response(text="{}"), "received invalid webhook response: webhook response was absent"),
        (web.Response(text="no json"), "received invalid webhook response: couldn't get version/kind"),
    ],
    ids=["404", "500", "empty", "no json"],
)
async def test_answers_that_are_none(api: kit.Api, hook: Hooks, raw, expected):
    hook.raw = raw
    await configure(api, VALIDATING, "one", hook.webhook("/x", rule()))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].startswith(
        f'Internal error occurred: failed calling webhook "x.example.com": {expected}'
    )


async def test_validating_webhooks_are_asked_at_the_same_time_and_the_first_by_name_is_told(api: kit.Api, hook: Hooks):
    hook.answers |= {"/a": deny("a"), "/b": deny("b"), "/c": allow}
    hook.delay_seconds = 0.02
    for name in "cba":
        await configure(api, VALIDATING, name, hook.webhook(f"/{name}", rule()))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith('"a.example.com" denied the request: a')
    assert (len(hook.asked), hook.concurrent_max) == (3, 3)


# --- services ---


async def test_a_service_is_reached_at_its_endpoint_under_its_own_name(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("through the service")
    port = int(hook.url.rpartition(":")[2])
    await api.make(kit.SERVICES, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 8443}]}})
    meta = {"name": "hook-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "hook"}}
    endpoints = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
    body = {"metadata": meta, "addressType": "IPv4", "ports": [{"name": "", "port": port}], "endpoints": endpoints}
    webhook = hook.webhook("/no", rule())
    webhook["clientConfig"] = {
        "service": {"name": "hook", "namespace": "default", "path": "/no", "port": 8443},
        "caBundle": hook.authority,
    }
    await configure(api, VALIDATING, "one", webhook)
    await api.store.txn([put_of(kinds.ENDPOINT_SLICE, body)])  # past validation, which refuses loopback addresses
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith("through the service")


async def test_a_service_that_is_not_there(api: kit.Api, hook: Hooks):
    webhook = hook.webhook("/no", rule())
    webhook["clientConfig"] = {"service": {"name": "hook", "namespace": "default"}}
    made = await configure(api, VALIDATING, "one", webhook)
    assert made["webhooks"][0]["clientConfig"]["service"]["port"] == 443
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith('failed to call webhook: service "hook" not found')


# --- connections and figures ---


@pytest.mark.slow
async def test_more_writes_than_connections_of_a_client_are_asked_about_at_one_time(api: kit.Api, hook: Hooks):
    hook.answers["/yes"] = allow
    hook.delay_seconds = 0.2
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule()))
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(api.make(kit.MAPS, kit.config_map(f"m{number}")))
    assert hook.concurrent_max == 40


async def test_a_connection_that_the_webhook_closes_between_two_reviews_is_no_failure(
    api: kit.Api, tmp_path: pathlib.Path
):
    authority = pki.Authority(tmp_path, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("webhook", "webhook", ["127.0.0.1"])
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers, keeps the connection, and closes it when the next request has come: as one that was just timing out."""
        nonlocal connections
        connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        review = orjson.loads(await reader.readexactly(length))
        response = {"uid": review["request"]["uid"], "allowed": True}
        body = orjson.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await reader.read(1)
        writer.close()

    context = tls.server_context(serving.certificate, serving.key)
    async with await asyncio.start_server(answer_once, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hooks = Hooks(url, authority.pair.certificate.read_bytes())
        await configure(api, VALIDATING, "one", hooks.webhook("/x", rule()))
        for name in "abc":
            await api.make(kit.MAPS, kit.config_map(name))
        await api.server._webhook_client.close()
    assert connections == 3


async def test_figures(api: kit.Api, hook: Hooks):
    hook.answers |= {"/no": deny("no", code=403), "/m": allow}
    gone = hook.webhook("/x", rule("secrets"), name="gone.example.com", failurePolicy="Ignore")
    gone["clientConfig"] = {"url": "https://127.0.0.1:1/x"}
    await configure(api, MUTATING, "m", hook.webhook("/m", rule()), gone)
    await configure(api, VALIDATING, "v", hook.webhook("/no", rule()))
    await api.ask("POST", kit.MAPS, kit.config_map("a"))
    await api.make("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    text = (await api.ask("GET", "/metrics")).raw.decode()
    start = "apiserver_admission_webhook_"
    for line in (
        'request_total{code="200",name="m.example.com",operation="CREATE",type="admit",rejected="false"} 1',
        'request_total{code="403",name="no.example.com",operation="CREATE",type="validating",rejected="true"} 1',
        'rejection_count{error_type="no_error",name="no.example.com",operation="CREATE",type="validating",rejection_code="403"} 1',
        'fail_open_count{name="gone.example.com",type="admit"} 1',
    ):
        assert f"{start}{line}\n" in text
