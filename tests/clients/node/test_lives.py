"""Lives of pods from outside, as upstream's test/e2e/common/node and test/e2e/node ask for: hooks, deletion, restarts, generations,
containers that look at others, what is refused by a node."""

import asyncio
import contextlib
import datetime
import json
from typing import Any

import pytest

from steersman.api import kinds
from steersman.client import requests
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving.messages import Request
from tests.clients.node.lab import (
    SECONDS_MOST,
    SLEEPS,
    Lab,
    Stories,
    Story,
    condition,
    container,
    is_over,
    is_ready,
    pod,
    restarts,
    shell,
    sidecar,
    state,
    web,
)

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

STORIES: dict[str, Story] = {}


def story(tell: Story) -> Story:
    STORIES[tell.__name__] = tell
    return tell


def seconds_between(first: str, second: str) -> float:
    read = datetime.datetime.fromisoformat
    return (read(second) - read(first)).total_seconds()


async def generation(lab: Lab, name: str) -> int:
    return int((await lab.client.get(kinds.POD, name, lab.namespace))["metadata"]["generation"])


# lifecycle_hook.go

HEARS = (
    "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho heard $QUERY_STRING >/proc/1/fd/1; echo; echo ok\\n' >/www/cgi-bin/say; \
chmod +x /www/cgi-bin/say; exec httpd -f -p 8080 -h /www"
)


async def hearing(lab: Lab, name: str) -> str:
    """A pod that logs what it is told at /cgi-bin/say?WORD; its address."""
    await lab.pod(name, shell(HEARS))
    return str((await lab.ready(name))["status"]["podIP"])


def says(word: str, address: str, kind: str) -> Object:
    if kind == "exec":
        return {"exec": {"command": ["wget", "-qO-", f"http://{address}:8080/cgi-bin/say?{word}"]}}
    return {"httpGet": {"host": address, "port": 8080, "path": f"/cgi-bin/say?{word}"}}


@story
async def hooks_of_containers_and_of_sidecars(lab: Lab) -> None:
    address = await hearing(lab, "hears")
    for kind in ("exec", "http"):
        hooks = {"postStart": says(f"start-{kind}", address, kind), "preStop": says(f"stop-{kind}", address, kind)}
        beside = {"postStart": says(f"up-{kind}", address, kind), "preStop": says(f"down-{kind}", address, kind)}
        await lab.pod(
            f"hooks-{kind}",
            shell(SLEEPS, lifecycle=hooks),
            initContainers=[sidecar(SLEEPS, lifecycle=beside)],
            terminationGracePeriodSeconds=15,
        )
    for kind in ("exec", "http"):
        await lab.ready(f"hooks-{kind}")
        await lab.prints("hears", f"heard start-{kind}")
        await lab.prints("hears", f"heard up-{kind}")
        await lab.delete(f"hooks-{kind}")
    for kind in ("exec", "http"):
        await lab.gone(f"hooks-{kind}")
        await lab.prints("hears", f"heard stop-{kind}")
        await lab.prints("hears", f"heard down-{kind}")


@story
async def a_hook_after_start_that_fails(lab: Lab) -> None:
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 7"]}}}
    await lab.pod("hook-fails", shell(SLEEPS, lifecycle=hooks), restartPolicy="Always")
    await lab.until("hook-fails", lambda seen: restarts(seen) > 0)
    assert await lab.event("hook-fails", "FailedPostStartHook") == "PostStartHook failed"
    await lab.delete("hook-fails", 0)


@story
async def a_sleep_before_stop(lab: Lab) -> None:
    await lab.pod(
        "sleeps", shell(SLEEPS, lifecycle={"preStop": {"sleep": {"seconds": 2}}}), terminationGracePeriodSeconds=30
    )
    await lab.ready("sleeps")
    began = lab.client.clock.monotonic()
    await lab.delete("sleeps")
    await lab.gone("sleeps")
    assert 2 <= lab.client.clock.monotonic() - began < 12


@story
async def a_sleep_of_nothing_before_stop(lab: Lab) -> None:
    await lab.pod("sleeps-not", shell(SLEEPS, lifecycle={"preStop": {"sleep": {"seconds": 0}}}))
    await lab.ready("sleeps-not")
    await lab.delete("sleeps-not")
    await lab.gone("sleeps-not", 10)


