"""Probes from outside, as upstream's test/e2e/common/node/container_probe.go asks for, with shorter periods."""

from typing import Any

import pytest

from steersman.meta.objects import Object
from tests.clients.node.lab import (
    SLEEPS,
    Lab,
    Stories,
    Story,
    container,
    is_ready,
    restarts,
    shell,
    sidecar,
    state,
    web,
)
from tests.clients.node.test_lives import seconds_between

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

STORIES: dict[str, Story] = {}
QUICK = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 5}


def story(tell: Story) -> Story:
    STORIES[tell.__name__] = tell
    return tell


def runs(*command: str, **about: Any) -> Object:
    return {"exec": {"command": [*command]}, **QUICK, **about}


def asks(path: str, port: int | str = 8080, **about: Any) -> Object:
    return {"httpGet": {"path": path, "port": port}, **QUICK, **about}


def connects(port: int, **about: Any) -> Object:
    return {"tcpSocket": {"port": port}, **QUICK, **about}


async def restarts_once(lab: Lab, name: str, main: Object, **spec: Any) -> Object:
    await lab.pod(name, main, restartPolicy="Always", **spec)
    seen = await lab.until(name, restarts)
    await lab.delete(name, 0)
    return seen


async def never_restarts(lab: Lab, name: str, main: Object, **spec: Any) -> None:
    await lab.pod(name, main, restartPolicy="Always", **spec)
    await lab.until(name, lambda seen: state(seen, "running"))
    await lab.stays(name, lambda seen: restarts(seen) == 0, 4)
    await lab.delete(name, 0)


# readiness


@story
async def ready_after_the_delay(lab: Lab) -> None:
    await lab.pod("delayed", web(readinessProbe=asks("/", initialDelaySeconds=3)), restartPolicy="Always")
    seen = await lab.ready("delayed")
    ready = next(one for one in seen["status"]["conditions"] if one["type"] == "Ready")
    assert seconds_between(state(seen, "running")["startedAt"], ready["lastTransitionTime"]) >= 2
    assert restarts(seen) == 0
    await lab.delete("delayed", 0)


@story
async def never_ready(lab: Lab) -> None:
    await lab.pod("unready", shell(SLEEPS, readinessProbe=runs("/bin/false")), restartPolicy="Always")
    await lab.until("unready", lambda seen: state(seen, "running"))
    await lab.stays("unready", lambda seen: not is_ready(seen) and not container(seen)["ready"], 3)
    assert restarts(lab.pods["unready"]) == 0
    assert (await lab.event("unready", "Unhealthy")).startswith("Readiness probe failed: ")
    await lab.delete("unready", 0)


@story
async def not_ready_when_the_look_takes_too_long(lab: Lab) -> None:
    probe = runs("sh", "-c", "sleep 10", timeoutSeconds=1)
    await lab.pod("slow-look", shell(SLEEPS, readinessProbe=probe), restartPolicy="Always")
    assert (await lab.event("slow-look", "Unhealthy")).startswith("Readiness probe failed: command timed out")
    assert not is_ready(lab.pods["slow-look"])
    await lab.delete("slow-look", 0)


# liveness


@story
async def restarted_for_a_command(lab: Lab) -> None:
    script = "echo ok >/tmp/health; sleep 2; rm -f /tmp/health; sleep 600"
    seen = await restarts_once(lab, "command-fails", shell(script, livenessProbe=runs("cat", "/tmp/health")))
    assert container(seen)["lastState"]["terminated"]["exitCode"] == 137
    assert (await lab.event("command-fails", "Unhealthy")).startswith(
        "Liveness probe failed: cat: can't open '/tmp/health'"
    )
    assert await lab.event("command-fails", "Killing") == "Container main failed liveness probe, will be restarted"


@story
async def not_restarted_for_what_works(lab: Lab) -> None:
    await never_restarts(
        lab, "command-works", shell("echo ok >/tmp/health; sleep 600", livenessProbe=runs("cat", "/tmp/health"))
    )


@story
async def not_restarted_for_a_page(lab: Lab) -> None:
    main = web(livenessProbe=asks("/version", "http"), ports=[{"name": "http", "containerPort": 8080}])
    await never_restarts(lab, "page-works", main)


