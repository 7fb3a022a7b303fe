"""Services: their types and how they change, session affinity, endpoints, reached from a pod."""

import pytest

from tests.conformance import servers
from tests.conformance.live import Object, Refused, Space, names, pod, wait
from tests.conformance.servers import WEB_PORT, answered, answers, node_addresses, service

PORT: Object = {"port": 80, "targetPort": WEB_PORT, "protocol": "TCP"}


def test_the_servers_own(space: Space) -> None:
    found = space.api.get("/api/v1/namespaces/default/services/kubernetes")
    assert [(one["name"], one["port"]) for one in found["spec"]["ports"]] == [("https", 443)]
    everywhere = space.api.items("/api/v1/services")
    assert ("default", "kubernetes") in {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in everywhere}
    endpoints = space.api.get("/api/v1/namespaces/default/endpoints/kubernetes")
    slices = space.api.items(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        labelSelector="kubernetes.io/service-name=kubernetes",
    )
    addresses = {one["ip"] for subset in endpoints["subsets"] for one in subset["addresses"]}
    assert addresses == {address for one in slices for point in one["endpoints"] for address in point["addresses"]}
    assert addresses


def test_node_port(space: Space) -> None:
    servers.client(space)
    pods = servers.web(space, "web", 2)
    made = service(space, "web", type="NodePort", selector={"name": "web"}, ports=[PORT])
    port = made["spec"]["ports"][0]["nodePort"]
    answered(space, "web", 80, pods)
    answered(space, made["spec"]["clusterIP"], 80, pods)
    for address in node_addresses(space):
        answered(space, address, port, pods)


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_affinity(space: Space, kind: str) -> None:
    """One pod answers a client for ever; switched off and on again."""
    servers.client(space)
    pods = servers.web(space, "web", 3)
    made = service(space, "web", type=kind, selector={"name": "web"}, ports=[PORT], sessionAffinity="ClientIP")
    assert made["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    host, port = made["spec"]["clusterIP"], 80
    if kind == "NodePort":
        host, port = node_addresses(space)[1], made["spec"]["ports"][0]["nodePort"]
    answered(space, "web", 80, pods)
    answered(space, host, port, pods)

    def told() -> set[str]:
        return set(answers(space, host, port, 15))

    wait("one answers", lambda: len(told()) == 1)
    address = space.path("services", "web")
    space.api.patch(address, {"spec": {"sessionAffinity": "None"}})
    wait("all answer", lambda: told() == pods)
    space.api.patch(address, {"spec": {"sessionAffinity": "ClientIP"}})
    wait("one answers again", lambda: len(told()) == 1)


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_to_external_name(space: Space, kind: str) -> None:
    servers.client(space)
    pods = servers.web(space, "web", 1)
    service(space, "other", selector={"name": "web"}, ports=[PORT])
    made = service(space, "changing", type=kind, selector={"name": "web"}, ports=[PORT])
    answered(space, "changing", 80, pods)
    other = f"other.{space.name}.svc.cluster.local"

    def external(found: Object) -> None:
        found["spec"].update(type="ExternalName", externalName=other)

    changed = space.api.change(space.path("services", "changing"), external)
    assert "clusterIP" not in changed["spec"] and "clusterIPs" not in changed["spec"]  # noqa: PT018
    assert "nodePort" not in changed["spec"]["ports"][0]
    wait(
        "the name leads there", lambda: other in space.sh("client", f"nslookup changing.{space.name}.svc.cluster.local")
    )
    answered(space, "changing", 80, pods)
    free = service(space, "free", type=kind, ports=[dict(made["spec"]["ports"][0])])
    assert free["spec"]["ports"][0].get("nodePort") == made["spec"]["ports"][0].get("nodePort"), "it was released"


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_from_external_name(space: Space, kind: str) -> None:
    servers.client(space)
    pods = servers.web(space, "web", 1)
    made = service(space, "changing", type="ExternalName", externalName="foo.example.com")
    assert "clusterIP" not in made["spec"]

    def internal(found: Object) -> None:
        found["spec"].update(type=kind, externalName="", ports=[PORT], selector={"name": "web"})

    changed = space.api.change(space.path("services", "changing"), internal)
    answered(space, changed["spec"]["clusterIP"], 80, pods)
    answered(space, "changing", 80, pods)
    if kind == "NodePort":
        for address in node_addresses(space):
            answered(space, address, changed["spec"]["ports"][0]["nodePort"], pods)


def endpoints(space: Space, name: str) -> dict[str, set[int]]:
    """Pods of the service and their ports, the same in Endpoints and EndpointSlices."""
    old: dict[str, set[int]] = {}
    for subset in space.get("endpoints", name).get("subsets") or []:
        for one in subset.get("addresses") or []:
            old.setdefault(one["targetRef"]["name"], set()).update(port["port"] for port in subset["ports"])
    new: dict[str, set[int]] = {}
    for found in space.items("discovery.k8s.io/v1/endpointslices", labelSelector=f"kubernetes.io/service-name={name}"):
        for one in found.get("endpoints") or []:
            if one["conditions"]["ready"]:
                new.setdefault(one["targetRef"]["name"], set()).update(port["port"] for port in found["ports"])
    assert new == old
    return old


def test_endpoints_follow_pods(space: Space) -> None:
    """Several ports by name, where each pod has one of them."""
    ports = [
        {"name": "portname1", "port": 80, "targetPort": "a"},
        {"name": "portname2", "port": 81, "targetPort": "b"},
    ]
    service(space, "multi", selector={"app": "multi"}, ports=ports)
    wait("there is nobody", lambda: endpoints(space, "multi") == {})
    expect: dict[str, set[int]] = {}
    for name, port, number in (("pod1", "a", 100), ("pod2", "b", 101)):
        body = pod(name, labels={"app": "multi"})
        body["spec"]["containers"][0]["ports"] = [{"name": port, "containerPort": number}]
        space.create("pods", body)
        expect[name] = {number}
        wait(f"endpoints are {expect}", lambda: endpoints(space, "multi") == expect)
    for name in ("pod1", "pod2"):
        space.api.delete(space.path("pods", name), {"gracePeriodSeconds": 0})
        del expect[name]
        wait(f"endpoints are {expect}", lambda: endpoints(space, "multi") == expect)
    space.api.delete(space.path("services", "multi"))
    wait("slices are gone", lambda: not space.items("discovery.k8s.io/v1/endpointslices"))
    wait("endpoints are gone", lambda: "multi" not in names(space.items("endpoints")))


def test_endpoints_made_by_hand_are_mirrored(space: Space) -> None:
    service(space, "custom", ports=[{"name": "example", "port": 80}])
    body = {
        "metadata": {"name": "custom"},
        "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "example", "port": 80}]}],
    }
    space.create("endpoints", body)

    def mirrored() -> list[str]:
        found = space.items("discovery.k8s.io/v1/endpointslices", labelSelector="kubernetes.io/service-name=custom")
        managers = {one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] for one in found}
        assert managers <= {"endpointslicemirroring-controller.k8s.io"}
        return [address for one in found for point in one["endpoints"] for address in point["addresses"]]

    wait("it is mirrored", lambda: mirrored() == ["10.1.2.3"])
    space.api.change(
        space.path("endpoints", "custom"), lambda found: found["subsets"][0].update(addresses=[{"ip": "10.2.3.4"}])
    )
    wait("the change is mirrored", lambda: mirrored() == ["10.2.3.4"])
    space.api.delete(space.path("endpoints", "custom"))
    wait("the end is mirrored", lambda: mirrored() == [])


