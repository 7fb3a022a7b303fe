"""`kubectl debug`: a container with tools beside those of a pod, in a copy of it, or on a node."""

import contextlib
import json
from pathlib import Path
from typing import Any

from steersman.kubectl import attaching, builder, debug_profiles, debugging, files, flags, go_yaml, pods, watching
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.debug_profiles import Keep
from steersman.kubectl.debugging import Wanted
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta import errors
from steersman.meta.objects import Object

_COPIES = "With --copy-to: "
FLAGS = (
    Flag("arguments-only", flags.BOOL, help="What stands after -- are arguments of the image's own command."),
    Flag("attach", flags.BOOL, help="Attach to the container once it runs; with -i that is the rule."),
    Flag("container", short="c", help="Name of the container to debug with."),
    Flag("copy-to", help="Make a copy of the pod with this name."),
    Flag("custom", help="A JSON or YAML file with a part of a container that changes what the profile makes."),
    Flag("env", flags.MAP, help="Environment variables of the container."),
    Flag("filename", flags.LIST, short="f", help="A file that names what to debug."),
    Flag("image", help="Image of the container."),
    Flag("image-pull-policy", help="When to pull the image; the server decides when it is left out."),
    Flag("keep-annotations", flags.BOOL, help=f"{_COPIES}keep the pod's annotations."),
    Flag("keep-init-containers", flags.BOOL, True, help=f"{_COPIES}run the pod's init containers."),
    Flag("keep-labels", flags.BOOL, help=f"{_COPIES}keep the pod's labels."),
    Flag("keep-liveness", flags.BOOL, help=f"{_COPIES}keep the liveness probes."),
    Flag("keep-readiness", flags.BOOL, help=f"{_COPIES}keep the readiness probes."),
    Flag("keep-startup", flags.BOOL, help=f"{_COPIES}keep the startup probes."),
    Flag("profile", default="legacy", help='"legacy", "general", "baseline", "netadmin", "restricted" or "sysadmin".'),
    Flag("quiet", flags.BOOL, short="q", help="Say nothing but what the container says."),
    Flag("replace", flags.BOOL, help=f"{_COPIES}delete the pod itself."),
    Flag("same-node", flags.BOOL, help=f"{_COPIES}put the copy on the pod's node."),
    Flag("set-image", flags.MAP, help=f"{_COPIES}other images for containers, as name=image."),
    Flag("share-processes", flags.BOOL, True, help=f"{_COPIES}its containers see each other's processes."),
    Flag("stdin", flags.BOOL, short="i", help="Keep standard input open, even if nobody is attached."),
    Flag("target", help="See the processes of this container (beside others in a pod)."),
    Flag("tty", flags.BOOL, short="t", help="Give the container a terminal."),
)
USAGE = "(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]"
HELP = """Debug pods and nodes with a container of one's own.

A pod gets an ephemeral container beside those that it has, or, with --copy-to, a copy of it is changed. On a node a pod is
made that sees the node's namespaces and, in most profiles, its files under /host.
"""
EXAMPLES = """
# A shell beside what runs in a pod
{program} debug web-0 -it --image=busybox --profile=general --target=main

# A copy of a pod whose main container does nothing, to look around in
{program} debug web-0 -it --copy-to=web-debug --container=main -- sh

# The same pod with another image
{program} debug web-0 --copy-to=web-debug --set-image=main=web:debug

# On a node, with its files under /host
{program} debug node/node1 -it --image=busybox --profile=sysadmin
"""
POLICIES = ("Always", "IfNotPresent", "Never", "")
SUFFIX_LENGTH = 5


async def run(call: Call) -> int | None:
    names, arguments = _names_and_arguments(call)
    if call.flags["profile"] not in debug_profiles.PROFILES:
        raise CommandError(f"unknown profile: {call.flags['profile']}")
    wanted = _wanted(call, arguments)
    attach = bool(call.flags["attach"] or (call.flags["stdin"] and not call.flags.changed("attach")))
    _check(call, names, wanted, attach=attach)
    if wanted.profile == "legacy":
        call.write_error(debugging.LEGACY_NOTICE)

    async def one(info: Info) -> None:
        pod, container = await _make(call, info, wanted)
        if attach and container:
            await _attach(call, pod, container)

    for query in _queries(call, names):
        await (await builder.find(call, query)).visit(one)
    return None