@story
async def not_restarted_for_a_port(lab: Lab) -> None:
    await never_restarts(lab, "port-works", web(livenessProbe=connects(8080)))


@story
async def restarted_for_a_page_that_is_not_there(lab: Lab) -> None:
    await restarts_once(lab, "page-fails", web(livenessProbe=asks("/none")))
    assert await lab.event("page-fails", "Unhealthy") == "Liveness probe failed: HTTP probe failed with statuscode: 404"


@story
async def restarted_for_a_port_that_is_closed(lab: Lab) -> None:
    await restarts_once(lab, "port-fails", web(livenessProbe=connects(8081)))
    told = await lab.event("port-fails", "Unhealthy")
    assert told.startswith("Liveness probe failed: dial tcp ")
    assert told.endswith(":8081: connect: connection refused")


@story
async def restarted_when_the_look_takes_too_long(lab: Lab) -> None:
    await restarts_once(
        lab, "slow-command", shell("sleep 600", livenessProbe=runs("sh", "-c", "sleep 10", timeoutSeconds=1))
    )


@story
async def restarted_for_a_command_that_leaves_a_child(lab: Lab) -> None:
    probe = runs("sh", "-c", "sleep 10 & exit 1", timeoutSeconds=1)
    await restarts_once(lab, "child-stays", shell("sleep 600", livenessProbe=probe))


@story
async def restart_counts_only_grow(lab: Lab) -> None:
    await lab.pod("counts", shell("sleep 600", livenessProbe=runs("/bin/false")), restartPolicy="Always")
    await lab.until("counts", lambda seen: restarts(seen) == 2)
    counts = [restarts(seen) for seen in lab.history["counts"]]
    assert counts == sorted(counts)
    await lab.delete("counts", 0)


# redirects


def leads(to: str) -> str:
    """A server that sends everybody elsewhere, and beside it, at port 8081, one with pages."""
    answer = r"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthere"
    serve = "while true; do nc -l -p 8080 </answer >/dev/null; done"
    return f"httpd -p 8081 -h /www; printf '{answer}' {to} >/answer; {serve}"


@story
async def restarted_for_a_way_to_nowhere_here(lab: Lab) -> None:
    main = shell(leads("http://$(hostname -i):8081/none"), livenessProbe=asks("/", failureThreshold=2))
    await restarts_once(lab, "leads-here", main)
    assert await lab.event("leads-here", "Unhealthy") == "Liveness probe failed: HTTP probe failed with statuscode: 404"


@story
async def not_restarted_for_a_way_elsewhere(lab: Lab) -> None:
    main = shell(leads("http://0.0.0.0/"), livenessProbe=asks("/", failureThreshold=3))
    await never_restarts(lab, "leads-away", main)
    told = await lab.event("leads-away", "ProbeWarning")
    assert told.startswith("Liveness probe warning: Probe terminated redirects, Response body: ")


# startup


@story
async def restarted_when_it_does_not_start(lab: Lab) -> None:
    probes: dict[str, Any] = {
        "startupProbe": runs("/bin/false", failureThreshold=2),
        "livenessProbe": runs("/bin/true"),
    }
    await restarts_once(lab, "start-fails", shell("sleep 600", **probes))
    assert await lab.event("start-fails", "Killing") == "Container main failed startup probe, will be restarted"


@story
async def liveness_waits_for_startup(lab: Lab) -> None:
    probes: dict[str, Any] = {
        "startupProbe": runs("/bin/false", failureThreshold=60),
        "livenessProbe": runs("/bin/false"),
    }
    await lab.pod("starts-long", shell("sleep 600", **probes), restartPolicy="Always")
    await lab.until("starts-long", lambda seen: state(seen, "running"))
    await lab.stays(
        "starts-long", lambda seen: restarts(seen) == 0 and not container(seen)["started"] and not is_ready(seen), 4
    )
    await lab.delete("starts-long", 0)