def test_one_port_of_two_protocols(space: Space) -> None:
    servers.netexec(space, "net", http="8080=json", udp="8080")
    servers.client(space)
    both = [{"name": name.lower(), "port": 80, "targetPort": 8080, "protocol": name} for name in ("TCP", "UDP")]
    made = service(space, "both", selector={"name": "net"}, ports=both)
    address = made["spec"]["clusterIP"]

    def tcp() -> bool:
        return '"Method": "GET"' in space.sh("client", f"timeout 1 wget -q -O - http://{address}:80/")

    def udp() -> bool:
        ask = f"import socket; s = socket.socket(2, 2); s.settimeout(1); s.sendto(b'x', ('{address}', 80)); print(s.recv(99))"
        return "b'net'" in space.sh("net", f'/usr/bin/python3 -c "{ask}"')

    for ports, expect in ((both, (True, True)), (both[:1], (True, False)), (both[1:], (False, True))):
        space.api.patch(space.path("services", "both"), {"spec": {"ports": ports}})
        wait(f"{expect}", lambda: (tcp(), udp()) == expect)


def test_latency(space: Space) -> None:
    """A Service has its endpoints soon."""
    space.pod("one")
    space.running("one")
    for number in range(20):
        service(space, f"s{number}", selector={"name": "one"}, ports=[{"port": 80}])
        wait("endpoints", lambda: endpoints(space, f"s{number}") == {"one": {80}}, seconds=20)


def test_deleted_together(space: Space) -> None:
    for name in ("a", "b", "c"):
        labels = {"e2e-test": "yes"} if name != "c" else {}
        space.create("services", {"metadata": {"name": name, "labels": labels}, "spec": {"ports": [{"port": 80}]}})
    space.api.delete(space.path("services"), labelSelector="e2e-test=yes")
    assert names(space.items("services")) == {"c"}
    with pytest.raises(Refused, match="404"):
        space.get("services", "a")
