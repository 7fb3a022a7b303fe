"""`steersman status`: what runs, where, how healthy."""

import json
from typing import Any

from steersman.cluster import control, options, paths
from steersman.cluster.api_access import ApiAccess, is_ready
from steersman.cluster.join import membership


def run(name: str, data_dir: str | None, output: str) -> int:
    """Exit code 0 when the cluster runs and all its nodes are Ready, 1 when not, 3 when it does not run."""
    where = paths.of_cluster(name, data_dir)
    found = gather(where)
    if output == "json":
        print(json.dumps(found, indent=2))
    elif not found["running"]:
        how = "steersman join" if membership.load(where) else "script/up -d"
        print(f'Cluster "{name}" does not run. Start it with: {how}')
    else:
        print_text(name, found)
    if not found["running"]:
        return 3
    return 0 if found["apiReady"] and all(node["ready"] for node in found["nodes"]) else 1


def gather(where: paths.Paths) -> dict[str, Any]:
    joined = membership.load(where.in_use())
    if joined is not None:
        from steersman.cluster.join import status as of_machine  # imports the client: only needed there

        return of_machine.gather(where.in_use(), joined)
    try:
        answer = control.ask(where.control_socket, {"command": "status"})
    except control.NotRunning:
        return {"running": False, "dataDir": str(where.data)}
    where = where.in_use()
    wanted = options.load(where.options)
    assert wanted is not None, "a running cluster has saved its options"
    api = ApiAccess(where, wanted.port)
    version = api.get("/version")
    pods = api.items("/api/v1/pods")
    return {
        "running": True,
        "apiReady": version is not None,
        "version": version["gitVersion"] if version else "",
        "server": f"https://127.0.0.1:{wanted.port}",
        "kubeconfig": str(where.kubeconfig),
        "dataDir": str(where.data),
        "processes": answer["processes"],
        "nodes": [_node(node, pods) for node in api.items("/api/v1/nodes")],
        "pods": {
            "total": len(pods),
            "running": sum(pod.get("status", {}).get("phase") == "Running" for pod in pods),
        },
    }


def _node(node: dict[str, Any], pods: list[dict[str, Any]]) -> dict[str, Any]:
    name = node["metadata"]["name"]
    addresses = {a["type"]: a["address"] for a in node.get("status", {}).get("addresses", ())}
    return {
        "name": name,
        "ready": is_ready(node),
        "address": addresses.get("InternalIP", ""),
        "pods": sum(pod["spec"].get("nodeName") == name for pod in pods),
    }


def print_text(name: str, found: dict[str, Any]) -> None:
    version = found["version"] or "API server does not answer"
    print(f'Cluster "{name}": {version} at {found["server"]}')
    if "kubeconfig" in found:
        print(f"  kubeconfig  {found['kubeconfig']}")
    pods = found["pods"]
    print(f"  pods        {pods['running']} of {pods['total']} running")
    print(f"  nodes       {_nodes_line(found['nodes'])}")
    for node in found["nodes"]:
        if len(found["nodes"]) <= 8:
            print(
                f"    {node['name']:<14}{'Ready' if node['ready'] else 'NotReady':<10}{node['address']:<16}{node['pods']} pods"
            )
    print("  processes")
    for process in found["processes"]:
        state = (
            f"pid {process['pid']}" if process["running"] else ("stopped" if not process["wanted"] else "restarting")
        )
        memory = f"{process['memoryBytes'] / 1e6:.0f} MB" if process.get("memoryBytes") else ""
        again = f", {process['restarts']} restarts" if process["restarts"] else ""
        print(f"    {process['name']:<14}{state:<14}{memory}{again}")


def _nodes_line(nodes: list[dict[str, Any]]) -> str:
    ready = sum(node["ready"] for node in nodes)
    return f"{ready} of {len(nodes)} Ready"


def one_line(found: dict[str, Any]) -> str:
    """For the foreground: enough to see that something changed."""
    if not found["running"]:
        return "stopped"
    api = "API ready" if found["apiReady"] else "API does not answer"
    pods = found["pods"]
    return f"{api} · nodes {_nodes_line(found['nodes'])} · pods {pods['running']} of {pods['total']} running"
