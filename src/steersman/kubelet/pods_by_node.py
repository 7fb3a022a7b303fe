"""The pods of each node out of one cache of pods, so that thousands of kubelets in a process share it."""

from collections.abc import Callable

from steersman.client.cache import Cache
from steersman.meta.objects import Object

INDEX = "node"
Handler = Callable[[Object | None, Object | None], None]


class PodsByNode:
    """Tells each attached kubelet of changes of its own pods; a pod appears when it is bound."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._handlers: dict[str, Handler] = {}
        cache.add_index(INDEX, lambda pod: (node_of(pod),))
        self._end = cache.subscribe(self._changed)

    def of(self, node_name: str) -> list[Object]:
        return self.cache.by_index(INDEX, node_name)

    def attach(self, node_name: str, handler: Handler) -> None:
        """`handler(old, new)` for every change from now on; existing pods are replayed."""
        self._handlers[node_name] = handler
        for pod in self.of(node_name):
            handler(None, pod)

    def detach(self, node_name: str) -> None:
        self._handlers.pop(node_name, None)

    def close(self) -> None:
        self._end()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        handler = self._handlers.get(node_of(pod))
        if handler is not None:
            handler(old if old is not None and node_of(old) else None, new)


def node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")
