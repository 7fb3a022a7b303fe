"""A container's environment: service links, envFrom, env with its references, and `$(VAR)` in commands and arguments.

Pure: the ConfigMaps and Secrets named by `references` are handed in. Source: the Kubernetes documentation ("Define
Environment Variables", "Service" environment variables) and upstream's third_party/forked/golang/expansion.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.kubelet import env_file, field_paths
from steersman.meta import objects
from steersman.meta.objects import Object

_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*").fullmatch


class ConfigError(Exception):
    """The container cannot be configured (yet): CreateContainerConfigError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    kind: str  # ConfigMap or Secret
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class EnvFile:
    """A file that an earlier container has written into an emptyDir."""

    volume: str
    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """`found` and `files` have None for what does not exist. Secrets' data is already decoded into text."""

    pod: Object
    addresses: tuple[str, ...] = ()
    host_addresses: tuple[str, ...] = ()
    allocatable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    found: Mapping[Reference, Mapping[str, str] | None] = dataclasses.field(default_factory=dict)
    services: Sequence[Object] = ()
    files: Mapping[EnvFile, str | None] = dataclasses.field(default_factory=dict)


def files(container: Object) -> set[EnvFile]:
    """Which files the container's variables come from."""
    found = ((one.get("valueFrom") or {}).get("fileKeyRef") for one in container.get("env") or [])
    return {EnvFile(one["volumeName"], one["path"]) for one in found if one}


def references(container: Object) -> set[Reference]:
    needed = set()
    for source in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if source.get(field):
                needed.add(Reference(kind, source[field].get("name", "")))
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if source.get(field):
                needed.add(Reference(kind, source[field].get("name", "")))
    return needed


def build(container: Object, context: Context) -> dict[str, str]:
    """Raises ConfigError."""
    links = service_links(context.services, context.pod)
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        variables.update(_all_of(source, context))

    def look_up(name: str) -> str | None:
        return variables.get(name, links.get(name))

    for variable in container.get("env") or []:
        name = variable["name"]
        if variable.get("valueFrom"):
            value = _value_from(variable["valueFrom"], container, context)
            if value is None:
                continue
        else:
            value = expand(variable.get("value") or "", look_up)
        variables[name] = value
    return {**{name: value for name, value in links.items() if name not in variables}, **variables}


def expand(text: str, look_up: Callable[[str], str | None]) -> str:
    """`$(NAME)` is replaced when NAME is known; `$$` is `$`, so that `$$(NAME)` stays as it is without the first."""
    out, position = [], 0
    while (at := text.find("$", position)) != -1:
        out.append(text[position:at])
        following = text[at + 1 : at + 2]
        if following == "$":
            out.append("$")
            position = at + 2
        elif following == "(" and (end := text.find(")", at)) != -1:
            value = look_up(text[at + 2 : end])
            out.append(text[at : end + 1] if value is None else value)
            position = end + 1
        else:
            out.append("$")
            position = at + 1
    out.append(text[position:])
    return "".join(out)


def expand_all(texts: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(expand(text, variables.get) for text in texts)


def service_links(services: Iterable[Object], pod: Object) -> dict[str, str]:
    """Variables of the services of the pod's namespace (unless switched off) and of the API server's."""
    wanted = pod["spec"].get("enableServiceLinks") is not False
    space = objects.namespace(pod)
    found: dict[str, str] = {}
    for service in sorted(services, key=lambda one: (objects.namespace(one) == space, objects.name(one))):
        is_api = objects.namespace(service) == "default" and objects.name(service) == "kubernetes"
        if is_api or (wanted and objects.namespace(service) == space):
            found.update(_link(service))
    return found


def _link(service: Object) -> dict[str, str]:
    address = service["spec"].get("clusterIP")
    ports = service["spec"].get("ports") or []
    if not address or address == "None" or not ports:
        return {}
    prefix = objects.name(service).upper().replace("-", "_")
    found = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        host = f"[{address}]" if ":" in address else address
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if index == 0:
            found[f"{prefix}_PORT"] = url
        this = f"{prefix}_PORT_{port['port']}_{protocol}"
        found[this] = url
        found[f"{this}_PROTO"] = protocol.lower()
        found[f"{this}_PORT"] = str(port["port"])
        found[f"{this}_ADDR"] = address
    return found


def _all_of(source: Object, context: Context) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        reference = source.get(field)
        if not reference:
            continue
        data = context.found.get(Reference(kind, reference.get("name", "")))
        if data is None:
            if reference.get("optional"):
                return {}
            raise ConfigError(not_found(kind, reference.get("name", "")))
        return {prefix + key: value for key, value in data.items() if _NAME(prefix + key)}
    return {}


def _value_from(source: Object, container: Object, context: Context) -> str | None:
    """None: optional and not there."""
    try:
        if source.get("fieldRef"):
            path = source["fieldRef"]["fieldPath"]
            return field_paths.value(context.pod, path, context.addresses, context.host_addresses)
        if source.get("resourceFieldRef"):
            return _resource(source["resourceFieldRef"], container, context)
    except field_paths.Unknown as unknown:
        raise ConfigError(str(unknown)) from unknown
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if source.get(field):
            return _key_of(source[field], kind, context)
    return _from_file(source["fileKeyRef"], context) if source.get("fileKeyRef") else None


def _from_file(reference: Object, context: Context) -> str | None:
    text, path, key = (
        context.files.get(EnvFile(reference["volumeName"], reference["path"])),
        reference["path"],
        reference["key"],
    )
    try:
        values = env_file.parse(text) if text is not None else {}
    except env_file.Malformed as wrong:
        raise ConfigError(f'couldn\'t parse env file "{path}": {wrong}') from wrong
    if key in values:
        return values[key]
    if reference.get("optional"):
        return None
    if text is None:
        raise ConfigError(f'env file "{path}" not found in volume "{reference["volumeName"]}"')
    raise ConfigError(f'environment variable key "{key}" not found in file "{path}"')


def _resource(reference: Object, container: Object, context: Context) -> str:
    name = reference.get("containerName") or container["name"]
    spec = context.pod["spec"]
    for one in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        if one["name"] == name:
            divisor = str(reference.get("divisor") or "")
            return field_paths.resource_value(one, reference["resource"], divisor, context.allocatable)
    raise ConfigError(f"container {name} not found")


def _key_of(reference: Object, kind: str, context: Context) -> str | None:
    name, key = reference.get("name", ""), reference["key"]
    data = context.found.get(Reference(kind, name))
    if data is not None and key in data:
        return data[key]
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigError(not_found(kind, name))
    raise ConfigError(f"couldn't find key {key} in {kind} {objects.namespace(context.pod)}/{name}")


def not_found(kind: str, name: str) -> str:
    return f'{kind.lower()} "{name}" not found'
