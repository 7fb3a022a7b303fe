"""Several API servers over one store: what one gives out, the others do not, whether they have heard of it or not."""

import asyncio
import contextlib

import orjson
import pytest

from steersman.apiserver.admission import node_ports, service_numbers
from steersman.store.memory import MemoryStore
from tests.apiserver import kit
from tests.apiserver.kit import MERGE, SERVICES


def service(name, **spec):
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "type": "NodePort", **spec}}


@pytest.fixture
async def two(request, monkeypatch):
    """With `deaf`, neither hears of what the other writes."""
    if getattr(request, "param", "") == "deaf":
        monkeypatch.setattr(service_numbers.ServiceNumbers, "run", lambda self: asyncio.Event().wait())
    store = MemoryStore()
    async with contextlib.AsyncExitStack() as stack:
        first, second = kit.Api(store=store), kit.Api(store=store)
        await asyncio.gather(first.server.start(), second.server.start())
        stack.push_async_callback(first.server.close)
        stack.push_async_callback(second.server.close)
        yield first, second
    await store.close()


async def ports_in_store(api):
    return {
        int(entry.key.removeprefix(node_ports.PREFIX)) for entry in (await api.store.list(node_ports.PREFIX)).entries
    }


async def heard(api, port, *, taken):
    """Returns once the server's own book says so."""
    book = api.server._addresses.ports
    async with asyncio.timeout(10):
        while (port in book._taken) != taken:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("two", ["hearing", "deaf"], indirect=True)
async def test_numbers_are_given_out_once(two):
    asked = [
        two[number % 2].ask("POST", SERVICES, service(f"s{number}"), headers={"content-type": "application/json"})
        for number in range(24)
    ]
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {201}, [answer.raw for answer in answers if answer.status != 201]
    specs = [answer.body["spec"] for answer in answers]
    assert len({spec["clusterIP"] for spec in specs}) == 24
    assert await ports_in_store(two[0]) == {spec["ports"][0]["nodePort"] for spec in specs}
    assert len(await ports_in_store(two[0])) == 24


@pytest.mark.parametrize("two", ["hearing", "deaf"], indirect=True)
async def test_a_number_that_another_server_gave_out_cannot_be_chosen(two):
    first, second = two
    await first.make(SERVICES, service("a", clusterIP="10.96.7.7", ports=[{"port": 80, "nodePort": 30777}]))
    address = await second.ask("POST", SERVICES, service("b", clusterIP="10.96.7.7"))
    assert address.body["message"].endswith("failed to allocate IP 10.96.7.7: provided IP is already allocated")
    port = await second.ask("POST", SERVICES, service("b", ports=[{"port": 80, "nodePort": 30777}]))
    assert port.body["message"].endswith("Invalid value: 30777: provided port is already allocated")
    await second.make(SERVICES, service("c", type="ClusterIP"))
    patch = {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30777}]}}
    changed = await second.ask("PATCH", f"{SERVICES}/c", patch, headers=MERGE)
    assert changed.status == 422, changed.raw


async def test_what_another_server_took_back_can_be_had_again(two):
    first, second = two
    await first.make(SERVICES, service("a", clusterIP="10.96.7.7", ports=[{"port": 80, "nodePort": 30777}]))
    await heard(second, 30777, taken=True)
    assert (await second.ask("DELETE", f"{SERVICES}/a")).status == 200
    await heard(first, 30777, taken=False)
    await first.make(SERVICES, service("b", clusterIP="10.96.7.7", ports=[{"port": 80, "nodePort": 30777}]))
    plain = await second.ask("PATCH", f"{SERVICES}/b", {"spec": {"type": "ClusterIP"}}, headers=MERGE)
    assert plain.status == 200, plain.raw
    assert await ports_in_store(first) == set()


async def test_an_update_that_meets_another_servers_number_takes_another(two, monkeypatch):
    first, second = two
    monkeypatch.setattr(second.server._addresses.ports, "_next", first.server._addresses.ports._next)
    for api, name in ((first, "a"), (second, "b")):
        await api.make(SERVICES, service(name, type="ClusterIP"))
    patch = {"spec": {"type": "NodePort"}}
    answers = await asyncio.gather(
        *(api.ask("PATCH", f"{SERVICES}/{name}", patch, headers=MERGE) for api, name in ((first, "a"), (second, "b")))
    )
    ports = [answer.body["spec"]["ports"][0]["nodePort"] for answer in answers]
    assert len(set(ports)) == 2
    assert await ports_in_store(first) == set(ports)


async def test_entries_are_repaired_at_the_start():
    """Of a store that an earlier version wrote, and of Services that went by another way."""
    store = MemoryStore()
    async with kit.Api(store=store) as api:
        port = (await api.make(SERVICES, service("a")))["spec"]["ports"][0]["nodePort"]
        before = store.fork()
    entry = await before.get(f"{node_ports.PREFIX}{port}")
    assert entry is not None
    left = orjson.loads(entry.value)
    await before.txn([node_ports._freed(port, entry), node_ports.taken(left, 31111)])
    async with kit.Api(store=before) as again:
        assert await ports_in_store(again) == {port}
        refused = await again.ask("POST", SERVICES, service("b", ports=[{"port": 80, "nodePort": port}]))
        assert refused.status == 422
        await again.make(SERVICES, service("c", ports=[{"port": 80, "nodePort": 31111}]))