@story
async def a_sleep_that_is_cut_short(lab: Lab) -> None:
    await lab.pod(
        "cut", shell(SLEEPS, lifecycle={"preStop": {"sleep": {"seconds": 50}}}), terminationGracePeriodSeconds=100
    )
    await lab.ready("cut")
    await lab.delete("cut", 60)
    await lab.until("cut", lambda seen: seen["metadata"].get("deletionTimestamp"))
    await lab.delete("cut", 2)
    await lab.gone("cut", 15)


@story
async def a_sleep_whose_container_ends(lab: Lab) -> None:
    await lab.pod(
        "early", shell("sleep 2", lifecycle={"preStop": {"sleep": {"seconds": 50}}}), terminationGracePeriodSeconds=100
    )
    await lab.until("early", lambda seen: state(seen, "running"))
    await lab.delete("early")
    await lab.gone("early", 20)


@story
async def one_container_ends_before_the_other(lab: Lab) -> None:
    """container_readiness_during_termination.go: what has ended is not ready, what still runs is."""
    slow = shell(SLEEPS, "slow", lifecycle={"preStop": {"sleep": {"seconds": 999999}}})
    await lab.pod("uneven", shell(SLEEPS, "quick"), slow, terminationGracePeriodSeconds=999999, restartPolicy="Always")
    await lab.ready("uneven")
    await lab.delete("uneven")

    def readiness(seen: Object) -> tuple[bool, bool]:
        return container(seen, "quick")["ready"], container(seen, "slow")["ready"]

    await lab.until("uneven", lambda seen: readiness(seen) == (False, True))
    await lab.stays("uneven", lambda seen: readiness(seen) == (False, True), 1)
    await lab.delete("uneven", 0)


@story
async def a_pod_waits_for_its_hook(lab: Lab) -> None:
    hooks = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 2; touch /done; sleep 1"]}}}
    await lab.pod("waits-for-hook", shell(SLEEPS, lifecycle=hooks), terminationGracePeriodSeconds=30)
    await lab.ready("waits-for-hook")
    await lab.delete("waits-for-hook")
    await lab.client.clock.sleep(1)
    assert state(lab.pods["waits-for-hook"], "running")
    await lab.gone("waits-for-hook", 15)


# pods.go, both of them


@story
async def generations(lab: Lab) -> None:
    made = pod("generations", shell(SLEEPS), initContainers=[shell("true", "first")], restartPolicy="Always")
    made["metadata"]["generation"] = 100
    assert (await lab.create(kinds.POD, made))["metadata"]["generation"] == 1
    await lab.ready("generations")
    toleration = {"key": "foo", "operator": "Equal", "value": "bar", "effect": "NoSchedule"}
    steps: list[tuple[Object, int]] = [
        ({}, 1),
        ({"spec": {"tolerations": [toleration]}}, 2),
        ({"spec": {"activeDeadlineSeconds": 5000}}, 3),
        ({"spec": {"containers": [{"name": "main", "image": "localhost/hello:2"}]}}, 4),
        ({"spec": {"initContainers": [{"name": "first", "image": "localhost/hello:2"}]}}, 5),
        ({"metadata": {"annotations": {"key": "value"}}}, 5),
        ({"metadata": {"generation": 1}}, 5),
    ]
    for change, expected in steps:
        await lab.patch("generations", change)
        assert await generation(lab, "generations") == expected, change
    seen = await lab.until(
        "generations",
        lambda seen: seen["status"].get("observedGeneration") == 5 and restarts(seen) == 1 and is_ready(seen),
    )
    assert all(one["observedGeneration"] <= 5 for one in seen["status"]["conditions"] if "observedGeneration" in one)
    await lab.delete("generations", 60)
    assert await generation(lab, "generations") == 6


