"""The process of all nodes on paper acts as each of them, and as nobody else."""

import asyncio

import pytest

from steersman.apiserver import paper_nodes
from steersman.serving.messages import Peer
from tests.apiserver import kit

PROCESS = Peer("127.0.0.1", paper_nodes.NAME)
NODES = "/api/v1/nodes"


def as_node(name, group="system:nodes"):
    return {"impersonate-user": f"system:node:{name}", "impersonate-group": group}


def asked(*requests):
    """The codes of (method, path, body, headers)."""

    async def story():
        async with kit.Api(fake_nodes=("fake1", "fake2")) as api:
            await api.make(NODES, {"metadata": {"name": "fake2"}})
            answers = [
                await api.ask(
                    method, path, body, headers={**headers, **(kit.MERGE if method == "PATCH" else {})}, peer=PROCESS
                )
                for method, path, body, headers in requests
            ]
            return [answer.status for answer in answers]

    return asyncio.run(story())


def test_a_node_on_paper_does_what_a_node_does():
    me, status = as_node("fake1"), {"status": {"capacity": {"cpu": "1"}}}
    assert asked(
        ("POST", NODES, {"metadata": {"name": "fake1"}}, me),
        ("PATCH", f"{NODES}/fake1/status", status, me),
        ("PATCH", f"{NODES}/fake2/status", status, me),
        ("GET", "/api/v1/namespaces/default/secrets/any", None, me),
    ) == [201, 200, 403, 403]


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        pytest.param(NODES, {}, 200, id="all nodes on paper see nodes"),
        pytest.param("/api/v1/pods", {}, 200, id="and pods"),
        pytest.param("/api/v1/secrets", {}, 403, id="no secrets"),
        pytest.param(f"{NODES}/node1", as_node("node1"), 403, id="a real node is nobody it may be"),
        pytest.param("/api/v1/pods", as_node("fake1", "system:masters"), 403, id="in no other group"),
        pytest.param("/api/v1/pods", {"impersonate-user": "admin"}, 403, id="nor anybody else"),
    ],
)
def test_what_its_process_may_do(path, headers, code):
    assert asked(("GET", path, None, headers)) == [code]
