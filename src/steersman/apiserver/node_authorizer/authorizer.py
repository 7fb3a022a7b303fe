"""The node authorizer at work: follows the objects that make up the graph, and asks it.

Keeps true: what was published by the store before a question is in the answer. An object is read only when a question about a
relation comes, and once however often it has changed since: where no node asks (nodes on paper), this costs nothing.
Reads: Pods, PersistentVolumes, VolumeAttachments, ResourceSlices, PodCertificateRequests.  Writes: nothing.
Leaves to others: what the object itself must say (admission).
"""

import contextlib
import logging

from steersman.api import devices, kinds, volumes
from steersman.api.kind import Kind
from steersman.apiserver import bootstrap_rbac, decoded, keys
from steersman.apiserver.attributes import Attributes, Decision
from steersman.apiserver.node_authorizer import decide, references
from steersman.apiserver.node_authorizer.graph import Graph, Thing
from steersman.apiserver.rbac import Grants
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.store import contract

log = logging.getLogger(__name__)

KINDS = (
    kinds.POD,
    kinds.PERSISTENT_VOLUME,
    kinds.VOLUME_ATTACHMENT,
    kinds.RESOURCE_SLICE,
    kinds.POD_CERTIFICATE_REQUEST,
)


class NodeAuthorizer:
    """`await start()`, then `follow` each of `KINDS` for ever."""

    def __init__(self, store: contract.Store, read: decoded.DecodedObjects) -> None:
        self._store = store
        self._objects = read
        self._graph = Graph()
        self._static = Grants()
        self._static.add(bootstrap_rbac.NODE_RULES)
        self._revisions = dict.fromkeys(KINDS, 0)
        self._known: dict[Kind, set[str]] = {kind: set() for kind in KINDS}
        self._unread: dict[Kind, dict[str, contract.Entry | None]] = {kind: {} for kind in KINDS}

    async def start(self) -> None:
        for kind in KINDS:
            await self.list_again(kind)

    async def follow(self, kind: Kind) -> None:
        """Until cancelled."""
        unread, known = self._unread[kind], self._known[kind]
        while True:
            try:
                with contextlib.closing(self._store.watch(keys.prefix(kind), self._revisions[kind])) as watch:
                    async for batch in watch:
                        for event in batch:
                            unread[event.key] = None if event.deleted else _entry(event)
                            (known.discard if event.deleted else known.add)(event.key)
                        self._revisions[kind] = batch[-1].revision
                return
            except (contract.Compacted, contract.Overrun) as gap:
                log.warning("%s are listed again: %r", kind.plural, gap)
                await self.list_again(kind)

    async def list_again(self, kind: Kind) -> None:
        """After this all is known that is there, and nothing else."""
        page = await self._store.list(keys.prefix(kind))
        found = {entry.key: entry for entry in page.entries}
        self._unread[kind].update(dict.fromkeys(self._known[kind] - found.keys()))
        self._unread[kind].update(found)
        self._known[kind].clear()
        self._known[kind].update(found)
        self._revisions[kind] = page.revision

    def decide(self, node: str, asked: Attributes) -> Decision:
        return decide.decide(self._relates, self._static, node, asked)

    def _relates(self, node: str, thing: Thing) -> bool:
        for kind, unread in self._unread.items():
            if unread:
                for key, stored in unread.items():
                    _PUT[kind](self._graph, *keys.split(key), None if stored is None else self._objects.of(stored))
                unread.clear()
        return self._graph.is_related(node, thing)


def _entry(event: contract.Event) -> contract.Entry:
    """Without what was before: an event may wait long to be read."""
    return contract.Entry(event.key, event.value, event.revision, 0)


def _put_pod(graph: Graph, namespace: str, name: str, pod: Object | None) -> None:
    """Most changes of a pod are of its status, and change nothing here."""
    node = pod["spec"].get("nodeName") if pod is not None else ""
    if pod is None or not node:
        graph.remove_pod(namespace, name)
        return
    mark = _mark(pod, node)
    if graph.mark_of(namespace, name) != mark:
        graph.put_pod(namespace, name, node, references.of_pod(pod), mark)


def _mark(pod: Object, node: str) -> object:
    """Of the same mark, the same references: of what may change in a bound pod, only these bring new ones."""
    ephemeral = len(pod["spec"].get("ephemeralContainers") or ())
    return node, objects.uid(pod), ephemeral, tuple(devices.all_claim_names(pod))


def _put_volume(graph: Graph, namespace: str, name: str, volume: Object | None) -> None:
    claim = volumes.claim_of(volume) if volume is not None else {}
    if volume is None or not claim:
        graph.remove_volume(name)
        return
    of_claim = str(claim.get("namespace", "")), str(claim.get("name", ""))
    graph.put_volume(name, of_claim, references.secrets_of_volume(volume))


def _put_attachment(graph: Graph, namespace: str, name: str, obj: Object | None) -> None:
    _put_owned(graph, Thing("volumeattachments", "", name), obj)


def _put_slice(graph: Graph, namespace: str, name: str, obj: Object | None) -> None:
    _put_owned(graph, Thing("resourceslices", "", name), obj)


def _put_certificate_request(graph: Graph, namespace: str, name: str, obj: Object | None) -> None:
    _put_owned(graph, Thing("podcertificaterequests", namespace, name), obj)


def _put_owned(graph: Graph, thing: Thing, obj: Object | None) -> None:
    graph.put_owned(thing, str(obj["spec"].get("nodeName") or "") if obj is not None else "")


_PUT = {
    kinds.POD: _put_pod,
    kinds.PERSISTENT_VOLUME: _put_volume,
    kinds.VOLUME_ATTACHMENT: _put_attachment,
    kinds.RESOURCE_SLICE: _put_slice,
    kinds.POD_CERTIFICATE_REQUEST: _put_certificate_request,
}
