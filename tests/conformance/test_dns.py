"""Names as pods see them."""

from tests.conformance import servers
from tests.conformance.live import Space, pod, wait


def looked_up(space: Space, name: str, kind: str = "") -> str:
    return space.sh("client", f"nslookup {f'-type={kind} ' if kind else ''}{name}")


def resolved(space: Space, name: str) -> str:
    """The address a program in the pod gets, with the search list of the pod, or what went wrong."""
    return space.sh("client", f"ping -c 1 -W 1 {name} | head -1")


def test_the_cluster(space: Space) -> None:
    servers.client(space)
    server = space.api.get("/api/v1/namespaces/default/services/kubernetes")["spec"]["clusterIP"]
    for name in ("kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"):
        assert f"({server})" in resolved(space, name), name
    found = space.get("pods", "client")
    hosts = space.sh("client", "cat /etc/hosts")
    assert f"{found['status']['podIP']}\tclient" in hosts
    address = found["status"]["podIP"].replace(".", "-")
    assert found["status"]["podIP"] in looked_up(space, f"{address}.{space.name}.pod.cluster.local")


def test_services(space: Space) -> None:
    """Headless and with an address, wholly and partly named, by SRV and by address."""
    servers.client(space)
    space.pod("backend", servers.WEB)
    space.running("backend")
    ports = [{"name": "http", "port": 80, "targetPort": servers.WEB_PORT, "protocol": "TCP"}]
    servers.service(space, "headless", clusterIP="None", selector={"name": "backend"}, ports=ports)
    address = servers.service(space, "normal", selector={"name": "backend"}, ports=ports)["spec"]["clusterIP"]
    backend = space.get("pods", "backend")["status"]["podIP"]
    wait("the endpoint is known", lambda: backend in looked_up(space, f"headless.{space.name}.svc.cluster.local"))
    for tail in ("", f".{space.name}", f".{space.name}.svc", f".{space.name}.svc.cluster.local"):
        assert f"({backend})" in resolved(space, f"headless{tail}")
        assert f"({address})" in resolved(space, f"normal{tail}")
    for service in ("headless", "normal"):
        full = f"{service}.{space.name}.svc.cluster.local"
        answer = next(line for line in looked_up(space, f"_http._tcp.{full}", "srv").split("\n") if "service =" in line)
        *_, port, target = answer.split()
        assert (port, target.endswith(full)) == ("80" if service == "normal" else str(servers.WEB_PORT), True)
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    assert f"normal.{space.name}.svc.cluster.local" in looked_up(space, reverse, "ptr")


def test_hostname_and_subdomain(space: Space) -> None:
    servers.client(space)
    servers.service(space, "sub", clusterIP="None", selector={"name": "named"}, ports=[{"name": "http", "port": 80}])
    space.pod("named", hostname="querier", subdomain="sub")
    address = space.running("named")["status"]["podIP"]
    full = f"querier.sub.{space.name}.svc.cluster.local"
    assert space.sh("named", "hostname -f").strip() == full
    assert f"{address}\t{full}\tquerier" in space.sh("named", "cat /etc/hosts")
    wait("the pod is known", lambda: address in looked_up(space, full))
    assert address in looked_up(space, f"sub.{space.name}.svc.cluster.local")


def test_external_names(space: Space) -> None:
    servers.client(space)
    servers.service(space, "ext", type="ExternalName", externalName="foo.example.com")
    full, address = f"ext.{space.name}.svc.cluster.local", space.path("services", "ext")
    wait("foo", lambda: "canonical name = foo.example.com" in looked_up(space, full, "cname"))
    space.api.patch(address, {"spec": {"externalName": "bar.example.com"}})
    wait("bar", lambda: "canonical name = bar.example.com" in looked_up(space, full, "cname"))
    change = {"spec": {"type": "ClusterIP", "externalName": None, "ports": [{"name": "http", "port": 80}]}}
    own = space.api.patch(address, change)["spec"]["clusterIP"]
    wait("an address", lambda: own in looked_up(space, full))


def test_servers_of_ones_own(space: Space) -> None:
    config = {
        "nameservers": ["1.1.1.1"],
        "searches": ["resolv.conf.local"],
        "options": [{"name": "ndots", "value": "2"}],
    }
    space.create("pods", pod("client", dnsPolicy="None", dnsConfig=config))
    space.running("client")
    lines = space.sh("client", "cat /etc/resolv.conf").split("\n")
    assert set(lines) >= {"nameserver 1.1.1.1", "search resolv.conf.local", "options ndots:2"}
