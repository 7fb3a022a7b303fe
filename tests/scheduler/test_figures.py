"""What the scheduler tells monitoring of pods that are placed, refused and could not be bound."""

from steersman.scheduler.figures import SchedulerFigures


def figures(samples):
    """Values by name and labels, without buckets."""
    return {(one.name, *sorted(one.labels.values())): one.value for one in samples if "le" not in one.labels}


def test_attempts_and_how_long_they_took():
    told = SchedulerFigures("default-scheduler")
    for key in ("a", "b"):
        told.entered(key, 1.0)
        told.entered(key, 2.0)  # it changed
        told.tried(key, 3.0)
    told.refused("a", 3.5)
    told.tried("a", 10.0)
    told.bound("a", 11.0)
    told.failed("b", 4.0)
    told.left("b")
    told.bound("b", 99.0)  # by somebody else
    found = figures(told.samples({"active": 0}))
    attempts = "scheduler_schedule_attempts_total"
    for result, count in (("scheduled", 1), ("unschedulable", 1), ("error", 1)):
        assert found[attempts, "default-scheduler", result] == count
    assert found["scheduler_queue_incoming_pods_total", "PodAdd", "active"] == 2
    assert found["scheduler_pod_scheduling_sli_duration_seconds_sum", "2"] == 10.0
    assert found["scheduler_scheduling_attempt_duration_seconds_sum", "default-scheduler", "scheduled"] == 1.0
    assert found["scheduler_pod_scheduling_attempts_sum",] == 2
