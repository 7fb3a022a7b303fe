"""Plugins that work only where they are switched on (`--enable-admission-plugins`).

Source: upstream's plugin/pkg/admission/alwayspullimages, serviceexternalips (network/denyserviceexternalips),
extendedresourcetoleration and antiaffinity.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.quotas import pods as resources
from steersman.api.validation import fields
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors
from steersman.meta.objects import Object

_HOSTNAME = "kubernetes.io/hostname"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


class _OfPods(Plugin):
    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation in ("CREATE", "UPDATE")


class AlwaysPullImages(_OfPods):
    """Whoever may not have an image does not get it because another pod on the node did."""

    name = "AlwaysPullImages"

    async def mutate(self, review: Review) -> bool:
        if _has_no_new_images(review):
            return False
        wrong = [one for _, one in _containers(review.new) if one.get("imagePullPolicy") != "Always"]
        for one in wrong:
            one["imagePullPolicy"] = "Always"
        return bool(wrong)

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403: another plugin may have said otherwise."""
        if _has_no_new_images(review):
            return
        for path, one in _containers(review.new):
            policy = one.get("imagePullPolicy", "")
            if policy != "Always":
                wrong = fields.not_supported(f"{path}.imagePullPolicy", policy, ("Always",))
                raise errors.forbidden("pods", review.name, str(wrong))


def _containers(pod: Object) -> Iterator[tuple[str, Object]]:
    spec = pod.get("spec") or {}
    for field in _CONTAINERS:
        for index, one in enumerate(spec.get(field) or ()):
            yield f"spec.{field}[{index}]", one


def _has_no_new_images(review: Review) -> bool:
    if review.old is None:
        return False
    known = {one.get("image") for _, one in _containers(review.old)}
    return all(one.get("image") in known for _, one in _containers(review.new))


class DenyServiceExternalIPs(Plugin):
    """Services take no addresses that they do not take already: those of others could be among them (CVE-2020-8554)."""

    name = "DenyServiceExternalIPs"

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.SERVICE and not subresource and operation in ("CREATE", "UPDATE")

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403."""
        wanted = set((review.new.get("spec") or {}).get("externalIPs") or ())
        had = set((((review.old or {}).get("spec")) or {}).get("externalIPs") or ())
        if wanted - had:
            raise errors.forbidden("services", review.name, "Use of external IPs is denied by admission control")


class ExtendedResourceToleration(_OfPods):
    """Nodes with rare devices can be tainted by the devices' names: who asks for them tolerates that."""

    name = "ExtendedResourceToleration"

    async def mutate(self, review: Review) -> bool:
        spec = review.new.setdefault("spec", {})
        asked = sorted(
            {
                name
                for field in ("initContainers", "containers")
                for one in spec.get(field) or ()
                for name in (one.get("resources") or {}).get("requests") or ()
                if resources.is_extended(name)
            }
        )
        there = spec.get("tolerations") or []
        missing = [one for one in map(_tolerating, asked) if one not in there]
        if missing:
            spec["tolerations"] = [*there, *missing]
        return bool(missing)


def _tolerating(resource: str) -> Object:
    return {"key": resource, "operator": "Exists", "effect": "NoSchedule"}


class LimitPodHardAntiAffinityTopology(_OfPods):
    """Nobody keeps others out of more than a node."""

    name = "LimitPodHardAntiAffinityTopology"

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403."""
        affinity = (review.new.get("spec") or {}).get("affinity") or {}
        terms = (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for term in terms:
            key = term.get("topologyKey", "")
            if key != _HOSTNAME:
                why = f"affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {key} but only key {_HOSTNAME} is allowed"
                raise errors.forbidden("pods", review.name, why)
