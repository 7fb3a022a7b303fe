"""A pod's sandbox as the runtime is told: host name, DNS, host ports, sysctls, its own cgroup.

Pure. Source: the Kubernetes documentation "DNS for Services and Pods" and upstream's kubelet/network/dns.
"""

import dataclasses
from collections.abc import Mapping

from steersman.containers import runtime
from steersman.kubelet import memory_quality, qos
from steersman.kubelet.options import Options
from steersman.meta import objects
from steersman.meta.objects import Object

HOSTNAME_MOST = 63  # a label of DNS
FULL_NAME_MOST = 64  # what the kernel's UTS namespace takes
SEARCHES_MOST = 32
SERVERS_MOST = 3

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"


class NameTooLong(ValueError):
    """`setHostnameAsFQDN` asks for a name that the kernel does not take."""


def build(
    pod: Object,
    attempt: int,
    options: Options,
    node_dns: runtime.Dns,
    *,
    users: runtime.IdRange | None = None,
    handler: str = "",
    cpu_is_limited: bool = True,
    memory: memory_quality.Settings = memory_quality.OFF,
) -> runtime.SandboxConfig:
    """Raises NameTooLong."""
    spec = pod["spec"]
    cpu_limit, cpu_shares, memory_limit = qos.pod_resources(pod)
    security = spec.get("securityContext") or {}
    host_network = bool(spec.get("hostNetwork"))
    return runtime.SandboxConfig(
        pod_uid=objects.uid(pod),
        name=objects.name(pod),
        namespace=objects.namespace(pod),
        attempt=attempt,
        hostname=hostname(pod, options),
        cgroup_parent=qos.cgroup_parent(pod),
        dns=dns(pod, options, node_dns),
        labels={**objects.labels(pod), **identity(pod)},
        annotations=dict(objects.annotations(pod)),
        sysctls={one["name"]: str(one["value"]) for one in security.get("sysctls") or []},
        port_mappings=() if host_network else port_mappings(pod),
        host_network=host_network,
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        share_process_namespace=bool(spec.get("shareProcessNamespace")),
        cpu_limit_millicores=cpu_limit if cpu_is_limited else 0,
        cpu_shares=cpu_shares,
        memory_limit_bytes=memory_limit,
        memory_guard=memory_quality.of_pod(pod, memory),
        pids_limit=options.pod_pids_max,
        users=users,
        handler=handler,
        privileged=any(
            (one.get("securityContext") or {}).get("privileged")
            for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        ),
    )


def identity(pod: Object) -> dict[str, str]:
    """The labels by which a runtime's sandboxes and containers are known again after a restart."""
    return {POD_NAME: objects.name(pod), POD_NAMESPACE: objects.namespace(pod), POD_UID: objects.uid(pod)}


def hostname(pod: Object, options: Options) -> str:
    """Raises NameTooLong."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        return options.hostname or spec.get("nodeName", "")
    full = domain_name(pod, options)
    if not spec.get("setHostnameAsFQDN") or not full:
        return short_name(pod)
    if len(full) > FULL_NAME_MOST:
        raise NameTooLong(
            f"failed to construct FQDN from Pod hostname and cluster domain, FQDN {full} is too long "
            f"({FULL_NAME_MOST} characters is the max, {len(full)} characters requested)"
        )
    return full


def short_name(pod: Object) -> str:
    spec = pod["spec"]
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    return str(spec.get("hostname") or objects.name(pod))[:HOSTNAME_MOST].rstrip("-.")


def domain_name(pod: Object, options: Options) -> str:
    """`hostname.subdomain.namespace.svc.cluster.local`; empty without a subdomain, or where the name is overridden."""
    spec = pod["spec"]
    if not spec.get("subdomain") or spec.get("hostnameOverride"):
        return ""
    return f"{short_name(pod)}.{spec['subdomain']}.{objects.namespace(pod)}.svc.{options.cluster_domain}"


def port_mappings(pod: Object) -> tuple[runtime.PortMapping, ...]:
    spec = pod["spec"]
    inits = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    return tuple(
        runtime.PortMapping(
            container_port=port["containerPort"],
            host_port=port["hostPort"],
            protocol=port.get("protocol") or "TCP",
            host_address=port.get("hostIP") or "",
        )
        for container in [*inits, *(spec.get("containers") or [])]
        for port in container.get("ports") or []
        if port.get("hostPort")
    )


def dns(pod: Object, options: Options, node_dns: runtime.Dns) -> runtime.Dns:
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "None":
        made = runtime.Dns()
    elif policy == "Default" or not options.cluster_dns or (policy == "ClusterFirst" and spec.get("hostNetwork")):
        made = node_dns
    else:
        domain, space = options.cluster_domain, objects.namespace(pod)
        searches = (f"{space}.svc.{domain}", f"svc.{domain}", domain, *node_dns.searches)
        made = runtime.Dns(options.cluster_dns, searches, ("ndots:5",))
    return _with_own(made, spec.get("dnsConfig") or {})


def _with_own(made: runtime.Dns, own: Object) -> runtime.Dns:
    servers = _unique((*made.servers, *(own.get("nameservers") or ())))
    searches = _unique((*made.searches, *(own.get("searches") or ())))
    chosen = {text.partition(":")[0]: text for text in made.options}
    for option in own.get("options") or ():
        value = option.get("value")
        chosen[option["name"]] = option["name"] if value is None else f"{option['name']}:{value}"
    return dataclasses.replace(
        made, servers=servers[:SERVERS_MOST], searches=searches[:SEARCHES_MOST], options=tuple(chosen.values())
    )


def _unique(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def parse_resolv_conf(text: str) -> runtime.Dns:
    """The last `search` line counts; comments are skipped."""
    servers: list[str] = []
    searches: list[str] = []
    chosen: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "search":
            searches = [word.rstrip(".") or "." for word in words[1:]]
        elif words[0] == "options":
            chosen = words[1:]
    return runtime.Dns(tuple(servers[:SERVERS_MOST]), tuple(searches), tuple(chosen))


def hosts_file(pod: Object, addresses: tuple[str, ...], options: Options) -> str:
    """/etc/hosts of a pod with its own network: its own name, and `hostAliases`."""
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
    ]
    full, short = domain_name(pod, options), short_name(pod)
    lines += [f"{address}\t{full}\t{short}" if full else f"{address}\t{short}" for address in addresses]
    return "\n".join(lines) + "\n" + host_aliases(pod["spec"])


def host_aliases(spec: Mapping[str, object]) -> str:
    aliases: list[Object] = spec.get("hostAliases") or []  # type: ignore[assignment]
    if not aliases:
        return ""
    lines = ["", "# Entries added by HostAliases."]
    lines += ["\t".join([alias["ip"], *(alias.get("hostnames") or ())]) for alias in aliases]
    return "\n".join(lines) + "\n"
