"""IngressClasses that are the default; ServiceCIDRs and IPAddresses as Services come and go."""

from tests.apiserver import kit
from tests.apiserver.kit import SERVICES

GROUP = "/apis/networking.k8s.io/v1"
INGRESSES = f"{GROUP}/namespaces/default/ingresses"
ADDRESSES, CIDRS = f"{GROUP}/ipaddresses", f"{GROUP}/servicecidrs"


def ingress(name: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"rules": [{"host": "a.example"}], **spec}}


def ingress_class(name: str, default: str = "") -> dict[str, object]:
    annotations = {"ingressclass.kubernetes.io/is-default-class": default} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"controller": "example.com/x"}}


async def test_the_default_class(api: kit.Api):
    assert "ingressClassName" not in (await api.make(INGRESSES, ingress("none")))["spec"]
    await api.make(f"{GROUP}/ingressclasses", ingress_class("plain"))
    await api.make(f"{GROUP}/ingressclasses", ingress_class("usual", "true"))
    assert (await api.make(INGRESSES, ingress("given")))["spec"]["ingressClassName"] == "usual"
    assert (await api.make(INGRESSES, ingress("named", ingressClassName="plain")))["spec"][
        "ingressClassName"
    ] == "plain"
    annotated = ingress("old")
    annotated["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "plain"}  # type: ignore[index]
    assert "ingressClassName" not in (await api.make(INGRESSES, annotated))["spec"]


async def test_a_status_of_an_ingress(api: kit.Api):
    await api.make(INGRESSES, ingress("a"))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}}
    answer = await api.ask("PATCH", f"{INGRESSES}/a/status", status, headers=kit.MERGE)
    assert answer.body["status"] == status["status"]
    assert (answer.status, answer.body["metadata"]["generation"]) == (200, 1)


async def test_the_cluster_starts_with_a_range_and_an_address(api: kit.Api):
    found = (await api.ask("GET", f"{CIDRS}/kubernetes")).body
    assert found["spec"] == {"cidrs": ["10.96.0.0/16"]}
    [ready] = found["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["message"]) == (
        "Ready",
        "True",
        "Kubernetes default Service CIDR is ready",
    )
    address = (await api.ask("GET", f"{ADDRESSES}/10.96.0.1")).body
    assert address["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "kubernetes"}
    assert address["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }


async def names(api: kit.Api) -> set[str]:
    return {one["metadata"]["name"] for one in (await api.ask("GET", ADDRESSES)).body["items"]} - {"10.96.0.1"}


async def test_an_address_comes_and_goes_with_its_service(api: kit.Api):
    made = await api.make(SERVICES, {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
    address = (await api.ask("GET", f"{ADDRESSES}/{made['spec']['clusterIP']}")).body
    assert address["spec"]["parentRef"]["name"] == "a"
    external = {"spec": {"type": "ExternalName", "externalName": "x.y"}}
    changed = await api.ask("PATCH", f"{SERVICES}/a", external, headers=kit.MERGE)
    assert "clusterIP" not in changed.body["spec"], changed.raw
    assert await names(api) == set()
    back = await api.ask(
        "PATCH", f"{SERVICES}/a", {"spec": {"type": "ClusterIP", "externalName": None}}, headers=kit.MERGE
    )
    assert await names(api) == {back.body["spec"]["clusterIP"]}
    await api.ask("DELETE", SERVICES)
    assert await names(api) == set()


async def test_a_service_that_is_held_by_a_finalizer_keeps_its_address(api: kit.Api):
    meta = {"name": "a", "finalizers": ["example.com/x"]}
    made = await api.make(SERVICES, {"metadata": meta, "spec": {"ports": [{"port": 80}]}})
    await api.ask("DELETE", f"{SERVICES}/a")
    assert await names(api) == {made["spec"]["clusterIP"]}
    await api.ask("PATCH", f"{SERVICES}/a", {"metadata": {"finalizers": None}}, headers=kit.MERGE)
    assert await names(api) == set()


async def test_what_somebody_else_names_is_not_given_out(api: kit.Api):
    parent = {"group": "mine", "resource": "things", "namespace": "foo", "name": "bar"}
    await api.make(ADDRESSES, {"metadata": {"name": "10.96.5.5"}, "spec": {"parentRef": parent}})
    wanted = {"metadata": {"name": "a"}, "spec": {"clusterIP": "10.96.5.5", "ports": [{"port": 80}]}}
    refused = await api.ask("POST", SERVICES, wanted)
    assert refused.body["message"].endswith("failed to allocate IP 10.96.5.5: provided IP is already allocated")
    await api.ask("DELETE", f"{ADDRESSES}/10.96.5.5")
    await api.make(SERVICES, wanted)


async def test_a_second_range_serves_when_it_is_ready(api: kit.Api):
    wanted = {"metadata": {"name": "a"}, "spec": {"clusterIP": "203.0.113.10", "ports": [{"port": 80}]}}
    await api.make(CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["203.0.113.0/24"]}})
    assert (await api.ask("POST", SERVICES, wanted)).status == 422
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    await api.ask("PATCH", f"{CIDRS}/more/status", {"status": {"conditions": [ready]}}, headers=kit.MERGE)
    assert (await api.make(SERVICES, wanted))["spec"]["clusterIPs"] == ["203.0.113.10"]


async def test_health_check_ports_and_shared_ports(api: kit.Api):
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 80},
    ]
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": ports}
    made = (await api.make(SERVICES, {"metadata": {"name": "a"}, "spec": spec}))["spec"]
    first, second, third = (port["nodePort"] for port in made["ports"])
    assert first == second != third
    assert made["healthCheckNodePort"] not in (0, first, third)
    changed = await api.ask("PATCH", f"{SERVICES}/a", {"spec": {"type": "ClusterIP"}}, headers=kit.MERGE)
    assert changed.status == 200, changed.raw
    assert {"healthCheckNodePort", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & {
        *changed.body["spec"]
    } == set()
    assert all("nodePort" not in port for port in changed.body["spec"]["ports"])


async def test_the_name_server_has_a_service_where_there_is_one():
    async with kit.Api(dns_address="10.96.0.10") as api:
        found = (await api.ask("GET", "/api/v1/namespaces/kube-system/services/kube-dns")).body
        assert found["spec"]["clusterIP"] == "10.96.0.10"
        assert found["metadata"]["labels"]["service.kubernetes.io/service-proxy-name"] == "steersman-dns"
        assert (await api.ask("GET", f"{ADDRESSES}/10.96.0.10")).status == 200
