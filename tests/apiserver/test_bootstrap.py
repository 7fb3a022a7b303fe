"""What a cluster has before anyone asks, and what a newer version adds to an older one's."""

import orjson

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.apiserver import bootstrap, keys, paper_nodes
from steersman.store import contract
from steersman.store.memory import MemoryStore

ROLE = keys.key(kinds.CLUSTER_ROLE, "", "system:kube-scheduler")


async def started(store: MemoryStore) -> None:
    await bootstrap.ensure(store, clocks.SystemClock(), ("10.96.0.0/16",), ("127.0.0.1", 6443))


async def change(store: MemoryStore, **changes: object) -> None:
    entry = await store.get(ROLE)
    assert entry is not None
    role = orjson.loads(entry.value)
    meta = role["metadata"] | changes.pop("metadata", {})
    changed = {**role, **changes, "metadata": meta}
    await store.txn([contract.Put(ROLE, keys.head(kinds.CLUSTER_ROLE), keys.tail(changed), entry.revision)])


async def rules(store: MemoryStore) -> list[dict[str, object]]:
    entry = await store.get(ROLE)
    assert entry is not None
    return list(orjson.loads(entry.value)["rules"])


async def test_a_second_start_writes_nothing():
    store = MemoryStore()
    await started(store)
    revision = store.revision
    await started(store)
    assert store.revision == revision


async def test_default_roles_gain_the_rules_of_a_newer_version_and_keep_what_people_added():
    store = MemoryStore()
    await started(store)
    whole = await rules(store)
    own = {"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["things"]}
    await change(store, rules=[*whole[:-2], own])
    await started(store)
    assert await rules(store) == [*whole[:-2], own, *whole[-2:]]


async def test_a_role_that_is_to_stay_as_it_is_stays():
    store = MemoryStore()
    await started(store)
    await change(store, rules=[], metadata={"annotations": {bootstrap.AUTOUPDATE: "false"}})
    await started(store)
    assert await rules(store) == []


NODES = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:nodes"}
PEOPLE = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "operators"}


async def subjects_after_a_start(
    name: str, subjects: list[dict[str, str]], *, autoupdate: str = "true"
) -> list[dict[str, str]]:
    """Of a default binding as an older version, or people, have left it."""
    store = MemoryStore()
    await started(store)
    key = keys.key(kinds.CLUSTER_ROLE_BINDING, "", name)
    entry = await store.get(key)
    assert entry is not None
    binding = orjson.loads(entry.value) | {"subjects": subjects}
    binding["metadata"]["annotations"] = {bootstrap.AUTOUPDATE: autoupdate}
    await store.txn([contract.Put(key, keys.head(kinds.CLUSTER_ROLE_BINDING), keys.tail(binding), entry.revision)])
    await started(store)
    entry = await store.get(key)
    assert entry is not None
    return list(orjson.loads(entry.value)["subjects"])


async def test_what_all_nodes_might_do_is_taken_from_older_data():
    for name in ("system:node", "system:node-proxier", "system:kube-dns"):
        left = await subjects_after_a_start(name, [NODES, PEOPLE])
        assert NODES not in left
        assert PEOPLE in left


async def test_default_bindings_gain_the_subjects_that_they_lack():
    proxy = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "system:kube-proxy"}
    assert await subjects_after_a_start("system:node-proxier", [PEOPLE]) == [PEOPLE, proxy]


async def test_a_binding_that_is_to_stay_as_it_is_stays():
    assert await subjects_after_a_start("system:node", [NODES], autoupdate="false") == [NODES]


async def test_who_acts_as_nodes_on_paper_acts_as_none_that_was_one():
    store = MemoryStore()
    for nodes in (("fake1", "fake2"), ("fake1",), ("fake1",)):
        wanted = paper_nodes.objects(nodes)
        await bootstrap.ensure(store, clocks.SystemClock(), ("10.96.0.0/16",), None, wanted)
        entry = await store.get(keys.key(kinds.CLUSTER_ROLE, "", paper_nodes.NAME))
        assert entry is not None
        assert sorted(orjson.loads(entry.value)["rules"], key=str) == sorted(wanted[0][1]["rules"], key=str)
