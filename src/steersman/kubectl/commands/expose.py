"""`kubectl expose`: a Service for what has pods."""

import json
from collections.abc import Mapping
from typing import Any

from steersman.kubectl import builder, flags_shared, overrides, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.commands.set import updating
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError, UsageError
from steersman.meta.objects import Object

_NAME_MAX = 63
_EXPOSABLE = {
    ("", "ReplicationController"),
    ("", "Service"),
    ("", "Pod"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
}

FLAGS = (
    Flag("cluster-ip", help='The address inside the cluster; without, the server chooses; "None" makes it headless.'),
    flags_shared.DRY_RUN,
    Flag("external-ip", help="Another address outside that it listens at."),
    flags_shared.field_manager("kubectl-expose"),
    *flags_shared.filenames("identifying the resource to expose a service"),
    Flag("labels", short="l", help="The labels of the service; without, those of what it is for."),
    Flag("load-balancer-ip", help="The address outside, where a load balancer can choose it."),
    Flag("name", help="The name of the service."),
    *overrides.FLAGS,
    Flag("port", help="The port it listens at; without, that of what it is for."),
    Flag("protocol", help="TCP, UDP or SCTP; without, TCP."),
    record.FLAG,
    writes.SAVE_CONFIG,
    Flag("selector", help="The labels of its pods; without, those of what it is for."),
    Flag("session-affinity", help="None or ClientIP."),
    Flag("target-port", help="Number or name of the containers' port; without, --port."),
    Flag("type", help="ClusterIP, NodePort, LoadBalancer, or ExternalName; without, ClusterIP."),
    *flags_shared.PRINT,
)
USAGE = (
    "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] "
    "[--external-ip=external-ip-of-service] [--type=type]"
)
HELP = "Expose a resource (pod, service, replication controller, deployment, replica set) as a new Kubernetes service."
EXAMPLES = """
# Port 80, passed on to the containers' 8000
{program} expose rc nginx --port=80 --target-port=8000

# What a deployment's containers listen at
{program} expose deployment web
"""


async def run(call: Call) -> None:
    flags = call.flags
    how = writes.dry_run(call)
    printer = printers.make(flags, operation=writes.operation("exposed", how), keep_order=True)
    query = builder.from_flags(call, keep_going=True, selector=None)
    found = await builder.find(call, query)

    async def one(info: Info) -> None:
        updating.check_built_in(info)
        obj = generate(info, flags)
        obj = record.recorded(call, overrides.apply(flags, obj))
        if how == writes.CLIENT:
            obj = overrides.in_namespace(obj, sending.namespace_of(call))
        else:
            if flags["save-config"]:
                obj = sending.with_annotation(obj)
            services = (await call.discovery()).find("services")
            created = Info(services, call.namespace)
            obj = await writes.create(call, created, obj, writes.parameters(how, manager=flags["field-manager"]))
        call.write(printer.print(obj))

    await found.visit(one)


def generate(info: Info, flags: Values) -> Object:
    """Raises CommandError, UsageError."""
    obj = info.object
    if (info.resource.group, info.resource.kind) not in _EXPOSABLE:
        kind = f"{info.resource.kind}.{info.resource.group}" if info.resource.group else info.resource.kind
        raise CommandError(f"cannot expose a {kind}")
    selector = parse_labels(flags["selector"]) if flags["selector"] else _selector(obj)
    found = _ports(obj)
    if flags["port"]:
        ports = flags["port"].split(",")
    else:
        ports = list(dict.fromkeys(found))
        if not ports and flags["cluster-ip"] != "None":
            raise UsageError("couldn't find port via --port flag or introspection")
    labels = parse_labels(flags["labels"]) if flags["labels"] else (obj.get("metadata") or {}).get("labels") or {}
    return service(flags["name"] or info.name[:_NAME_MAX], labels, selector, listed(ports, found, flags), flags)


def service(
    name: str, labels: Mapping[str, str], selector: Mapping[str, str], ports: list[Object], flags: Values
) -> Object:
    """Raises CommandError."""
    spec: Object = {"ports": ports} if ports else {}
    spec["selector"] = dict(sorted(selector.items()))
    if flags.get("cluster-ip"):
        spec["clusterIP"] = flags["cluster-ip"]
    if flags.get("type"):
        spec["type"] = flags["type"]
    if flags.get("external-ip"):
        spec["externalIPs"] = [flags["external-ip"]]
    affinity = flags.get("session-affinity")
    if affinity:
        if affinity not in ("None", "ClientIP"):
            raise CommandError(f"unknown session affinity: {affinity}")
        spec["sessionAffinity"] = affinity
    if flags.get("type") == "LoadBalancer" and flags.get("load-balancer-ip"):
        spec["loadBalancerIP"] = flags["load-balancer-ip"]
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": typed.metadata(name, labels=labels),
        "spec": spec,
        "status": {"loadBalancer": {}},
    }