@story
async def less_than_no_time_to_end(lab: Lab) -> None:
    made = await lab.pod("negative", shell("sleep 10000"), terminationGracePeriodSeconds=-1)
    assert made["spec"]["terminationGracePeriodSeconds"] == 1
    changed = await lab.patch("negative", {"spec": {"terminationGracePeriodSeconds": -1}})
    assert changed["spec"]["terminationGracePeriodSeconds"] == 1
    await lab.until("negative", lambda seen: state(seen, "running"))
    await lab.delete("negative")
    await lab.gone("negative", 15)


@story
async def a_deadline_that_comes_later(lab: Lab) -> None:
    await lab.pod("deadline", shell(SLEEPS), restartPolicy="Always")
    await lab.ready("deadline")
    await lab.patch("deadline", {"spec": {"activeDeadlineSeconds": 1}})
    status = (await lab.ended("deadline"))["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


@story
async def services_in_the_environment(lab: Lab) -> None:
    service = {"metadata": {"name": "foo-service"}, "spec": {"ports": [{"port": 8765}], "selector": {"a": "b"}}}
    made = await lab.create(kinds.SERVICE, service)
    await lab.pod("knows-services", shell("env | grep ^FOO | sort"))
    await lab.pod("knows-none", shell("env | grep -c ^FOO"), enableServiceLinks=False)
    await lab.ended("knows-services")
    ip = made["spec"]["clusterIP"]
    assert (await lab.log("knows-services")).split() == [
        f"FOO_SERVICE_PORT=tcp://{ip}:8765",
        f"FOO_SERVICE_PORT_8765_TCP=tcp://{ip}:8765",
        f"FOO_SERVICE_PORT_8765_TCP_ADDR={ip}",
        "FOO_SERVICE_PORT_8765_TCP_PORT=8765",
        "FOO_SERVICE_PORT_8765_TCP_PROTO=tcp",
        f"FOO_SERVICE_SERVICE_HOST={ip}",
        "FOO_SERVICE_SERVICE_PORT=8765",
    ]
    await lab.ended("knows-none")
    assert await lab.log("knows-none") == "0\n"


@story
async def gates_before_readiness(lab: Lab) -> None:
    gates = [{"conditionType": "k8s.io/test-condition1"}, {"conditionType": "k8s.io/test-condition2"}]
    await lab.pod("gated", web(), readinessGates=gates)
    await lab.until("gated", lambda seen: condition(seen, "ContainersReady").get("status") == "True")
    assert condition(lab.pods["gated"], "Ready")["reason"] == "ReadinessGatesNotReady"

    async def say(kind: str, status: str) -> None:
        await lab.patch("gated", {"status": {"conditions": [{"type": kind, "status": status}]}}, subresource="status")

    await say("k8s.io/test-condition1", "True")
    await lab.stays("gated", lambda seen: not is_ready(seen), 1)
    await say("k8s.io/test-condition2", "True")
    await lab.ready("gated")
    await say("k8s.io/test-condition1", "False")
    seen = await lab.until("gated", lambda seen: not is_ready(seen))
    assert condition(seen, "Ready")["message"] == (
        'the status of pod readiness gate "k8s.io/test-condition1" is not "True", but False'
    )
    await lab.delete("gated", 0)


@story
async def a_status_that_others_write(lab: Lab) -> None:
    await lab.pod("written", web())
    await lab.ready("written")
    told = {"message": "Patched by e2e test", "reason": "E2E"}
    done = await lab.patch("written", {"status": told}, subresource="status")
    assert {name: done["status"][name] for name in told} == told
    conditions = [{"type": "test.example/checked", "status": "True"}]
    await lab.patch("written", {"status": {"conditions": conditions}}, subresource="status")
    await lab.patch("written", {"metadata": {"labels": {"changed": "yes"}}})
    seen = await lab.until("written", lambda seen: seen["metadata"].get("labels") == {"changed": "yes"})
    assert condition(seen, "test.example/checked")["status"] == "True"
    await lab.delete("written", 0)


@story
async def another_image(lab: Lab) -> None:
    await lab.pod("another", {**web(), "image": "localhost/hello:1"}, restartPolicy="Always")
    await lab.ready("another")
    await lab.patch("another", {"spec": {"containers": [{"name": "main", "image": "localhost/hello:2"}]}})
    seen = await lab.until("another", lambda seen: restarts(seen) == 1 and is_ready(seen))
    assert container(seen)["image"] == "localhost/hello:2"
    assert await lab.event("another", "Killing") == "Container main definition changed, will be restarted"
    await lab.delete("another", 0)


@story
async def many_at_once_by_label(lab: Lab) -> None:
    names = [f"many-{number}" for number in range(3)]
    for name in names:
        await lab.pod(name, shell(SLEEPS), labels={"type": "Testing"})
    for name in names:
        await lab.until(name, lambda seen: state(seen, "running"))
    path = requests.path(kinds.POD, lab.namespace)
    query = requests.query(labelSelector="type=Testing", gracePeriodSeconds=1)
    assert (await lab.client.request(Request("DELETE", path, query))).status == 200
    for name in names:
        await lab.gone(name)


@story
async def what_is_told_of_a_pod(lab: Lab) -> None:
    """events.go; and no second sandbox for a pod whose containers are done. What is too much for the pace of a node's events is
    dropped, and the other stories have many: then another pod is asked about."""
    for number in range(4):
        name = f"told-of-{number}"
        made = await lab.pod(name, shell("true"), initContainers=[shell("true", "first")], restartPolicy="OnFailure")
        await lab.ended(name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_MOST / 3):
                await _is_told(lab, made["metadata"]["uid"], "default-scheduler", "Scheduled")
                found = await _is_told(lab, made["metadata"]["uid"], "kubelet", "Started")
            assert "SandboxChanged" not in found
            return
    raise AssertionError("the events of none of four pods were told")


async def _is_told(lab: Lab, uid: str, source: str, reason: str) -> list[str]:
    """The reasons that were told once this one is."""
    where = f"involvedObject.kind=Pod,involvedObject.uid={uid},involvedObject.namespace={lab.namespace},source={source}"
    while True:
        listed = await lab.client.list(kinds.EVENT, lab.namespace, field_selector=where)
        reasons = [one["reason"] for one in listed.items]
        if reason in reasons:
            return reasons
        await lab.client.clock.sleep(0.2)


@story
async def a_pod_that_writes_too_much(lab: Lab) -> None:
    limits = {"limits": {"ephemeral-storage": "5Mi"}}
    await lab.pod(
        "writes",
        shell("dd if=/dev/zero of=/file bs=1M count=10; sleep 10000", resources=limits),
        restartPolicy="OnFailure",
    )
    status = (await lab.ended("writes"))["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert state(lab.pods["writes"], "terminated")["exitCode"] == 137


# pod_admission.go


@story
async def more_than_a_node_has(lab: Lab) -> None:
    made = await lab.pod("greedy", shell("true", resources={"requests": {"cpu": "1000000000000"}}))
    seen = await lab.until("greedy", lambda seen: condition(seen, "PodScheduled").get("reason") == "Unschedulable")
    assert [(one["type"], one["observedGeneration"]) for one in seen["status"]["conditions"]] == [("PodScheduled", 1)]
    node = (await lab.client.list(kinds.NODE)).items[0]["metadata"]["name"]
    meta = {"name": "greedy", "namespace": lab.namespace, "uid": made["metadata"]["uid"]}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": {"kind": "Node", "name": node}}
    await lab.client.create(kinds.POD, binding, lab.namespace, subresource="binding", name="greedy")
    status = (await lab.ended("greedy"))["status"]
    assert (status["phase"], status["reason"], status["qosClass"]) == ("Failed", "OutOfcpu", "Burstable")
    assert status["message"].startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000000000000, used: "
    )
    assert status["observedGeneration"] == 1
    assert "startTime" in status
    assert not {"containerStatuses", "podIP"} & status.keys()


# pods_fast_delete.go


async def delete_fast(lab: Lab, name: str, delay_seconds: float, **spec: Any) -> None:
    """Whenever it is deleted, its containers go forward only, and what never began is never told as begun."""
    await lab.pod(name, shell("exec false", "fail" if "initContainers" not in spec else "blocked"), **spec)
    await lab.client.clock.sleep(delay_seconds)
    await lab.delete(name)
    await lab.gone(name)
    over = ended = False
    for seen in lab.history[name]:
        status = seen["status"]
        failing = container(seen, "fail")
        blocked = container(seen, "blocked")
        if blocked:
            assert "waiting" in blocked["state"], status
            assert not blocked.get("started"), status
            assert not blocked.get("lastState"), status
        told = (failing.get("state") or {}).get("terminated") if failing else None
        assert told or not ended, status
        if told:
            ended = True
            assert told["exitCode"] in (1, 137), status
            assert told["exitCode"] == 1 or told["reason"] in ("ContainerStatusUnknown", "Error"), status
            assert "startedAt" in told or "finishedAt" not in told, status
        assert is_over(seen) or not over, status
        over = over or is_over(seen)
    last = lab.history[name][-1]["status"]
    assert over or last["phase"] == "Pending", last
    assert not any("running" in one.get("state", {}) for one in last.get("containerStatuses") or ()), last


@story
async def deleted_fast(lab: Lab) -> None:
    delays = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.6]
    await asyncio.gather(
        *(delete_fast(lab, f"fast-{at}", delay) for at, delay in enumerate(delays)),
        *(
            delete_fast(lab, f"fast-init-{at}", delay, initContainers=[shell("exec false", "fail")])
            for at, delay in enumerate(delays)
        ),
    )


