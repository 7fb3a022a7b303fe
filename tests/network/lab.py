"""A small cluster in throw-away network namespaces: a "host", nodes, pods that are nothing but sockets.

Nothing here touches the machine's own network: the test's thread is inside the host's namespace while the laboratory is open.
"""

import asyncio
import contextlib
import dataclasses
import pathlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence

from steersman.network import cluster_network, namespaces, netlink, pod_network

WAIT_SECONDS = 3.0


@dataclasses.dataclass
class PortMapping:
    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_address: str = ""


@dataclasses.dataclass
class Pod:
    """Also what `PodNetwork.attach` is given for it."""

    name: str
    namespace: str
    port_mappings: Sequence[PortMapping] = ()
    host_network: bool = False
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    address: str = ""
    six: str = ""


@dataclasses.dataclass
class Node:
    name: str
    index: int
    link: cluster_network.NodeLink
    pods: pod_network.PodNetwork

    @property
    def namespace(self) -> str:
        return self.link.namespace_path

    @property
    def address(self) -> str:
        return self.link.address


class Lab:
    def __init__(self, folder: pathlib.Path, *, with_six: bool = False) -> None:
        self.with_six = with_six
        self.folder = folder
        self.host = str(folder / "host")
        self.network = cluster_network.ClusterNetwork("lab", folder, with_six=with_six)
        self._stack = contextlib.AsyncExitStack()
        self._pinned: list[str] = []

    async def add_node(self, index: int) -> Node:
        name = f"node-{index}"
        link = self.network.ensure_node(index, name)
        folder = self.folder / "nodes" / name
        six = pod_network.Six(f"fd00:10:244:{index}::/64", link.six[0], cluster_network.pod_cidr_six(0))
        pods = pod_network.PodNetwork(
            f"10.244.{index}.0/24",
            state_dir=folder,
            node_address=link.address,
            namespace=link.namespace_path,
            six=six if self.with_six else None,
        )
        self._stack.callback(pods.close)
        return Node(name, index, link, pods)

    def connect(self, nodes: Sequence[Node]) -> None:
        """Routes between the nodes, as `node_network` keeps them."""
        for at, device in [(None, self.network.bridge), *((node.namespace, "eth0") for node in nodes)]:
            with netlink.Netlink(at) as kernel:
                link = kernel.link(device)
                assert link is not None
                for node in nodes:
                    if node.namespace != at:
                        kernel.replace_route(f"10.244.{node.index}.0/24", gateway=node.address, index=link.index)
                    if node.namespace != at and self.with_six:
                        range_ = f"fd00:10:244:{node.index}::/64"
                        kernel.replace_route(range_, gateway=node.link.six[0], index=link.index)

    async def add_pod(self, node: Node, name: str, mappings: Sequence[PortMapping] = (), **annotations: str) -> Pod:
        path = str(self.folder / f"pod-{name}")
        namespaces.pin({"net": path})
        self._pinned.append(path)
        pod = Pod(
            name,
            path,
            mappings,
            annotations={f"kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()},
        )
        pod.address, *rest = await node.pods.attach(name, path, pod)
        pod.six = "".join(rest)
        return pod

    async def serve_tcp(self, namespace: str, port: int, text: str) -> asyncio.Server:
        """Every connection is told `text` and who it seems to come from."""

        async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(f"{text} {writer.get_extra_info('peername')[0].removeprefix('::ffff:')}".encode())
                await writer.drain()
            finally:
                writer.close()

        channel = namespaces.open_socket(namespace, socket.AF_INET6, socket.SOCK_STREAM)
        channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        channel.bind(("::", port))
        server = await asyncio.start_server(tell, sock=channel)
        self._stack.callback(server.close)
        return server

    async def serve_udp(
        self, namespace: str, port: int, text: str, address: str = "0.0.0.0"
    ) -> asyncio.DatagramTransport:
        channel = namespaces.open_socket(namespace, socket.AF_INET, socket.SOCK_DGRAM)
        channel.bind((address, port))
        channel.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Echo(text), sock=channel)
        self._stack.callback(transport.close)
        return transport

    async def close(self) -> None:
        await self._stack.aclose()
        for _ in range(3):
            await asyncio.sleep(0)  # transports let go of their sockets in the loop's next rounds
        self.network.remove()
        for path in self._pinned:
            namespaces.unpin(path)


class _Echo(asyncio.DatagramProtocol):
    def __init__(self, text: str) -> None:
        self._text = text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        send = self._transport.sendto  # type: ignore[attr-defined]  # asyncio's own class is not a DatagramTransport
        send(f"{self._text} {client[0]}".encode(), client)


async def ask_tcp(namespace: str, address: str, port: int, *, wait_seconds: float = WAIT_SECONDS) -> tuple[str, str]:
    """(text of whoever answered, the address it saw). Raises OSError; TimeoutError when nobody does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespaces.open_socket(namespace, family, socket.SOCK_STREAM) as channel:
        channel.setblocking(False)
        async with asyncio.timeout(wait_seconds):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(channel, (address, port))
            text, seen = (await loop.sock_recv(channel, 100)).decode().split()
            return text, seen


class UdpClient:
    """One socket, so that all its datagrams are one "connection"."""

    def __init__(self, namespace: str, address: str, port: int) -> None:
        self._socket = namespaces.open_socket(namespace, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((address, port))

    async def ask(self) -> str:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, b"?")
        async with asyncio.timeout(WAIT_SECONDS):
            return (await loop.sock_recv(self._socket, 100)).decode().split()[0]

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def opened(folder: pathlib.Path, *, with_six: bool = False) -> AsyncIterator[Lab]:
    """A host without nodes; all of it gone afterwards."""
    lab = Lab(folder, with_six=with_six)
    namespaces.pin({"net": lab.host})
    try:
        with namespaces.entered(lab.host):
            try:
                lab.network.ensure_host()
                yield lab
            finally:
                await lab.close()
    finally:
        namespaces.unpin(lab.host)
