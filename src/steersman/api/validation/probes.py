"""What is asked of a container and done to it: probes, hooks, and the handlers of both."""

from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_OF_PROBES = ("exec", "httpGet", "tcpSocket", "grpc")
_OF_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate(container: Object, path: str, spec: Object) -> list[FieldError]:
    """Of a container that lasts: hooks, then probes."""
    errors: list[FieldError] = []
    lifecycle = container.get("lifecycle")
    if lifecycle:
        errors += _lifecycle(lifecycle, f"{path}.lifecycle", spec)
    for field in PROBES:
        if container.get(field) is not None:
            errors += _probe(container[field], f"{path}.{field}", field)
    return errors


def _lifecycle(lifecycle: Object, path: str, spec: Object) -> list[FieldError]:
    errors = []
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            grace = spec.get("terminationGracePeriodSeconds")
            errors += _handler(lifecycle[hook], f"{path}.{hook}", _OF_HOOKS, grace)
    if lifecycle.get("stopSignal") and spec.get("os") is None:
        text = "may not be set for containers with empty `spec.os.name`"
        errors.append(fields.forbidden(f"{path}.stopSignal", text))
    return errors


def _probe(probe: Object, path: str, kind: str) -> list[FieldError]:
    errors = _handler(probe, path, _OF_PROBES)
    for field in _NUMBERS:
        if probe.get(field, 0) < 0:
            errors += fields.check_not_negative(f"{path}.{field}", probe[field])
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(fields.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind == "readinessProbe":
        if grace is not None:
            text = "must not be set for readinessProbes"
            errors.append(fields.invalid(f"{path}.terminationGracePeriodSeconds", grace, text))
    elif probe.get("successThreshold", 1) != 1:
        errors.append(fields.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def _handler(handler: Object, path: str, kinds: tuple[str, ...], grace_seconds: int | None = None) -> list[FieldError]:
    given = [field for field in kinds if handler.get(field) is not None]
    if not given:
        return [fields.required(path, "must specify a handler type")]
    action, here = handler[given[0]], f"{path}.{given[0]}"
    errors = []
    match given[0]:
        case "exec":
            if not action.get("command"):
                errors.append(fields.required(f"{here}.command"))
        case "httpGet":
            errors += _http_get(action, here)
        case "tcpSocket":
            errors += fields.check_port_or_name(f"{here}.port", action.get("port"))
        case "grpc":
            errors += fields.check_port_or_name(f"{here}.port", action.get("port", 0))
        case "sleep":
            seconds = action.get("seconds", 0)
            if grace_seconds is not None and not 0 <= seconds <= grace_seconds:
                text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})"
                errors.append(fields.invalid(here, seconds, text))
    return [
        *errors,
        *(fields.forbidden(f"{path}.{one}", "may not specify more than 1 handler type") for one in given[1:]),
    ]


def _http_get(action: Object, path: str) -> list[FieldError]:
    errors = [] if action.get("path") else [fields.required(f"{path}.path")]
    errors += fields.check_port_or_name(f"{path}.port", action.get("port"))
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        errors.append(fields.not_supported(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        errors += fields.each_invalid(f"{path}.httpHeaders", name, names.header_errors(name))
    return errors
