"""What claims use: storage of PersistentVolumeClaims by class, devices of ResourceClaims by class."""

import datetime

from steersman.api.quotas import lists, scopes
from steersman.api.quotas.lists import Amounts
from steersman.meta import quantities
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

COUNT = "count/persistentvolumeclaims"
CLAIMS, STORAGE = "persistentvolumeclaims", "requests.storage"
OF_CLASS = ".storageclass.storage.k8s.io/"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"

DEVICE_COUNT = "count/resourceclaims.resource.k8s.io"
DEVICES = ".deviceclass.resource.k8s.io/devices"
ALL_DEVICES_MAX = 32  # upstream's AllocationResultsMaxSize: what a request for all devices may come to


def covers(name: str) -> bool:
    return name in (COUNT, CLAIMS, STORAGE) or name.endswith((OF_CLASS + CLAIMS, OF_CLASS + STORAGE))


def usage(claim: Object, now: datetime.datetime) -> Amounts:
    found = {COUNT: lists.ONE, CLAIMS: lists.ONE}
    storage = _storage(claim)
    if storage is not None:
        found[STORAGE] = storage
    name = _class_name(claim)
    if name:
        found |= {name + OF_CLASS + key: found[key] for key in (CLAIMS, STORAGE) if key in found}
    return found


def is_in(requirement: Object, claim: Object) -> bool:
    if requirement.get("scopeName") != "VolumeAttributesClass":
        return False
    return scopes.matches(requirement, attributes_classes(claim))


def attributes_classes(claim: Object) -> list[str]:
    """The class it wants, the one it has and the one it is being changed to."""
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    target = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    found = (spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target)
    return sorted({name for name in found if name})


def covers_devices(name: str) -> bool:
    return name == DEVICE_COUNT or name.endswith(DEVICES)


def device_usage(claim: Object, now: datetime.datetime) -> Amounts:
    found = {DEVICE_COUNT: lists.ONE}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        most: Amounts = {}
        for one in request.get("firstAvailable") or (request.get("exactly") or request,):
            most = lists.greatest(most, {one.get("deviceClassName", "") + DEVICES: lists.count(_devices(one))})
        found = lists.add(found, most)
    return found


def _storage(claim: Object) -> Quantity | None:
    """Whole bytes: the larger of what is wanted and what is being allocated."""
    wanted = (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")
    if wanted is None:
        return None
    allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    most = max(quantities.parse(one) for one in (wanted, allocated) if one is not None)
    return Quantity(most.whole * quantities.NANOS, most.form)


def _class_name(claim: Object) -> str:
    beta = (claim["metadata"].get("annotations") or {}).get(BETA_CLASS)
    return str(beta if beta is not None else (claim.get("spec") or {}).get("storageClassName") or "")


def _devices(request: Object) -> int:
    return ALL_DEVICES_MAX if request.get("allocationMode") == "All" else int(request.get("count") or 1)