def _names_and_arguments(call: Call) -> tuple[list[str], list[str]]:
    before = call.before_dash
    if 0 <= before < len(call.arguments):
        return call.arguments[:before], call.arguments[before:]
    return call.arguments, []


def _queries(call: Call, names: list[str]) -> list[Query]:
    """Pods by their names, whatever has a type in its own, what files name."""
    filenames = files.Filenames(tuple(call.flags["filename"]))
    plain = tuple(name for name in names if "/" not in name)
    typed = tuple(name for name in names if "/" in name)
    arguments = [found for found in (typed, ("pods", *plain) if plain else ()) if found]
    query = Query(namespace=call.namespace, enforce_namespace=call.enforce_namespace)
    if filenames.given:
        return [Query(filenames=filenames, namespace=query.namespace, enforce_namespace=query.enforce_namespace)]
    return [Query(arguments=each, namespace=query.namespace) for each in arguments]


# --- what is wanted ------------------------------------------------------------------------------------------------------


def _wanted(call: Call, arguments: list[str]) -> Wanted:
    values = call.flags
    return Wanted(
        profile=values["profile"],
        image=values["image"],
        pull_policy=values["image-pull-policy"],
        arguments=arguments,
        arguments_only=values["arguments-only"],
        env=values["env"],
        stdin=values["stdin"],
        tty=values["tty"],
        target=values["target"],
        copy_to=values["copy-to"],
        set_images=values["set-image"],
        same_node=values["same-node"],
        share_processes=values["share-processes"] if values.changed("share-processes") else None,
        keep=Keep(
            labels=values["keep-labels"],
            annotations=values["keep-annotations"],
            liveness=values["keep-liveness"],
            readiness=values["keep-readiness"],
            startup=values["keep-startup"],
            init_containers=values["keep-init-containers"],
        ),
        custom=_custom(values["custom"]) if values["custom"] else None,
    )


def _custom(path: str) -> Any:
    """Raises CommandError."""
    try:
        text = Path(path).read_text()
    except OSError as missing:
        why = f"open {path}: {(missing.strerror or '').lower()}"
        raise CommandError(f"must pass a container spec json file for custom profile: {why}") from missing
    with contextlib.suppress(ValueError):
        return json.loads(text)
    try:
        return next(go_yaml.read_all(text), None)
    except go_yaml.BadYaml as wrong:
        raise CommandError(f"{path} does not contain a valid container spec: {wrong}") from wrong


def _check(call: Call, names: list[str], wanted: Wanted, *, attach: bool) -> None:
    """Raises CommandError; each rule in upstream's order."""
    values = call.flags
    if attach and values.changed("attach") and not wanted.image and not values["container"]:
        raise CommandError("you must specify --container or create a new container using --image in order to attach.")
    if wanted.copy_to:
        _check_copy(call, wanted)
    else:
        for flag in ("replace", "same-node", "set-image"):
            if values[flag]:
                raise CommandError(f"--{flag} may only be used with --copy-to.")
        if not wanted.image:
            raise CommandError("you must specify --image when not using --copy-to.")
    if wanted.image and not debugging.is_image(wanted.image):
        raise CommandError(f'invalid image name "{wanted.image}": invalid reference format')
    if not names and not values["filename"]:
        raise CommandError("NAME or filename is required for debug")
    if wanted.pull_policy not in POLICIES:
        raise CommandError(f"invalid image pull policy: {wanted.pull_policy}")
    for name, image in wanted.set_images.items():
        if not debugging.is_image(image):
            raise CommandError(f'invalid image name "{image}" for container "{name}": invalid reference format')
    if wanted.target:
        if wanted.copy_to:
            raise CommandError("--target is incompatible with --copy-to. Use --share-processes instead.")
        if not values["quiet"]:
            call.print(
                f'Targeting container "{wanted.target}". If you don\'t see processes from this container it may be because '
                "the container runtime doesn't support this feature."
            )
    if wanted.tty and not wanted.stdin:
        raise CommandError("-i/--stdin is required for containers with -t/--tty=true")
    if wanted.custom is not None:
        debugging.check_custom(wanted.custom)


def _check_copy(call: Call, wanted: Wanted) -> None:
    if not wanted.image and not wanted.set_images and not wanted.arguments:
        raise CommandError("you must specify --image, --set-image or command arguments.")
    if wanted.arguments and not call.flags["container"] and not wanted.image:
        raise CommandError("you must specify an existing container or a new image when specifying args.")


