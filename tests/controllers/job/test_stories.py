"""Jobs against the real API server, in virtual time."""

import pytest

from steersman.api import kinds
from steersman.meta import conditions, objects, times
from steersman.meta.errors import StatusError
from tests.controllers import paper, shapes


def job(name="pi", **spec):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "pi", "image": "pi:1"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template, **spec},
    }


async def end(cluster, name, code=0):
    """The pod's only container ends."""
    ended = {"exitCode": code, "finishedAt": times.format_seconds(cluster.clock.now())}
    container = {"name": "pi", "image": "pi:1", "imageID": "", "ready": False, "restartCount": 0}
    status = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [{**container, "state": {"terminated": ended}}],
        "conditions": [conditions.make("Ready", "False")],
    }
    await cluster.client.patch(kinds.POD, name, "default", {"status": status}, subresource="status")


async def running(cluster):
    found = await cluster.all(kinds.POD)
    return sorted(objects.name(one) for one in found if one["status"].get("phase") == "Running")


def true(obj):
    return [one["type"] for one in obj["status"].get("conditions", ()) if one["status"] == "True"]


@pytest.mark.parametrize("delay", [0.0, 0.3], ids=["prompt", "late"])
def test_a_job_runs_to_its_end(delay):
    async def story():
        async with paper.cluster(watch_delay_seconds=delay) as cluster:
            await cluster.create(kinds.JOB, job(completions=5, parallelism=2))
            await cluster.settle(10)
            found = await cluster.get(kinds.JOB, "pi")
            assert (found["status"]["active"], found["status"]["ready"]) == (2, 2)
            first, _ = await running(cluster)
            await end(cluster, first, code=1)
            await cluster.settle(5)
            assert len(await running(cluster)) == 1  # ten seconds' pause
            await cluster.settle(15)
            for _ in range(5):
                for name in await running(cluster):
                    await end(cluster, name)
                await cluster.settle(5)
            found = await cluster.get(kinds.JOB, "pi")
            assert true(found) == ["SuccessCriteriaMet", "Complete"]
            assert (found["status"]["succeeded"], found["status"]["failed"]) == (5, 1)
            assert len(cluster.pods_ever) == 6
            assert not any(pod["metadata"].get("finalizers") for pod in await cluster.all(kinds.POD))
            assert await cluster.events("Completed") == ["Job completed"]
            assert len(await cluster.events("SuccessfulCreate")) == 6
            # what the server has kept is deleted with its pods, on request
            await cluster.delete(kinds.JOB, "pi", propagation="Background")
            await cluster.settle(5)
            assert await cluster.all(kinds.POD) == []

    paper.run(story)


def test_a_job_that_fails_too_often():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job(backoffLimit=1, ttlSecondsAfterFinished=100))
            for _ in range(2):
                await cluster.settle(30)
                [name] = await running(cluster)
                await end(cluster, name, code=3)
            await cluster.settle(5)
            found = await cluster.get(kinds.JOB, "pi")
            assert true(found) == ["FailureTarget", "Failed"]
            assert shapes.condition(found, "Failed")["reason"] == "BackoffLimitExceeded"
            assert await cluster.events("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]
            await cluster.settle(120)
            with pytest.raises(StatusError):
                await cluster.get(kinds.JOB, "pi")
            assert await cluster.all(kinds.POD) == []

    paper.run(story)


def test_an_indexed_job_is_suspended_resumed_and_grows():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job(completionMode="Indexed", completions=2, parallelism=2))
            await cluster.settle()
            await cluster.patch(kinds.JOB, "pi", {"spec": {"suspend": True}})
            await cluster.settle()
            assert await cluster.all(kinds.POD) == []
            found = await cluster.get(kinds.JOB, "pi")
            assert (true(found), found["status"].get("failed", 0)) == (["Suspended"], 0)
            await cluster.patch(kinds.JOB, "pi", {"spec": {"suspend": False, "completions": 3, "parallelism": 3}})
            await cluster.settle()
            pods = await cluster.all(kinds.POD)
            assert sorted(one["spec"]["hostname"] for one in pods) == ["pi-0", "pi-1", "pi-2"]
            for name in await running(cluster):
                await end(cluster, name)
            await cluster.settle()
            found = await cluster.get(kinds.JOB, "pi")
            assert (true(found), found["status"]["completedIndexes"]) == (["SuccessCriteriaMet", "Complete"], "0-2")

    paper.run(story)


def test_a_deadline():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job(activeDeadlineSeconds=30))
            await cluster.settle(40)
            found = await cluster.get(kinds.JOB, "pi")
            assert true(found) == ["FailureTarget", "Failed"]
            assert await cluster.events("DeadlineExceeded") == ["Job was active longer than specified deadline"]
            assert await cluster.all(kinds.POD) == []

    paper.run(story)


def test_a_job_deleted_as_of_old_leaves_its_pods():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job())
            await cluster.settle()
            await cluster.delete(kinds.JOB, "pi")
            await cluster.settle()
            assert await cluster.all(kinds.JOB) == []
            [pod] = await cluster.all(kinds.POD)
            assert not pod["metadata"].get("finalizers")
            assert not pod["metadata"].get("ownerReferences")

    paper.run(story)


def test_a_pod_that_is_deleted_counts_as_failed_and_is_replaced():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job())
            await cluster.settle()
            [name] = await running(cluster)
            await cluster.delete(kinds.POD, name)
            await cluster.settle(30)
            [other] = await running(cluster)
            assert other != name
            found = await cluster.get(kinds.JOB, "pi")
            assert (found["status"]["failed"], found["status"]["active"]) == (1, 1)

    paper.run(story)


@pytest.mark.parametrize("propagation", ["Foreground", "Background"])
@pytest.mark.parametrize("policy", ["Failed", "TerminatingOrFailed"])
def test_deleted_with_all_it_has(propagation, policy):
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.JOB, job(parallelism=3, completions=5, podReplacementPolicy=policy))
            await cluster.settle()
            [first, *_] = await running(cluster)
            await end(cluster, first)
            await cluster.settle()
            await cluster.delete(kinds.JOB, "pi", propagation=propagation)
            await cluster.settle(20)
            assert await cluster.all(kinds.JOB) == []
            assert await cluster.all(kinds.POD) == []

    paper.run(story)


def test_a_namespace_with_jobs_can_be_deleted():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(
                kinds.NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "batch"}}
            )
            of = job(podReplacementPolicy="TerminatingOrFailed")
            of["metadata"]["namespace"] = "batch"
            await cluster.create(kinds.JOB, of)
            await cluster.settle()
            await cluster.delete(kinds.NAMESPACE, "batch")
            await cluster.settle(20)
            with pytest.raises(StatusError):
                await cluster.get(kinds.NAMESPACE, "batch")

    paper.run(story)
