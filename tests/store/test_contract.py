"""What `store.contract` promises, on every medium."""

import asyncio

import pytest

from steersman.store import contract
from steersman.store.contract import Cause
from steersman.store.memory import Limits
from tests.store import media
from tests.store.media import delete, events, keys, pod, put, value, write

# Reading and writing


async def test_an_empty_store_stands_at_one(store):
    assert store.revision == 1
    assert await store.get(pod("a")) is None
    page = await store.list("/core/pods/")
    assert (list(page.entries), page.revision, page.remaining) == ([], 1, 0)


async def test_values_carry_their_own_revision(store):
    revision = await write(store, put(pod("a"), "new"))
    entry = await store.get(pod("a"))
    assert (entry.key, entry.value, entry.revision, entry.created) == (
        pod("a"),
        value(revision, "new"),
        revision,
        revision,
    )
    assert store.revision == revision == 2


async def test_an_update_keeps_the_revision_of_creation(store):
    created = await write(store, put(pod("a")))
    changed = await write(store, put(pod("a"), "changed"))
    entry = await store.get(pod("a"))
    assert (entry.created, entry.revision) == (created, changed)
    await write(store, delete(pod("a")))
    again = await write(store, put(pod("a")))
    assert (await store.get(pod("a"))).created == again


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        (put(pod("a"), expect=0), False),
        (put(pod("a"), expect=2), True),
        (put(pod("a"), expect=1), False),
        (put(pod("a")), True),
        (put(pod("new"), expect=0), True),
        (put(pod("new"), expect=2), False),
        (delete(pod("a"), expect=2), True),
        (delete(pod("a"), expect=3), False),
        (delete(pod("a")), True),
        (delete(pod("new"), expect=2), False),
    ],
    ids=lambda value: "" if isinstance(value, bool) else f"{type(value).__name__} {value.key} if {value.expect}",
)
async def test_preconditions(store, operation, allowed):
    await write(store, put(pod("a")))
    before = await store.get(operation.key)
    if allowed:
        assert await write(store, operation) == 3
    else:
        with pytest.raises(contract.Mismatch) as refused:
            await write(store, operation)
        assert refused.value.current is before
        assert store.revision == 2


async def test_deleting_what_is_not_there_changes_nothing(store):
    revision = store.revision
    assert await write(store, delete(pod("a"))) == revision
    assert store.revision == revision


async def test_a_transaction_is_all_or_nothing_at_one_revision(store):
    await write(store, put(pod("a")))
    with pytest.raises(contract.Mismatch):
        await write(store, put(pod("b")), put(pod("c"), expect=9))
    assert await keys(store, "/core/pods/") == [pod("a")]
    revision = await write(store, put(pod("b")), delete(pod("a")), put("/apps/deployments/default/d"))
    assert {(await store.get(key)).revision for key in (pod("b"), "/apps/deployments/default/d")} == {revision}
    assert await store.get(pod("a")) is None


async def test_concurrent_writers_of_one_key_lose_no_update(store):
    await write(store, put(pod("counter"), "0"))

    async def count_up() -> None:
        while True:
            entry = await store.get(pod("counter"))
            number = int(entry.value.split(b'"')[-2])
            try:
                await write(store, put(pod("counter"), str(number + 1), expect=entry.revision))
                return
            except contract.Mismatch:
                continue

    await asyncio.gather(*(count_up() for _ in range(20)))
    assert (await store.get(pod("counter"))).value.endswith(b'"20"}')


async def test_a_cancelled_writer_does_not_hold_up_others(store):
    writers = [asyncio.ensure_future(write(store, put(pod(str(number))))) for number in range(3)]
    await asyncio.sleep(0)
    writers[1].cancel()
    results = await asyncio.gather(*writers, return_exceptions=True)
    await write(store, put(pod("after")))
    assert len(await keys(store, "/core/pods/")) == 4, "what had begun is written whoever still waits for it"
    assert {results[0], results[2]} < {2, 3, 4}
    assert store.revision == 5


