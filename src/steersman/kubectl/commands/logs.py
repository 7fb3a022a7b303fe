"""`kubectl logs`: what containers wrote, of one pod or of several, once or as it comes."""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator, Sequence

from steersman.kubectl import builder, flags, flags_shared, go_times, pods, targets
from steersman.kubectl.builder import Query
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError, UsageError
from steersman.meta import times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

FLAGS = (
    Flag("all-containers", flags.BOOL, help="The logs of all containers in the pods."),
    Flag("all-pods", flags.BOOL, help="The logs of all pods; lines begin with where they come from."),
    Flag("container", short="c", help="The logs of this container."),
    Flag("follow", flags.BOOL, short="f", help="Go on with what is written from now on."),
    Flag("ignore-errors", flags.BOOL, help="With --follow, a log that cannot be read does not end the others."),
    Flag("insecure-skip-tls-verify-backend", flags.BOOL, help="Do not check the kubelet's certificate. Not safe."),
    Flag("limit-bytes", flags.INT, help="At most so many bytes; 0 is all of them."),
    Flag("max-log-requests", flags.INT, 5, help="How many logs may be followed at one time."),
    targets.running_timeout(20.0),
    Flag("prefix", flags.BOOL, help="Begin each line with its pod and container."),
    Flag("previous", flags.BOOL, short="p", help="The logs of the container's run before this one."),
    flags_shared.SELECTOR,
    Flag("since", flags.DURATION, help="Only what is newer than this (5s, 2m, 3h). Not together with --since-time."),
    Flag("since-time", help="Only what was written after this time (RFC 3339). Not together with --since."),
    Flag(
        "tail", flags.INT, -1, help="Only the last lines; -1 is all of them. With a selector 10, unless said otherwise."
    ),
    Flag("timestamps", flags.BOOL, help="Begin each line with the time it was written."),
)
USAGE = "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]"
HELP = """Print what a container in a pod, or in the pods of something, has written.

A pod with one container needs no container's name.
"""
EXAMPLES = """
# A pod's log
{program} logs web-0

# Whichever pod of a Deployment has most to say, as it writes
{program} logs -f deployment/web

# All containers of all pods with a label, each line with where it comes from
{program} logs -l app=web --all-containers --prefix

# Why it ended the last time
{program} logs -p web-0 -c main

# The last minutes
{program} logs --since=5m --tail=100 web-0
"""
USAGE_ERROR = f"expected 'logs {USAGE}'.\nPOD or TYPE/NAME is a required argument for the logs command"  # two sentences
SELECTOR_TAIL = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """One request: whose log, and how its lines begin with --prefix."""

    pod: Object
    container: str

    @property
    def path(self) -> str:
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"

    @property
    def prefix(self) -> bytes:
        return f"[pod/{self.pod['metadata']['name']}/{self.container}] ".encode()


async def run(call: Call) -> int | None:
    values = call.flags
    container = _check_arguments(call)
    options = _options(values, container)
    _check(call, options)
    objects = await _objects(call)
    if objects is None:
        return None
    logs: list[Log] = []
    for obj in objects:
        logs += await _logs_of(call, obj, container)
    prefixed = values["prefix"] or values["all-pods"]
    if not values["follow"] or len(logs) < 2:
        await _one_after_the_other(call, logs, options, prefixed=prefixed)
        return None
    limit = values["max-log-requests"]
    if len(logs) > limit:
        raise CommandError(
            f"you are attempting to follow {len(logs)} log streams, but maximum allowed concurrency is {limit}, "
            "use --max-log-requests to increase the limit"
        )
    await _all_at_once(call, logs, options, prefixed=prefixed)
    return None


# --- what is asked -------------------------------------------------------------------------------------------------------


def _check_arguments(call: Call) -> str:
    """The container that is named in either way."""
    values, arguments = call.flags, call.arguments
    if len(arguments) > 2 or (not arguments and not values["selector"]):
        raise UsageError(USAGE_ERROR)
    if len(arguments) == 1 and values["selector"]:
        raise UsageError("only a selector (-l) or a POD name is allowed")
    return str(arguments[1]) if len(arguments) == 2 else str(values["container"])


def _options(values: Values, container: str) -> dict[str, str]:
    """The query, but for the container. Raises CommandError."""
    found = {"follow": "true"} if values["follow"] else {}
    if values["pod-running-timeout"] <= 0:
        raise CommandError(targets.NO_TIME)
    if values["insecure-skip-tls-verify-backend"]:
        found["insecureSkipTLSVerifyBackend"] = "true"
    if values["limit-bytes"]:
        found["limitBytes"] = str(values["limit-bytes"])
    if values["previous"]:
        found["previous"] = "true"
    if values["since"]:
        found["sinceSeconds"] = str(_rounded(values["since"]))
    if values["since-time"]:
        found["sinceTime"] = times.format_seconds(go_times.parse_rfc3339(values["since-time"]))
    if values["selector"] and not values.changed("tail"):
        found["tailLines"] = str(SELECTOR_TAIL)
    elif values["tail"] != -1:
        found["tailLines"] = str(values["tail"])
    if values["timestamps"]:
        found["timestamps"] = "true"
    return found


