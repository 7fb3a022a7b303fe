"""resource.k8s.io: v1beta1 nests a device's description (`basic`) and does not nest an exact request; v1 does the opposite.

Source: the conversions of upstream's pkg/apis/resource/v1beta1.
"""

from collections.abc import Callable

from steersman.meta.objects import Object

_V1, _V1BETA1 = "resource.k8s.io/v1", "resource.k8s.io/v1beta1"
_OF_REQUEST = ("name", "firstAvailable")  # what stays beside `exactly`


def claim_to_v1(claim: Object) -> Object:
    return _with_spec(claim, _V1, _exact)


def claim_from_v1(claim: Object) -> Object:
    return _with_spec(claim, _V1BETA1, _flat)


def template_to_v1(template: Object) -> Object:
    return _with_inner_spec(template, _V1, _exact)


def template_from_v1(template: Object) -> Object:
    return _with_inner_spec(template, _V1BETA1, _flat)


def slice_to_v1(found: Object) -> Object:
    return _with_devices(found, _V1, _plain_device)


def slice_from_v1(found: Object) -> Object:
    return _with_devices(found, _V1BETA1, _basic_device)


def _with_spec(claim: Object, api_version: str, request: Callable[[Object], Object]) -> Object:
    return {**claim, "apiVersion": api_version, **({"spec": _spec(claim["spec"], request)} if "spec" in claim else {})}


def _with_inner_spec(template: Object, api_version: str, request: Callable[[Object], Object]) -> Object:
    spec = template.get("spec") or {}
    inner = {"spec": {**spec, "spec": _spec(spec["spec"], request)}} if "spec" in spec else {}
    return {**template, "apiVersion": api_version, **inner}


def _spec(spec: Object, request: Callable[[Object], Object]) -> Object:
    devices = spec.get("devices") or {}
    if not devices.get("requests"):
        return spec
    return {**spec, "devices": {**devices, "requests": [request(one) for one in devices["requests"]]}}


def _exact(request: Object) -> Object:
    exactly = {name: value for name, value in request.items() if name not in _OF_REQUEST}
    outer = {name: request[name] for name in _OF_REQUEST if name in request}
    return {**outer, "exactly": exactly} if exactly else outer


def _flat(request: Object) -> Object:
    return {**{name: request[name] for name in _OF_REQUEST if name in request}, **(request.get("exactly") or {})}


def _with_devices(found: Object, api_version: str, device: Callable[[Object], Object]) -> Object:
    spec = found.get("spec") or {}
    if not spec.get("devices"):
        return {**found, "apiVersion": api_version}
    return {**found, "apiVersion": api_version, "spec": {**spec, "devices": [device(one) for one in spec["devices"]]}}


def _plain_device(device: Object) -> Object:
    return {**({"name": device["name"]} if "name" in device else {}), **(device.get("basic") or {})}


def _basic_device(device: Object) -> Object:
    return {
        **({"name": device["name"]} if "name" in device else {}),
        "basic": {name: value for name, value in device.items() if name != "name"},
    }
