"""CronJobs (and the Jobs they make) against the real API server, in virtual time that begins at midnight."""

import pytest

from steersman.api import kinds
from steersman.meta import conditions, objects, times
from tests.controllers import paper


def cron_job(schedule="*/5 * * * *", **spec):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "pi", "image": "pi:1"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report", "namespace": "default"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {"metadata": {"labels": {"team": "a"}}, "spec": {"template": template}},
            **spec,
        },
    }


async def end_all(cluster, phase="Succeeded"):
    now = times.format_seconds(cluster.clock.now())
    ended = {"exitCode": int(phase == "Failed"), "finishedAt": now}
    container = {"name": "pi", "image": "pi:1", "imageID": "", "ready": False, "restartCount": 0}
    status = {
        "phase": phase,
        "containerStatuses": [{**container, "state": {"terminated": ended}}],
        "conditions": [conditions.make("Ready", "False")],
    }
    for pod in await cluster.all(kinds.POD):
        if pod["status"].get("phase") == "Running":
            name = objects.name(pod)
            await cluster.client.patch(kinds.POD, name, "default", {"status": status}, subresource="status")


async def names(cluster):
    return sorted(objects.name(job) for job in await cluster.all(kinds.JOB))


MINUTE = 29453760  # of the epoch, when virtual time begins


@pytest.mark.parametrize("delay", [0.0, 0.3], ids=["prompt", "late"])
def test_a_job_every_five_minutes(delay):
    async def story():
        async with paper.cluster(watch_delay_seconds=delay) as cluster:
            await cluster.create(kinds.CRON_JOB, cron_job(timeZone="Europe/Berlin"))
            await cluster.settle(295)
            assert await names(cluster) == []
            await cluster.settle(10)
            assert await names(cluster) == [f"report-{MINUTE + 5}"]
            [job] = await cluster.all(kinds.JOB)
            assert objects.labels(job)["team"] == "a"
            at = objects.annotations(job)["batch.kubernetes.io/cronjob-scheduled-timestamp"]
            assert at == "2026-01-01T01:05:00+01:00"
            status = (await cluster.get(kinds.CRON_JOB, "report"))["status"]
            assert status["lastScheduleTime"] == "2026-01-01T00:05:00Z"
            assert [one["name"] for one in status["active"]] == [objects.name(job)]
            await end_all(cluster)
            await cluster.settle(5)
            status = (await cluster.get(kinds.CRON_JOB, "report"))["status"]
            assert "active" not in status
            assert status["lastSuccessfulTime"].startswith("2026-01-01T00:05")
            assert await cluster.events("SawCompletedJob") == [
                f"Saw completed job: report-{MINUTE + 5}, condition: Complete"
            ]
            for _ in range(5):  # three that succeeded are kept
                await cluster.settle(300)
                await end_all(cluster)
            await cluster.settle(20)
            assert await names(cluster) == [f"report-{MINUTE + number}" for number in (20, 25, 30)]
            assert len(await cluster.all(kinds.POD)) == 3
            assert len(await cluster.events("SuccessfulCreate")) == 12  # six Jobs, six pods

    paper.run(story)


CONCURRENCY = {
    "side by side": ("Allow", [1, 2, 3], 3),
    "the first goes on": ("Forbid", [1], 1),
    "the last replaces": ("Replace", [3], 1),
}


@pytest.mark.parametrize(("policy", "minutes", "active"), CONCURRENCY.values(), ids=CONCURRENCY.keys())
def test_concurrency(policy, minutes, active):
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.CRON_JOB, cron_job("* * * * *", concurrencyPolicy=policy))
            await cluster.settle(190)
            assert await names(cluster) == [f"report-{MINUTE + number}" for number in minutes]
            assert len((await cluster.get(kinds.CRON_JOB, "report"))["status"]["active"]) == active
            if policy == "Forbid":
                assert await cluster.events("JobAlreadyActive")
                await end_all(cluster)
                await cluster.settle(5)  # what was missed begins at once
                assert await names(cluster) == [f"report-{MINUTE + number}" for number in (1, 3)]

    paper.run(story)


def test_suspended_and_resumed():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.CRON_JOB, cron_job("* * * * *", suspend=True, startingDeadlineSeconds=20))
            await cluster.settle(150)
            assert await names(cluster) == []
            await cluster.patch(kinds.CRON_JOB, "report", {"spec": {"suspend": False}})
            await cluster.settle(2)
            assert await names(cluster) == []  # too late for the last one
            await cluster.settle(60)
            assert await names(cluster) == [f"report-{MINUTE + 3}"]
            await cluster.delete(kinds.CRON_JOB, "report", propagation="Background")
            await cluster.settle(5)
            assert await names(cluster) == []
            assert await cluster.all(kinds.POD) == []

    paper.run(story)
