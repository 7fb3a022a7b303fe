"""Defaults of PodGroups and CompositePodGroups."""

from steersman.meta.objects import Object


def default_pod_group(group: Object) -> None:
    spec = group.setdefault("spec", {})
    spec.setdefault("disruptionMode", {"single": {}})
