"""What an Event always tells, said or not: the fields that upstream's clients read without asking whether they are there."""

from steersman.meta.objects import Object


def default_event(event: Object) -> None:
    event.setdefault("source", {})
    for field in ("reportingComponent", "reportingInstance"):
        event.setdefault(field, "")


def default_new_event(event: Object) -> None:
    """An event of events.k8s.io has a reporting controller in any case (a rule); its source is the older one's."""
    event.setdefault("deprecatedSource", {})
