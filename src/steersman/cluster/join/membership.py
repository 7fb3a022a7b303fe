"""What a machine that joined a cluster keeps of it, for every later start."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable

import msgspec

from steersman.cluster import options, pki
from steersman.cluster.join.configuration import Configuration
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths
from steersman.cluster.pki import KeyPair
from steersman.cluster.plan import Member
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Membership:
    """`address` is the machine's own: `node_ip`, or, with "" there, the one on the way to `server`. `release`: that of its kubelet.
    `certificate_seconds` 0: certificates are good for as long as the cluster gives them."""

    server: str
    node: str
    address: str
    release: str
    cluster: Configuration
    node_ip: str = ""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    taints: tuple[Object, ...] = ()
    runtime: str = "auto"
    kubelet_config: str = ""
    registry_hosts_dir: str = ""
    snapshotter: str = "auto"
    certificate_seconds: int = 0


def load(where: Paths) -> Membership | None:
    """None where this machine joined no cluster."""
    try:
        return msgspec.json.decode(where.membership.read_bytes(), type=Membership)
    except FileNotFoundError:
        return None


def network_numbers(clusters: Iterable[Paths]) -> set[int]:
    """Of those that this machine joined."""
    numbers = set()
    for one in clusters:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known = load(one)
            if known is not None:
                numbers.add(known.cluster.network_number)
    return numbers


def save(where: Paths, of: Membership) -> None:
    pki.write(where.membership, msgspec.json.format(msgspec.json.encode(of)) + b"\n")


def authority(where: Paths) -> pathlib.Path:
    return where.pki / "ca.crt"


def certificate(where: Paths, identity: pki.Identity) -> pathlib.Path:
    """With its key, in one file."""
    return where.pki / f"{identity.file}.pem"


def serving_certificate(where: Paths, of: Membership) -> pathlib.Path:
    return where.pki / f"kubelet-{of.node}.pem"


def member(where: Paths, of: Membership) -> Member:
    identities = (pki.node_identity(of.node), pki.PROXY)
    return Member(
        options=Options(
            name=of.cluster.name,
            runtime=of.runtime,
            kubernetes_version=of.release,
            heartbeat_seconds=of.cluster.heartbeat_seconds,
            network_number=of.cluster.network_number,
            kubelet_config=of.kubelet_config,
            registry_hosts_dir=of.registry_hosts_dir,
            snapshotter=of.snapshotter,
            nodes=1,
        ),
        paths=where,
        server=of.server,
        address="",
        authority=authority(where),
        clients={one.file: _pair(certificate(where, one)) for one in identities},
        kubelet_servers={of.node: _pair(serving_certificate(where, of))},
    )


def _pair(file: pathlib.Path) -> KeyPair:
    return KeyPair(file, file)


def holds_cluster(where: Paths) -> bool:
    """Whether the data directory is that of a cluster which this machine runs itself."""
    return options.load(where.options) is not None
