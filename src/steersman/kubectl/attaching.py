"""This terminal on a container's own streams: for `attach`, and for `run` and `debug`, whose containers begin first.

    attach(call, pod, Wanted(…)) → exit code · attach_to_new(call, pod, Wanted(…), seconds), then exit_code(call, pod, seconds)

Source: kubectl's pkg/cmd/attach and pkg/cmd/run.
"""

import dataclasses

from steersman.kubectl import pods, remote, watching
from steersman.kubectl.call import Call
from steersman.kubectl.commands import logs
from steersman.kubectl.problems import CommandError, Unreachable
from steersman.meta import conditions, errors
from steersman.meta.objects import Object

PROMPT = "If you don't see a command prompt, try pressing enter.\n"
COMPLETED = ("Succeeded", "Failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`container` "" is the default one. `command` is how the user would attach again."""

    stdin: bool = False
    tty: bool = False
    quiet: bool = False
    container: str = ""
    command: str = "kubectl attach"


async def attach(call: Call, pod: Object, wanted: Wanted) -> int:
    """The exit code, which nobody has been told of. Raises CommandError, StatusError, Unreachable."""
    try:
        container, notice = pods.default_container(pod, wanted.container)
    except pods.PodError as none:
        raise CommandError(f"cannot attach to the container: {none}") from none
    if not wanted.quiet:
        call.write_error(notice)
    has_tty = bool(container.get("tty"))
    if wanted.tty and not has_tty and not wanted.quiet:
        call.write_error(f"error: Unable to use a TTY - container {container['name']} did not allocate one\n")
    raw = remote.is_raw(call, stdin=wanted.stdin, tty=has_tty, quiet=wanted.quiet)
    if not wanted.quiet:
        call.write_error(PROMPT)
    place = remote.Place(pod, container["name"], "attach")
    code = await remote.run(call, place, stdin=wanted.stdin, raw=raw, redraw=True)
    if raw and not code and not wanted.quiet:
        call.write(_how_to_come_back(pod, container["name"], wanted))
    return code


def _how_to_come_back(pod: Object, container: str, wanted: Wanted) -> str:
    if pod["spec"].get("restartPolicy", "Always") != "Always":
        return ""
    how = f"'{wanted.command} {pod['metadata']['name']} -c {container} -i -t'"
    if pods.find_container(pod, container)[1] == "ephemeralContainers":
        return (
            "Session ended, the ephemeral container will not be restarted but may be reattached using "
            f"{how} if it is still running\n"
        )
    return f"Session ended, resume using {how} command when the pod is running\n"


async def attach_to_new(call: Call, pod: Object, wanted: Wanted, timeout_seconds: float) -> None:
    """As `run` does: wait until the pod runs and is ready, attach; where it has ended already, print what it wrote.

    Raises CommandError, StatusError, Unreachable."""
    pod = await wait(call, pod, "running", timeout_seconds)
    if pod["status"]["phase"] in COMPLETED:
        await print_logs(call, pod, wanted.container)
    else:
        await attach_or_print(call, pod, wanted)


async def attach_or_print(call: Call, pod: Object, wanted: Wanted) -> None:
    """A container that is gone when it is attached to, or that ends badly, has written a log."""
    try:
        code = await attach(call, pod, wanted)
        why = f"command terminated with exit code {code}" if code else ""
    except (CommandError, errors.StatusError, Unreachable) as failed:
        why = str(failed)
    if why:
        name = pod["metadata"]["name"]
        call.write_error(f"warning: couldn't attach to pod/{name}, falling back to streaming logs: {why}\n")
        await print_logs(call, pod, wanted.container)


async def print_logs(call: Call, pod: Object, container: str) -> None:
    found, _ = pods.default_container(pod, container)
    await logs.read(call, logs.Log(pod, found["name"]), {}, prefixed=False)


async def exit_code(call: Call, pod: Object, timeout_seconds: float) -> tuple[int, str]:
    """Of a pod that is not started again: wait for its end; what is to be said of it. Raises CommandError."""
    wish = "succeeded" if pod["spec"].get("restartPolicy") == "OnFailure" else "completed"
    ended = await wait(call, pod, wish, timeout_seconds)
    where = f"pod {ended['metadata']['namespace']}/{ended['metadata']['name']}"
    phase = ended["status"]["phase"]
    if phase == "Succeeded":
        return 0, ""
    if phase != "Failed":
        raise CommandError(f"{where} left in phase {phase}")
    statuses = ended["status"].get("containerStatuses") or [{}]
    terminated = (statuses[0].get("state") or {}).get("terminated") or {}
    code = int(terminated.get("exitCode", 0))
    if not code:
        raise CommandError(f"{where} failed with unknown exit code")
    message = terminated.get("message", "").rstrip("\n")
    return code, f"{where} terminated ({terminated.get('reason', '')})\n" + (f"{message}\n" if message else "")


async def wait(call: Call, pod: Object, wish: str, timeout_seconds: float) -> Object:
    """Until it is running (and ready, or over), completed, or succeeded. Raises CommandError, StatusError (404)."""
    name = pod["metadata"]["name"]

    def is_reached(event: str, seen: Object) -> bool:
        if event == "DELETED":
            raise errors.not_found("pods", name)
        phase = (seen.get("status") or {}).get("phase", "")
        if wish == "running":
            return phase in COMPLETED or (phase == "Running" and conditions.is_true(seen, "Ready"))
        return phase == "Succeeded" or (wish == "completed" and phase == "Failed")

    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    try:
        return await watching.until(call, path, name, is_reached, timeout_seconds)
    except TimeoutError:
        raise CommandError(watching.TIMED_OUT) from None
