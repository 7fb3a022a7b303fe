"""Everything that starting a container needs, on disk: its specification, its launch record, what it is."""

import dataclasses
import datetime
import itertools
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from steersman.containers import runtime
from steersman.containers.images import users
from steersman.containers.images.store import Image
from steersman.containers.oci import (
    cdi,
    copying,
    host_mounts,
    mount_points,
    quick_plan,
    records,
    sandbox,
    seccomp,
    shim_mounts,
    snapshots,
    spec,
    statuses,
)
from steersman.containers.oci.host import Facts


class InvalidContainer(ValueError):
    """It cannot be made as wanted; the text is for the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Folders of one container; `group` is its control group, `root` where its root filesystem will be mounted."""

    folder: str
    data_folder: str
    sandbox_folder: str
    root: str
    group: str
    layers_dir: str


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    id: str
    sandbox: statuses.SandboxRecord
    created_at: datetime.datetime


def write(
    place: Place,
    origin: Origin,
    config: runtime.ContainerConfig,
    image: Image,
    accounts: users.Accounts,
    facts: Facts,
    process_namespace: str = "",
    mounted: Mapping[str, Image] = MappingProxyType({}),
) -> statuses.ContainerRecord:
    """`process_namespace`: the path of another container's, or empty. `mounted`: the images that mounts name.

    Raises InvalidContainer or OSError; the caller then removes the folders.
    """
    image_config = spec.ImageConfig.from_json(image.config)
    images = [mount for mount in config.mounts if mount.image]
    config = _with_images(config, place)
    for mount in config.mounts:
        if mount.propagation != "private" and (
            complaint := host_mounts.propagation_complaint(mount.host_path, mount.propagation)
        ):
            raise InvalidContainer(f"failed to generate container spec: {complaint}")
    own_users, volumes = origin.sandbox.config.users, tuple(mount.host_path for mount in config.mounts)
    if own_users is not None:
        config = _with_own_users(config, place)
    spec_place = _spec_place(place, origin.sandbox.config, process_namespace)
    try:
        specification = spec.container(config, image_config, accounts, spec_place, facts)
        cdi.apply(config.cdi_devices, specification)
    except (spec.InvalidContainer, seccomp.BadProfile, users.UnknownUser, cdi.UnknownDevice) as wrong:
        raise InvalidContainer(str(wrong)) from wrong
    for folder in (place.folder, place.data_folder, _upper(place), _work(place)):
        os.mkdir(folder, 0o755)
    lowest = mount_points.layer([mount.container_path for mount in config.mounts])
    if facts.snapshotter == snapshots.COPY:
        _copy(place, [lowest, *image.layers], _upper(place))
    elif own_users is not None:
        os.chown(_upper(place), own_users.host_id, own_users.host_id)
    who = specification["process"]["user"]
    user = runtime.User(who["uid"], who["gid"], tuple(who.get("additionalGids", ())))
    record = _record(place, origin, config, image, image_config, facts, user)
    _write(os.path.join(place.folder, records.CONFIG), specification)
    launch = _launch(place, record, image, spec_place, facts)
    launch["plan"] = quick_plan.plan(specification, facts)
    launch["images"] = [_mounted(place, number, one, mounted, facts) for number, one in enumerate(images)]
    if own_users is not None:
        launch |= {"user_namespace": spec_place.namespaces["user"], "volumes": volumes}
    else:  # (with its own users, layers come from a mount of their own, which has nothing beside it)
        launch["lower"].append(lowest)
    _write(os.path.join(place.folder, records.LAUNCH), launch)
    statuses.write_container(place.folder, record)
    return record


def _write(path: str, value: dict[str, Any]) -> None:
    """Not whole at every moment, unlike the record: without that, which comes last, nothing here counts."""
    with open(path, "wb", buffering=0) as file:
        file.write(msgspec.json.encode(value))


def _mounted(
    place: Place, number: int, mount: runtime.Mount, mounted: Mapping[str, Image], facts: Facts
) -> dict[str, Any]:
    """An image as a volume, for the shim."""
    layers = mounted[mount.image].layers
    told = {"lower": [*reversed(layers)], "sub_path": mount.image_sub_path}
    if facts.snapshotter != snapshots.COPY or len(layers) == 1:
        return told
    folder = os.path.join(place.data_folder, f"image-{number}")
    os.mkdir(folder)
    _copy(place, layers, folder)
    return {**told, "copy": folder}


