"""Checks of the level restricted: what hardened pods say of themselves. Texts as upstream's pod-security-admission/policy."""

from steersman.api.pod_security import baseline
from steersman.api.pod_security.pods import Check, Pod, Setters, Violation, named, plural, quoted, security_of

_VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
# Others by upstream's names; what it does not know is "unknown".
_OTHER_VOLUMES = (
    *("hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd"),
    *("flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk"),
    *("photonPersistentDisk", "portworxVolume", "scaleIO", "storageos"),
)
_NET_BIND = "NET_BIND_SERVICE"


def privilege_escalation(pod: Pod) -> Violation | None:
    found = [one["name"] for one in pod.containers() if security_of(one).get("allowPrivilegeEscalation") is not False]
    if not found:
        return None
    why = f"{named(found)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", why)


def capabilities(pod: Pod) -> Violation | None:
    keeping = [
        one["name"]
        for one in pod.containers()
        if "ALL" not in ((security_of(one).get("capabilities") or {}).get("drop") or ())
    ]
    adding, added = baseline.adding(pod, (_NET_BIND,))
    why = [f'{named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if adding:
        why.append(baseline.must_not_add(adding, added))
    return Violation("unrestricted capabilities", "; ".join(why)) if why else None


def volumes(pod: Pod) -> Violation | None:
    found, kinds = [], set()
    for volume in pod.spec.get("volumes") or ():
        if not any(volume.get(kind) is not None for kind in _VOLUMES):
            found.append(volume["name"])
            kinds.add(next((kind for kind in _OTHER_VOLUMES if volume.get(kind) is not None), "unknown"))
    if not found:
        return None
    what = plural(len(kinds), "restricted volume type", "restricted volume types")
    use = plural(len(found), "uses", "use")
    why = f"{named(found, 'volume', 'volumes')} {use} {what} {quoted(sorted(kinds))}"
    return Violation("restricted volume types", why)


def non_root(pod: Pod) -> Violation | None:
    reason = "runAsNonRoot != true"
    setters = Setters.of(pod, lambda security: [False] * (security.get("runAsNonRoot") is False))
    if setters:
        return Violation(reason, f"{setters} must not set securityContext.runAsNonRoot=false")
    silent = _silent(pod, "runAsNonRoot")
    if silent:
        return Violation(reason, f"pod or {named(silent)} must set securityContext.runAsNonRoot=true")
    return None


def _silent(pod: Pod, field: str) -> list[str]:
    """Containers that say nothing, in a pod that says nothing."""
    if pod.security.get(field) is not None:
        return []
    return [one["name"] for one in pod.containers() if security_of(one).get(field) is None]


def non_root_35(pod: Pod) -> Violation | None:
    return None if pod.has_own_users else non_root(pod)


def user(pod: Pod) -> Violation | None:
    found = Setters.of(pod, lambda security: [0] * (security.get("runAsUser") == 0))
    return Violation("runAsUser=0", f"{found} must not set runAsUser=0") if found else None


def user_35(pod: Pod) -> Violation | None:
    return None if pod.has_own_users else user(pod)


def seccomp(pod: Pod) -> Violation | None:
    said = baseline.seccomp_19(pod)
    silent = _silent(pod, "seccompProfile")
    if said is not None or not silent:
        return said
    must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {named(silent)} {must}")


def not_on_windows(check: Check) -> Check:
    """For what Windows does not have."""
    return lambda pod: None if pod.is_windows else check(pod)


# By name: the release since which it is so, and the check.
CHECKS: dict[str, tuple[tuple[int, Check], ...]] = {
    "allowPrivilegeEscalation": ((8, privilege_escalation), (25, not_on_windows(privilege_escalation))),
    "capabilities_restricted": ((22, capabilities), (25, not_on_windows(capabilities))),
    "procMount_restricted": ((35, baseline.proc_mount),),
    "restrictedVolumes": ((0, volumes),),
    "runAsNonRoot": ((0, non_root), (35, non_root_35)),
    "runAsUser": ((23, user), (35, user_35)),
    "seccompProfile_restricted": ((19, seccomp), (25, not_on_windows(seccomp))),
}
INSTEAD_OF = {
    "capabilities_restricted": "capabilities_baseline",
    "procMount_restricted": "procMount_baseline",
    "restrictedVolumes": "hostPathVolumes",
    "seccompProfile_restricted": "seccompProfile_baseline",
}
"""Checks that say all that one of baseline says, where both are there."""
