"""The proxy's shell with a backend on paper: what it writes when, and how it recovers."""

import asyncio
import threading
from collections.abc import Mapping

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import WatchEvent
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.proxy import controller, rule_set, rules
from tests.proxy.builders import endpoint, endpoint_slice, service

WAIT_SECONDS = 3.0


class ImpatientClock(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class PaperBackend:
    """Holds what the kernel would, refuses when told to, and can be held up in the middle of a write."""

    def __init__(self) -> None:
        self.held: rules.Elements = {}
        self.log: list[str] = []
        self.refuse = False
        self.go_on = threading.Event()
        self.go_on.set()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def replace(self, elements: Mapping[rules.Element, str]) -> None:
        self._write("replace")
        self.held = dict(elements)
        self._wrote("replace")

    def apply(self, change: rule_set.Change) -> None:
        self._write("apply")
        for element, value in change.removed.items():
            assert self.held.pop(element) == value
        for element, value in change.added.items():
            assert element not in self.held
            self.held[element] = value
        self._wrote("apply")

    def _wrote(self, what: str) -> None:
        self.log.append(what)
        self._loop.call_soon_threadsafe(self._changed.set)

    async def wrote(self, count: int) -> None:
        """Wait until that many writes are done."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.log) < count:
                self._changed.clear()
                await self._changed.wait()

    def _write(self, what: str) -> None:
        assert self.go_on.wait(WAIT_SECONDS)
        if self.refuse:
            self.refuse = False
            self._wrote("refused " + what)
            raise OSError("no such table")


class Proxy:
    """The controller over caches that are fed by hand."""

    def __init__(self) -> None:
        clock = ImpatientClock()
        caches = Caches(None, clock)  # type: ignore[arg-type]  # nothing is asked of the client: objects come by hand
        self.services, self.slices = caches.of(kinds.SERVICE), caches.of(kinds.ENDPOINT_SLICE)
        caches.of(kinds.NODE).synced.set()
        self.backend = PaperBackend()
        self._revision = 0
        self._revision = 0
        self._running = asyncio.create_task(controller.run(caches, "n1", {"IPv4": self.backend}, clock))

    def put(self, *changed: Object) -> None:
        for obj in changed:
            self._revision += 1
            meta = obj["metadata"] | {"resourceVersion": str(self._revision), "uid": objects.name(obj)}
            cache = self.slices if "addressType" in obj else self.services
            cache.apply(WatchEvent("MODIFIED", obj | {"metadata": meta}))

    def synced(self) -> None:
        self.services.synced.set()
        self.slices.synced.set()

    def wanted(self) -> rules.Elements:
        current = rule_set.RuleSet(rules.Place("n1"))
        for key in [objects.key(service_) for service_ in self.services.list()]:
            slices = [
                item for item in self.slices.list() if f"d/{objects.labels(item)[rules.SERVICE_NAME_LABEL]}" == key
            ]
            current.update(key, self.services.get(key), slices, rule_set.Change())
        return current.elements

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


async def test_nothing_is_written_before_everything_is_known():
    proxy = Proxy()
    proxy.put(service())
    proxy.services.synced.set()
    await asyncio.sleep(0)
    assert proxy.backend.log == []
    proxy.put(endpoint_slice(endpoint("10.244.1.2")))
    proxy.synced()
    await proxy.backend.wrote(1)
    assert proxy.backend.log == ["replace"]
    assert proxy.backend.held == proxy.wanted()
    await proxy.close()


async def test_what_changes_during_a_write_goes_into_the_next():
    proxy = Proxy()
    proxy.put(service())
    proxy.synced()
    await proxy.backend.wrote(1)
    proxy.backend.go_on.clear()
    proxy.put(endpoint_slice(endpoint("10.244.1.2")))
    await asyncio.sleep(0)
    for last in range(3, 9):
        proxy.put(endpoint_slice(endpoint(f"10.244.1.{last}")))
        await asyncio.sleep(0)
    proxy.backend.go_on.set()
    await proxy.backend.wrote(2)
    if proxy.backend.held != proxy.wanted():  # the first write had begun before the later changes came
        await proxy.backend.wrote(3)
    assert proxy.backend.held == proxy.wanted()
    await proxy.close()


async def test_after_a_refusal_everything_is_put_in_again():
    proxy = Proxy()
    proxy.put(service())
    proxy.synced()
    await proxy.backend.wrote(1)
    proxy.backend.refuse = True
    proxy.put(endpoint_slice(endpoint("10.244.1.2")))
    await proxy.backend.wrote(2)
    await proxy.backend.wrote(3)
    assert proxy.backend.log == ["replace", "refused apply", "replace"]
    assert proxy.backend.held == proxy.wanted()
    await proxy.close()


async def test_changes_that_mean_nothing_to_packets_write_nothing():
    proxy = Proxy()
    proxy.put(service(), endpoint_slice(endpoint("10.244.1.2")))
    proxy.synced()
    await proxy.backend.wrote(1)
    annotated = service()
    annotated["metadata"]["annotations"] = {"a": "b"}
    proxy.put(annotated, endpoint_slice(endpoint("10.244.1.2")))
    proxy.put(service("other", "10.96.0.9"))
    await proxy.backend.wrote(2)
    assert proxy.backend.log == ["replace", "apply"]
    await proxy.close()
