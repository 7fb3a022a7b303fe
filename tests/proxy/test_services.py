"""Packets go where the Services say: two nodes and a host in throw-away namespaces, the real rules, the real controller."""

import asyncio
import collections
import contextlib
import pathlib
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import WatchEvent
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import libnftables, namespaces, netlink
from steersman.proxy import controller, layout, nftables, rule_set
from tests.network import lab
from tests.proxy.builders import endpoint, endpoint_slice, port, service

pytestmark = [pytest.mark.root, pytest.mark.slow]

VIP = "10.96.0.1"
HOST = "host"
SCTP = 132


class Cluster:
    """A laboratory with a proxy per node and one for the host, fed by hand."""

    def __init__(self, here: lab.Lab, nodes: Sequence[lab.Node], pods: dict[str, lab.Pod]) -> None:
        self.lab = here
        self.nodes = nodes
        self.pods = pods
        clock = SystemClock()
        self.caches = Caches(None, clock)  # type: ignore[arg-type]  # nothing is asked of the client: events come by hand
        own = layout.Table(nftables.TABLE, nftables.POD_CIDR, own=True)
        self.backends = {HOST: Waited(nftables.Nftables(here.host))}
        self.backends |= {node.name: Waited(nftables.Nftables(node.namespace, table=own)) for node in nodes}
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._revision = 0

    def namespace(self, name: str) -> str:
        return self.pods[name].namespace

    async def start(self, *services: Object, slices: Sequence[Object] = ()) -> None:
        for kind, found in ((kinds.SERVICE, services), (kinds.ENDPOINT_SLICE, slices), (kinds.NODE, ())):
            cache = self.caches.of(kind)
            cache.replace({objects.key(obj): self._stamped(obj) for obj in found}, self._revision)
            cache.synced.set()
        for name, backend in self.backends.items():
            node = "" if name == HOST else name
            self._tasks.append(asyncio.create_task(controller.run(self.caches, node, {"IPv4": backend}, self._clock)))
        await self.settled()

    async def change(self, *changed: Object) -> None:
        for obj in changed:
            kind = kinds.ENDPOINT_SLICE if "addressType" in obj else kinds.SERVICE
            self.caches.of(kind).apply(WatchEvent("MODIFIED", self._stamped(obj)))
        await self.settled()

    async def delete(self, obj: Object) -> None:
        self.forget(obj)
        await self.settled()

    def forget(self, obj: Object) -> None:
        kind = kinds.ENDPOINT_SLICE if "addressType" in obj else kinds.SERVICE
        self.caches.of(kind).apply(WatchEvent("DELETED", self._stamped(obj)))

    async def settled(self) -> None:
        async with asyncio.timeout(lab.WAIT_SECONDS):
            await asyncio.gather(*(backend.applied.wait() for backend in self.backends.values()))
        for backend in self.backends.values():
            backend.applied.clear()

    async def stop(self) -> None:
        """The proxies die; what they wrote stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def close(self) -> None:
        for backend in self.backends.values():
            backend.real.close()

    def slice(
        self, *names: str, of: str = "web", protocol: str = "TCP", number: int = 80, **conditions: bool
    ) -> Object:
        members = [endpoint(self.pods[name].address, self._node_of(name), **conditions) for name in names]
        return endpoint_slice(*members, of=of, protocol=protocol, number=number)

    def _node_of(self, name: str) -> str:
        return next(node.name for node in self.nodes if name in node.pods.addresses())

    def _stamped(self, obj: Object) -> Object:
        self._revision += 1
        name = objects.name(obj)
        return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self._revision), "uid": name}}


class Waited:
    """The real backend, and an event for the test to wait on."""

    def __init__(self, real: nftables.Nftables) -> None:
        self.real = real
        self.applied = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def replace(self, elements):
        self.real.replace(elements)
        self._loop.call_soon_threadsafe(self.applied.set)

    def apply(self, change: rule_set.Change) -> None:
        self.real.apply(change)
        self._loop.call_soon_threadsafe(self.applied.set)


@contextlib.asynccontextmanager
async def opened(folder: pathlib.Path) -> AsyncIterator[Cluster]:
    """Pods a and b on node-1, c on node-2, each answering with its name on TCP and UDP port 80."""
    async with lab.opened(folder) as here:
        one, two = await here.add_node(1), await here.add_node(2)
        here.connect([one, two])
        pods = {name: await here.add_pod(node, name) for name, node in (("a", one), ("b", one), ("c", two))}
        for name, pod in pods.items():
            await here.serve_tcp(pod.namespace, 80, name)
            await here.serve_udp(pod.namespace, 80, name)
        cluster = Cluster(here, [one, two], pods)
        try:
            yield cluster
        finally:
            await cluster.stop()
            cluster.close()


async def asked(namespace: str, address: str, number: int, times: int = 40) -> set[str]:
    return {(await lab.ask_tcp(namespace, address, number))[0] for _ in range(times)}


async def test_every_endpoint_is_reached_from_pods_nodes_and_the_host(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "b", "c")])
        one, two = cluster.nodes
        clients = [cluster.namespace("a"), cluster.namespace("c"), one.namespace, two.namespace, cluster.lab.host]
        for namespace in clients:
            assert await asked(namespace, VIP, 80) == {"a", "b", "c"}


async def test_connections_are_spread_evenly(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "b", "c")])
        counts = collections.Counter(
            [(await lab.ask_tcp(cluster.lab.host, VIP, 80))[0] for _ in range(300)],
        )
        assert min(counts.values()) > 60  # 100 expected; below 60 once in a million runs


async def test_a_pod_sees_its_client_and_only_itself_as_the_node(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a")])
        pods, (one, _) = cluster.pods, cluster.nodes
        assert await lab.ask_tcp(pods["b"].namespace, VIP, 80) == ("a", pods["b"].address)
        assert await lab.ask_tcp(pods["c"].namespace, VIP, 80) == ("a", pods["c"].address)
        assert await lab.ask_tcp(pods["a"].namespace, VIP, 80) == ("a", one.address)


async def test_without_endpoints_connections_are_refused_at_once(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service("web", VIP, port(), port(81, "other"), port(80, "udp", "UDP")))
        for namespace in (cluster.namespace("a"), cluster.nodes[0].namespace, cluster.lab.host):
            for number in (80, 81, 82):  # 82 is no port of the Service at all
                with pytest.raises(ConnectionRefusedError):
                    await lab.ask_tcp(namespace, VIP, number, wait_seconds=0.5)
        client = lab.UdpClient(cluster.namespace("a"), VIP, 80)
        with contextlib.closing(client), pytest.raises(ConnectionRefusedError):
            await client.ask()


async def test_an_endpoint_that_is_not_ready_gets_nothing(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "b")])
        unready = cluster.slice("a", "b")
        unready["endpoints"][0]["conditions"] = {"ready": False, "serving": False}
        await cluster.change(unready)
        assert await asked(cluster.namespace("c"), VIP, 80) == {"b"}


async def test_node_ports_answer_on_every_node_and_on_the_host(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(
            service("web", VIP, port(node_port=30080), type="NodePort"), slices=[cluster.slice("a", "c")]
        )
        one, two = cluster.nodes
        for address in (one.address, two.address):
            for namespace in (cluster.lab.host, cluster.namespace("b"), one.namespace, two.namespace):
                assert await asked(namespace, address, 30080) == {"a", "c"}
        for namespace in (cluster.lab.host, cluster.namespace("b"), cluster.namespace("c"), one.namespace):
            assert await asked(namespace, one.link.gateway, 30080) == {"a", "c"}
        for node in (one, two):
            assert await asked(node.namespace, "127.0.0.1", 30080) == {"a", "c"}


async def test_a_local_node_port_keeps_the_client_and_stays_silent_elsewhere(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(
            service("web", VIP, port(node_port=30080), type="NodePort", externalTrafficPolicy="Local"),
            slices=[cluster.slice("a")],
        )
        one, two = cluster.nodes
        assert await lab.ask_tcp(cluster.lab.host, one.address, 30080) == ("a", one.link.gateway)
        with pytest.raises(TimeoutError):
            await lab.ask_tcp(cluster.lab.host, two.address, 30080, wait_seconds=0.2)
        assert (await lab.ask_tcp(cluster.namespace("c"), two.address, 30080))[0] == "a"  # a pod is no outsider


async def test_a_load_balancer_answers_the_sources_it_names(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        host, (one, _) = cluster.lab.host, cluster.nodes
        with netlink.Netlink(host) as kernel:
            bridge = kernel.link(cluster.lab.network.bridge)
            assert bridge is not None
            kernel.replace_route("1.2.3.4/32", gateway=one.address, index=bridge.index)
        balanced = service(type="LoadBalancer", loadBalancerSourceRanges=["10.244.2.0/24", "10.244.2.0/25"])
        balanced["status"] = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
        await cluster.start(balanced, slices=[cluster.slice("a")])
        assert await asked(cluster.namespace("c"), "1.2.3.4", 80, 3) == {"a"}
        with pytest.raises(TimeoutError):
            await lab.ask_tcp(cluster.namespace("b"), "1.2.3.4", 80, wait_seconds=0.2)
        assert await asked(cluster.namespace("b"), VIP, 80, 3) == {"a"}
        await cluster.change(balanced | {"spec": {**balanced["spec"], "loadBalancerSourceRanges": []}})
        assert await asked(cluster.namespace("b"), "1.2.3.4", 80, 3) == {"a"}


async def test_affinity_is_switched_off_and_on(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        plain, sticky = (service("web", VIP, sessionAffinity=how) for how in ("None", "ClientIP"))
        await cluster.start(sticky, slices=[cluster.slice("a", "b", "c")])
        client = cluster.lab.host
        assert len(await asked(client, VIP, 80)) == 1
        await cluster.change(plain)
        assert len(await asked(client, VIP, 80)) == 3
        await cluster.change(sticky)
        assert len(await asked(client, VIP, 80)) == 1


async def test_a_client_stays_with_its_endpoint_until_that_leaves(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        sticky = service("web", VIP, port(node_port=30080), type="NodePort", sessionAffinity="ClientIP")
        await cluster.start(sticky, slices=[cluster.slice("a", "b", "c")])
        client = cluster.namespace("a")
        (first,) = await asked(client, VIP, 80)
        assert await asked(client, cluster.nodes[0].address, 30080) == {first}
        others = [name for name in "abc" if name != first]
        await cluster.change(cluster.slice(*others))
        (second,) = await asked(client, VIP, 80)
        assert second in others


async def test_udp_clients_move_on_when_their_endpoint_leaves(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        dns = service("web", VIP, port(80, protocol="UDP"))
        await cluster.start(dns, slices=[cluster.slice("a", protocol="UDP")])
        with contextlib.closing(lab.UdpClient(cluster.namespace("b"), VIP, 80)) as client:
            assert await client.ask() == "a"
            await cluster.change(cluster.slice("c", protocol="UDP"))
            assert await client.ask() == "c"


async def test_a_rollout_loses_no_request(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a")])
        done = asyncio.Event()
        seen: collections.Counter[str] = collections.Counter()

        async def keep_asking(namespace: str) -> None:
            while not done.is_set():
                seen[(await lab.ask_tcp(namespace, VIP, 80))[0]] += 1

        clients = [cluster.namespace("b"), cluster.namespace("c"), cluster.lab.host]
        asking = [asyncio.create_task(keep_asking(namespace)) for namespace in clients]
        for names in ("ab", "b", "bc", "c", "ca", "abc", "a") * 5:
            await cluster.change(cluster.slice(*names))
        done.set()
        await asyncio.gather(*asking)
        assert set(seen) == {"a", "b", "c"}


async def test_rules_outlive_their_process_and_a_new_one_takes_over(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "b")])
        await cluster.stop()
        assert await asked(cluster.lab.host, VIP, 80) == {"a", "b"}
        other = service("other", "10.96.0.2")
        await cluster.start(other, slices=[cluster.slice("c", of="other")])
        assert await asked(cluster.lab.host, "10.96.0.2", 80) == {"c"}
        assert "10.96.0.1" not in libnftables.Context(cluster.nodes[0].namespace).run("list ruleset")


async def test_rules_that_someone_destroyed_come_back_with_the_next_change(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a", "b")])
        libnftables.Context(cluster.lab.host).run(f"delete table ip {nftables.TABLE}")
        await cluster.change(cluster.slice("b", "c"))
        assert await asked(cluster.lab.host, VIP, 80) == {"b", "c"}


async def test_nothing_is_left_when_rules_are_removed(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        await cluster.start(service(), slices=[cluster.slice("a")])
        await cluster.delete(service())
        assert VIP not in libnftables.Context(cluster.lab.host).run("list ruleset")
        await cluster.stop()
        cluster.backends[HOST].real.remove()
        assert nftables.TABLE not in libnftables.Context(cluster.lab.host).run("list ruleset")


async def test_affinity_lasts_as_long_as_it_says_and_is_renewed_by_use(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        timeout = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}}
        sticky = service("web", VIP, sessionAffinity="ClientIP", **timeout)
        await cluster.start(sticky, slices=[cluster.slice("a", "b", "c")])
        client = cluster.namespace("a")
        began = asyncio.get_running_loop().time()
        seen = set()
        while asyncio.get_running_loop().time() < began + 1.5:
            seen |= await asked(client, VIP, 80, 1)
        assert len(seen) == 1, "used all the time"
        others: set[str] = set()
        async with asyncio.timeout(20):
            while not others - seen:
                await asyncio.sleep(1.2)  # longer than it is remembered
                others |= await asked(client, VIP, 80, 1)


async def test_clients_are_known_again_after_the_proxy_was_replaced(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        sticky = service("web", VIP, port(node_port=30080), type="NodePort", sessionAffinity="ClientIP")
        slices = [cluster.slice("a", "b", "c")]
        await cluster.start(sticky, slices=slices)
        clients = [cluster.namespace("a"), cluster.namespace("c"), cluster.lab.host]
        before = [await asked(client, VIP, 80, 2) for client in clients]
        for _ in range(3):
            await cluster.stop()
            await cluster.start(service("other", "10.96.0.9", sessionAffinity="ClientIP"), sticky, slices=slices)
            assert [await asked(client, VIP, 80, 2) for client in clients] == before


async def test_sctp(tmp_path: pathlib.Path):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP).close()
    except OSError:
        pytest.skip("this kernel has no SCTP")
    async with opened(tmp_path) as cluster:
        with namespaces.open_socket(cluster.namespace("c"), socket.AF_INET, socket.SOCK_STREAM, SCTP) as listener:
            listener.bind(("0.0.0.0", 80))
            listener.listen()
            listener.setblocking(False)
            web = service("web", VIP, port(80, protocol="SCTP"))
            await cluster.start(web, slices=[cluster.slice("c", protocol="SCTP")])
            with namespaces.open_socket(cluster.namespace("a"), socket.AF_INET, socket.SOCK_STREAM, SCTP) as client:
                client.setblocking(False)
                async with asyncio.timeout(lab.WAIT_SECONDS):
                    await asyncio.get_running_loop().sock_connect(client, (VIP, 80))
                    connection, seen = await asyncio.get_running_loop().sock_accept(listener)
                connection.close()
            assert seen[0] == cluster.pods["a"].address
