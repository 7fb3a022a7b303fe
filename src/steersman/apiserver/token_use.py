"""Note on Secrets that hold ServiceAccount tokens when they were last used, once a day. Source: KEP-2799.

The legacy token cleaner marks those that nobody has used for a year: they are refused from then on.
"""

from steersman.aio import clock as clocks
from steersman.aio import tasks
from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta import objects, times
from steersman.meta.objects import Object
from steersman.store import contract

TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"


def is_refused(secret: Object) -> bool:
    return INVALID_SINCE in objects.labels(secret)


def tracking(since: str) -> Object:
    """The ConfigMap that says since which day use is noted."""
    meta = {"name": TRACKING, "namespace": "kube-system"}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": {"since": since}}


class TokenUse:
    def __init__(self, store: contract.Store, clock: clocks.Clock, running: tasks.Tasks) -> None:
        self._store = store
        self._clock = clock
        self._tasks = running

    def note(self, secret: Object) -> None:
        """In the background: nobody waits for it, and a change at the same time is left to tomorrow's use."""
        today = self._clock.now().date().isoformat()
        if objects.labels(secret).get(LAST_USED) != today:
            self._tasks.start(f"use of {objects.key(secret)}", self._write(secret, today))

    async def _write(self, secret: Object, today: str) -> None:
        meta = {**secret["metadata"], "labels": {**objects.labels(secret), LAST_USED: today}}
        kind = kinds.SECRET
        key = keys.key(kind, objects.namespace(secret), objects.name(secret))
        put = contract.Put(key, keys.head(kind), keys.tail({**secret, "metadata": meta}), objects.revision(secret))
        cause = contract.Cause("system:apiserver", "token-use", 0, times.format_micros(self._clock.now()))
        try:
            await self._store.txn([put], cause)
        except contract.StoreError:
            return
