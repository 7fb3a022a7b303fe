"""RuntimeClass: a pod of a class gets the class's overhead, and may only run where the class can.

Reads: RuntimeClasses. Source: upstream's admission plugin of this name, KEP-688 (overhead).
"""

from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.admission.pods import OfNewPods
from steersman.meta import errors
from steersman.meta.objects import Object

_DIFFERENT = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_WITHOUT = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClasses(OfNewPods):
    name = "RuntimeClass"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    async def mutate(self, review: Review) -> bool:
        """Raises StatusError 403."""
        pod = review.new
        spec = pod.setdefault("spec", {})
        found = await self._class_of(pod)
        if found is None:
            return False
        overhead, rules = (found.get("overhead") or {}).get("podFixed"), found.get("scheduling")
        if overhead:
            if spec.get("overhead") not in (None, overhead):
                raise _forbidden(pod, _DIFFERENT)
            spec["overhead"] = dict(overhead)
        if rules:
            _place(pod, spec, rules)
        return bool(overhead or rules)

    async def validate(self, review: Review) -> None:
        pod = review.new
        given = (pod.get("spec") or {}).get("overhead")
        found = await self._class_of(pod)
        overhead = ((found or {}).get("overhead") or {}).get("podFixed")
        if overhead and given != overhead:
            raise _forbidden(pod, _DIFFERENT)
        if given and not overhead:
            raise _forbidden(pod, _WITHOUT)

    async def _class_of(self, pod: Object) -> Object | None:
        name = (pod.get("spec") or {}).get("runtimeClassName")
        if not name:
            return None
        found = await self._objects.get(kinds.RUNTIME_CLASS, "", name)
        if found is None:
            raise _forbidden(pod, f'pod rejected: RuntimeClass "{name}" not found')
        return found


def _place(pod: Object, spec: Object, rules: Object) -> None:
    wanted = rules.get("nodeSelector") or {}
    selector = spec.get("nodeSelector") or {}
    for key, value in wanted.items():
        if selector.get(key, value) != value:
            ours, theirs = f"runtimeClass.scheduling.nodeSelector[{key}]", f"pod.spec.nodeSelector[{key}]"
            raise _forbidden(pod, f"conflict: {ours} = {value}; {theirs} = {selector[key]}")
    if wanted:
        spec["nodeSelector"] = {**selector, **wanted}
    tolerations = merged_tolerations(spec.get("tolerations") or [], rules.get("tolerations") or [])
    if tolerations:
        spec["tolerations"] = tolerations


def merged_tolerations(first: list[Object], second: list[Object]) -> list[Object]:
    """Both, without those that another one says already. Of equal ones the first stays."""
    merged: list[Object] = []
    together = [*first, *second]
    for index, one in enumerate(together):
        others = [*merged, *(other for other in together[index + 1 :] if other != one)]
        if not any(_covers(other, one) for other in others):
            merged.append(one)
    return merged


def _covers(wide: Object, narrow: Object) -> bool:
    """Whether whatever `narrow` tolerates, `wide` tolerates too."""
    if wide == narrow:
        return True
    exists = wide.get("operator") == "Exists"
    if narrow.get("key", "") != wide.get("key", "") and not (exists and not wide.get("key")):
        return False
    if wide.get("effect") and narrow.get("effect", "") != wide["effect"]:
        return False
    if wide.get("effect") == "NoExecute" and wide.get("tolerationSeconds") is not None:
        seconds = narrow.get("tolerationSeconds")
        if seconds is None or seconds > wide["tolerationSeconds"]:
            return False
    if exists:
        return True
    return narrow.get("operator") == "Equal" and narrow.get("value", "") == wide.get("value", "")


def _forbidden(pod: Object, why: str) -> errors.StatusError:
    return errors.forbidden("pods", pod["metadata"].get("name", ""), why)
