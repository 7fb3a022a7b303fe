"""Which images go, and what the node says when too little can."""

from pathlib import Path

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import runtime
from steersman.kubelet import image_collection
from steersman.kubelet.image_collection import Decision, Disk, Image, Limits
from tests.aio import virtual
from tests.kubelet import world

LIMITS = Limits(high_percent=85, low_percent=80, age_least_seconds=120)
OLD = [Image("b", 60, 0, 50), Image("a", 30, 0, 10), Image("c", 500, 0, 90)]


@pytest.mark.parametrize(
    ("images", "available", "limits", "expected"),
    [
        (OLD, 400, LIMITS, Decision()),
        (OLD, 160, LIMITS, Decision()),
        (OLD, 150, LIMITS, Decision((), ("a", "b"), 50)),
        (OLD, 100, LIMITS, Decision((), ("a", "b", "c"), 100)),
        ([Image("young", 500, 900, 950)], 100, LIMITS, Decision((), (), 100, 100)),
        (OLD[:2], 0, LIMITS, Decision((), ("a", "b"), 200, 110)),
        (OLD, 400, Limits(85, 80, 120, age_most_seconds=950), Decision(("a",))),
    ],
    ids=["room", "just room", "two", "the large one too", "too young", "too little", "too old"],
)
def test_decision(images: list[Image], available: int, limits: Limits, expected: Decision) -> None:
    found = image_collection.decide(images, Disk(1000, available, now=1000), limits)
    assert found == expected


def test_a_full_disk_is_told_and_only_unused_images_go(tmp_path: Path) -> None:
    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, tmp_path)
        async with here.running() as kubelet:
            here.pod()
            await here.until_running()
            await here.runtime.images.pull("example.com/unused:1")
            kubelet._images._disk = lambda: Disk(1000, 0, clock.monotonic())  # type: ignore[method-assign]
            with pytest.raises(runtime.RuntimeFailure):
                await kubelet._images.collect()
            assert here.events.of("FreeDiskSpaceFailed") == [
                "Failed to garbage collect required amount of images. "
                "Attempted to free 200 bytes, but only found 0 bytes eligible to free."
            ]
            await clock.sleep(130)
            await kubelet._images.collect()
            assert [one.tags for one in await here.runtime.images.list()] == [("localhost/hello:1",)]

    virtual.run(body)
