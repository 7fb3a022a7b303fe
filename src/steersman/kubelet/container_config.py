"""A container as the runtime is told: command, environment, mounts, resources, security.

Pure. Source: the Kubernetes documentation (security contexts, termination messages) and upstream's kuberuntime.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from steersman.api import app_armor
from steersman.containers import runtime
from steersman.kubelet import environment, memory_quality, qos, sandbox_config
from steersman.kubelet.environment import ConfigError
from steersman.meta import objects
from steersman.meta.objects import Object

HASH_RESTARTS = "io.kubernetes.container.restartCount"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Host paths made for this instance. `mounts` are the pod's volumes as this container mounts them."""

    log: Path
    mounts: tuple[runtime.Mount, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What the node adds: the image's user, the container's share of the node, devices with their variables and mounts.
    `processes_of`: the id of an ephemeral container's target. `seccomp_default`: who names no profile has the runtime's.
    `seccomp_dir`: where the node's own profiles are."""

    image_user: str = ""
    share: qos.Share = qos.Share()
    memory: memory_quality.Settings = memory_quality.OFF
    processes_of: str = ""
    devices: runtime.DeviceGrant = runtime.DeviceGrant()
    seccomp_default: bool = False
    seccomp_dir: str = ""


def build(
    pod: Object, container: Object, attempt: int, variables: Mapping[str, str], files: Files, given: Given | None = None
) -> runtime.ContainerConfig:
    """Raises ConfigError."""
    given = given or Given()
    own = container.get("securityContext") or {}
    return runtime.ContainerConfig(
        name=container["name"],
        image=container.get("image", ""),
        attempt=attempt,
        command=environment.expand_all(container.get("command") or (), variables),
        args=environment.expand_all(container.get("args") or (), variables),
        working_dir=container.get("workingDir") or "",
        environment=(*given.devices.environment, *variables.items()),
        mounts=(*given.devices.mounts, *files.mounts),
        devices=given.devices.devices,
        cdi_devices=given.devices.cdi_devices,
        log_path=str(files.log),
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        resources=resources(pod, container, given.share, given.memory),
        security=security(pod, own, container["name"], given),
        labels={**sandbox_config.identity(pod), sandbox_config.CONTAINER_NAME: container["name"]},
        annotations={
            HASH_RESTARTS: str(attempt),
            TERMINATION_PATH: container.get("terminationMessagePath") or "/dev/termination-log",
            **dict(given.devices.annotations),
        },
        processes_of=given.processes_of,
        stop_signal=(container.get("lifecycle") or {}).get("stopSignal") or "",
    )


def resources(pod: Object, container: Object, share: qos.Share, memory: memory_quality.Settings) -> runtime.Resources:
    guard = memory_quality.of_container(pod, container, memory)
    return dataclasses.replace(qos.container_resources(pod, container, share), memory_guard=guard)


def security(pod: Object, own: Object, name: str, given: Given) -> runtime.Security:
    """The container's securityContext over the pod's. Raises ConfigError where runAsNonRoot cannot be kept."""
    of_pod = pod["spec"].get("securityContext") or {}
    user = _first(own, of_pod, "runAsUser")
    if _first(own, of_pod, "runAsNonRoot"):
        _check_not_root(
            user,
            given.image_user,
            f'(pod: "{objects.name(pod)}_{objects.namespace(pod)}({objects.uid(pod)})", container: {name})',
        )
    capabilities = own.get("capabilities") or {}
    privileged = bool(own.get("privileged"))
    unmasked = own.get("procMount") == "Unmasked"
    groups = [*(of_pod.get("supplementalGroups") or ())]
    policy = of_pod.get("supplementalGroupsPolicy") or "Merge"
    if of_pod.get("fsGroup") is not None:
        groups.append(of_pod["fsGroup"])
    return runtime.Security(
        run_as_user=user,
        run_as_group=_first(own, of_pod, "runAsGroup"),
        supplemental_groups=tuple(groups),
        only_those_groups=policy == "Strict",
        privileged=privileged,
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False and not privileged,
        add_capabilities=tuple(_capability(name) for name in capabilities.get("add") or ()),
        drop_capabilities=tuple(_capability(name) for name in capabilities.get("drop") or ()),
        seccomp=_profile(
            own.get("seccompProfile") or of_pod.get("seccompProfile") or {},
            "RuntimeDefault" if given.seccomp_default and not privileged else "Unconfined",
            f"{given.seccomp_dir}/",
        ),
        app_armor=_profile(app_armor.profile_of(pod["spec"], {"securityContext": own}), ""),
        masked_paths=() if unmasked else None,
        readonly_paths=() if unmasked else None,
    )


def _first(own: Object, of_pod: Object, field: str) -> int | None:
    found: int | None = own.get(field)
    return of_pod.get(field) if found is None else found


def _check_not_root(user: int | None, image_user: str, whose: str) -> None:
    if user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {whose}")
    if user is not None:
        return
    name = image_user.partition(":")[0]
    if name in ("", "0", "root"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {whose}")
    if not name.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {whose}"
        )


def _capability(name: str) -> str:
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def _profile(profile: Object, otherwise: str, folder: str = "") -> str:
    """Of seccomp, by path, or AppArmor, by name."""
    kind = profile.get("type") or otherwise
    return f"Localhost/{folder}{profile.get('localhostProfile', '')}" if kind == "Localhost" else str(kind)
