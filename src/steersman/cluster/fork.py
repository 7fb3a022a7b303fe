"""`steersman fork NEW`: another cluster that begins as this one is now, or was when a snapshot was taken, its nodes on paper.

Keeps true: the cluster that is forked is only asked. Keys and certificates are the same: its users and tokens are good in the fork.
Nodes that were Ready go on on paper, with their names, labels and capacity; pods start there anew. Programs that the API server
asks (webhooks, extension servers) run in pods, and nobody answers there on paper: what names them is taken out, and said.
"""

import dataclasses
import pathlib
import tempfile
import urllib.parse
from collections.abc import Iterable
from typing import Any

import msgspec

from steersman.cluster import backup, paths, snapshots, up
from steersman.cluster.api_access import ApiAccess, is_ready
from steersman.cluster.options import LOOPBACK, Options, PaperNode
from steersman.serving import listeners
from steersman.store import contract, journal

_NODES = "/core/nodes/"
_ASKED = (
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/apiregistration.k8s.io/v1/apiservices",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`source`: a snapshot or a file, "": now. `port` 0: a free one. `force`: in place of a stopped cluster of that name."""

    name: str
    source: str = ""
    port: int = 0
    data_dir: str | None = None
    kubeconfig: str | None = None
    force: bool = False


def run(wanted: Wanted, name: str, data_dir: str | None) -> int:
    """The fork runs when this returns 0."""
    own, where = paths.of_cluster(name, data_dir).in_use(), paths.of_cluster(wanted.name, wanted.data_dir)
    return backup.told(lambda: _run(wanted, where, name, own))


def _run(wanted: Wanted, where: paths.Paths, name: str, own: paths.Paths) -> int:
    if wanted.name == name:
        raise backup.Refused("A fork needs a name of its own.")
    port = wanted.port or _free_port()
    with tempfile.TemporaryDirectory(prefix="steersman-fork-") as folder:
        file = _file(wanted.source, own) or _taken(pathlib.Path(folder) / "now.tar.gz", name, own)
        about = backup.put_back(
            file, wanted.name, where, lambda saved, content: on_paper(saved, content, port), force=wanted.force
        )
    code = up.run(wanted.name, wanted.data_dir, {}, kubeconfig=wanted.kubeconfig, detach=True, example_images=False)
    if code == 0:
        print(f'It began as "{about.name}" was at {about.at}, with its nodes on paper.')
        _leave_out(ApiAccess(where, port))
    return code


def on_paper(saved: Options, content: journal.Content, port: int) -> Options:
    """The options of the fork. Pure."""
    plain = dataclasses.replace(saved, nodes=0, fake_nodes=_plain_fakes(saved), paper_nodes=(), runtime="auto")
    known = set(plain.fake_node_names())
    twins = [node for node in paper_nodes(content.entries) if node.name not in known]
    twins.sort(key=lambda node: (len(node.name), node.name))  # node10 after node9: addresses follow from the order
    alone = dataclasses.replace(plain, listen=LOOPBACK, advertise_address="")  # its original's machines are not its own
    return dataclasses.replace(alone, paper_nodes=tuple(twins), port=port, kubeconfig="", store="sqlite")


def paper_nodes(entries: Iterable[contract.Entry]) -> Iterable[PaperNode]:
    """Of the Nodes that were Ready. Pure."""
    for entry in entries:
        if entry.key.startswith(_NODES):
            node = msgspec.json.decode(entry.value)
            if is_ready(node):
                yield PaperNode(node["metadata"]["name"], node["status"]["capacity"])


def _plain_fakes(saved: Options) -> int:
    return len(saved.fake_node_names()) - len(saved.paper_nodes)


def _file(source: str, own: paths.Paths) -> pathlib.Path | None:
    if not source:
        return None
    path = pathlib.Path(source)
    return path if path.is_file() else snapshots.find(own, source)


def _taken(target: pathlib.Path, name: str, own: paths.Paths) -> pathlib.Path:
    backup.take(target, name, own)
    return target


def _free_port() -> int:
    with listeners.tcp("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
    return port


def _leave_out(api: ApiAccess) -> None:
    for path in _ASKED:
        for obj in api.items(path):
            if _is_asked(obj):
                place = urllib.parse.quote(obj["metadata"]["name"], safe=":")
                api.ask(f"{path}/{place}", "DELETE")
                print(f"Left out, since nobody answers there: {path.rpartition('/')[2]} {obj['metadata']['name']}")


def _is_asked(obj: dict[str, Any]) -> bool:
    """An API service of the server's own has no Service behind it."""
    return "webhooks" in obj or bool(obj.get("spec", {}).get("service"))
