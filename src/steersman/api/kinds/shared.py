"""What rows of several groups have in common: subresources and categories."""

from steersman.api.kind import Subresource

ALL = ("all",)  # the category behind `kubectl get all`
_EVERY_METHOD = ("create", "delete", "get", "patch", "update")


def status(kind: str, group: str = "", version: str = "v1") -> Subresource:
    return Subresource("status", kind, group, version)


def scale() -> Subresource:
    return Subresource("scale", "Scale", "autoscaling", "v1")


def proxy(kind: str, version: str = "v1") -> Subresource:
    return Subresource("proxy", kind, "", version, _EVERY_METHOD)
