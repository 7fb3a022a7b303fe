"""Folders of local-path volumes: removed when the Node says so, and nothing else ever."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, local_path
from steersman.apiserver.server import ApiServer
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet import local_paths
from steersman.kubelet.local_paths import LocalPaths
from steersman.meta.objects import Object
from steersman.store.memory import MemoryStore
from steersman.testing import waiting

NODE = ("system:node:n1", ("system:nodes",))


class Stage:
    """An API server with the node `n1`, and the keeper of its folders, which may do what a node may."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def wish(self, volume: str, value: str | None = local_path.WISHED) -> None:
        await self.client.patch(kinds.NODE, "n1", "", local_path.wish(volume, value))

    async def answered(self, volume: str, start: str = local_path.DONE) -> str:
        answer = ""

        def is_there(node: Object | None) -> bool:
            nonlocal answer
            answer = local_path.wishes(node).get(volume, "")
            return answer.startswith(start)

        await waiting.wait(self.client, self.client.clock, kinds.NODE, "n1", "", is_there, 10)
        return answer


async def on_stage(root: Path | None, story: Callable[[Stage], Awaitable[None]]) -> None:
    clock = SystemClock()
    server = ApiServer(MemoryStore(), clock=clock)
    await server.start()
    client = Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
    await client.create(kinds.NODE, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
    of_node = Client(InProcessTransport(server.handle, *NODE), clock=clock)
    caches = Caches(of_node, clock)
    nodes: Cache = local_paths.cache_of(caches, "n1")
    keeper = LocalPaths(lambda _: of_node, nodes, clock, {"n1": root})
    try:
        async with Tasks("stage") as running:
            running.start("keeper", keeper.run())
            running.start("caches", caches.run())
            await story(Stage(client))
    finally:
        await server.close()


async def test_the_folder_goes(tmp_path: Path):
    folder = tmp_path / "pvc-1_default_data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("data")

    async def story(stage: Stage) -> None:
        await stage.wish("pvc-1")
        await stage.answered("pvc-1")
        assert not folder.exists()

    await on_stage(tmp_path, story)


@pytest.mark.parametrize("on_paper", [False, True], ids=["never made", "on paper"])
async def test_what_is_not_there_is_gone(tmp_path: Path, on_paper: bool):
    async def story(stage: Stage) -> None:
        await stage.wish("pvc-1")
        await stage.answered("pvc-1")

    await on_stage(None if on_paper else tmp_path / "nowhere", story)


async def test_no_other_folder_is_touched(tmp_path: Path):
    kept = [tmp_path / name for name in ("pvc-10_default_data", "pvc-2_default_data", "pvc-1", "precious")]
    for one in kept:
        one.mkdir()

    async def story(stage: Stage) -> None:
        await stage.wish("pvc-1")
        await stage.answered("pvc-1")
        assert all(one.exists() for one in kept)

    await on_stage(tmp_path, story)


async def test_why_it_stays_is_told_and_it_is_tried_again(tmp_path: Path):
    folder = tmp_path / "pvc-1_default_data"
    folder.write_text("no folder, which rmtree refuses")

    async def story(stage: Stage) -> None:
        await stage.wish("pvc-1")
        assert "pvc-1_default_data" in await stage.answered("pvc-1", local_path.FAILED)
        folder.unlink()
        await stage.answered("pvc-1")

    await on_stage(tmp_path, story)


async def test_a_wish_taken_back_is_not_tried_again(tmp_path: Path):
    folder = tmp_path / "pvc-1_default_data"
    folder.write_text("no folder, which rmtree refuses")

    async def story(stage: Stage) -> None:
        await stage.wish("pvc-1")
        await stage.answered("pvc-1", local_path.FAILED)
        await stage.wish("pvc-1", None)
        folder.unlink()
        folder.mkdir()
        await stage.wish("other")
        await stage.answered("other")
        assert folder.exists()

    await on_stage(tmp_path, story)