# ephemeral_containers.go


@story
async def a_look_from_beside(lab: Lab) -> None:
    await lab.pod("looked-at", shell("exec sleep 10000"))
    await lab.ready("looked-at")
    look = shell(
        "while true; do echo polo; sleep 1; done", "debugger", stdin=True, tty=True, targetContainerName="main"
    )
    await lab.patch("looked-at", {"spec": {"ephemeralContainers": [look]}}, subresource="ephemeralcontainers")
    await lab.until("looked-at", lambda seen: state(seen, "running", "debugger"))
    assert await generation(lab, "looked-at") == 2
    assert (await lab.exec("looked-at", "echo", "marco", container="debugger")).strip() == "marco"
    assert "sleep 10000" in await lab.exec("looked-at", "ps", "-o", "args", container="debugger")
    await lab.prints("looked-at", "polo", "debugger")
    path = requests.path(kinds.POD, lab.namespace, "looked-at", "ephemeralcontainers")
    now = json.loads((await lab.client.request(Request("GET", path))).body)
    assert len(now["spec"]["ephemeralContainers"]) == 1
    second = {
        "name": "debugger2",
        "image": "localhost/hello:1",
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePolicy": "File",
    }
    now["spec"]["ephemeralContainers"].append(second)
    about = {"content-type": "application/json"}
    answer = await lab.client.request(Request("PUT", path, "", about, json.dumps(now).encode()))
    assert answer.status == 200, answer.body
    assert len(json.loads(answer.body)["spec"]["ephemeralContainers"]) == 2
    refused = {
        'existing ephemeral containers "debugger" may not be changed\\n': {
            "ephemeralContainers": [{"name": "debugger", "image": "x"}]
        },
        "spec.ephemeralContainers[0].targetContainerName: Not found": {
            "ephemeralContainers": [{**second, "name": "third", "targetContainerName": "none"}]
        },
        "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container": {
            "ephemeralContainers": [{**second, "name": "third", "ports": [{"containerPort": 80}]}]
        },
    }
    for text, change in refused.items():
        with pytest.raises(StatusError) as refusal:
            await lab.patch("looked-at", {"spec": change}, subresource="ephemeralcontainers")
        assert text.replace("\\n", "\n") in str(refusal.value)
    await lab.delete("looked-at", 0)