# --- making it -----------------------------------------------------------------------------------------------------------


async def _make(call: Call, info: Info, wanted: Wanted) -> tuple[Object, str]:
    """The pod, and the container to attach to."""
    if info.resource.qualified == "nodes":
        return await _on_node(call, info.name, wanted)
    if info.resource.qualified != "pods":
        what = f"{info.resource.api_version}, Kind={info.resource.kind}"
        raise CommandError(f'"{what if info.resource.group else "/" + what}" not supported by debug')
    if wanted.copy_to:
        return await _copy(call, info.object, wanted)
    return await _beside(call, info.object, wanted)


async def _on_node(call: Call, node: str, wanted: Wanted) -> tuple[Object, str]:
    container = call.flags["container"] or "debugger"
    name = f"node-debugger-{node}-{call.clock.suffix(SUFFIX_LENGTH)}"
    if not call.flags["quiet"]:
        call.print(f"Creating debugging pod {name} with container {container} on node {node}.")
    pod = debugging.on_node(node, name, container, wanted)
    return await call.ask("POST", f"/api/v1/namespaces/{call.namespace}/pods", None, pod), container


async def _beside(call: Call, pod: Object, wanted: Wanted) -> tuple[Object, str]:
    name = call.flags["container"] or _new_name(call, pod)
    changed = debugging.beside(pod, name, wanted)
    container = changed["spec"]["ephemeralContainers"][-1]
    _warn(call, container, pod)
    patch = {"spec": {"ephemeralContainers": [container]}}
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/ephemeralcontainers"
    try:
        found = await call.ask("PATCH", path, None, patch, content_type="application/strategic-merge-patch+json")
    except StatusError as refused:
        if refused.reason == "NotFound" and not (refused.status.get("details") or {}).get("name"):
            why = f"ephemeral containers are disabled for this cluster (error from server: {json.dumps(str(refused))})"
            raise CommandError(why) from refused
        raise
    return found, name


async def _copy(call: Call, pod: Object, wanted: Wanted) -> tuple[Object, str]:
    copied, name = debugging.copied(pod, call.flags["container"], wanted, lambda made: _new_name(call, made))
    container = next((each for each in copied["spec"]["containers"] if each["name"] == name), None)
    if container is not None:
        _warn(call, container, copied)
    namespace = pod["metadata"]["namespace"]
    created = await call.ask("POST", f"/api/v1/namespaces/{namespace}/pods", None, copied)
    if call.flags["replace"]:
        at_once = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        await call.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}", None, at_once)
    return created, name


def _new_name(call: Call, pod: Object) -> str:
    taken = debugging.taken_names(pod)
    while (name := f"debugger-{call.clock.suffix(SUFFIX_LENGTH)}") in taken:
        pass
    if not call.flags["quiet"]:
        call.print(f"Defaulting debug container name to {name}.")
    return name


def _warn(call: Call, container: Object, pod: Object) -> None:
    if debugging.may_lack_rights(pod, container):
        call.write_error(debugging.NOT_ROOT_NOTICE)


# --- attaching -----------------------------------------------------------------------------------------------------------


async def _attach(call: Call, pod: Object, container: str) -> None:
    pod = await _wait(call, pod, container)
    state = (pods.container_status(pod, container) or {}).get("state") or {}
    if state.get("terminated"):
        await attaching.print_logs(call, pod, container)
        return
    wanted = attaching.Wanted(
        stdin=call.flags["stdin"],
        tty=call.flags["tty"],
        quiet=call.flags["quiet"],
        container=container,
        command=f"{call.program} attach",
    )
    await attaching.attach_or_print(call, pod, wanted)


async def _wait(call: Call, pod: Object, container: str) -> Object:
    """Until the container runs or has ended; why it does not yet is told. Raises StatusError."""
    told: set[str] = set()

    def has_begun(event: str, seen: Object) -> bool:
        if event == "DELETED":
            raise errors.not_found("pods", "")
        state = (pods.container_status(seen, container) or {}).get("state") or {}
        message = (state.get("waiting") or {}).get("message", "")
        if message and message not in told and not call.flags["quiet"]:
            told.add(message)
            call.write_error(f"Warning: container {container}: {message}\n")
        return bool(state.get("running") or state.get("terminated"))

    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    return await watching.until(call, path, pod["metadata"]["name"], has_begun)
