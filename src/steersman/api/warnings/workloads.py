"""Warnings about what makes pods: its name becomes part of theirs, and its template is warned of as a pod is.

Source: `WarningsOnCreate` and `WarningsOnUpdate` of upstream's registry strategies.
"""

from collections.abc import Callable

from steersman.api.warnings import pods
from steersman.meta import names
from steersman.meta.objects import Object

Warnings = Callable[[Object, Object | None], list[str]]

_NAME = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended"
_COMPLETIONS_MAX, _PARALLELISM_MAX = 100_000, 10_000


def of_template_at(*fields: str, named: bool = True) -> Warnings:
    """For a kind whose pod template is at these fields; `named`: its name is part of its pods' names."""

    def warnings(new: Object, old: Object | None) -> list[str]:
        template, before = _at(new, fields), _at(old, fields) if old is not None else None
        found = of_name(new) if named and old is None else []
        return found if before == template else [*found, *pods.of_template(template, ".".join(fields))]

    return warnings


def of_name(obj: Object) -> list[str]:
    wrong = names.label_errors(obj["metadata"].get("name", ""))
    return [f"metadata.name: {_NAME}: [{' '.join(wrong)}]"] if wrong else []


def of_stateful_set(new: Object, old: Object | None) -> list[str]:
    found = _of_stateful(new, old)
    limit = (new.get("spec") or {}).get("revisionHistoryLimit")
    if limit is not None and limit < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found.append(f"spec.revisionHistoryLimit: {text}")
    return found


def of_job(new: Object, old: Object | None) -> list[str]:
    spec = new.get("spec") or {}
    found = _of_job(new, old)
    large = (spec.get("completions") or 0) > _COMPLETIONS_MAX and (spec.get("parallelism") or 0) > _PARALLELISM_MAX
    if old is None and spec.get("completionMode") == "Indexed" and large:
        found.append(
            f"In Indexed Jobs with a number of completions higher than {_COMPLETIONS_MAX} and a parallelism higher than "
            f"{_PARALLELISM_MAX}, Kubernetes might not be able to track completionIndexes when a big number of indexes fail"
        )
    return found


def of_cron_job(new: Object, old: Object | None) -> list[str]:
    found = _of_cron_job(new, old)
    schedule = (new.get("spec") or {}).get("schedule", "")
    if "TZ" in schedule and old is not None:
        found.append(
            "CRON_TZ or TZ used in schedule is not officially supported, see "
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
        )
    return found


_of_stateful = of_template_at("spec", "template")
_of_job = of_template_at("spec", "template")
_of_cron_job = of_template_at("spec", "jobTemplate", "spec", "template")


def _at(obj: Object | None, fields: tuple[str, ...]) -> Object:
    for field in fields:
        obj = (obj or {}).get(field)
    return obj or {}
