"""ComponentStatuses say what the API server sees; Bindings in their old place; warnings of deprecated versions."""

import contextlib

from steersman.serving.messages import Peer
from tests.apiserver import kit

PATH = "/api/v1/componentstatuses"


async def test_a_part_is_healthy_while_it_follows(api: kit.Api):
    async def states() -> dict[str, str]:
        listed = (await api.ask("GET", PATH, headers=kit.TABLE)).body
        return {row["cells"][0]: row["cells"][1] for row in listed["rows"]}

    assert await states() == {"controller-manager": "Unhealthy", "scheduler": "Unhealthy", "etcd-0": "Healthy"}
    watch = await api.ask("GET", "/api/v1/pods", query="watch=1", peer=Peer("127.0.0.1", "system:kube-scheduler"))
    stream = watch.response.stream
    assert stream is not None
    async with contextlib.aclosing(stream):  # type: ignore[type-var]
        await api.make("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "default"}})
        await api.make("/api/v1/namespaces/kube-system/pods", kit.pod("p"))
        await anext(aiter(stream))
        assert (await states())["scheduler"] == "Healthy"
    assert (await states())["scheduler"] == "Unhealthy"


async def test_one_component(api: kit.Api):
    one = await api.ask("GET", f"{PATH}/etcd-0")
    assert one.body["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    assert one.headers["warning"] == '299 - "v1 ComponentStatus is deprecated in v1.19+"'
    missing = await api.ask("GET", f"{PATH}/cloud")
    assert missing.refusal == (404, "NotFound", 'componentstatuses "cloud" not found')
    assert (await api.ask("DELETE", f"{PATH}/etcd-0")).status == 405


async def test_endpoints_are_deprecated(api: kit.Api):
    answer = await api.ask("GET", "/api/v1/namespaces/default/endpoints")
    assert answer.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )


async def test_the_older_place_of_bindings(api: kit.Api):
    await kit.with_account(api)
    await api.make(kit.PODS, kit.pod("p"))
    path = "/api/v1/namespaces/default/bindings"
    nameless = await api.ask("POST", path, {"target": {"kind": "Node", "name": "n"}})
    assert nameless.status == 422
    bound = await api.ask("POST", path, {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}})
    assert (bound.status, bound.body["kind"]) == (201, "Status")
    assert (await api.ask("GET", f"{kit.PODS}/p")).body["spec"]["nodeName"] == "n"
