"""Which container runtime a node has: the embedded one, a containerd of its own (`cri`), or somebody's (`cri:SOCKET`)."""

import functools
import pathlib
import tempfile
from typing import TYPE_CHECKING

from steersman.aio.clock import Clock
from steersman.cluster import images, runtimes
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Node
from steersman.containers.cri import containerd
from steersman.containers.images import build
from steersman.containers.oci.embedded import OciRuntime
from steersman.containers.runtime import Runtime, SandboxNetwork
from steersman.network import namespaces

if TYPE_CHECKING:
    from steersman.containers.cri.remote import CriRuntime


def kubelet_dir(paths: Paths, node: Node) -> pathlib.Path:
    return paths.node_data(node.name) / "kubelet"


def make(
    paths: Paths,
    cluster: str,
    node: Node,
    kind: str,
    network: SandboxNetwork,
    clock: Clock,
    *,
    namespace: str = namespaces.OWN,
    host_namespace: str = namespaces.OWN,
    registry_hosts: str = "",
    snapshotter: str = "auto",
) -> "OciRuntime | CriRuntime":
    """Also used to switch the node off. `namespace` is the node's network. The embedded runtime pulls images from the host's: a
    registry, a proxy and the resolvers of this machine may listen on its loopback."""
    data, group = paths.node_data(node.name), f"steersman/{cluster}/{node.name}"
    if runtimes.is_cri(kind):
        return _cri(paths, node, kind, clock, group, namespace, registry_hosts)
    return OciRuntime(
        data,
        paths.node_run(node.name) / "containers",
        network,
        clock,
        group,
        shared_dirs=[kubelet_dir(paths, node)],
        images_dir=paths.images,
        registry_hosts=registry_hosts,
        snapshotter=snapshotter,
        registry_network=functools.partial(namespaces.entered, host_namespace),
    )


def _cri(
    paths: Paths, node: Node, kind: str, clock: Clock, group: str, namespace: str, registry_hosts: str
) -> "CriRuntime":
    from steersman.containers.cri import own, remote  # gRPC is large

    records = paths.node_data(node.name) / "sandboxes"
    socket = kind.partition(":")[2]
    if socket:
        return remote.CriRuntime(socket, records, clock, group)
    return own.OwnContainerd(daemon(paths, node, clock, namespace, registry_hosts), records, clock, group)


def daemon(
    paths: Paths, node: Node, clock: Clock, namespace: str = namespaces.OWN, registry_hosts: str = ""
) -> containerd.Containerd:
    return containerd.Containerd(
        paths.node_data(node.name) / "containerd",
        paths.node_run(node.name) / "containerd",
        node.pod_cidr,
        clock,
        shared_dirs=[kubelet_dir(paths, node)],
        network=functools.partial(namespaces.entered, namespace),
        registry_hosts=registry_hosts,
    )


async def load_examples(containers: Runtime, made: containerd.Containerd) -> None:
    """localhost/hello:1 and :2 where they are missing, as the embedded runtime has them. Raises build.NoBusybox."""
    with tempfile.TemporaryDirectory() as folder:
        for version in images.EXAMPLE_VERSIONS:
            if await containers.images.status(f"{build.HELLO_NAME}:{version}") is None:
                archive = build.build_hello(version, pathlib.Path(folder, f"hello-{version}.tar"))
                await made.load(archive, build.HELLO_NAME)