def listed(ports: list[str], found: Mapping[str, list[str]], flags: Values) -> list[Object]:
    """The ports of the service. Raises CommandError."""
    result: list[Object] = []
    protocol, target = flags.get("protocol"), flags.get("target-port")
    several = len(ports) > 1
    for place, text in enumerate(ports, 1):
        try:
            number = int(text)
        except ValueError:
            raise CommandError(f'strconv.Atoi: parsing "{text}": invalid syntax') from None
        protocols = [protocol] if protocol else found.get(text) or ["TCP"]
        for one in protocols:
            port: Object = {"name": f"port-{place}"} if several else {}
            if len(protocols) > 1:
                port = {"name": f"port-{place}-{one.lower()}" if several else f"port-{one.lower()}"}
            wanted = typed.int_or_text(target) if target else number
            result.append(port | {"protocol": one, "port": number, "targetPort": wanted})
    return result


def _ports(obj: Object) -> dict[str, list[str]]:
    """Port numbers, as texts, and their protocols."""
    spec: Any = obj.get("spec") or {}
    found: dict[str, list[str]] = {}
    if obj.get("kind") == "Service":
        pairs = [(port["port"], port.get("protocol", "TCP")) for port in spec.get("ports") or ()]
    else:
        pod = spec if obj.get("kind") == "Pod" else (spec.get("template") or {}).get("spec") or {}
        pairs = [
            (port["containerPort"], port.get("protocol", "TCP"))
            for container in pod.get("containers") or ()
            for port in container.get("ports") or ()
        ]
    for number, protocol in pairs:
        protocols = found.setdefault(str(number), [])
        if protocol not in protocols:
            protocols.append(protocol)
    return found


def _selector(obj: Object) -> Mapping[str, str]:
    """The labels of its pods. Raises UsageError."""
    spec: Any = obj.get("spec") or {}
    kind = obj.get("kind")
    if kind == "Pod":
        found, none = (obj.get("metadata") or {}).get("labels"), "the pod has no labels and cannot be exposed"
    elif kind == "Service":
        found, none = spec.get("selector"), "the service has no pod selector set"
    elif kind == "ReplicationController":
        found = spec.get("selector")
        none = "replication controller has no selectors, therefore cannot be exposed"
    else:
        selector = spec.get("selector") or {}
        found, none = selector.get("matchLabels"), "invalid deployment no selectors, therefore cannot be exposed"
        if selector.get("matchExpressions"):
            shown = json.dumps(selector["matchExpressions"])
            found, none = None, f'couldn\'t convert expressions - "{shown}" to map-based selector format'
    if not found:
        raise UsageError(f"couldn't retrieve selectors via --selector flag or introspection: {none}")
    return dict(found)


def parse_labels(text: str) -> dict[str, str]:
    """`a=b,c=d`. Raises CommandError."""
    found = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals or "=" in value:
            raise CommandError(f"unexpected label spec: {pair}")
        if not key:
            raise CommandError("unexpected empty label key")
        found[key] = value
    return found
