"""Pods and nodes reach pods, by TCP and UDP; ports of the host lead to the pod that asked for them."""

from tests.conformance import servers
from tests.conformance.live import Object, Space, names, wait

ASK_UDP = "import socket; s = socket.socket(2, 2); s.settimeout(2); s.sendto(b'hostName', ('%s', %d)); print(s.recv(99).decode())"


def asked(space: Space, asker: str, address: str, port: int, protocol: str) -> str:
    """The name of the host that answers."""
    if protocol == "TCP":
        return space.sh(asker, f"timeout 3 wget -q -O - http://{address}:{port}/hostname").strip()
    return space.sh(asker, f'/usr/bin/python3 -c "{ASK_UDP % (address, port)}" 2>/dev/null').strip()


def nodes(space: Space) -> list[str]:
    return sorted(names(space.api.items("/api/v1/nodes")))


def test_pods_and_nodes_reach_pods(space: Space) -> None:
    first, second = nodes(space)
    servers.netexec(space, "near", http="8080=json", udp="8081", nodeName=first)
    servers.netexec(space, "far", http="8080=json", udp="8081", nodeName=second)
    servers.netexec(space, "host", udp="18081", nodeName=first, hostNetwork=True)
    addresses = {name: space.get("pods", name)["status"]["podIP"] for name in ("near", "far")}
    for asker in ("near", "host"):
        for name, address in addresses.items():
            for protocol, port in (("TCP", 8080), ("UDP", 8081)):
                look = (asker, address, port, protocol)
                wait(f"{look} answers", lambda: asked(space, *look) == name, seconds=30)


def test_host_ports_lead_to_their_pods(space: Space) -> None:
    """One number, two addresses, two protocols: three pods on one node."""
    node = nodes(space)[1]
    status = space.api.get(f"/api/v1/nodes/{node}")["status"]
    address = next(one["address"] for one in status["addresses"] if one["type"] == "InternalIP")
    ports: dict[str, Object] = {
        "pod1": {"hostIP": "127.0.0.1", "protocol": "TCP", "containerPort": 8080},
        "pod2": {"hostIP": address, "protocol": "TCP", "containerPort": 8080},
        "pod3": {"hostIP": address, "protocol": "UDP", "containerPort": 8081},
    }
    for name, port in ports.items():
        given = [{"hostPort": 54321, **port}]
        servers.netexec(space, name, http="8080=json", udp="8081", nodeName=node, ports=given)
    servers.netexec(space, "host", udp="18082", nodeName=node, hostNetwork=True)
    for name, port in ports.items():
        look = ("host", port["hostIP"], 54321, port["protocol"])
        wait(f"{look} answers", lambda: asked(space, *look) == name, seconds=30)
