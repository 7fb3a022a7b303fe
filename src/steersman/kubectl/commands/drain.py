"""`kubectl drain`: a node without pods, for its maintenance."""

from steersman.kubectl import draining, flags, flags_shared, nodes, printers, problems, writes
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta import selectors

FLAGS = (
    flags_shared.CHUNK_SIZE,
    Flag(
        "delete-emptydir-data",
        flags.BOOL,
        help="Go on although pods have emptyDir volumes, whose data is lost with them.",
    ),
    Flag("disable-eviction", flags.BOOL, help="Delete pods instead of evicting them: disruption budgets do not count."),
    flags_shared.DRY_RUN,
    Flag("force", flags.BOOL, help="Go on although there are pods without a controller, which nobody makes again."),
    Flag("grace-period", flags.INT, -1, help="Seconds that each pod has to end; negative is what the pod says."),
    Flag("ignore-daemonsets", flags.BOOL, help="Leave the pods of DaemonSets where they are."),
    Flag("pod-selector", help="Only pods with these labels."),
    flags_shared.SELECTOR,
    Flag(
        "skip-wait-for-delete-timeout",
        flags.INT,
        help="Do not wait for pods that have been ending for more than so many seconds; 0 waits for all.",
    ),
    Flag("timeout", flags.DURATION, help="How long to wait before giving up; 0 is for ever."),
)
USAGE = "NODE"
HELP = """Drain a node for its maintenance.

The node takes no new pods, and those that it has are evicted, which disruption budgets may delay; only static pods stay, and with
--ignore-daemonsets those of DaemonSets. Pods that nobody would make again stop it, unless --force is given.
Afterwards 'uncordon' makes the node take pods again.
"""
EXAMPLES = """
# Also pods that nobody looks after
{program} drain node1 --force

# With a quarter of an hour for each pod
{program} drain node1 --grace-period=900
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    try:
        selectors.parse(call.flags["pod-selector"])
    except selectors.SelectorError:
        raise CommandError("--pod-selector=<pod_selector> must be a valid label selector") from None
    infos = await nodes.find(call, f"drain {USAGE}")
    await nodes.cordon(call, infos, how, wanted=True)
    failed: list[Exception] = []
    pending: list[str] = []
    for info in infos:
        try:
            await draining.Drain(call, info, how).run()
        except (CommandError, StatusError, problems.Several) as problem:
            failed += problem.errors if isinstance(problem, problems.Several) else (problem,)
            pending.append(info.name)
            why = f"due to error: {problem}, continuing command..."
            call.write_error(f'error: unable to drain node "{info.name}" {why}\n')
        else:
            call.write(printers.make(call.flags, operation=writes.operation("drained", how)).print(info.object))
    if failed:
        call.write_error("There are pending nodes to be drained:\n" + "".join(f" {name}\n" for name in pending))
        raise problems.Several(failed)
