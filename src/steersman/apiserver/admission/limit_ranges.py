"""LimitRanger: what containers, pods and claims of a namespace may ask for, and what they get when they do not say.

Reads: LimitRanges. Source: "Limit Ranges" and upstream's limitranger plugin.
"""

from collections.abc import Callable, Iterator

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.quotas import lists, pods
from steersman.api.quotas.lists import Amounts
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors, quantities
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

ANNOTATION = "kubernetes.io/limit-ranger"
CLAIMS = "persistentvolumeclaims"

Check = Callable[[str, str, Quantity, Amounts, Amounts], str]


class LimitRanger(Plugin):
    name = "LimitRanger"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        if kind is kinds.POD:
            return (subresource, operation) in (("", "CREATE"), ("resize", "UPDATE"))
        return kind.group == "" and kind.plural == CLAIMS and not subresource and operation in ("CREATE", "UPDATE")

    async def mutate(self, review: Review) -> bool:
        if review.call.kind is not kinds.POD:
            return False
        told = [text for one in await self._ranges(review) for text in _complete(one, review.new)]
        return bool(told)

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403 with all reasons of the first LimitRange that has any."""
        if review.operation == "UPDATE" and review.new["metadata"].get("deletionTimestamp"):
            return
        wrong_in = _wrong_in_pod if review.call.kind is kinds.POD else _wrong_in_claim
        for one in await self._ranges(review):
            texts = list(dict.fromkeys(wrong_in(_items(one), review.new)))
            if texts:
                why = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
                raise errors.forbidden(review.call.kind.plural, review.name, why)

    async def _ranges(self, review: Review) -> list[Object]:
        return await self._objects.list(kinds.LIMIT_RANGE, review.call.target.namespace)


def _items(limit_range: Object) -> list[Object]:
    return (limit_range.get("spec") or {}).get("limits") or []


def _complete(limit_range: Object, pod: Object) -> list[str]:
    """Give containers that say nothing the defaults; an annotation tells what was set."""
    defaults: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for item in _items(limit_range):
        if item.get("type") == "Container":
            defaults["requests"] |= item.get("defaultRequest") or {}
            defaults["limits"] |= item.get("default") or {}
    told: list[str] = []
    spec = pod.get("spec") or {}
    for field, what in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(field) or ():
            for which, word in (("requests", "request"), ("limits", "limit")):
                missing = _give(container, which, defaults[which])
                if missing:
                    told.append(f"{', '.join(missing)} {word} for {what} {container.get('name', '')}")
    if told:
        meta = pod["metadata"]
        text = f"LimitRanger plugin set: {'; '.join(told)}"
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: text}
    return told


def _give(container: Object, which: str, amounts: dict[str, str]) -> list[str]:
    resources = container.get("resources") or {}
    given = resources.get(which) or {}
    missing = sorted(name for name in amounts if name not in given)
    if missing:
        container["resources"] = {**resources, which: {**given, **{name: amounts[name] for name in missing}}}
    return missing


def _wrong_in_pod(items: list[Object], pod: Object) -> Iterator[str]:
    spec = pod.get("spec") or {}
    for item in items:
        if item.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                said = container.get("resources") or {}
                yield from _wrong(item, lists.parse(said.get("requests")), lists.parse(said.get("limits")), _PODS)
        elif item.get("type") == "Pod":
            yield from _wrong(item, _of_all(pod, "requests"), _of_all(pod, "limits"), _PODS)


def _wrong_in_claim(items: list[Object], claim: Object) -> Iterator[str]:
    requests = lists.parse(((claim.get("spec") or {}).get("resources") or {}).get("requests"))
    for item in items:
        if item.get("type") == "PersistentVolumeClaim":
            yield from _wrong(item, requests, {}, _CLAIMS)


def _of_all(pod: Object, which: str) -> Amounts:
    """Of the whole pod; of a resource that a container says nothing about nothing is known."""
    spec = pod.get("spec") or {}
    if (spec.get("resources") or {}).get(which):
        return pods.resources(pod, which)
    silent = {
        name
        for container in spec.get("containers") or ()
        for name in pods.resources(pod, which)
        if name not in ((container.get("resources") or {}).get(which) or {})
    }
    return {name: amount for name, amount in pods.resources(pod, which).items() if name not in silent}


def _wrong(item: Object, requests: Amounts, limits: Amounts, checks: dict[str, Check]) -> Iterator[str]:
    for field, check in checks.items():
        for name, text in sorted((item.get(field) or {}).items()):
            why = check(item["type"], name, quantities.parse(text), requests, limits)
            if why:
                yield why


def _minimum(kind: str, name: str, least: Quantity, requests: Amounts, limits: Amounts) -> str:
    what = f"minimum {name} usage per {kind} is {least}"
    if name not in requests:
        return f"{what}.  No request is specified"
    if requests[name] < least:
        return f"{what}, but request is {requests[name]}"
    if name in limits and limits[name] < least:
        return f"{what}, but limit is {limits[name]}"
    return ""


def _maximum(kind: str, name: str, most: Quantity, requests: Amounts, limits: Amounts) -> str:
    what = f"maximum {name} usage per {kind} is {most}"
    if name not in limits:
        return f"{what}.  No limit is specified"
    if limits[name] > most:
        return f"{what}, but limit is {limits[name]}"
    if name in requests and requests[name] > most:
        return f"{what}, but request is {requests[name]}"
    return ""


def _maximum_request(kind: str, name: str, most: Quantity, requests: Amounts, limits: Amounts) -> str:
    what = f"maximum {name} usage per {kind} is {most}"
    if name not in requests:
        return f"{what}.  No request is specified"
    return f"{what}, but request is {requests[name]}" if requests[name] > most else ""


def _ratio(kind: str, name: str, most: Quantity, requests: Amounts, limits: Amounts) -> str:
    what = f"{name} max limit to request ratio per {kind} is {most}"
    request, limit = requests.get(name, lists.ZERO), limits.get(name, lists.ZERO)
    if not request.nanos:
        return f"{what}, but no request is specified or request is 0"
    if not limit.nanos:
        return f"{what}, but no limit is specified or limit is 0"
    ratio = limit.nanos / request.nanos
    return f"{what}, but provided ratio is {ratio:f}" if ratio * quantities.NANOS > most.nanos else ""


_PODS: dict[str, Check] = {"min": _minimum, "max": _maximum, "maxLimitRequestRatio": _ratio}
_CLAIMS: dict[str, Check] = {"min": _minimum, "max": _maximum_request}
