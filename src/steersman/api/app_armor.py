"""AppArmor profiles of containers: the field, and the annotation that came before it (KEP-24). Pure.

Source: upstream's pkg/registry/core/pod/strategy.go (applyAppArmorVersionSkew) and pkg/api/pod/util.go.
"""

from collections.abc import Iterator

from steersman.meta import objects
from steersman.meta.objects import Object

ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
LOCALHOST = "localhost/"
LENGTH_MAX = 4095  # the longest path, less one
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def field_of(annotation: str) -> Object | None:
    """The profile that an annotation means; None: it means none."""
    if annotation == "unconfined":
        return {"type": "Unconfined"}
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    name = annotation.removeprefix(LOCALHOST)
    return {"type": "Localhost", "localhostProfile": name} if name and name != annotation else None


def containers(spec: Object) -> Iterator[tuple[str, Object]]:
    """(path, container)"""
    for field in CONTAINERS:
        for index, one in enumerate(spec.get(field) or ()):
            yield f"spec.{field}[{index}]", one


def profile_of(spec: Object, container: Object) -> Object:
    """What the container runs under: its own word, or its pod's; empty: nobody says."""
    for said in (container, spec):
        found: Object | None = (said.get("securityContext") or {}).get("appArmorProfile")
        if found is not None:
            return found
    return {}


def sync(pod: Object) -> None:
    """A new pod's annotations become fields, where a container has none and its pod does not say the same."""
    spec = pod.get("spec") or {}
    of_pod = (spec.get("securityContext") or {}).get("appArmorProfile")
    for _, one in containers(spec):
        annotation = objects.annotations(pod).get(ANNOTATION + one.get("name", ""))
        wanted = field_of(annotation) if annotation is not None else None
        context = one.get("securityContext") or {}
        if wanted is None or wanted == of_pod or context.get("appArmorProfile") or not is_usable(wanted):
            continue
        one["securityContext"] = {**context, "appArmorProfile": wanted}


def is_usable(profile: Object) -> bool:
    name = profile.get("localhostProfile")
    return name is None or (name == name.strip() and len(name) <= LENGTH_MAX)
