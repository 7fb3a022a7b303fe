"""Certificates are renewed before they end, with nobody's help but the controllers'."""

import asyncio
import datetime
import functools
import pathlib

from cryptography import x509

from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.api import kinds
from steersman.cluster import pki
from steersman.cluster.join import certificates
from steersman.cluster.join.certificates import Wish
from tests.cluster.join import town

HOUR = 3600
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n"},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]},
}
KUBELET = certificates.of_kubelet("n", ("n", "192.0.2.7"), HOUR)


def load(path: pathlib.Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def in_virtual_time(tmp_path: pathlib.Path, story) -> None:
    loop = VirtualLoop()

    async def tell() -> None:
        place = town.Town(tmp_path, VirtualClock(loop))
        async with place.living():
            await story(place)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(tell())


def test_all_three_are_renewed_for_as_long_as_the_machine_runs(tmp_path):
    async def story(place: town.Town) -> None:
        await place.make("/api/v1/nodes", NODE)
        client = place.client_of("system:node:n", ("system:nodes",))
        counted: dict[Wish, int] = {}
        keeping = []
        wishes = {certificates.of_node("n", HOUR): "node", KUBELET: "kubelet", certificates.of_proxy(HOUR): "proxy"}
        async with asyncio.TaskGroup() as group:
            for wish, name in wishes.items():
                path = tmp_path / f"{name}.pem"
                await certificates.obtain(client, wish, path, place.clock)
                told = functools.partial(lambda which: counted.update({which: counted.get(which, 0) + 1}), wish)
                keeping.append(group.create_task(certificates.keep(client, wish, path, place.clock, told)))
            for _ in range(20):
                await place.clock.sleep(0.1 * HOUR)
                for name in wishes.values():
                    assert load(tmp_path / f"{name}.pem").not_valid_after_utc > place.clock.now()
            # In two hours, each after 70 to 90 % of one.
            assert all(2 <= counted[wish] <= 3 for wish in wishes), counted
            for task in keeping:
                task.cancel()

    in_virtual_time(tmp_path, story)


def test_a_request_waits_for_the_nodes_addresses(tmp_path):
    async def story(place: town.Town) -> None:
        client = place.client_of("system:node:n", ("system:nodes",))
        await place.make("/api/v1/nodes", {**NODE, "status": {}})
        asked = asyncio.create_task(certificates.obtain(client, KUBELET, tmp_path / "k.pem", place.clock))
        await place.clock.sleep(5)
        assert not asked.done()
        await client.patch(kinds.NODE, "n", "", {"status": NODE["status"]}, type="merge", subresource="status")
        await asked
        names = load(tmp_path / "k.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert set(names) == set(pki.general_names(["n", "192.0.2.7"]))

    in_virtual_time(tmp_path, story)


def test_when_a_certificate_is_good(tmp_path):
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    pair = pki.Authority(tmp_path, now).server("s", "s", ["a", "10.0.0.1"])
    assert certificates.is_good(pair.certificate, now, ["a"])
    assert not certificates.is_good(pair.certificate, now, ["b"])
    assert not certificates.is_good(pair.certificate, now + datetime.timedelta(days=pki.LEAF_DAYS))
    assert not certificates.is_good(tmp_path / "none.pem", now)
    days = [certificates.renewal(pair.certificate, now, share) / 86400 for share in (0, 1)]
    assert 0.69 * pki.LEAF_DAYS < days[0] < 0.71 * pki.LEAF_DAYS
    assert 0.89 * pki.LEAF_DAYS < days[1] < 0.91 * pki.LEAF_DAYS