# container_restart_policy.go: everything again

ANEW = {
    "restartPolicyRules": [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}],
    "volumeMounts": [{"name": "workdir", "mountPath": "/mnt"}],
}
WORKDIR = [{"name": "workdir", "emptyDir": {}}]
ONCE = "test -f /mnt/done && exec sleep 10000; touch /mnt/done; exit 42"


async def all_restart(lab: Lab, name: str, *containers: Object, expect: tuple[str, ...], **spec: Any) -> Object:
    await lab.pod(name, *containers, volumes=WORKDIR, **spec)
    seen = await lab.until(name, lambda seen: is_ready(seen) and all(restarts(seen, one) == 1 for one in expect))
    for one in expect:
        last = container(seen, one)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "RestartingAllContainers"), one
    return seen


@story
async def all_again_after_one_of_the_main_ones(lab: Lab) -> None:
    seen = await all_restart(
        lab,
        "again-main",
        shell(ONCE, "source", restartPolicy="Never", **ANEW),
        shell("exec sleep 10000", "regular"),
        initContainers=[shell("true", "init"), sidecar("exec sleep 10000", "sidecar")],
        expect=("init", "sidecar", "source", "regular"),
    )
    assert condition(seen, "AllContainersRestarting").get("status") in (None, "False")
    await lab.delete("again-main", 0)


