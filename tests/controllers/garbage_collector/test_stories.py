"""The garbage collector against the real API server."""

from steersman.api import kinds
from steersman.meta import objects, owners
from tests.controllers import paper


def config_map(name, *owned_by, **meta):
    references = [
        {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": objects.name(one), "uid": objects.uid(one)}
        for one in owned_by
    ]
    meta |= {"name": name, "namespace": "default"}
    if references:
        meta["ownerReferences"] = references
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


async def names(cluster):
    return sorted(
        objects.name(one) for one in await cluster.all(kinds.CONFIG_MAP) if not objects.name(one).startswith("kube-")
    )


def test_an_owner_that_never_existed_or_is_another_one_keeps_nothing():
    async def story():
        async with paper.cluster() as cluster:
            owner = await cluster.create(kinds.CONFIG_MAP, config_map("owner"))
            stranger = {**owner, "metadata": {**owner["metadata"], "uid": "00000000-0000-0000-0000-000000000001"}}
            await cluster.create(kinds.CONFIG_MAP, config_map("kept", owner))
            await cluster.create(kinds.CONFIG_MAP, config_map("lost", stranger))
            await cluster.create(kinds.CONFIG_MAP, config_map("shared", owner, stranger))
            await cluster.settle()
            assert await names(cluster) == ["kept", "owner", "shared"]
            shared = await cluster.get(kinds.CONFIG_MAP, "shared")
            assert [one["uid"] for one in shared["metadata"]["ownerReferences"]] == [objects.uid(owner)]

    paper.run(story)


def test_a_chain_goes_from_the_end_in_the_foreground():
    async def story():
        async with paper.cluster() as cluster:
            top = await cluster.create(kinds.CONFIG_MAP, config_map("a-top"))
            middle = config_map("b-middle", top)
            middle["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
            middle = await cluster.create(kinds.CONFIG_MAP, middle)
            bottom = config_map("c-bottom", middle, finalizers=["example.com/hold"])
            bottom["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
            await cluster.create(kinds.CONFIG_MAP, bottom)
            await cluster.delete(kinds.CONFIG_MAP, "a-top", propagation="Foreground")
            await cluster.settle()
            assert await names(cluster) == ["a-top", "b-middle", "c-bottom"]
            await cluster.patch(kinds.CONFIG_MAP, "c-bottom", {"metadata": {"finalizers": None}})
            await cluster.settle()
            assert await names(cluster) == []

    paper.run(story)


def test_an_owner_of_a_kind_that_is_not_served_keeps_its_dependants():
    async def story():
        async with paper.cluster() as cluster:
            foreign = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "uid": "u-1"}}
            await cluster.create(kinds.CONFIG_MAP, config_map("kept", foreign))
            await cluster.settle(120)
            assert await names(cluster) == ["kept"]

    paper.run(story)


def test_an_owner_in_another_namespace_is_none_and_its_own_dependants_stay():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.NAMESPACE, {"metadata": {"name": "other"}})
            owner = await cluster.create(kinds.CONFIG_MAP, {"metadata": {"name": "owner", "namespace": "other"}})
            reference = owners.make(owner, controller=False)
            for name, namespace in (("lost", "default"), ("kept", "other")):
                meta = {"name": name, "namespace": namespace, "ownerReferences": [reference]}
                await cluster.create(kinds.SECRET, {"metadata": meta})
            await cluster.settle()
            assert await cluster.all(kinds.SECRET) == []
            assert len(await cluster.all(kinds.SECRET, "other")) == 1
            [message] = await cluster.events("OwnerRefInvalidNamespace")
            uid = objects.uid(owner)
            assert message == (
                f'ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: {uid}] does not exist in namespace "default"'
            )

    paper.run(story)
