"""ClusterIPs and node ports, through the API and as pure books."""

import asyncio

import hypothesis
import pytest
from hypothesis import strategies

from steersman.apiserver.admission import number_book, service_addresses
from steersman.meta import errors
from tests.apiserver import kit
from tests.apiserver.kit import MERGE, SERVICES


def service(name: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def test_each_service_gets_its_own(api: kit.Api):
    specs = [(await api.make(SERVICES, service(f"s{number}", type="NodePort")))["spec"] for number in range(5)]
    assert len({spec["clusterIP"] for spec in specs}) == 5
    assert len({spec["ports"][0]["nodePort"] for spec in specs}) == 5
    assert all(spec["clusterIPs"] == [spec["clusterIP"]] for spec in specs)


async def test_a_chosen_address_once(api: kit.Api):
    await api.make(SERVICES, service("a", clusterIP="10.96.0.10"))
    refused = await api.ask("POST", SERVICES, service("b", clusterIP="10.96.0.10"))
    assert refused.refusal == (
        422,
        "Invalid",
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
        "provided IP is already allocated",
    )
    outside = await api.ask("POST", SERVICES, service("b", clusterIP="1.2.3.4"))
    assert outside.body["message"].endswith(
        'Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided network does not match the current range'
    )
    await api.ask("DELETE", f"{SERVICES}/a")
    await api.make(SERVICES, service("b", clusterIP="10.96.0.10"))


async def test_headless_and_external(api: kit.Api):
    assert (await api.make(SERVICES, service("a", clusterIP="None")))["spec"]["clusterIP"] == "None"
    external = await api.make(
        SERVICES, {"metadata": {"name": "b"}, "spec": {"type": "ExternalName", "externalName": "x.y"}}
    )
    assert "clusterIP" not in external["spec"]


async def test_changes_of_type_take_and_return_ports(api: kit.Api):
    made = await api.make(SERVICES, service("a", type="NodePort"))
    port = made["spec"]["ports"][0]["nodePort"]
    kept = await api.ask("PATCH", f"{SERVICES}/a", {"metadata": {"labels": {"x": "y"}}}, headers=MERGE)
    assert kept.body["spec"]["ports"][0]["nodePort"] == port
    assert kept.body["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    plain = await api.ask("PUT", f"{SERVICES}/a", {**service("a", type="ClusterIP")})
    assert "nodePort" not in plain.body["spec"]["ports"][0], plain.raw
    again = await api.ask("POST", SERVICES, service("b", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
    assert again.status == 201, again.raw


async def test_a_failed_write_gives_back(api: kit.Api):
    await api.make(SERVICES, service("a"))
    for _ in range(3):
        assert (await api.ask("POST", SERVICES, service("a", clusterIP="10.96.9.9"))).status == 409
    assert (await api.ask("POST", f"{SERVICES}?dryRun=All", service("b", clusterIP="10.96.9.9"))).status == 201
    assert (await api.ask("POST", SERVICES, service("b", clusterIP="10.96.9.9"))).status == 201


async def test_the_books_survive_a_restart(api: kit.Api):
    taken = (await api.make(SERVICES, service("a")))["spec"]["clusterIP"]
    async with kit.Api(store=api.store) as second:
        refused = await second.ask("POST", SERVICES, service("b", clusterIP=taken))
        assert refused.status == 422
        await asyncio.sleep(0)


@hypothesis.given(strategies.lists(strategies.one_of(strategies.none(), strategies.integers(1, 20)), max_size=60))
def test_no_number_twice_and_all_can_be_used(steps: list[int | None]):
    book = number_book.Numbers(1, 20, 5)
    held: set[int] = set()
    for step in steps:
        if step is None:
            found = book.take_any()
            assert (found is None) == (len(held) == 20)
            if found is not None:
                assert found not in held
                held.add(found)
        elif step in held:
            book.release(step)
            held.discard(step)
        else:
            assert book.take(step)
            held.add(step)


def test_a_full_range_is_an_error():
    books = service_addresses.ServiceAddresses(["10.0.0.0/30"])
    for name in ("a", "b"):
        with books.reserved({"metadata": {"name": name}, "spec": {}}, None, ["10.0.0.0/30"], dry_run=False):
            pass
    with (
        pytest.raises(errors.StatusError, match="range is full"),
        books.reserved({"metadata": {"name": "c"}, "spec": {}}, None, ["10.0.0.0/30"], dry_run=False),
    ):
        pass


async def test_one_node_port_is_one_services(api: kit.Api):
    made = await api.make(SERVICES, service("a", type="NodePort"))
    number = made["spec"]["ports"][0]["nodePort"]
    wanted = service("b", type="NodePort", ports=[{"port": 80, "nodePort": number}])
    refused = await api.ask("POST", SERVICES, wanted)
    message = f"spec.ports[0].nodePort: Invalid value: {number}: provided port is already allocated"
    assert refused.refusal == (422, "Invalid", f'Service "b" is invalid: {message}')
    answers = await asyncio.gather(
        *(api.ask("POST", SERVICES, service(f"c{n}", clusterIP="10.96.7.7")) for n in range(8))
    )
    assert sorted(answer.status for answer in answers) == [201, *[422] * 7]


@pytest.mark.parametrize("number", [29999, 32768, 1, 65536])
async def test_ports_out_of_range(api: kit.Api, number: int):
    answer = await api.ask("POST", SERVICES, service("a", type="NodePort", ports=[{"port": 80, "nodePort": number}]))
    message = (
        f"Invalid value: {number}: provided port is not in the valid range. The range of valid ports is 30000-32767"
    )
    assert answer.refusal == (422, "Invalid", f'Service "a" is invalid: spec.ports[0].nodePort: {message}')
    moved = await api.make(SERVICES, service("b", type="NodePort"))
    moved["spec"]["ports"][0]["nodePort"] = number
    assert message in (await api.ask("PUT", f"{SERVICES}/b", moved)).body["message"]
