"""Large answers as gzip."""

import gzip

import pytest

from tests.apiserver import kit

GZIP = {"accept-encoding": "gzip, deflate"}
BIG = "x" * 70_000


async def read(answer: kit.Answer) -> bytes:
    stream = answer.response.stream
    return answer.raw if stream is None else b"".join([piece async for piece in stream])


@pytest.fixture
async def large(api: kit.Api) -> kit.Api:
    for name in ("a", "b", "c"):
        await api.make(kit.MAPS, kit.config_map(name, text=BIG))
    return api


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("br", False), ("identity", False)],
)
@pytest.mark.parametrize("headers", [{}, kit.YAML, kit.TABLE], ids=["stored bytes", "yaml", "table"])
async def test_what_is_read_is_the_same(large: kit.Api, headers, accepted, is_packed):
    query = "includeObject=Object"
    plain = await large.ask("GET", kit.MAPS, None, query, headers)
    packed = await large.ask("GET", kit.MAPS, None, query, {**headers, "accept-encoding": accepted})
    assert packed.headers.get("content-encoding") == ("gzip" if is_packed else None)
    whole = await read(packed)
    if is_packed:
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "content-length" not in packed.headers
        assert len(whole) < 10_000
        whole = gzip.decompress(whole)
    assert whole == await read(plain)


async def test_small_answers_and_watches_stay_as_they_are(large: kit.Api):
    assert "content-encoding" not in (await large.ask("GET", f"{kit.MAPS}/a", None, "", GZIP)).headers
    watch = await large.ask("GET", kit.MAPS, None, "watch=1", GZIP)
    assert "content-encoding" not in watch.headers
    stream = watch.response.stream
    assert stream is not None
    assert (await anext(aiter(stream))).startswith(b'{"type":"ADDED"')


async def test_writes_are_not_compressed(api: kit.Api):
    made = await api.ask("POST", kit.MAPS, kit.config_map("a", text=BIG * 3), "", GZIP)
    assert (made.status, "content-encoding" in made.headers) == (201, False)


async def test_documents(api: kit.Api):
    spec = await api.ask("GET", "/openapi/v2", None, "", GZIP)
    assert spec.headers["content-encoding"] == "gzip"
    assert gzip.decompress(spec.raw).startswith(b"{")