def _copy(place: Place, layers: Sequence[str], target: str) -> None:
    copying.copy((os.path.join(place.layers_dir, layer) for layer in layers), target)


def _with_images(config: runtime.ContainerConfig, place: Place) -> runtime.ContainerConfig:
    """Images come from where the shim mounts them (`shim_mounts.mount_images`), in the order of the mounts that name one."""
    numbers = itertools.count()
    mounts = tuple(
        dataclasses.replace(
            mount, host_path=shim_mounts.image_path(place.root, next(numbers), mount.image_sub_path), read_only=True
        )
        if mount.image
        else mount
        for mount in config.mounts
    )
    return dataclasses.replace(config, mounts=mounts)


def _with_own_users(config: runtime.ContainerConfig, place: Place) -> runtime.ContainerConfig:
    """Volumes come from where the shim mounts them for the pod's user namespace (`shim_mounts.mount_volumes`)."""
    mounts = tuple(
        dataclasses.replace(mount, host_path=f"{place.root}{shim_mounts.VOLUME}{number}", propagation="private")
        for number, mount in enumerate(config.mounts)
    )
    return dataclasses.replace(config, mounts=mounts)


def _spec_place(place: Place, pod: runtime.SandboxConfig, process_namespace: str) -> spec.Place:
    namespaces = {"mount": ""}
    if pod.users is not None:
        namespaces["user"] = sandbox.namespace_path(place.sandbox_folder, "user")
    for kind, name in (("network", "net"), ("uts", "uts"), ("ipc", "ipc")):
        namespaces[kind] = sandbox.namespace_path(place.sandbox_folder, name)
    if not pod.host_pid:
        shared = sandbox.namespace_path(place.sandbox_folder, "pid")
        namespaces["pid"] = shared if pod.share_process_namespace else process_namespace
    return spec.Place(
        root=place.root,
        namespaces=namespaces,
        cgroup=place.group,
        shm="/dev/shm" if pod.host_ipc else os.path.join(place.sandbox_folder, "shm"),
        hostname_file=os.path.join(place.sandbox_folder, "hostname"),
        resolv_conf_file=os.path.join(place.sandbox_folder, "resolv.conf"),
        hostname=pod.hostname,
    )


def _launch(
    place: Place, record: statuses.ContainerRecord, image: Image, spec_place: spec.Place, facts: Facts
) -> dict[str, Any]:
    """What the shim reads."""
    return {
        "lower": [*reversed(image.layers)],
        "layers_dir": place.layers_dir,
        "upper": _upper(place),
        "work": _work(place),
        "snapshotter": facts.snapshotter,
        "fuse": snapshots.fuse_program() if facts.snapshotter == snapshots.FUSE else "",
        "userxattr": facts.is_rootless,
        "log_path": record.log_path,
        "tty": record.tty,
        "stdin": record.stdin,
        "stdin_once": record.stdin_once,
        "cgroup": record.cgroup,
        "shares_processes": spec_place.namespaces.get("pid") != "",
    }


def _record(
    place: Place,
    origin: Origin,
    config: runtime.ContainerConfig,
    image: Image,
    image_config: spec.ImageConfig,
    facts: Facts,
    user: runtime.User,
) -> statuses.ContainerRecord:
    return statuses.ContainerRecord(
        id=origin.id,
        sandbox_id=origin.sandbox.id,
        pod_uid=origin.sandbox.config.pod_uid,
        name=config.name,
        attempt=config.attempt,
        image=image.tags[0] if image.tags else config.image,
        image_id=image.digests[0] if image.digests else image.id,
        created_at=origin.created_at,
        log_path=config.log_path,
        tty=config.tty,
        stdin=config.stdin,
        stdin_once=config.stdin_once,
        stop_signal=config.stop_signal or image_config.stop_signal,
        cgroup=place.group if facts.hierarchy.version else "",
        labels=config.labels,
        annotations=config.annotations,
        user=user,
    )


def _upper(place: Place) -> str:
    return os.path.join(place.data_folder, "upper")


def _work(place: Place) -> str:
    return os.path.join(place.data_folder, "work")
