"""Containers of a pod or template: names, images, ports, environment, mounts, probes, resources, security."""

from collections.abc import Collection
from typing import Any

from steersman.api.validation import fields, security
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
STANDARD_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))

_HUGE = "hugepages-"

_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS = frozenset((
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
))  # fmt: skip


def validate(containers: list[Object], path: str, volumes: Collection[str], *, host_network: bool) -> list[FieldError]:
    """The regular containers of a pod."""
    if not containers:
        return [fields.required(path)]
    errors = []
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _container(container, here, volumes, host_network=host_network)
        for field in ("livenessProbe", "startupProbe"):
            probe = container.get(field)
            if probe is not None and probe.get("successThreshold", 1) != 1:
                errors.append(
                    fields.invalid(f"{here}.{field}.successThreshold", probe["successThreshold"], "must be 1")
                )
    errors += fields.check_unique(lambda i: f"{path}[{i}].name", (one.get("name", "") for one in containers))
    return [*errors, *_host_ports(containers, path)]


def validate_init(
    containers: list[Object], regular: list[Object], path: str, volumes: Collection[str], *, host_network: bool
) -> list[FieldError]:
    """Init containers; those that restart always are sidecars and may have probes."""
    errors = []
    taken = {one.get("name", "") for one in regular}
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _container(container, here, volumes, host_network=host_network)
        name = container.get("name", "")
        if name and name in taken:
            errors.append(fields.duplicate(f"{here}.name", name))
        taken.add(name)
        if container.get("restartPolicy") == "Always":
            continue
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field) is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                errors.append(fields.forbidden(f"{here}.{field}", text))
    return errors


