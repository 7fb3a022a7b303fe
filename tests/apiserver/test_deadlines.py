"""`?timeout=` of requests. Source: upstream's request_timeout e2e."""

import asyncio

import pytest

from steersman.aio import clock as clocks
from steersman.apiserver import deadlines
from steersman.meta import errors
from tests.apiserver import kit


@pytest.mark.parametrize("path", ["/version", kit.MAPS, "/api"])
async def test_what_is_no_duration_is_refused(api: kit.Api, path: str):
    answer = await api.ask("GET", path, query="timeout=invalid")
    assert answer.refusal == (
        400,
        "BadRequest",
        'invalid timeout specified in the request URL - time: invalid duration "invalid"',
    )


@pytest.mark.parametrize("timeout", ["0s", "0", "32s", "3m", "1h30m", ""])
async def test_durations(api: kit.Api, timeout: str):
    assert (await api.ask("GET", kit.MAPS, query=f"timeout={timeout}")).status == 200
    assert (await api.ask("POST", f"{kit.MAPS}?timeout={timeout}", kit.config_map(f"m{len(timeout)}"))).status == 201


async def test_a_watch_has_no_deadline(api: kit.Api):
    watch = await api.ask("GET", kit.MAPS, query="watch=1&timeout=1ms")
    assert watch.response.stream is not None


async def test_when_the_time_is_over():
    with pytest.raises(errors.StatusError) as refused:
        await deadlines.within(clocks.SystemClock(), 0.01, asyncio.sleep(10))
    assert (refused.value.code, refused.value.reason) == (504, "Timeout")