# Lists


@pytest.fixture
async def filled(store):
    for namespace in ("default", "default-2", "kube-system"):
        for name in ("b", "a", "c"):
            await write(store, put(pod(name, namespace)))
    await write(store, put("/core/podtemplates/default/t"))
    await write(store, put("/core/nodes/n"))
    return store


@pytest.mark.parametrize(
    ("prefix", "count"),
    [
        ("/core/pods/", 9),
        ("/core/pods/default/", 3),
        ("/core/pods/default", 6),
        ("/core/pods/default/a", 1),
        ("/core/pods", 9),
        ("/core/pod", 10),
        ("/core/", 11),
        ("", 11),
        ("/apps/", 0),
        ("/core/pods/none/", 0),
    ],
)
async def test_list_by_prefix_in_key_order(filled, prefix, count):
    found = await keys(filled, prefix)
    assert len(found) == count
    assert found == sorted(found)


@pytest.mark.parametrize("prefix", ["/core/pods/", "/core/", ""])
@pytest.mark.parametrize("limit", [1, 2, 4, 20])
async def test_pages_join_to_the_whole(filled, prefix, limit):
    whole = await keys(filled, prefix)
    joined: list[str] = []
    start = ""
    while True:
        page = await filled.list(prefix, limit=limit, start=start)
        joined += [entry.key for entry in page.entries]
        assert page.remaining == len(whole) - len(joined)
        if not page.remaining:
            break
        start = joined[-1] + "\0"
    assert joined == whole


async def test_a_list_is_not_changed_by_later_writes(filled):
    page = await filled.list("/core/pods/")
    before = list(page.entries)
    await write(filled, delete(pod("a")), put(pod("z")))
    assert list(page.entries) == before


# History


async def test_reads_at_older_revisions(store):
    first = await write(store, put(pod("a"), "one"))
    second = await write(store, put(pod("b"), "one"))
    third = await write(store, put(pod("a"), "two"))
    fourth = await write(store, delete(pod("b")))
    fifth = await write(store, put(pod("b"), "again"))
    seen = {}
    for revision in range(1, fifth + 1):
        page = await store.list("/core/pods/", at_revision=revision)
        assert page.revision == revision
        seen[revision] = [entry.value for entry in page.entries]
        got = [await store.get(pod(name), at_revision=revision) for name in "ab"]
        assert [entry.value for entry in got if entry is not None] == seen[revision]
    a, b = value(first, "one"), value(second, "one")
    assert seen == {
        1: [],
        first: [a],
        second: [a, b],
        third: [value(third, "two"), b],
        fourth: [value(third, "two")],
        fifth: [value(third, "two"), value(fifth, "again")],
    }


async def test_pages_at_an_older_revision_stay_consistent(store):
    for name in "abcdefgh":
        await write(store, put(pod(name)))
    revision = store.revision
    await write(store, delete(pod("c")))
    await write(store, put(pod("aa")))
    await write(store, put(pod("f"), "changed"))
    first = await store.list("/core/pods/", at_revision=revision, limit=3)
    rest = await store.list("/core/pods/", at_revision=revision, start=first.entries[-1].key + "\0")
    assert [entry.key[-1] for entry in (*first.entries, *rest.entries)] == list("abcdefgh")
    assert first.remaining == 5
    assert all(entry.revision <= revision for entry in rest.entries)


async def test_the_future_is_refused(store):
    with pytest.raises(contract.Future):
        await store.list("/core/pods/", at_revision=store.revision + 1)
    with pytest.raises(contract.Future):
        await store.get(pod("a"), at_revision=store.revision + 1)


