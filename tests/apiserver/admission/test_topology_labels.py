"""Pods carry the zone and region of their node."""

import asyncio

import pytest

from tests.apiserver import kit

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
NODE = {"metadata": {"name": "n", "labels": {ZONE: "a", REGION: "b", "topology.kubernetes.io/rack": "r", "other": "x"}}}


def run(story):
    async def whole():
        async with kit.Api() as api:
            await kit.with_account(api)
            await api.make("/api/v1/nodes", NODE)
            await api.make("/api/v1/nodes", {"metadata": {"name": "plain"}})
            return await story(api)

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("node", "own", "expected"),
    [
        pytest.param("n", {}, {ZONE: "a", REGION: "b"}, id="zone and region"),
        pytest.param("n", {ZONE: "mine"}, {ZONE: "a", REGION: "b"}, id="a binding's labels count, as always"),
        pytest.param("plain", {"app": "web"}, {"app": "web"}, id="a node without"),
        pytest.param("missing", {}, {}, id="no such node"),
    ],
)
def test_by_a_binding(node, own, expected):
    async def story(api):
        body = kit.pod("web")
        body["metadata"]["labels"] = own
        await api.make(kit.PODS, body)
        binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": node}}
        await api.make(f"{kit.PODS}/web/binding", binding)
        return (await api.ask("GET", f"{kit.PODS}/web")).body

    assert (run(story)["metadata"].get("labels") or {}) == expected


def test_a_pod_that_is_made_with_its_node_keeps_what_it_says_itself():
    async def story(api):
        body = kit.pod("web", nodeName="n")
        body["metadata"]["labels"] = {ZONE: "mine"}
        return await api.make(kit.PODS, body)

    assert run(story)["metadata"]["labels"] == {ZONE: "mine", REGION: "b"}


def test_a_pod_without_a_node_has_none():
    async def story(api):
        return await api.make(kit.PODS, kit.pod("web"))

    assert "labels" not in run(story)["metadata"]