def _container(container: Object, path: str, volumes: Collection[str], *, host_network: bool) -> list[FieldError]:
    errors = fields.check_name(f"{path}.name", container.get("name"), names.label_errors)
    errors += _image(container.get("image", ""), f"{path}.image")
    for field, supported in (("imagePullPolicy", PULL_POLICIES), ("terminationMessagePolicy", MESSAGE_POLICIES)):
        if container.get(field) not in supported:
            errors += fields.check_one_of(f"{path}.{field}", container.get(field), supported)
    if container.get("ports"):
        errors += _ports(container["ports"], f"{path}.ports", host_network)
    if container.get("env"):
        errors += _environment(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += _environment_from(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        privileged = bool((container.get("securityContext") or {}).get("privileged"))
        errors += _mounts(container["volumeMounts"], f"{path}.volumeMounts", volumes, privileged=privileged)
    if container.get("volumeDevices"):
        errors += _devices(container, f"{path}.volumeDevices", volumes)
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(field) is not None:
            errors += _probe(container[field], f"{path}.{field}")
    for field, handler in (container.get("lifecycle") or {}).items():
        if field != "stopSignal":
            errors += _handler(handler, f"{path}.lifecycle.{field}")
    if container.get("resources"):
        errors += validate_resources(container["resources"], f"{path}.resources")
    if container.get("securityContext"):
        errors += security.validate_container(container["securityContext"], f"{path}.securityContext")
    return errors


def _image(image: str, path: str) -> list[FieldError]:
    if not image:
        return [fields.required(path)]
    if image != image.strip():
        return [fields.invalid(path, image, "must not have leading or trailing whitespace")]
    return []


def _ports(ports: Any, path: str, host_network: bool) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name")
        if name:
            wrong = names.port_name_errors(name)
            errors += fields.each_invalid(f"{here}.name", name, wrong)
            if not wrong and name in seen:
                errors.append(fields.duplicate(f"{here}.name", name))
            seen.add(name)
        number, host = port.get("containerPort", 0), port.get("hostPort", 0)
        errors += fields.check_port(f"{here}.containerPort", number)
        if host:
            errors += fields.each_invalid(f"{here}.hostPort", host, names.port_number_errors(host))
        if host_network and host != number:
            errors.append(
                fields.invalid(f"{here}.hostPort", host, "must match `containerPort` when `hostNetwork` is true")
            )
        if port.get("protocol") not in PROTOCOLS:
            errors += fields.check_one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
    return errors


def _host_ports(containers: list[Object], path: str) -> list[FieldError]:
    errors = []
    seen: set[tuple[Any, ...]] = set()
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = (port["hostPort"], port.get("protocol"), port.get("hostIP", ""))
            if key in seen:
                text = f"{port.get('protocol')}/{port.get('hostIP', '')}/{port['hostPort']}"
                errors.append(fields.duplicate(f"{path}[{index}].ports[{at}].hostPort", text))
            seen.add(key)
    return errors


def _environment(variables: Any, path: str) -> list[FieldError]:
    errors = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        errors += fields.check_name(f"{here}.name", variable.get("name"), names.env_name_errors)
        source = variable.get("valueFrom")
        if source is not None:
            errors += _environment_source(source, variable.get("value", ""), f"{here}.valueFrom")
    return errors


def _environment_source(source: Object, value: str, path: str) -> list[FieldError]:
    given = [field for field in _ENV_SOURCES if source.get(field) is not None]
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        return [fields.invalid(path, "", text)]
    if value:
        return [fields.invalid(path, "", "may not be specified when `value` is not empty")]
    if len(given) > 1:
        return [fields.invalid(path, "", "may not have more than one field specified at a time")]
    errors = []
    reference = source[given[0]]
    match given[0]:
        case "fieldRef":
            errors += _field_reference(reference, f"{path}.fieldRef")
        case "configMapKeyRef" | "secretKeyRef" as kind:
            if not reference.get("name"):
                errors.append(fields.required(f"{path}.{kind}.name"))
            errors += fields.check_name(f"{path}.{kind}.key", reference.get("key"), names.config_key_errors)
        case "resourceFieldRef":
            if not reference.get("resource"):
                errors.append(fields.required(f"{path}.resourceFieldRef.resource"))
    return errors


def _field_reference(reference: Object, path: str) -> list[FieldError]:
    field_path = reference.get("fieldPath")
    if not field_path:
        return [fields.required(f"{path}.fieldPath")]
    if field_path in _ENV_FIELDS or field_path.startswith(("metadata.labels['", "metadata.annotations['")):
        return []
    if field_path in ("metadata.labels", "metadata.annotations"):
        supported = [*_ENV_FIELDS, "metadata.labels['<KEY>']", "metadata.annotations['<KEY>']"]
        return [fields.not_supported(f"{path}.fieldPath", field_path, supported)]
    text = f"error converting fieldPath: field label not supported: {field_path}"
    return [fields.invalid(f"{path}.fieldPath", field_path, text)]


def _environment_from(sources: Any, path: str) -> list[FieldError]:
    errors = []
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        errors += fields.check_optional_name(f"{here}.prefix", source.get("prefix"), names.env_name_errors)
        given = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        if not given:
            errors.append(fields.invalid(here, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(fields.invalid(here, "", "may not have more than one field specified at a time"))
        elif not source[given[0]].get("name"):
            errors.append(fields.required(f"{here}.{given[0]}.name"))
    return errors


_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIONS = ("Disabled", "Enabled", "IfPossible")


def _propagation(mount: Object, path: str, *, privileged: bool) -> list[FieldError]:
    """How far mounts below it are shared, and whether they are read-only as well."""
    way, recursive, errors = mount.get("mountPropagation"), mount.get("recursiveReadOnly"), []
    if way is not None and way not in _PROPAGATIONS:
        errors.append(fields.not_supported(f"{path}.mountPropagation", way, _PROPAGATIONS))
    if way == "Bidirectional" and not privileged:
        text = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(fields.forbidden(f"{path}.mountPropagation", text))
    if recursive is not None and recursive not in _RECURSIONS:
        errors.append(fields.not_supported(f"{path}.recursiveReadOnly", recursive, _RECURSIONS))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(fields.forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true"))
        if way not in (None, "None"):
            text = "may only be specified when mountPropagation is None or not specified"
            errors.append(fields.forbidden(f"{path}.recursiveReadOnly", text))
    return errors


def _devices(container: Object, path: str, volumes: Collection[str]) -> list[FieldError]:
    """Block devices: a volume is either mounted or a device."""
    errors = []
    mounted = {mount.get("mountPath", "") for mount in container.get("volumeMounts") or ()}
    names_mounted = {mount.get("name", "") for mount in container.get("volumeMounts") or ()}
    seen: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        here, name, point = f"{path}[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(fields.required(f"{here}.name"))
        elif name not in volumes:
            errors.append(fields.not_found(f"{here}.name", name))
        elif name in names_mounted:
            errors.append(fields.invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if not point:
            errors.append(fields.required(f"{here}.devicePath"))
        elif point in seen:
            errors.append(fields.invalid(f"{here}.devicePath", point, "must be unique"))
        elif point in mounted:
            errors.append(
                fields.invalid(f"{here}.devicePath", point, "must not already exist as a path in volumeMounts")
            )
        else:
            errors += check_no_way_up(f"{here}.devicePath", point)
        seen.add(point)
    return errors


def _mounts(mounts: Any, path: str, volumes: Collection[str], *, privileged: bool) -> list[FieldError]:
    errors = []
    points: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(fields.required(f"{here}.name"))
        elif name not in volumes:
            errors.append(fields.not_found(f"{here}.name", name))
        if not point:
            errors.append(fields.required(f"{here}.mountPath"))
        elif point in points:
            errors.append(fields.invalid(f"{here}.mountPath", point, "must be unique"))
        points.add(point)
        errors += _propagation(mount, here, privileged=privileged)
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            errors.append(fields.invalid(f"{here}.subPathExpr", mount["subPathExpr"], text))
        for field in ("subPath", "subPathExpr"):
            if mount.get(field):
                errors += check_descending(f"{here}.{field}", mount[field])
    return errors


def check_descending(path: str, value: str) -> list[FieldError]:
    """A path below something: relative, never upwards."""
    if value.startswith("/"):
        return [fields.invalid(path, value, "must be a relative path")]
    return check_no_way_up(path, value)


def check_no_way_up(path: str, value: str) -> list[FieldError]:
    if ".." in value.split("/"):
        return [fields.invalid(path, value, "must not contain '..'")]
    return []


def _probe(probe: Object, path: str) -> list[FieldError]:
    errors = _handler(probe, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(field, 0) < 0:
            errors += fields.check_not_negative(f"{path}.{field}", probe[field])
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(fields.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return errors


def _handler(handler: Object, path: str) -> list[FieldError]:
    given = [field for field in HANDLERS if handler.get(field) is not None]
    if not given:
        return [fields.required(path, "must specify a handler type")]
    errors = [fields.forbidden(f"{path}.{one}", "may not specify more than 1 handler type") for one in given[1:]]
    action, here = handler[given[0]], f"{path}.{given[0]}"
    match given[0]:
        case "exec":
            if not action.get("command"):
                errors.append(fields.required(f"{here}.command"))
        case "httpGet":
            if not action.get("path"):
                errors.append(fields.required(f"{here}.path"))
            errors += fields.check_port_or_name(f"{here}.port", action.get("port"))
            errors += fields.check_one_of(f"{here}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))
            for header in action.get("httpHeaders") or ():
                name = header.get("name", "")
                errors += fields.each_invalid(f"{here}.httpHeaders", name, names.header_errors(name))
        case "tcpSocket":
            errors += fields.check_port_or_name(f"{here}.port", action.get("port"))
        case "grpc":
            errors += fields.each_invalid(
                f"{here}.port", action.get("port", 0), names.port_number_errors(action.get("port", 0))
            )
    return errors


def validate_resources(resources: Object, path: str) -> list[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors = []
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if name not in STANDARD_RESOURCES or quantities.parse(amount).nanos < 0:
                errors += _amount(name, amount, f"{path}.{field}[{name}]")
    for name, request in requests.items():
        limit, shared = limits.get(name), _is_shared(name)
        if limit is None:
            if not shared:
                errors.append(fields.required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif request != limit and (order := quantities.compare(request, limit)) and (order > 0 or not shared):
            text = "must be less than or equal to" if shared else "must be equal to"
            errors.append(fields.invalid(f"{path}.requests", request, f"{text} {name} limit of {limit}"))
    huge = any(name.startswith(_HUGE) for name in (*limits, *requests))
    if huge and not any(name in limits or name in requests for name in ("cpu", "memory")):
        errors.append(fields.forbidden(path, "HugePages require cpu or memory"))
    return errors


def _is_shared(name: str) -> bool:
    """Whether containers may ask for less of it than they may use: not of what is counted in whole pieces."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return is_native and not name.startswith(_HUGE)


def _amount(name: str, amount: str, path: str) -> list[FieldError]:
    errors = fields.each_invalid(path, name, names.qualified_name_errors(name))
    if not errors and "/" not in name and name not in STANDARD_RESOURCES and not name.startswith(_HUGE):
        errors.append(fields.invalid(path, name, "must be a standard resource for containers"))
    parsed = quantities.parse(amount)
    if parsed.nanos < 0:
        errors.append(fields.invalid(path, amount, fields.NEGATIVE))
    if "/" in name and parsed.nanos % quantities.NANOS:
        errors.append(fields.invalid(path, amount, "must be an integer"))
    return errors