async def test_compaction_forgets_history_but_no_entry(store):
    await write(store, put(pod("a"), "one"))
    await write(store, put(pod("a"), "two"))
    middle = await write(store, put(pod("b")))
    await write(store, delete(pod("b")))
    await store.compact(middle)
    assert await keys(store, "/core/pods/") == [pod("a")]
    assert await keys(store, "/core/pods/", at_revision=middle) == [pod("a"), pod("b")]
    with pytest.raises(contract.Compacted):
        await store.list("/core/pods/", at_revision=middle - 1)
    with pytest.raises(contract.Compacted):
        await store.get(pod("a"), at_revision=middle - 1)
    with pytest.raises(contract.Compacted):
        store.watch("/core/pods/", middle - 1)
    with pytest.raises(contract.Compacted):
        await store.compact(middle - 1)
    with pytest.raises(contract.Future):
        await store.compact(store.revision + 1)
    store.watch("/core/pods/", middle).close()


async def test_history_is_bounded_by_count_and_bytes(open_store):
    async with open_store(Limits(history_events=100)) as store:
        for number in range(250):
            await write(store, put(pod(str(number % 5))))
        assert store.compacted_revision >= store.revision - 100
        assert store.compacted_revision <= store.revision - 80
        assert store.statistics()["history_events"] <= 100
    async with open_store(Limits(history_bytes=10_000)) as store:
        for number in range(100):
            await write(store, put(pod(str(number % 5)), "x" * 1000))
        assert store.statistics()["history_bytes"] <= 10_000
        assert len(await keys(store, "/core/pods/")) == 5


async def test_causes(store):
    cause = Cause("system:admin", "create", 17, "2026-01-01T00:00:00.000000Z")
    revision = await store.txn([put(pod("a"))], cause)
    await store.txn([put(pod("a"))], Cause("other", "update"))
    assert await store.cause(revision) == cause
    assert await store.cause(revision + 100) is None
    await store.compact(store.revision)
    assert await store.cause(revision) == cause


# Watches


async def test_a_watch_gives_every_later_event_once_in_order(store):
    before = await write(store, put(pod("a"), "one"))
    old = await store.get(pod("a"))
    watch = store.watch("/core/pods/", before)
    await write(store, put(pod("a"), "two"))
    await write(store, put("/core/nodes/n"))
    await write(store, delete(pod("a"), "last"))
    changed, deleted = await events(watch, 2)
    assert (changed.key, changed.value, changed.deleted, changed.before) == (
        pod("a"),
        value(before + 1, "two"),
        False,
        old,
    )
    assert (deleted.value, deleted.revision, deleted.deleted) == (value(before + 3, "last"), before + 3, True)
    assert deleted.before is not None
    assert deleted.before.revision == before + 1
    watch.close()


async def test_a_watch_from_the_past_replays_then_goes_on(store):
    start = store.revision
    await write(store, put(pod("a")))
    await write(store, put(pod("b", "other")))
    watch = store.watch("/core/pods/", start)
    await write(store, put(pod("c")))
    assert [event.revision for event in await events(watch, 3)] == [start + 1, start + 2, start + 3]
    watch.close()


async def test_a_watch_from_the_future_waits_for_it(store):
    watch = store.watch("/core/pods/", store.revision + 2)
    for name in "abc":
        await write(store, put(pod(name)))
    assert [event.key for event in await events(watch, 1)] == [pod("c")]
    watch.close()


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("/core/pods/", ["default/a", "other/b", "default-2/c"]),
        ("/core/pods/default/", ["default/a"]),
        ("/core/pods/default/a", ["default/a"]),
        ("/core/", ["default/a", "other/b", "default-2/c", "n"]),
        ("", ["default/a", "other/b", "default-2/c", "n", "d"]),
    ],
)
async def test_watch_by_prefix(store, prefix, expected):
    watch = store.watch(prefix, store.revision)
    for key in (pod("a"), pod("b", "other"), pod("c", "default-2"), "/core/nodes/n", "/apps/deployments/x/d"):
        await write(store, put(key))
    assert [event.key.endswith(end) for event, end in zip(await events(watch, len(expected)), expected, strict=True)]
    watch.close()


