"""Bodies that are too large or nested too deep: refused in good order, whatever they are for."""

import pytest

from steersman.apiserver import depth, writing
from steersman.meta.objects import Object
from tests.apiserver import kit
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
TOO_DEEP = "exceeded max depth"


def nested(count: int) -> str:
    return '{"a":' * count + "1" + "}" * count


def crontab(inner: str) -> bytes:
    return (
        f'{{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{{"name":"a"}},"spec":{inner}}}'.encode()
    )


@pytest.fixture
async def open_kind(api: kit.Api) -> kit.Api:
    await api.make(DEFINITIONS, definitions.definition(definitions.version("v1", OPEN)))
    return api


async def test_an_object_beyond_etcds_limit(open_kind: kit.Api):
    text = "x" * writing.OBJECT_BYTES_MAX
    answer = await open_kind.ask("POST", CRONTABS, crontab(f'"{text}"'))
    assert answer.refusal == (413, "RequestEntityTooLarge", "etcdserver: request is too large")
    assert (await open_kind.ask("GET", f"{CRONTABS}/a")).status == 404
    fits = "x" * (writing.OBJECT_BYTES_MAX - 2000)
    assert (await open_kind.ask("POST", CRONTABS, crontab(f'"{fits}"'))).status == 201
    grown = {"more": "x" * 4000}
    assert (await open_kind.ask("PATCH", f"{CRONTABS}/a", grown, headers=kit.MERGE)).status == 413


@pytest.mark.parametrize("count", [depth.MAX, 300, 900, 1030, 5000, 100_000])
async def test_what_is_nested_too_deep_is_refused(open_kind: kit.Api, count):
    await open_kind.make(CRONTABS, {"metadata": {"name": "b"}})
    inner = nested(count)
    applied = {"content-type": "application/apply-patch+yaml"}
    answers = [
        await open_kind.ask("POST", CRONTABS, crontab(inner)),
        await open_kind.ask("POST", CRONTABS, crontab(inner), headers={"content-type": "application/yaml"}),
        await open_kind.ask("PATCH", f"{CRONTABS}/b", f'{{"spec":{inner}}}'.encode(), headers=kit.MERGE),
        await open_kind.ask(
            "PATCH",
            f"{CRONTABS}/b",
            f'[{{"op":"add","path":"/spec","value":{inner}}}]'.encode(),
            headers=kit.JSON_PATCH,
        ),
        await open_kind.ask("PATCH", f"{CRONTABS}/a", crontab(inner), query="fieldManager=me", headers=applied),
        await open_kind.ask("POST", kit.MAPS, b"[" * count + b"]" * count),
        await open_kind.ask("POST", kit.MAPS, b"- " * count, headers={"content-type": "application/yaml"}),
    ]
    assert [answer.status for answer in answers] == [400] * len(answers), [answer.raw for answer in answers]
    assert TOO_DEEP in answers[0].body["message"]


async def test_a_patch_that_digs_deeper_each_time_comes_to_an_end(open_kind: kit.Api):
    await open_kind.make(CRONTABS, {"metadata": {"name": "b"}, "spec": {}})
    path, statuses = "/spec", []
    for _ in range(8):
        change = f'[{{"op":"add","path":"{path}","value":{nested(40)}}}]'.encode()
        answer = await open_kind.ask("PATCH", f"{CRONTABS}/b", change, headers=kit.JSON_PATCH)
        statuses.append(answer.status)
        path += "/a" * 39
    assert statuses[0] == 200
    assert statuses[-1] in (400, 422)
    assert set(statuses) <= {200, 400, 422}
    assert (await open_kind.ask("GET", f"{CRONTABS}/b")).status == 200


async def test_a_schema_may_be_as_deep_as_people_write_them(api: kit.Api):
    schema: Object = {"type": "string"}
    for _ in range(60):
        schema = {"type": "object", "properties": {"a": schema}}
    await api.make(DEFINITIONS, definitions.definition(definitions.version("v1", schema)))
