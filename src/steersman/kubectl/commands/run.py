"""`kubectl run`: a pod of one image; perhaps a Service for it, and this terminal on it."""

import re
from collections.abc import Sequence

from steersman.kubectl import attaching, flags_shared, overrides, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import deletion, expose
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import BOOL, DURATION, INT, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError, StatusError, UsageError
from steersman.meta.objects import Object

_RESTARTS = ("Always", "OnFailure", "Never")
_PULLS = ("", "Always", "IfNotPresent", "Never")
# Of the distribution project: [domain/]path[:tag][@digest].
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?:{_DOMAIN}|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?{_PATH}(?:/{_PATH})*(?::\w[\w.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)

FLAGS = (
    Flag("annotations", STRINGS, help="An annotation of the pod, KEY=VALUE; may be given again."),
    Flag("attach", BOOL, help="Wait until the pod runs, and attach to it. On by default with -i."),
    deletion.CASCADE,
    Flag("command", BOOL, help="What stands behind -- is the command, not only its arguments."),
    flags_shared.DRY_RUN,
    Flag("env", STRINGS, help="A variable of the container's environment, KEY=VALUE; may be given again."),
    Flag("expose", BOOL, help="Make a Service for the pod, too. Needs --port."),
    flags_shared.field_manager("kubectl-run"),
    *flags_shared.filenames("to use to replace the resource."),
    Flag("force", BOOL, help="With --rm: remove it from the API at once."),
    Flag("grace-period", INT, -1, help="With --rm: seconds for an orderly end; less than 0: what it says itself."),
    Flag("image", help="The image of the container."),
    Flag("image-pull-policy", help="When the image is pulled; without, the server says."),
    Flag("labels", short="l", help="Labels of the pod by commas, instead of run=NAME."),
    Flag("leave-stdin-open", BOOL, help="Leave the container's standard input open when the first attach ends."),
    *overrides.FLAGS,
    Flag("pod-running-timeout", DURATION, 60.0, help="How long to wait until the pod runs."),
    Flag("port", help="The port that the container listens at."),
    Flag("privileged", BOOL, help="Run the container in privileged mode."),
    Flag("quiet", BOOL, short="q", help="Say nothing but what the container says."),
    record.FLAG,
    Flag("restart", default="Always", help="When the container is started again: Always, OnFailure or Never."),
    Flag("rm", BOOL, help="Delete the pod when it ends; only when attached to."),
    writes.SAVE_CONFIG,
    Flag("stdin", BOOL, short="i", help="Keep the container's standard input open."),
    Flag("timeout", DURATION, help="With --rm: how long to wait until it is gone."),
    Flag("tty", BOOL, short="t", help="Give the container a terminal."),
    Flag("wait", BOOL, help="With --rm: wait until it is gone."),
    *flags_shared.PRINT,
)
USAGE = (
    'NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] '
    "-- [COMMAND] [args...]"
)
HELP = "Create and run a particular image in a pod."
EXAMPLES = """
# A pod
{program} run nginx --image=nginx

# A shell in a pod that is gone afterwards
{program} run -i -t --rm busybox --image=busybox --restart=Never
"""


async def run(call: Call) -> int | None:
    flags = call.flags
    sending.require(call, "image")
    how = writes.dry_run(call)
    attach = flags["attach"] if flags.changed("attach") else flags["stdin"]
    check(call, how, attach=attach)
    name, *arguments = call.arguments
    pod = generate(name, arguments, flags)
    operation = writes.operation("created", how)
    printer = printers.make(flags, operation=operation, keep_order=True)
    made = [await _create(call, "pods", record.recorded(call, overrides.apply(flags, pod)), how)]
    service_text = ""
    if flags["expose"]:
        labels = expose.parse_labels(flags["labels"]) if flags["labels"] else {}
        ports = expose.listed([flags["port"]], {}, flags)
        service = expose.service(name, labels, labels or {"run": name}, ports, flags)
        made.append(await _create(call, "services", service, how))
        service_text = printer.print(made[-1]) + ("---\n" if flags["output"] == "yaml" else "")
    if service_text:
        call.write(service_text)
    if attach:
        return await _attached(call, made)
    call.write(printer.print(made[0]))
    return None


def check(call: Call, how: str, *, attach: bool) -> None:
    """Raises CommandError, UsageError."""
    flags = call.flags
    if not call.arguments or call.before_dash == 0:
        raise UsageError("NAME is required for run")
    if not flags["image"]:
        raise CommandError("--image is required")
    if not _REFERENCE.fullmatch(flags["image"]):
        raise CommandError(f'Invalid image name "{flags["image"]}": invalid reference format')
    if flags["tty"] and not flags["stdin"]:
        raise UsageError("-i/--stdin is required for containers with -t/--tty=true")
    if flags["expose"] and not flags["port"]:
        raise UsageError("--port must be set when exposing a service")
    if flags["restart"] and flags["restart"] not in _RESTARTS:
        raise UsageError(f"invalid restart policy: {flags['restart']}")
    if flags["rm"] and not attach:
        raise UsageError("--rm should only be used for attached containers")
    if attach and how != writes.NONE:
        raise UsageError(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)"
        )
    if flags["image-pull-policy"] not in _PULLS:
        raise UsageError(f"invalid image pull policy: {flags['image-pull-policy']}")