async def test_a_watch_with_an_interest_misses_nothing_of_it(store):
    """From the past and live; its revision moves on with what it has no use for."""

    def topics(event):
        return (event.value.rpartition(b"=")[2][:2].decode(),)

    start = store.revision
    await write(store, put(pod("a"), "=n1"))
    await write(store, put(pod("b"), "=n2"))
    watches = [store.watch("/core/pods/", start, contract.Interest(topics, f"n{number}")) for number in (1, 2, 3)]
    whole = store.watch("/core/pods/", start)
    await write(store, put(pod("c"), "=n2"), put(pod("d"), "=n1"))
    newest = await write(store, delete(pod("a"), "=n1"))
    await events(whole, 5)
    found = [event.key for event in await events(watches[0], 3) if topics(event) == ("n1",)]
    assert found == [pod("a"), pod("d"), pod("a")]
    found = [event.key for event in await events(watches[1], 2) if topics(event) == ("n2",)]
    assert found == [pod("b"), pod("c")]
    assert [watch.revision for watch in watches] == [newest] * 3
    for watch in (*watches, whole):
        watch.close()


async def test_every_watcher_gets_the_same_event(store):
    watches = [store.watch("/core/pods/", store.revision) for _ in range(3)]
    await write(store, put(pod("a")))
    found = [(await events(watch, 1))[0] for watch in watches]
    assert found[0] is found[1] is found[2]
    for watch in watches:
        watch.close()


async def test_a_transaction_arrives_in_one_piece(store):
    watch = store.watch("/core/pods/", store.revision)
    await write(store, put(pod("a")), put(pod("b")))
    assert [event.key for event in await anext(aiter(watch))] == [pod("a"), pod("b")]
    watch.close()


async def test_the_revision_of_a_watch_moves_on_when_nothing_matches(store):
    start = store.revision
    watch = store.watch("/core/pods/", start)
    assert watch.revision == start
    await write(store, put("/core/nodes/n"))
    other = store.watch("/core/nodes/", start)
    assert other.revision == start  # one event is on its way
    await events(other, 1)
    assert watch.revision == other.revision == store.revision
    watch.close()
    other.close()


async def test_a_slow_watcher_is_cut_off_and_others_are_not(open_store):
    async with open_store(Limits(watch_queue_events=10)) as store:
        slow, quick = (store.watch("/core/pods/", store.revision) for _ in range(2))
        for _ in range(20):
            await write(store, put(pod("a")))
            await events(quick, 1)
        with pytest.raises(contract.Overrun):
            await anext(aiter(slow))
        assert store.statistics()["watches"] == 1
        quick.close()


async def test_a_closed_watch_ends(store):
    watch = store.watch("/core/pods/", store.revision)
    waiting = asyncio.ensure_future(events(watch, 1))
    await asyncio.sleep(0)
    watch.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert store.statistics()["watches"] == 0


async def test_closing_the_store_ends_watches(open_store):
    async with open_store() as store:
        watch = store.watch("/core/pods/", store.revision)
        waiting = asyncio.ensure_future(events(watch, 1))
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await waiting


# Forks


async def test_a_fork_goes_its_own_way(store):
    first = await write(store, put(pod("a"), "shared"))
    fork = store.fork()
    assert await fork.get(pod("a")) is await store.get(pod("a"))
    await write(fork, put(pod("a"), "fork"))
    await write(fork, put(pod("b")))
    await write(store, delete(pod("a")))
    assert await keys(store, "/core/pods/") == []
    assert [entry.value for entry in (await fork.list("/core/pods/")).entries] == [
        value(first + 1, "fork"),
        value(first + 2),
    ]
    assert await keys(fork, "/core/pods/", at_revision=1) == []
    await fork.compact(fork.revision)
    assert await keys(store, "/core/pods/", at_revision=first) == [pod("a")]


def test_media_names_every_medium():
    assert set(media.MEDIA) == {"memory", "sqlite", "etcd"}
