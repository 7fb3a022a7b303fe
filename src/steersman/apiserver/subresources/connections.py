"""What admission sees of exec, attach, portforward and proxy: the options object that the request's query stands for. Pure.

Source: core/v1 PodExecOptions, PodAttachOptions, PodPortForwardOptions, and the ProxyOptions of pods, services and nodes.
"""

from steersman.apiserver.call import Call
from steersman.meta.objects import Object

NAMES = frozenset(("exec", "attach", "portforward", "proxy"))
_STREAMS = ("stdin", "stdout", "stderr", "tty")


def options(call: Call) -> Object:
    """Raises StatusError 400."""
    sub = call.kind.subresource(call.target.subresource)
    assert sub is not None, "the request was found by its subresource"
    found: Object = {"kind": sub.kind, "apiVersion": sub.version or "v1"}
    match call.target.subresource:
        case "portforward":
            listed = [port for value in call.parameters.get("ports", ()) for port in value.split(",")]
            ports = [int(port) for port in listed if port.isascii() and port.isdigit() and len(port) < 6]
            return found | {"ports": ports} if ports else found
        case "proxy":
            path = f"/{call.target.rest}" if call.target.rest else ""
            return found | {"path": path} if path else found
    found |= {name: True for name in _STREAMS if call.flag(name)}
    if call.parameter("container"):
        found["container"] = call.parameter("container")
    if call.parameters.get("command"):
        found["command"] = list(call.parameters["command"])
    return found