@story
async def liveness_begins_after_startup(lab: Lab) -> None:
    probes: dict[str, Any] = {
        "startupProbe": runs("cat", "/tmp/startup", failureThreshold=60),
        "livenessProbe": runs("/bin/false"),
    }
    await restarts_once(lab, "starts-late", shell("sleep 2; echo ok >/tmp/startup; sleep 600", **probes))


@story
async def ready_at_once_after_startup(lab: Lab) -> None:
    script = "echo ok >/tmp/health; sleep 3; echo ok >/tmp/startup; sleep 600"
    probes: dict[str, Any] = {
        "startupProbe": runs("cat", "/tmp/startup", failureThreshold=60),
        "readinessProbe": runs("cat", "/tmp/health", periodSeconds=60),
    }
    await lab.pod("starts-ready", shell(script, **probes), restartPolicy="Always")
    await lab.until("starts-ready", lambda seen: container(seen).get("started"))
    await lab.until("starts-ready", is_ready, 10)
    await lab.delete("starts-ready", 0)


# grace periods of probes

STUBBORN = "trap '' TERM; while true; do sleep 1; done"


@story
async def liveness_with_a_grace_of_its_own(lab: Lab) -> None:
    probe = asks("/healthz", initialDelaySeconds=1, terminationGracePeriodSeconds=1)
    await restarts_once(lab, "grace-alive", shell(STUBBORN, livenessProbe=probe), terminationGracePeriodSeconds=500)


@story
async def startup_with_a_grace_of_its_own(lab: Lab) -> None:
    probe = runs("/bin/cat", "/tmp/startup", terminationGracePeriodSeconds=1)
    await restarts_once(lab, "grace-start", shell(STUBBORN, startupProbe=probe), terminationGracePeriodSeconds=500)


# pods that end

ENDS_LATE = "trap 'rm -f /tmp/ready; sleep 4; exit 0' TERM; touch /tmp/ready; while true; do sleep 0.1; done"


@story
async def not_ready_and_not_restarted_while_it_ends(lab: Lab) -> None:
    probes: dict[str, Any] = {"readinessProbe": runs("cat", "/tmp/ready"), "livenessProbe": runs("cat", "/tmp/ready")}
    await lab.pod("ends", shell(ENDS_LATE, **probes), terminationGracePeriodSeconds=30, restartPolicy="Always")
    await lab.ready("ends")
    await lab.delete("ends")
    seen = await lab.until("ends", lambda seen: not is_ready(seen))
    assert state(seen, "running")
    assert seen["metadata"]["deletionTimestamp"]
    await lab.gone("ends")
    assert max(map(restarts, lab.history["ends"])) == 0


# sidecars


@story
async def a_sidecar_is_probed_as_others_are(lab: Lab) -> None:
    ready = sidecar(SLEEPS, readinessProbe=runs("cat", "/tmp/health"))
    await lab.pod("side-ready", shell(SLEEPS), initContainers=[ready], restartPolicy="Always")
    await lab.until("side-ready", lambda seen: state(seen, "running"))
    assert not is_ready(lab.pods["side-ready"])
    await lab.exec("side-ready", "touch", "/tmp/health", container="side")
    await lab.ready("side-ready")
    await lab.delete("side-ready", 0)


@story
async def a_sidecar_that_does_not_live(lab: Lab) -> None:
    main = sidecar("sleep 600", livenessProbe=runs("/bin/false"))
    await lab.pod("side-dies", shell(SLEEPS), initContainers=[main], restartPolicy="Always")
    seen = await lab.until("side-dies", lambda seen: restarts(seen, "side"))
    assert restarts(seen) == 0
    await lab.delete("side-dies", 0)


@story
async def a_sidecar_that_does_not_start(lab: Lab) -> None:
    main = sidecar("sleep 600", startupProbe=runs("/bin/false", failureThreshold=2))
    await lab.pod("side-waits", shell(SLEEPS), initContainers=[main], restartPolicy="Always")
    seen = await lab.until("side-waits", lambda seen: restarts(seen, "side"))
    assert state(seen, "waiting")["reason"] == "PodInitializing"
    await lab.delete("side-waits", 0)


@pytest.mark.parametrize("name", STORIES)
def test_of(told: Stories, name: str) -> None:
    told.end(name)
