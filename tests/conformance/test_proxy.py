"""The way through the API server: services and pods, all methods, paths, links, redirects, nodes."""

import pytest

from tests.conformance import servers
from tests.conformance.live import Space, wait

LINK = '<a href="%s/rewriteme">test</a>'


def test_through_services_and_pods(space: Space) -> None:
    link = LINK % ""
    servers.netexec(
        space,
        "porter",
        http=f"80={link},1080={link},160=foo,162=bar",
        tls=f"443={link},460=tls baz,462=tls qux",
        ports=[
            {"containerPort": 80},
            {"name": "dest1", "containerPort": 160},
            {"name": "tlsdest1", "containerPort": 460},
        ],
    )
    ports = [
        {"name": "portname1", "port": 80, "targetPort": "dest1"},
        {"name": "portname2", "port": 81, "targetPort": 162},
        {"name": "tlsportname1", "port": 443, "targetPort": "tlsdest1"},
        {"name": "tlsportname2", "port": 444, "targetPort": 462},
    ]
    servers.service(space, "porter", selector={"name": "porter"}, ports=ports)
    by_service = {
        "porter:portname1": "foo",
        "http:porter:portname1": "foo",
        "porter:portname2": "bar",
        "porter:80": "foo",
        "porter:81": "bar",
        "https:porter:tlsportname1": "tls baz",
        "https:porter:tlsportname2": "tls qux",
        "https:porter:444": "tls qux",
    }
    by_pod = {
        "porter": LINK,
        "porter:1080": LINK,
        "http:porter:1080": LINK,
        "porter:160": "foo",
        "http:porter:162": "bar",
        "https:porter:443": LINK,
        "https:porter:460": "tls baz",
    }
    for resource, expected in (("services", by_service), ("pods", by_pod)):
        for name, said in expected.items():
            address = f"{space.path(resource, name)}/proxy"
            expect = said.replace("%s", address)

            def look(address: str = address, expect: str = expect) -> bool:
                answer = space.api.send("GET", f"{address}/")
                assert (answer.status, answer.body.decode()) == (200, expect)
                return True

            wait(address, look, seconds=20)


METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


def test_all_methods(space: Space) -> None:
    servers.netexec(space, "porter", http="80=json")
    servers.service(space, "porter", selector={"name": "porter"}, ports=[{"port": 80}])
    wait(
        "the service has it", lambda: space.api.send("GET", f"{space.path('services', 'porter')}/proxy/").status == 200
    )
    for resource in ("pods", "services"):
        address = f"{space.path(resource, 'porter')}/proxy"
        for method in METHODS:
            answer = space.api.send(method, f"{address}/some/path/with/{method}")
            assert answer.status == 200
            expect = {"Method": method, "Body": "foo", "Path": f"/some/path/with/{method}"}
            assert method == "HEAD" or answer.object == expect
            bare = space.api.send(method, address, redirect=method)
            if method in ("GET", "HEAD"):
                assert bare.status == 301
                assert bare.headers["location"] == f"{address}/?redirect={method}"
            else:
                assert bare.object == {"Method": method, "Body": "foo", "Path": "/"}


@pytest.mark.parametrize("place", ["/proxy/logs/", ":10250/proxy/logs/"])
def test_logs_of_a_node(space: Space, place: str) -> None:
    node = space.api.items("/api/v1/nodes")[0]["metadata"]["name"]
    answer = space.api.send("GET", f"/api/v1/nodes/{node}{place}")
    assert answer.status == 200
    assert b"<pre>" in answer.body
