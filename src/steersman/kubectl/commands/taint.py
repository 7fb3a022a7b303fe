"""`kubectl taint`: what keeps pods off nodes."""

from steersman.kubectl import builder, flags, flags_shared, printers, taints, writes
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, Exit, UsageError
from steersman.kubectl.taints import Taint

FLAGS = (
    Flag("all", flags.BOOL, help="All nodes of the cluster."),
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-taint"),
    Flag("overwrite", flags.BOOL, help="Taints that are there already are replaced; without it that is a failure."),
    flags_shared.SELECTOR,
    flags_shared.VALIDATE,
    *flags_shared.PRINT,
)
USAGE = "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N"
HELP = """Add taints to nodes, change and remove them.

A taint is key=value:effect, or key:effect. The effect is NoSchedule, PreferNoSchedule or NoExecute. A minus at the end removes it;
key- removes all with that key.
"""
EXAMPLES = """
# Only pods that tolerate it are scheduled there
{program} taint nodes node1 dedicated=special:NoSchedule

# No longer
{program} taint nodes node1 dedicated:NoSchedule-

# Whatever its effect
{program} taint nodes node1 dedicated-

# Nodes with a label
{program} taint node -l pool=old retire=soon:PreferNoSchedule
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    resources, texts = _arguments(call)
    try:
        added, removed = taints.parse(texts)
    except taints.TaintError as wrong:
        raise UsageError(str(wrong)) from wrong
    await _check(call, resources, added, removed)

    async def change(info: Info) -> None:
        await _change(call, info, added, removed, how)

    await (await builder.find(call, _query(call, resources))).visit(change)


def _arguments(call: Call) -> tuple[list[str], list[str]]:
    """Resources, taints. Raises CommandError."""
    resources: list[str] = []
    found: list[str] = []
    for text in call.arguments:
        if taints.is_taint(text):
            found.append(text)
        elif found:
            raise CommandError(f"all resources must be specified before taint changes: {text}")
        else:
            resources.append(text)
    if not resources:
        raise CommandError("one or more resources must be specified as <resource> <name>")
    if not found:
        raise CommandError("at least one taint update is required")
    return resources, found


async def _check(call: Call, resources: list[str], added: list[Taint], removed: list[Taint]) -> None:
    """Raises CommandError."""
    word = resources[0].lower()
    try:
        kind = (await call.discovery()).find(word).kind
    except CommandError as unknown:
        call.write_error(f"{unknown}\n")
        raise Exit from unknown
    if kind != "Node":
        raise CommandError(f"invalid resource type {word}, only node types are supported")
    if both := taints.conflicts(added, removed):
        what = "can not both modify and remove the following taint(s) in the same command"
        raise CommandError(f"{what}: {', '.join(both)}")
    if call.flags["all"] and call.flags["selector"]:
        raise CommandError("setting 'all' parameter with a non empty selector is prohibited")
    if not call.flags["all"] and not call.flags["selector"] and len(resources) < 2:
        raise CommandError("at least one resource name must be specified since 'all' parameter is not set")


def _query(call: Call, resources: list[str]) -> Query:
    selects = call.flags["all"] or bool(call.flags["selector"])
    return Query(
        arguments=("nodes",) if selects else ("nodes", *resources[1:]),
        namespace=call.namespace,
        selector=call.flags["selector"] if selects else None,
        latest=True,
        keep_going=True,
    )


async def _change(call: Call, info: Info, added: list[Taint], removed: list[Taint], how: str) -> None:
    operation, after = taints.change(info.object, added, removed, overwrite=call.flags["overwrite"])
    printer = printers.make(call.flags, operation=operation)
    if how == writes.CLIENT:
        node = {**info.object, "spec": {**info.object.get("spec", {}), "taints": after}}
        call.write(printer.print(node))
        return
    query = writes.parameters(how, manager=call.flags["field-manager"])
    patch = {"spec": {"taints": after or None}}
    call.write(printer.print(await writes.patch(call, info, writes.STRATEGIC, patch, query)))
