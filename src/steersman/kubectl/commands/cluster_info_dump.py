"""`kubectl cluster-info dump`: nodes, what is in namespaces, and the logs of their pods, to look for what is wrong."""

from pathlib import Path
from typing import Any

from steersman.kubectl import flags, flags_shared, printers
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

FLAGS = (
    Flag("all-namespaces", flags.BOOL, short="A", help="Dump every namespace, whatever --namespaces says."),
    *flags_shared.TEMPLATE_FLAGS,
    Flag("namespaces", flags.LIST, help="Namespaces to dump, separated by commas."),
    Flag("output", default="json", short="o", help=flags_shared.PRINT[0].help),
    Flag("output-directory", help="Folder for a tree of files; empty or '-' is standard output."),
    Flag("pod-running-timeout", flags.DURATION, 20.0, help="How long to wait until at least one pod is running."),
    flags_shared.SHOW_MANAGED_FIELDS,
)
HELP = """Dump what helps to find what is wrong with a cluster: nodes, events, workloads, services and pods with their logs.

Of the current namespace and kube-system, unless other namespaces are named.
"""
EXAMPLES = """
# Everything, as a tree of files
{program} cluster-info dump --all-namespaces --output-directory=/tmp/state
"""

# What is dumped of a namespace: file, path of the group, resource.
PARTS = (
    ("events", "/api/v1", "events"),
    ("replication-controllers", "/api/v1", "replicationcontrollers"),
    ("services", "/api/v1", "services"),
    ("daemonsets", "/apis/apps/v1", "daemonsets"),
    ("deployments", "/apis/apps/v1", "deployments"),
    ("replicasets", "/apis/apps/v1", "replicasets"),
    ("pods", "/api/v1", "pods"),
)


async def run(call: Call) -> None:
    place = call.flags["output-directory"]
    folder = Path(place) if place not in ("", "-") else None
    printer = printers.make(call.flags)
    if call.flags["output"] == "name":
        raise CommandError("list types are not supported by name printing: *v1.NodeList")

    def put(name: str, text: str | bytes) -> None:
        if folder is None:
            call.write(text)
            return
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    suffix = {"json": "json", "yaml": "yaml"}.get(call.flags["output"], "txt")
    put(f"nodes.{suffix}", printer.print(_listed(await call.ask("GET", "/api/v1/nodes"))))
    for namespace in await _namespaces(call):
        pods: list[Object] = []
        for name, root, resource in PARTS:
            found = _listed(await call.ask("GET", f"{root}/namespaces/{namespace}/{resource}"))
            put(f"{namespace}/{name}.{suffix}", printer.print(found))
            pods = found["items"]
        for pod in pods:
            put(f"{namespace}/{pod['metadata']['name']}/logs.txt", await _logs(call, pod))
    if folder is not None:
        call.print(f"Cluster info dumped to {place}")


async def _namespaces(call: Call) -> list[str]:
    if call.flags["all-namespaces"]:
        found = await call.ask("GET", "/api/v1/namespaces")
        return [one["metadata"]["name"] for one in found["items"]]
    return list(call.flags["namespaces"] or ("kube-system", call.namespace))


def _listed(found: Object) -> Object:
    return {**found, "items": found.get("items") or []}


async def _logs(call: Call, pod: Object) -> bytes:
    """Of every container, whether there are any or not."""
    metadata, spec = pod["metadata"], pod["spec"]
    where = f"{metadata['namespace']}/{metadata['name']}"
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    containers: list[dict[str, Any]] = [*(spec.get("initContainers") or ()), *spec["containers"]]
    pieces: list[bytes] = []
    for container in containers:
        name = container["name"]
        try:
            said = (await call.request("GET", path, {"container": name})).body
        except StatusError as refused:
            said = f"Request log error: {refused}\n".encode()
        pieces.append(f"==== START logs for container {name} of pod {where} ====\n".encode())
        pieces += [said, f"==== END logs for container {name} of pod {where} ====\n".encode()]
    return b"".join(pieces)
