"""Checks of the level baseline: known ways out of a container. Texts as upstream's pod-security-admission/policy."""

from collections.abc import Iterable, Iterator

import orjson

from steersman.api.pod_security.pods import Check, Pod, Setters, Violation, named, plural, quoted, security_of
from steersman.meta.objects import Object

_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_OF_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_OF_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_PROFILES = ("RuntimeDefault", "Localhost")
_CAPABILITIES = frozenset((
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
))  # fmt: skip
_SYSCTLS_0 = frozenset((
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
    *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"),
))  # fmt: skip
_SYSCTLS_27 = _SYSCTLS_0 | {"net.ipv4.ip_local_reserved_ports"}
_KEEPALIVE = ("tcp_keepalive_time", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_probes")
_SYSCTLS_29 = _SYSCTLS_27 | {f"net.ipv4.{name}" for name in _KEEPALIVE}
_SYSCTLS_32 = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
_SELINUX_0 = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SELINUX_31 = _SELINUX_0 | {"container_engine_t"}


def app_armor(pod: Pod) -> Violation | None:
    setters = Setters.of(pod, lambda security: _not_among(security.get("appArmorProfile"), _PROFILES))
    annotations = sorted(
        f"{key}={_quoted(value)}"
        for key, value in pod.annotations.items()
        if key.startswith(_APP_ARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    if not setters and not annotations:
        return None
    who = [str(setters)] if setters else []
    if annotations:
        who.append(plural(len(annotations), "annotation", "annotations"))
    values = [*sorted(setters.values), *annotations]
    reason = plural(len(values), "forbidden AppArmor profile", "forbidden AppArmor profiles")
    return Violation(reason, f"{' and '.join(who)} must not set AppArmor profile type to {quoted(values)}")


def capabilities(pod: Pod) -> Violation | None:
    containers, added = adding(pod, _CAPABILITIES)
    if not containers:
        return None
    return Violation("non-default capabilities", must_not_add(containers, added))


def adding(pod: Pod, allowed: Iterable[str]) -> tuple[list[str], set[str]]:
    """Containers with capabilities beyond the allowed ones, and those capabilities."""
    containers, found = [], set()
    for container in pod.containers():
        more = set((security_of(container).get("capabilities") or {}).get("add") or ()) - set(allowed)
        if more:
            containers.append(container["name"])
            found |= more
    return containers, found


def must_not_add(containers: list[str], added: set[str]) -> str:
    return f"{named(containers)} must not include {quoted(sorted(added))} in securityContext.capabilities.add"


def host_namespaces(pod: Pod) -> Violation | None:
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(field)]
    return Violation("host namespaces", ", ".join(found)) if found else None


def host_paths(pod: Pod) -> Violation | None:
    found = [volume["name"] for volume in pod.spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Violation("hostPath volumes", named(found, "volume", "volumes")) if found else None


def host_ports(pod: Pod) -> Violation | None:
    containers, ports = [], set()
    for container in pod.containers():
        found = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if found:
            containers.append(container["name"])
            ports |= found
    if not containers:
        return None
    use, what = plural(len(containers), "uses", "use"), plural(len(ports), "hostPort", "hostPorts")
    return Violation("hostPort", f"{named(containers)} {use} {what} {', '.join(sorted(ports))}")


def host_probes(pod: Pod) -> Violation | None:
    containers, hosts = set(), set()
    for container in pod.containers():
        found = set(_hosts(container))
        if found:
            containers.add(container["name"])
            hosts |= found
    if not containers:
        return None
    use = plural(len(containers), "uses", "use")
    what = plural(len(hosts), "probe or lifecycle host", "probe or lifecycle hosts")
    return Violation("probe or lifecycle host", f"{named(sorted(containers))} {use} {what} {quoted(sorted(hosts))}")


def _hosts(container: Object) -> Iterator[str]:
    hooks = container.get("lifecycle") or {}
    asked = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    for one in (*asked, hooks.get("postStart"), hooks.get("preStop")):
        for way in ("httpGet", "tcpSocket"):
            host = ((one or {}).get(way) or {}).get("host")
            if host:
                yield host


def privileged(pod: Pod) -> Violation | None:
    found = [one["name"] for one in pod.containers() if security_of(one).get("privileged")]
    return Violation("privileged", f"{named(found)} must not set securityContext.privileged=true") if found else None


def proc_mount(pod: Pod) -> Violation | None:
    containers, kinds = [], set()
    for container in pod.containers():
        kind = security_of(container).get("procMount")
        if kind not in (None, "Default"):
            containers.append(container["name"])
            kinds.add(kind)
    if not containers:
        return None
    return Violation(
        "procMount", f"{named(containers)} must not set securityContext.procMount to {quoted(sorted(kinds))}"
    )


def proc_mount_35(pod: Pod) -> Violation | None:
    return None if pod.has_own_users else proc_mount(pod)


def selinux(allowed: frozenset[str]) -> Check:
    def check(pod: Pod) -> Violation | None:
        found = Setters.of(pod, lambda security: _selinux_faults(security.get("seLinuxOptions") or {}, allowed))
        if not found:
            return None
        types = sorted(value.removeprefix("type ") for value in found.values if value.startswith("type "))
        what = [f"{plural(len(types), 'type', 'types')} {quoted(types)}"] if types else []
        what += [f"{part} may not be set" for part in ("user", "role") if part in found.values]
        return Violation("seLinuxOptions", f"{found} set forbidden securityContext.seLinuxOptions: {'; '.join(what)}")

    return check


def _selinux_faults(options: Object, allowed: frozenset[str]) -> Iterator[str]:
    if (options.get("type") or "") not in allowed:
        yield f"type {options['type']}"
    yield from (part for part in ("user", "role") if options.get(part))


def seccomp_0(pod: Pod) -> Violation | None:
    """By annotations, before there were fields."""
    keys = [_SECCOMP_OF_POD, *(f"{_SECCOMP_OF_CONTAINER}{one['name']}" for one in pod.containers())]
    found = sorted(
        {
            f"{key}={_quoted(value)}"
            for key in keys
            if (value := pod.annotations.get(key)) is not None
            and value not in ("runtime/default", "docker/default")
            and not value.startswith("localhost/")
        }
    )
    if not found:
        return None
    what = plural(len(found), "annotation", "annotations")
    return Violation("seccompProfile", f"forbidden {what} {', '.join(found)}")


def seccomp_19(pod: Pod) -> Violation | None:
    found = Setters.of(pod, lambda security: _not_among(security.get("seccompProfile"), _PROFILES))
    if not found:
        return None
    values = quoted(sorted(found.values))
    return Violation("seccompProfile", f"{found} must not set securityContext.seccompProfile.type to {values}")


def sysctls(allowed: frozenset[str]) -> Check:
    def check(pod: Pod) -> Violation | None:
        found = [one["name"] for one in pod.security.get("sysctls") or () if one["name"] not in allowed]
        return Violation("forbidden sysctls", ", ".join(found)) if found else None

    return check


def windows_host_process(pod: Pod) -> Violation | None:
    found = Setters.of(pod, lambda security: [True] * bool((security.get("windowsOptions") or {}).get("hostProcess")))
    if not found:
        return None
    return Violation("hostProcess", f"{found} must not set securityContext.windowsOptions.hostProcess=true")


def _not_among(profile: Object | None, allowed: Iterable[str]) -> list[str]:
    kind = str((profile or {}).get("type", ""))
    return [] if profile is None or kind in allowed else [kind]


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


# By name: the release since which it is so, and the check.
CHECKS: dict[str, tuple[tuple[int, Check], ...]] = {
    "appArmorProfile": ((0, app_armor),),
    "capabilities_baseline": ((0, capabilities),),
    "hostNamespaces": ((0, host_namespaces),),
    "hostPathVolumes": ((0, host_paths),),
    "hostPorts": ((0, host_ports),),
    "hostProbesAndHostLifecycle": ((34, host_probes),),
    "privileged": ((0, privileged),),
    "procMount_baseline": ((0, proc_mount), (35, proc_mount_35)),
    "seLinuxOptions": ((0, selinux(_SELINUX_0)), (31, selinux(_SELINUX_31))),
    "seccompProfile_baseline": ((0, seccomp_0), (19, seccomp_19)),
    "sysctls": (
        *((0, sysctls(_SYSCTLS_0)), (27, sysctls(_SYSCTLS_27))),
        *((29, sysctls(_SYSCTLS_29)), (32, sysctls(_SYSCTLS_32))),
    ),
    "windowsHostProcess": ((0, windows_host_process),),
}
