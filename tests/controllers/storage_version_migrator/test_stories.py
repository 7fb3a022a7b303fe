"""Migrations of stored objects against the real API server: a custom kind that is stored in another version from now on."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta import conditions, objects
from steersman.meta.objects import Object
from tests.controllers import paper

WIDGETS = Kind("example.com", "v1", "Widget", "widgets", "widget")


def definition(stored: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": name, "served": True, "storage": name == stored, "schema": schema} for name in ("v1", "v2")]
    names = {"plural": "widgets", "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions},
    }


def migration(resource: str, group: str = "") -> Object:
    return {
        "apiVersion": "storagemigration.k8s.io/v1",
        "kind": "StorageVersionMigration",
        "metadata": {"name": "move"},
        "spec": {"resource": {"group": group, "resource": resource}},
    }


async def stored_versions(cluster: paper.Paper) -> list[str]:
    page = await cluster.store.list("/example.com/widgets/")
    return ["v2" if b'"example.com/v2"' in entry.value else "v1" for entry in page.entries]


def test_every_object_is_stored_in_the_new_version():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.CUSTOM_RESOURCE_DEFINITION, definition("v1"))
            for name in ("a", "b"):
                await cluster.create(WIDGETS, {"metadata": {"name": name, "namespace": "default"}, "size": 1})
            body = {"spec": definition("v2")["spec"]}
            await cluster.patch(kinds.CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", body)
            await cluster.create(WIDGETS, {"metadata": {"name": "c", "namespace": "default"}})
            assert await stored_versions(cluster) == ["v1", "v1", "v2"]
            await cluster.create(kinds.STORAGE_VERSION_MIGRATION, migration("widgets", "example.com"))
            await cluster.settle()
            assert await stored_versions(cluster) == ["v2", "v2", "v2"]
            done = await cluster.get(kinds.STORAGE_VERSION_MIGRATION, "move")
            assert [(one["type"], one["status"], one["message"]) for one in done["status"]["conditions"]] == [
                ("Running", "False", ""),
                ("Succeeded", "True", ""),
            ]
            assert (await cluster.get(WIDGETS, "a"))["size"] == 1

    paper.run(story)


def test_what_is_stored_rightly_is_not_written():
    async def story():
        async with paper.cluster() as cluster:
            made = await cluster.create(kinds.CONFIG_MAP, {"metadata": {"name": "x", "namespace": "default"}})
            await cluster.create(kinds.STORAGE_VERSION_MIGRATION, migration("configmaps"))
            await cluster.settle()
            assert conditions.is_true(await cluster.get(kinds.STORAGE_VERSION_MIGRATION, "move"), "Succeeded")
            after = await cluster.get(kinds.CONFIG_MAP, "x")
            assert objects.resource_version(after) == objects.resource_version(made)

    paper.run(story)


def test_an_unknown_resource_fails():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.STORAGE_VERSION_MIGRATION, migration("gadgets", "example.com"))
            await cluster.settle()
            failed = conditions.get(await cluster.get(kinds.STORAGE_VERSION_MIGRATION, "move"), "Failed")
            assert failed is not None
            assert (failed["status"], failed["reason"]) == ("True", "StorageVersionMigrationFailed")

    paper.run(story)
