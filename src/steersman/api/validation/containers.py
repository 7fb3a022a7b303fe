"""Containers of a pod or template: names, images, ports, restarts; what more is asked of those of each kind."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from steersman.api.validation import environment, fields, mounts, probes, resources, security
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
_ACTIONS = ("Restart", "RestartAllContainers")
_OPERATORS = ("In", "NotIn")
_RULES_MOST, _CODES_MOST = 20, 255


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """The pod or template that a container is part of."""

    spec: Object
    volumes: Mapping[str, Object]
    is_pod: bool  # templates may leave open what their pods may not


def validate(containers: list[Object], path: str, around: Around) -> list[FieldError]:
    """The regular containers of a pod."""
    if not containers:
        return [fields.required(path)]
    errors = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        here, name = f"{path}[{index}]", container.get("name", "")
        errors += _container(container, here, around)
        if name in seen:
            errors.append(fields.duplicate(f"{here}.name", name))
        seen.add(name)
        errors += probes.validate(container, here, around.spec)
        errors += _restarts(container, here)
    return [*errors, *_host_ports(containers, path)]


def validate_init(containers: list[Object], path: str, around: Around) -> list[FieldError]:
    """Init containers; those that restart always are sidecars and may have probes."""
    errors = []
    taken = {one.get("name", "") for one in around.spec.get("containers") or ()}
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _container(container, here, around)
        errors += _restarts(container, here)
        name = container.get("name", "")
        if name and name in taken:
            errors.append(fields.duplicate(f"{here}.name", name))
        taken.add(name)
        errors += _host_ports([container], path)
        if container.get("restartPolicy") == "Always":
            errors += probes.validate(container, here, around.spec)
            continue
        for field in ("lifecycle", *probes.PROBES):
            if container.get(field) is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                errors.append(fields.forbidden(f"{here}.{field}", text))
    return errors


# What an ephemeral container may say of itself; the rest is for those that a pod is made of.
_OF_EPHEMERAL = frozenset((
    "name", "image", "command", "args", "workingDir", "envFrom", "env", "volumeMounts", "volumeDevices",
    "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce",
    "tty", "targetContainerName",
))  # fmt: skip


def validate_ephemeral(containers: list[Object], path: str, around: Around) -> list[FieldError]:
    """Those that come later, to look at the others."""
    errors, text = [], "cannot be set for an Ephemeral Container"
    others = {one.get("name", "") for field in ("containers", "initContainers") for one in around.spec.get(field) or ()}
    taken = set(others)
    for index, container in enumerate(containers):
        here, name, target = f"{path}[{index}]", container.get("name", ""), container.get("targetContainerName")
        errors += _container(container, here, around)
        if name in taken:
            errors.append(fields.duplicate(f"{here}.name", name))
        taken.add(name)
        if target and target not in others:
            errors.append(fields.not_found(f"{here}.targetContainerName", target))
        errors += [
            fields.forbidden(f"{here}.{field}", text)
            for field, value in container.items()
            if field not in _OF_EPHEMERAL and value not in (None, {}, [])
        ]
        for at, mount in enumerate(container.get("volumeMounts") or ()):
            errors += [
                fields.forbidden(f"{here}.volumeMounts[{at}].{field}", text)
                for field in ("subPath", "subPathExpr")
                if mount.get(field)
            ]
    return errors


def _container(container: Object, path: str, around: Around) -> list[FieldError]:
    """What is asked of all of them."""
    errors = fields.check_name(f"{path}.name", container.get("name"), names.label_errors)
    errors += _image(container.get("image", ""), f"{path}.image", is_pod=around.is_pod)
    if container.get("terminationMessagePolicy") not in MESSAGE_POLICIES:
        policy = container.get("terminationMessagePolicy")
        errors += fields.check_one_of(f"{path}.terminationMessagePolicy", policy, MESSAGE_POLICIES)
    if container.get("ports"):
        errors += _ports(container["ports"], f"{path}.ports", around)
    if container.get("env"):
        errors += environment.validate(container["env"], f"{path}.env", around.volumes)
    if container.get("envFrom"):
        errors += environment.validate_from(container["envFrom"], f"{path}.envFrom")
    errors += mounts.validate(container, path, around.volumes)
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        errors += fields.check_one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES)
    errors += resources.validate_of_container(container, path, around.spec)
    if container.get("securityContext"):
        errors += security.validate_container(container["securityContext"], f"{path}.securityContext")
    return errors


def _restarts(container: Object, path: str) -> list[FieldError]:
    """Its own restart policy, and rules by exit codes, which need one (KEP-5307)."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        text = "must specify restartPolicy when restart rules are used"
        return [fields.required(f"{path}.restartPolicy", text)] if rules else []
    errors = []
    if policy not in RESTART_POLICIES:
        errors.append(fields.not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    if len(rules) > _RULES_MOST:
        errors.append(fields.too_many(f"{path}.restartPolicyRules", len(rules), _RULES_MOST))
    for index, rule in enumerate(rules):
        here, codes = f"{path}.restartPolicyRules[{index}]", rule.get("exitCodes")
        if rule.get("action", "") not in _ACTIONS:
            errors.append(fields.not_supported(f"{here}.action", rule.get("action", ""), _ACTIONS))
        if codes is None:
            errors.append(fields.required(f"{here}.exitCodes", "must be specified"))
            continue
        if codes.get("operator", "") not in _OPERATORS:
            errors.append(fields.not_supported(f"{here}.exitCodes.operator", codes.get("operator", ""), _OPERATORS))
        values = codes.get("values") or ()
        if len(values) > _CODES_MOST:
            errors.append(fields.too_many(f"{here}.exitCodes.values", len(values), _CODES_MOST))
    return errors


def _image(image: str, path: str, *, is_pod: bool) -> list[FieldError]:
    if not image:
        return [fields.required(path)]
    if is_pod and image != image.strip():
        return [fields.invalid(path, image, "must not have leading or trailing whitespace")]
    return []


def _ports(ports: Any, path: str, around: Around) -> list[FieldError]:
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
        if around.spec.get("hostNetwork") and (around.is_pod or host) and host != number:
            text = "must match `containerPort` when `hostNetwork` is true"
            errors.append(fields.invalid(f"{here}.hostPort", host, text))
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
