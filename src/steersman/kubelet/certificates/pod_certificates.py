"""The shell of pods' certificates: makes keys, asks, watches the answers, and tells volumes when there is something new.

Keeps true: each podCertificate source of a mounted pod has a certificate, or a request for one under way; a key is never on disk
but in the pod's volume, nor outlives this process otherwise. Reads: PodCertificateRequests of its node, ServiceAccounts, the Node.
Writes: PodCertificateRequests, Events. Leaves to others: signing, writing the files (`volumes.projected`).
"""

import asyncio
import base64
import dataclasses
import datetime
import logging
from collections.abc import Awaitable, Callable

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.certificates import issuance, keys
from steersman.kubelet.references import References, Unavailable
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0  # upstream looks at all of them each minute or two

Place = tuple[str, str, int]  # uid of the pod, volume, index of the source


class NotIssued(Exception):
    """There is none (yet); the text is the user's."""


@dataclasses.dataclass(slots=True)
class _Record:
    pod: Object
    source: Object
    held: issuance.Held = issuance.Held()
    asking: asyncio.Task[None] | None = None


async def _in_thread(key_type: str) -> keys.Key:
    return await asyncio.to_thread(keys.make, key_type)


class PodCertificates:
    """`tell(pod, reason, message)` writes a warning; `changed(uid)`: the pod's volumes are to be written anew. `make_key` takes
    the type."""

    def __init__(
        self,
        node_name: str,
        client: Client,
        clock: Clock,
        tasks: Tasks,
        alarms: Alarms,
        references: References,
        node: Callable[[], Object],
        tell: Callable[[Object, str, str], None],
        changed: Callable[[str], None],
        make_key: Callable[[str], Awaitable[keys.Key]] = _in_thread,
    ) -> None:
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._alarms = alarms
        self._references = references
        self._node = node
        self._tell = tell
        self._changed = changed
        self._make_key = make_key
        self._records: dict[Place, _Record] = {}
        self._requests = Cache(
            client, kinds.POD_CERTIFICATE_REQUEST, clock, field_selector=f"spec.nodeName={node_name}"
        )
        self._requests.subscribe(self._on_request)
        self._watching: asyncio.Task[None] | None = None  # from the first pod on that wants a certificate

    def bundle(self, pod: Object, volume: str, index: int, source: Object) -> tuple[bytes, bytes]:
        """(key, chain of certificates) in PEM, of the newest that was issued. Raises NotIssued; `changed` follows."""
        if self._watching is None:
            self._watching = self._tasks.start("pod certificate requests", self._requests.run())
        place = objects.uid(pod), volume, index
        record = self._records.get(place)
        if record is None:
            record = self._records[place] = _Record(pod, source)
        if record.held.bundle is None:
            self._look(place)
        if (found := record.held.bundle) is None:
            raise NotIssued(record.held.refusal or issuance.NOT_YET)
        return found.key, found.chain

    def forget(self, uid: str) -> None:
        for place in [place for place in self._records if place[0] == uid]:
            record = self._records.pop(place)
            if record.asking is not None:
                record.asking.cancel()
            self._alarms.cancel(("certificate", *place))

    def _on_request(self, old: Object | None, new: Object | None) -> None:
        uid = ((new or old or {}).get("spec") or {}).get("podUID")
        for place in [place for place in self._records if place[0] == uid]:
            self._look(place)

    def _look(self, place: Place) -> None:
        record = self._records.get(place)
        if record is None:
            return
        was, asked = record.held, record.held.asked
        request = self._requests.get(f"{objects.namespace(record.pod)}/{asked.name}") if asked is not None else None
        now = self._clock.now()
        step = issuance.decide(was, request, now, self._jitter_seconds())
        record.held = step.held
        for reason, message in step.events:
            self._tell(record.pod, reason, message)
        if step.asks and record.asking is None:
            record.asking = self._tasks.start(f"certificate of {place[1]}", self._ask(place, record))
        if step.again_at is not None:
            self._look_again(place, (step.again_at - now).total_seconds())
        if step.held.bundle != was.bundle or step.held.refusal != was.refusal:
            self._changed(place[0])

    def _look_again(self, place: Place, seconds: float) -> None:
        self._alarms.set(("certificate", *place), seconds, lambda: self._look(place))

    async def _ask(self, place: Place, record: _Record) -> None:
        try:
            asked = await self._request(record)
        except (Unavailable, StatusError, Unreachable, ValueError) as failure:
            _log.warning("%s: certificate for %s: %s", objects.key(record.pod), place[1], failure)
            record.asking = None
            self._look_again(place, self._clock.jitter(RETRY_SECONDS, 1.0))
            return
        record.held, record.asking = dataclasses.replace(record.held, asked=asked), None
        self._look(place)  # the answer may have come before its name was known here

    async def _request(self, record: _Record) -> issuance.Asked:
        """Raises Unavailable, StatusError, Unreachable, ValueError."""
        pod, name = record.pod, str(record.pod["spec"].get("serviceAccountName") or "")
        account = await self._references.get("ServiceAccount", objects.namespace(pod), name)
        if account is None:
            raise Unavailable(f'while fetching service account: serviceaccounts "{name}" not found')
        key = await self._make_key(record.source.get("keyType", ""))
        wanted = issuance.request(pod, record.source, account, self._node(), base64.b64encode(key.request).decode())
        made = await self._client.create(kinds.POD_CERTIFICATE_REQUEST, wanted, objects.namespace(pod))
        abandoned = datetime.timedelta(seconds=issuance.ABANDONED_SECONDS + self._jitter_seconds())
        return issuance.Asked(objects.name(made), key.private, self._clock.now() + abandoned)

    def _jitter_seconds(self) -> float:
        return self._clock.jitter(issuance.JITTER_SECONDS, 1.0) - issuance.JITTER_SECONDS
