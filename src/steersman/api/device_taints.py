"""Taints of devices: those a driver reports, those that rules add, and who tolerates them. Pure.

Source: KEP-5055. Unlike nodes' taints, unknown effects count as None.
"""

from collections.abc import Iterable, Iterator

from steersman.api.devices import DeviceId
from steersman.meta.objects import Object

EXECUTE, SCHEDULE = "NoExecute", "NoSchedule"


def of_rules(device: DeviceId, rules: Iterable[Object]) -> Iterator[Object]:
    for rule in rules:
        if selects(rule, device):
            yield rule["spec"]["taint"]


def selects(rule: Object, device: DeviceId) -> bool:
    """An empty selector takes all devices, none takes no device."""
    selector = rule["spec"].get("deviceSelector")
    if selector is None:
        return False
    wanted = (selector.get("driver"), selector.get("pool"), selector.get("device"))
    return all(one is None or one == has for one, has in zip(wanted, device, strict=True))


def is_kept_away(taints: Iterable[Object], tolerations: Iterable[Object]) -> bool:
    """Whether nobody with these tolerations may be given the device."""
    tolerations = tuple(tolerations)
    return any(
        taint["effect"] in (EXECUTE, SCHEDULE) and not any(tolerates(one, taint) for one in tolerations)
        for taint in taints
    )


def tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")
