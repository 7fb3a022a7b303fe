"""Audit events are sent on, many at once; what is not taken is tried again, and no request waits."""

import asyncio
import contextlib
import logging
import socket

import orjson
import pytest

from steersman.aio import clock as clocks
from steersman.aio import tasks
from steersman.apiserver.audit import webhook
from steersman.client.access import Access
from steersman.serving import http_server
from steersman.serving.messages import Response


@contextlib.asynccontextmanager
async def receiver(codes=()):
    """(address, what came, set when something has): answers with these codes, then 200."""
    came, left, arrived = [], list(codes), asyncio.Event()

    async def handle(request):
        came.append((request.path, orjson.loads(request.body)))
        arrived.set()
        return Response(left.pop(0) if left else 200)

    listener = socket.create_server(("127.0.0.1", 0))
    async with await http_server.serve(handle, sockets=[listener], ssl_context=None, clock=clocks.SystemClock()):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/audit", came, arrived


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(webhook, "BATCH_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(webhook, "BATCHES_PER_SECOND", 1000.0)
    monkeypatch.setattr(webhook, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(webhook, "BATCH_MAX", 3)


def sent(count, codes=(), enough=lambda came: came):
    async def story():
        async with receiver(codes) as (url, came, arrived), tasks.Tasks("test") as running:
            sink = webhook.Webhook(Access(url), clocks.SystemClock())
            running.start("webhook", sink.run())
            for number in range(count):
                sink.write({"auditID": str(number)})
            async with asyncio.timeout(5):
                while not enough(came):
                    await arrived.wait()
                    arrived.clear()
            await running.close()
            await sink.close()
            return came

    return asyncio.run(story())


def ids(came):
    return [[event["auditID"] for event in body["items"]] for _, body in came]


def test_events_come_in_batches_and_in_order():
    came = sent(7, enough=lambda came: len(came) == 3)
    assert ids(came) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    path, first = came[0]
    assert path == "/audit"
    assert (first["kind"], first["apiVersion"]) == ("EventList", "audit.k8s.io/v1")


def test_what_is_not_taken_is_tried_again():
    came = sent(1, codes=(500, 429), enough=lambda came: len(came) == 3)
    assert ids(came) == [["0"]] * 3


def test_what_will_never_be_taken_is_not(caplog):
    with caplog.at_level(logging.ERROR):
        came = sent(4, codes=(400,), enough=lambda came: len(came) == 2)
    assert ids(came) == [["0", "1", "2"], ["3"]]
    assert "3 audit events are lost: answered 400" in caplog.text


def test_what_waits_at_the_end_is_sent(monkeypatch):
    monkeypatch.setattr(webhook, "BATCH_WAIT_SECONDS", 60.0)
    assert ids(sent(2, enough=lambda came: True)) == [["0", "1"]]


def test_a_full_buffer_drops(monkeypatch, caplog):
    monkeypatch.setattr(webhook, "BUFFER_MAX", 2)
    with caplog.at_level(logging.ERROR):
        assert ids(sent(5, enough=lambda came: came)) == [["0", "1"]]
    assert "events are dropped" in caplog.text


def test_a_file_that_names_no_server(tmp_path):
    path = tmp_path / "kubeconfig"
    with pytest.raises(ValueError, match="no such file"):
        webhook.access(str(path))
    path.write_text("apiVersion: v1\nkind: Config\n")
    with pytest.raises(ValueError, match="current-context is not set"):
        webhook.access(str(path))
