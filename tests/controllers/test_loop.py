"""The loop itself, with a controller made for the purpose: copy each ConfigMap labelled `copy` under another name."""

import asyncio
import dataclasses

from steersman.api import kinds
from steersman.client.events import Recorder
from steersman.controllers.decision import Create, Decision, Delete, Failure
from steersman.controllers.loop import Controller, Loop, Watch
from steersman.meta import objects
from tests.controllers import paper


@dataclasses.dataclass
class Log:
    """What the controller was shown."""

    failures: list[Failure | None] = dataclasses.field(default_factory=list)
    crash: bool = False
    looks: int = 0


def copier(log):
    def observe(look, key):
        log.looks += 1
        if log.crash:
            raise RuntimeError("a bug")
        log.failures.append(look.failure)
        cache = look.caches.of(kinds.CONFIG_MAP)
        return cache.get(key), cache.get(f"{key}-copy")

    def decide(seen):
        original, copy = seen
        if original is not None and copy is None:
            name, space = f"{objects.name(original)}-copy", objects.namespace(original)
            meta = {"name": original.get("data", {}).get("copy", name), "namespace": space}
            return Decision(
                (Create(kinds.CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}),), "x"
            )
        if original is None and copy is not None:
            return Decision((Delete(kinds.CONFIG_MAP, objects.name(copy), "default", objects.uid(copy)),), "y")
        return Decision(why="as it should be")

    def keys(caches, obj):
        return (
            (objects.key(obj).removesuffix("-copy"),)
            if objects.labels(obj).get("copy") or "copy" in obj["metadata"]["name"]
            else ()
        )

    return Controller("copier", (Watch(kinds.CONFIG_MAP, keys),), observe, decide, workers=2)


def story_of(log, tell):
    async def story():
        async with paper.cluster() as cluster:
            recorder = Recorder(cluster.client, cluster.clock, "copier")
            loop = Loop(copier(log), cluster.caches, cluster.client, cluster.clock, recorder)
            running = asyncio.ensure_future(loop.run())
            try:
                await tell(cluster, loop)
            finally:
                running.cancel()
                await asyncio.wait({running})

    paper.run(story)


def original(name="a", **data):
    meta = {"name": name, "namespace": "default", "labels": {"copy": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def names(cluster):
    found = [objects.name(one) for one in await cluster.all(kinds.CONFIG_MAP)]
    return sorted(name for name in found if not name.startswith("kube-"))


def test_it_acts_and_rests():
    async def tell(cluster, loop):
        await cluster.create(kinds.CONFIG_MAP, original())
        await cluster.settle(1)
        assert await names(cluster) == ["a", "a-copy"]
        await cluster.delete(kinds.CONFIG_MAP, "a-copy")
        await cluster.settle(1)
        assert await names(cluster) == ["a", "a-copy"]
        await cluster.delete(kinds.CONFIG_MAP, "a")
        await cluster.settle(1)
        assert await names(cluster) == []
        assert loop.statistics.writes == 3
        assert loop.is_idle()

    story_of(Log(), tell)


def test_a_refusal_is_retried_ever_more_slowly_and_shown_to_the_next_decision():
    log = Log()

    async def tell(cluster, loop):
        await cluster.create(kinds.CONFIG_MAP, original())
        await cluster.settle(1)
        await cluster.create(kinds.CONFIG_MAP, original("b", copy="Not A Name"))
        await cluster.settle(30)
        refused = [one for one in log.failures if one is not None]
        assert 5 < len(refused) < 20
        assert (refused[0].verb, refused[0].resource) == ("create", "configmaps")
        await cluster.patch(kinds.CONFIG_MAP, "b", {"data": None})
        await cluster.settle(30)
        assert await names(cluster) == ["a", "a-copy", "b", "b-copy"]
        assert log.failures[-1] is None

    story_of(log, tell)


def test_a_bug_met_by_one_key_does_not_stop_the_loop():
    log = Log(crash=True)

    async def tell(cluster, loop):
        await cluster.create(kinds.CONFIG_MAP, original())
        await cluster.settle(1)
        assert loop.statistics.crashes > 1
        log.crash = False
        await cluster.settle(5)
        assert await names(cluster) == ["a", "a-copy"]

    story_of(log, tell)
