"""Containers of a pod or of a template: image, ports, state, resources, probes, environment and mounts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.kubectl.describe.writing import NONE, Description, flag, resource_list, yes_no
from steersman.kubectl.printers import go_values
from steersman.meta import quantities
from steersman.meta.objects import Object

# What a fieldRef refers to, as text; None where there is no pod to look at.
Resolve = Callable[[Object], str] | None


def write(
    d: Description,
    title: str,
    containers: Sequence[Object],
    statuses: Sequence[Object] = (),
    *,
    resolve: Resolve = None,
    indent: str = "",
) -> None:
    by_name = {one.get("name"): one for one in statuses}
    d.write(0, f"{indent}{title}:{'' if containers else f' {NONE}'}\n")
    for container in containers:
        found = by_name.get(container.get("name"))
        _basics(d, container, found, " " if indent else "")
        _command(d, container)
        if found is not None:
            _states(d, found)
        resources(d, container.get("resources"), 2)
        _probes(d, container)
        if container.get("envFrom"):
            _environment_from(d, container)
        _environment(d, container, resolve)
        _mounts(d, container)


def _basics(d: Description, container: Object, found: Object | None, indent: str) -> None:
    d.write(1, f"{indent}{container.get('name', '')}:\n")
    if found is not None:
        d.row(2, "Container ID:", found.get("containerID", ""))
    d.row(2, "Image:", container.get("image", ""))
    if found is not None:
        d.row(2, "Image ID:", found.get("imageID", ""))
    ports = container.get("ports") or ()
    for title, key in (("Port", "containerPort"), ("Host Port", "hostPort")):
        text = ", ".join(_port(one, key) for one in ports)
        d.row(2, f"{title}{'s' if ',' in text else ''}:", text or NONE)
    seccomp = (container.get("securityContext") or {}).get("seccompProfile")
    if seccomp:
        d.row(2, "SeccompProfile:", seccomp.get("type", ""))
        if seccomp.get("type") == "Localhost":
            d.row(3, "LocalhostProfile:", seccomp.get("localhostProfile", ""))


def _port(port: Object, key: str) -> str:
    return f"{port.get(key, 0)}/{port.get('protocol', '')}"


def _command(d: Description, container: Object) -> None:
    for title, key in (("Command:", "command"), ("Args:", "args")):
        if container.get(key):
            d.write(2, f"{title}\n")
            for argument in container[key]:
                for line in argument.split("\n"):
                    d.write(3, f"{line}\n")


def _states(d: Description, found: Object) -> None:
    _state(d, "State", found.get("state") or {})
    last = found.get("lastState") or {}
    if last.get("terminated"):
        _state(d, "Last State", last)
    d.row(2, "Ready:", yes_no(found.get("ready")))
    d.row(2, "Restart Count:", found.get("restartCount", 0))


def _state(d: Description, title: str, state: Object) -> None:
    if "running" in state:
        d.row(2, f"{title}:", "Running")
        d.row(3, "Started:", d.time((state["running"] or {}).get("startedAt")))
        return
    ended = state.get("terminated")
    if "waiting" in state or ended is None:
        d.row(2, f"{title}:", "Waiting")
        reason = (state.get("waiting") or {}).get("reason")
        if reason:
            d.row(3, "Reason:", reason)
        return
    d.row(2, f"{title}:", "Terminated")
    for key in ("reason", "message"):
        if ended.get(key):
            d.row(3, f"{key.capitalize()}:", ended[key])
    d.row(3, "Exit Code:", ended.get("exitCode", 0))
    if ended.get("signal", 0) > 0:
        d.row(3, "Signal:", ended["signal"])
    d.row(3, "Started:", d.time(ended.get("startedAt")))
    d.row(3, "Finished:", d.time(ended.get("finishedAt")))


def resources(d: Description, wanted: Object | None, level: int) -> None:
    for title in ("Limits", "Requests"):
        amounts = resource_list((wanted or {}).get(title.lower()))
        if amounts:
            d.write(level, f"{title}:\n")
        for key, value in amounts:
            d.row(level + 1, f"{key}:", value)


def _probes(d: Description, container: Object) -> None:
    for title in ("Liveness", "Readiness", "Startup"):
        found = container.get(f"{title.lower()}Probe")
        if found:
            d.row(2, f"{title}:", probe_text(found))


def probe_text(probe: Object) -> str:
    attributes = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 0)}s "
        f"period={probe.get('periodSeconds', 0)}s #success={probe.get('successThreshold', 0)} "
        f"#failure={probe.get('failureThreshold', 0)}"
    )
    if "exec" in probe:
        return f"exec {go_values.show((probe['exec'] or {}).get('command') or [])} {attributes}"
    if "httpGet" in probe:
        return f"http-get {_url(probe['httpGet'] or {})} {attributes}"
    if "tcpSocket" in probe:
        socket = probe["tcpSocket"] or {}
        return f"tcp-socket {socket.get('host', '')}:{socket.get('port', 0)} {attributes}"
    if "grpc" in probe:
        service = probe["grpc"] or {}
        return f"grpc <pod>:{service.get('port', 0)} {service.get('service') or ''} {attributes}"
    return f"unknown {attributes}"


def _url(get: Object) -> str:
    import urllib.parse

    host, port, path = get.get("host", ""), str(get.get("port", "")), get.get("path", "")
    address = f"[{host}]" if ":" in host else host
    if port:
        address = f"{address}:{port}"
    quoted = urllib.parse.quote(path, safe="/$&+,:;=@!'()*~")
    return f"{get.get('scheme', '').lower()}://{address}{'' if quoted.startswith('/') or not quoted else '/'}{quoted}"


def _environment_from(d: Description, container: Object) -> None:
    d.write(2, "Environment Variables from:\n")
    for one in container["envFrom"]:
        kind, source = "", {}
        if one.get("configMapRef") is not None:
            kind, source = "ConfigMap", one["configMapRef"]
        elif one.get("secretRef") is not None:
            kind, source = "Secret", one["secretRef"]
        prefix = f" with prefix '{one['prefix']}'" if one.get("prefix") else ""
        d.row(3, source.get("name", ""), f"{kind}{prefix}", f"Optional: {flag(source.get('optional'))}")


def _environment(d: Description, container: Object, resolve: Resolve) -> None:
    variables = container.get("env") or ()
    d.write(2, "Environment:\n" if variables else f"Environment:\t{NONE}\n")
    for one in variables:
        source = one.get("valueFrom")
        if source is None:
            first, *rest = (one.get("value") or "").split("\n")
            d.row(3, f"{one.get('name', '')}:", first)
            for line in rest:
                d.write(3, f"\t{line}\n")
        else:
            _referred(d, container, f"{one.get('name', '')}:", source, resolve)


def _referred(d: Description, container: Object, title: str, source: Object, resolve: Resolve) -> None:
    if "fieldRef" in source:
        field = source["fieldRef"]
        value = resolve(field) if resolve is not None else ""
        d.row(3, title, f"{value} ({field.get('apiVersion', '')}:{field.get('fieldPath', '')})")
    elif "resourceFieldRef" in source:
        resource = source["resourceFieldRef"].get("resource", "")
        value = _resource_value(container, source["resourceFieldRef"])
        if value == "0" and resource in ("limits.cpu", "limits.memory"):
            value = "node allocatable"
        d.row(3, title, f"{value} ({resource})")
    elif "secretKeyRef" in source:
        key = source["secretKeyRef"]
        text = f"<set to the key '{key.get('key', '')}' in secret '{key.get('name', '')}'>"
        d.row(3, title, text, f"Optional: {flag(key.get('optional'))}")
    elif "configMapKeyRef" in source:
        key = source["configMapKeyRef"]
        text = f"<set to the key '{key.get('key', '')}' of config map '{key.get('name', '')}'>"
        d.row(3, title, text, f"Optional: {flag(key.get('optional'))}")


def _resource_value(container: Object, reference: Object) -> str:
    kind, _, resource = reference.get("resource", "").partition(".")
    if kind not in ("limits", "requests") or not resource.startswith(
        ("cpu", "memory", "ephemeral-storage", "hugepages-")
    ):
        return ""
    amounts: Mapping[str, Any] = (container.get("resources") or {}).get(kind) or {}
    amount = quantities.parse(str(amounts.get(resource, "0")))
    divisor = quantities.parse(str(reference.get("divisor") or "1"))
    divisor = divisor if divisor.nanos else quantities.parse("1")
    if resource == "cpu":
        return str(-(-amount.millis // divisor.millis))
    return str(-(-amount.whole // divisor.whole))


def resolver(pod: Object) -> Resolve:
    """What the fields of this pod's metadata say; other fields and single labels are left empty, as upstream does."""
    found = pod.get("metadata") or {}

    def resolve(field: Object) -> str:
        path = field.get("fieldPath", "")
        if path in ("metadata.annotations", "metadata.labels"):
            pairs: Mapping[str, str] = found.get(path.partition(".")[2]) or {}
            return "\n".join(f"{key}={go_values.quote(value)}" for key, value in sorted(pairs.items()))
        if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
            return str(found.get(path.partition(".")[2], ""))
        return ""

    return resolve


def _mounts(d: Description, container: Object) -> None:
    mounts = container.get("volumeMounts") or ()
    none = "" if mounts else f"\t{NONE}"
    d.write(2, f"Mounts:{none}\n")
    for mount in sorted(mounts, key=lambda one: str(one.get("mountPath", ""))):
        flags = "ro" if mount.get("readOnly") else "rw"
        if mount.get("subPath"):
            flags += f",path={go_values.quote(mount['subPath'])}"
        d.write(3, f"{mount.get('mountPath', '')} from {mount.get('name', '')} ({flags})\n")
    devices = container.get("volumeDevices") or ()
    if devices:
        d.write(2, f"Devices:{none}\n")
        for device in sorted(devices, key=lambda one: str(one.get("devicePath", ""))):
            d.write(3, f"{device.get('devicePath', '')} from {device.get('name', '')}\n")