@story
async def all_again_after_a_sidecar(lab: Lab) -> None:
    script = "test -f /mnt/done && exec sleep 10000; touch /mnt/done; sleep 2; exit 42"
    await all_restart(
        lab,
        "again-sidecar",
        shell("exec sleep 10000", "regular"),
        initContainers=[
            shell("true", "init"),
            sidecar("exec sleep 10000", "sidecar"),
            sidecar(script, "source", **ANEW),
        ],
        expect=("init", "sidecar", "source", "regular"),
    )
    await lab.delete("again-sidecar", 0)


@story
async def all_again_after_an_init_container(lab: Lab) -> None:
    script = "test -f /mnt/done && exit 0; touch /mnt/done; exit 42"
    await all_restart(
        lab,
        "again-init",
        shell("exec sleep 10000", "regular"),
        initContainers=[
            sidecar("exec sleep 10000", "sidecar"),
            shell("true", "init"),
            shell(script, "source", restartPolicy="Never", **ANEW),
        ],
        expect=("sidecar", "init", "source"),
    )
    await lab.delete("again-init", 0)


@story
async def all_again_only_once(lab: Lab) -> None:
    await all_restart(
        lab,
        "again-once",
        shell(ONCE, "source", restartPolicy="Never", **ANEW),
        shell("exec sleep 10000", "regular", restartPolicy="Never", **ANEW),
        expect=("source", "regular"),
    )
    await lab.stays("again-once", lambda seen: restarts(seen, "source") == 1 and restarts(seen, "regular") == 1, 2)
    await lab.delete("again-once", 0)


@story
async def all_again_after_a_restart(lab: Lab) -> None:
    script = "test -f /mnt/done && exec sleep 10000; test -f /mnt/one && { touch /mnt/done; exit 42; }; touch /mnt/one; exit 1"
    await lab.pod(
        "again-later",
        shell(script, "source", restartPolicy="Always", **ANEW),
        shell("exec sleep 10000", "regular"),
        volumes=WORKDIR,
        restartPolicy="Always",
    )
    await lab.until(
        "again-later", lambda seen: is_ready(seen) and restarts(seen, "source") == 2 and restarts(seen, "regular") == 1
    )
    await lab.delete("again-later", 0)


# runtimeclass.go


@story
async def classes_of_runtimes(lab: Lab) -> None:
    with pytest.raises(StatusError) as refusal:
        await lab.pod("no-class", shell("true"), runtimeClassName="none")
    assert refusal.value.code == 403
    assert 'pod rejected: RuntimeClass "none" not found' in str(refusal.value)
    name = f"{lab.namespace}-class"
    overhead = {"podFixed": {"cpu": "10m", "memory": "1Mi"}}
    scheduling = {"nodeSelector": {"kubernetes.io/os": "linux"}}
    await lab.create(
        kinds.RUNTIME_CLASS,
        {"metadata": {"name": name}, "handler": "none", "overhead": overhead, "scheduling": scheduling},
    )
    made = await lab.pod("strange-handler", shell("true"), runtimeClassName=name)
    assert made["spec"]["overhead"] == overhead["podFixed"]
    assert made["spec"]["nodeSelector"] == scheduling["nodeSelector"]
    assert 'no runtime for "none" is configured' in await lab.event("strange-handler", "FailedCreatePodSandBox")
    await lab.client.delete(kinds.RUNTIME_CLASS, name)
    await lab.delete("strange-handler", 0)


@pytest.mark.parametrize("name", STORIES)
def test_of(told: Stories, name: str) -> None:
    told.end(name)
