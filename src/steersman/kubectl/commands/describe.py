"""`kubectl describe`: an object in words, with what belongs to it and its events."""

from steersman.kubectl import builder, flags, flags_shared, problems
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.describe import asking, kinds
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.ALL_NAMESPACES,
    flags_shared.CHUNK_SIZE,
    *flags_shared.filenames("to describe"),
    flags_shared.SELECTOR,
    Flag("show-events", flags.BOOL, True, help="Show the events that are about the object."),
)
USAGE = "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)"
HELP = """Show an object, or a group of them, in detail.

With it is shown what belongs to it: a node's pods, a service's endpoints, and events. A name that no object has is taken for the
beginning of names.
"""
EXAMPLES = """
# A node
{program} describe nodes node-1

# All pods whose names begin with web
{program} describe pods web

# Pods with a label
{program} describe pods -l app=web
"""


async def run(call: Call) -> int | None:
    if not call.arguments and not call.flags["filename"] and not call.flags["kustomize"]:
        raise CommandError(
            "You must specify the type of resource to describe. "
            f'Use "{call.program} api-resources" for a complete list of supported resources.\n'
        )
    query = builder.from_flags(call, everything=True, latest=True, keep_going=True)
    infos, error = await (await builder.find(call, query)).collected()
    if isinstance(error, StatusError) and error.reason == "NotFound" and len(call.arguments) == 2:
        await _by_prefix(call, error)
        return None
    failed = [error] if error is not None else []
    written = 0
    for info in infos:
        try:
            text = await _described(call, info)
        except (CommandError, StatusError) as wrong:
            if str(wrong) not in map(str, failed):
                failed.append(wrong)
            continue
        call.write(f"\n\n{text}" if written else text)
        written += 1
    if not infos and not failed:
        place = "" if call.flags["all-namespaces"] else f" in {call.namespace} namespace."
        call.write_error(f"No resources found{place}\n")
    problems.raise_all(failed)
    return None


async def _by_prefix(call: Call, missing: Exception) -> None:
    """Objects whose names begin so; the refusal where there are none."""
    kind, prefix = call.arguments
    query = builder.from_flags(
        call, arguments=(kind,), everything=True, single_type=True, all_namespaces=False, namespace=call.namespace
    )
    found = [info for info in await (await builder.find(call, query)).infos() if info.name.startswith(prefix)]
    for info in found:
        call.write(f"{await _described(call, info)}\n")
    if not found:
        raise missing


async def _described(call: Call, info: Info) -> str:
    chosen = kinds.describer(info.resource.group, info.resource.kind)
    obj = await _in_version(call, info)
    seen = await asking.look(call, chosen, obj, show_events=call.flags["show-events"], chunk=call.flags["chunk-size"])
    return kinds.describe(chosen, obj, seen)


async def _in_version(call: Call, info: Info) -> Object:
    """Autoscalers are shown in the version that has all their metrics, where the server has it."""
    if info.resource.kind != "HorizontalPodAutoscaler" or info.resource.version == "v2":
        return info.object
    try:
        whole: Object = await call.ask("GET", info.path.replace(f"/{info.resource.version}/", "/v2/", 1))
    except StatusError:
        return info.object
    return whole