def _check(call: Call, options: dict[str, str]) -> None:
    """Raises CommandError; each rule in upstream's order."""
    values = call.flags
    if values["since-time"] and values["since"]:
        raise CommandError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    container = call.arguments[1] if len(call.arguments) == 2 else values["container"]
    if values["all-containers"] and container:
        raise CommandError(f"--all-containers=true should not be specified with container name {container}")
    if values.changed("container") and len(call.arguments) == 2:
        raise CommandError("only one of -c or an inline [CONTAINER] arg is allowed")
    if values["limit-bytes"] < 0:
        raise CommandError("--limit-bytes must be greater than 0")
    if int(options.get("sinceSeconds", 0)) < 0:
        raise CommandError("--since must be greater than 0")
    if int(options.get("tailLines", 0)) < -1:
        raise CommandError("--tail must be greater than or equal to -1")


def _rounded(seconds: float) -> int:
    """To the nearest second, halves away from zero."""
    return int(math.copysign(math.floor(abs(seconds) + 0.5), seconds))


# --- whose logs ----------------------------------------------------------------------------------------------------------


async def _objects(call: Call) -> Sequence[Object] | None:
    """What is named, or the pods that are selected; None when there are none, which has been told."""
    if not call.flags["selector"]:
        try:
            return [await targets.named(call, call.arguments[0])]
        except StatusError as refused:
            if refused.reason != "NotFound":
                raise
            raise CommandError(f'error from server (NotFound): {refused} in namespace "{call.namespace}"') from refused
    query = Query(arguments=("pods",), namespace=call.namespace, selector=call.flags["selector"])
    found = [info.object for info in await (await builder.find(call, query)).infos()]
    if not found:
        call.write_error(f"No resources found in {call.namespace} namespace.\n")
        return None
    return found


async def _logs_of(call: Call, obj: Object, container: str) -> list[Log]:
    if obj.get("kind") == "Pod":
        return _logs_of_pod(call, obj, container)
    try:
        selector = pods.selector_of(obj)
    except pods.PodError as none:
        raise CommandError(f"cannot get the logs from {pods.go_type(obj)}: {none}") from none
    seconds = call.flags["pod-running-timeout"]
    found = await targets.of_selector(call, obj["metadata"]["namespace"], selector, seconds, pods.best_for_logs)
    if len(found) > 1 and not call.flags["all-pods"]:
        call.write_error(f"Found {len(found)} pods, using pod/{found[0]['metadata']['name']}\n")
        found = found[:1]
    return [log for pod in found for log in _logs_of_pod(call, pod, container)]


def _logs_of_pod(call: Call, pod: Object, container: str) -> list[Log]:
    if call.flags["all-containers"]:
        spec = pod["spec"]
        fields = ("initContainers", "containers", "ephemeralContainers")
        return [Log(pod, each["name"]) for field in fields for each in spec.get(field) or []]
    if not container:
        found, notice = pods.default_container(pod, missing_is_told=True)
        if notice and not call.flags["all-pods"]:
            call.write_error(notice)
        container = found["name"]
    if pods.find_container(pod, container)[0] is None:
        raise CommandError(f"container {container} is not valid for pod {pod['metadata']['name']}")
    return [Log(pod, container)]


# --- reading them --------------------------------------------------------------------------------------------------------


async def _one_after_the_other(call: Call, logs: Sequence[Log], options: dict[str, str], *, prefixed: bool) -> None:
    for log in logs:
        try:
            await read(call, log, options, prefixed=prefixed)
        except StatusError as refused:
            if not call.flags["ignore-errors"]:
                raise
            call.write(f"error: {refused}\n")


async def _all_at_once(call: Call, logs: Sequence[Log], options: dict[str, str], *, prefixed: bool) -> None:
    """The first that fails ends all, unless errors are to be ignored."""

    async def follow(log: Log) -> None:
        await _one_after_the_other(call, [log], options, prefixed=prefixed)

    reading = [asyncio.create_task(follow(log), name=f"log of {log.container}") for log in logs]
    try:
        done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)


async def read(call: Call, log: Log, options: dict[str, str], *, prefixed: bool) -> None:
    prefix = log.prefix if prefixed else b""
    query = {"container": log.container, **options}
    async with contextlib.aclosing(call.stream(log.path, query)) as pieces:
        async for text in _whole_lines(pieces):
            call.write(b"".join(prefix + line for line in text.splitlines(keepends=True)) if prefix else text)
            call.streams.flush()


async def _whole_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Logs of several containers do not mix inside lines; the last one may have no end."""
    rest = b""
    async for piece in pieces:
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield whole + newline
    if rest:
        yield rest
