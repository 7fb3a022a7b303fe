"""Nodes that are named or selected, and whether pods may be scheduled to them: for cordon, uncordon and drain.

Source: kubectl's pkg/cmd/drain and pkg/drain (cordon.go).
"""

from collections.abc import Sequence

from steersman.kubectl import builder, printers, writes
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError, StatusError, UsageError


async def find(call: Call, usage: str) -> list[Info]:
    """Raises UsageError, CommandError, StatusError."""
    if not call.arguments and not call.flags.changed("selector"):
        raise UsageError(f"USAGE: {usage} [flags]")
    if call.arguments and call.flags["selector"]:
        raise UsageError("cannot specify both a node name and a --selector option")
    slashes = any("/" in argument for argument in call.arguments)
    named = tuple(call.arguments) if slashes else ("nodes", *call.arguments)
    query = Query(
        arguments=named if call.arguments or call.flags["selector"] else (),
        namespace=call.namespace,
        selector=call.flags["selector"] or None if not call.arguments else None,
        single_type=True,
        chunk_size=call.flags.get("chunk-size", 0),
    )
    found = await (await builder.find(call, query)).infos()
    for info in found:
        if info.resource.qualified != "nodes":
            raise CommandError(f'expected resource of type node, got "{_resource(info)}"')
    return found


async def cordon(call: Call, infos: Sequence[Info], how: str, *, wanted: bool) -> None:
    """What fails is told, and stops nothing."""
    verb = "cordon" if wanted else "uncordon"
    for info in infos:
        is_so = bool((info.object.get("spec") or {}).get("unschedulable"))
        if is_so != wanted and how != writes.CLIENT:
            try:
                await _patch(call, info, how, wanted=wanted)
            except StatusError as refused:
                call.write_error(f'error: unable to {verb} node "{info.name}": {refused}\n')
                continue
        done = f"{verb}ed" if is_so != wanted else f"already {verb}ed"
        call.write(printers.make(call.flags, operation=writes.operation(done, how)).print(info.object))


async def _patch(call: Call, info: Info, how: str, *, wanted: bool) -> None:
    patch = {"spec": {"unschedulable": True if wanted else None}}
    await writes.patch(call, info, writes.STRATEGIC, patch, writes.parameters(how))


def _resource(info: Info) -> str:
    return f"{info.resource.group}/{info.resource.version}, Resource={info.resource.plural}"
