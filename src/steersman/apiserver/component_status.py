"""ComponentStatuses, which no client writes: what this server sees of the parts around it. Source: core/v1 ComponentStatus.

A part that works follows the cluster, so it has a watch open here. Upstream asks ports on loopback; ours may be
elsewhere.
"""

from collections.abc import Mapping

from steersman.apiserver import negotiation, selection, shapes
from steersman.apiserver.call import Call
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract

_CONTROLLERS, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"
# In one process with the controllers the scheduler sees through their watches.
_SEEN_BY = {"controller-manager": (_CONTROLLERS,), "scheduler": (_SCHEDULER, _CONTROLLERS)}
_STORE = "etcd-0"


class ComponentStatuses:
    """`watching` counts open watches by user."""

    def __init__(self, store: contract.Store, watching: Mapping[str, int], shaper: shapes.Shaper) -> None:
        self._store = store
        self._watching = watching
        self._shaper = shaper

    async def answer(self, call: Call) -> messages.Response:
        """get and list. Raises StatusError 404."""
        selected = selection.of(call)
        found = {name: self._component(name) for name in (*_SEEN_BY, _STORE)}
        if call.target.name:
            if call.target.name not in found:
                raise call.not_found()
            one = self._shaper.shape(call, found[call.target.name])
            return negotiation.respond(call.form, one, pretty=call.pretty)
        return self._shaper.many(call, [obj for obj in found.values() if selected.matches(obj)], {})

    def _component(self, name: str) -> Object:
        if name == _STORE:
            return _status(name, "ok" if self._store.revision else "")
        follows = any(self._watching.get(user) for user in _SEEN_BY[name])
        return _status(name, "ok" if follows else "", "it has no watch open")


def _status(name: str, message: str, error: str = "") -> Object:
    condition: Object = {"type": "Healthy", "status": "True" if message else "False"}
    condition |= {"message": message} if message else {"error": error}
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}