def generate(name: str, arguments: Sequence[str], flags: Values) -> Object:
    """Raises CommandError."""
    labels = expose.parse_labels(flags["labels"]) if flags["labels"] else {"run": name}
    annotations = expose.parse_labels(",".join(flags["annotations"])) if flags["annotations"] else {}
    restart = flags["restart"] or ("OnFailure" if flags["stdin"] else "Always")
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": typed.metadata(name, labels=labels, annotations=annotations),
        "spec": {
            "containers": [_container(name, arguments, flags)],
            "restartPolicy": restart,
            "dnsPolicy": "ClusterFirst",
        },
        "status": {},
    }


def _container(name: str, arguments: Sequence[str], flags: Values) -> Object:
    found: Object = {"name": name, "image": flags["image"]}
    if arguments:
        found["command" if flags["command"] else "args"] = list(arguments)
    if flags["port"]:
        try:
            found["ports"] = [{"containerPort": int(flags["port"])}]
        except ValueError:
            raise CommandError(f'strconv.Atoi: parsing "{flags["port"]}": invalid syntax') from None
    variables = [_variable(text) for text in flags["env"]]
    if variables:
        found["env"] = variables
    found["resources"] = {}
    if flags["image-pull-policy"]:
        found["imagePullPolicy"] = flags["image-pull-policy"]
    if flags["privileged"]:
        found["securityContext"] = {"privileged": True}
    if flags["stdin"]:
        found["stdin"] = True
        if not flags["leave-stdin-open"]:
            found["stdinOnce"] = True
    if flags["tty"]:
        found["tty"] = True
    return found


def _variable(text: str) -> Object:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandError(f"invalid env: {text}")
    return {"name": name} | ({"value": value} if value else {})


async def _create(call: Call, plural: str, obj: Object, how: str) -> Object:
    """As it was made, or as it would be. Raises StatusError."""
    if how == writes.CLIENT:
        return overrides.in_namespace(obj, sending.namespace_of(call))
    if call.flags["save-config"]:
        obj = sending.with_annotation(obj)
    info = Info((await call.discovery()).find(plural), call.namespace)
    query = writes.parameters(how, manager=call.flags["field-manager"])
    return {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **await writes.create(call, info, obj, query)}


async def _attached(call: Call, made: Sequence[Object]) -> int:
    """Attach, and say how the pod ended where it is not started again. Raises CommandError, StatusError, Unreachable."""
    flags, pod = call.flags, made[0]
    wanted = attaching.Wanted(
        stdin=flags["stdin"], tty=flags["tty"], quiet=flags["quiet"], command=f"{call.command} attach"
    )
    seconds = flags["pod-running-timeout"]
    try:
        await attaching.attach_to_new(call, pod, wanted, seconds)
        if flags["leave-stdin-open"] or pod["spec"].get("restartPolicy") == "Always":
            return 0
        code, told = await attaching.exit_code(call, pod, seconds)
    finally:
        if flags["rm"]:
            await _remove(call, made)
    call.write_error(told)
    return code


async def _remove(call: Call, made: Sequence[Object]) -> None:
    for obj in made:
        kind = "pods" if obj["kind"] == "Pod" else "services"
        resource = (await call.discovery()).find(kind)
        info = Info(resource, call.namespace, obj["metadata"]["name"])
        try:
            await deletion.delete(call, info, deletion.cascade(call.flags), -1)
        except StatusError as refused:
            if refused.reason != "NotFound":
                raise
        if not call.flags["quiet"]:
            call.print(f'{resource.qualified_kind} "{info.name}" deleted')
