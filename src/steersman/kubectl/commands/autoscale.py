"""`kubectl autoscale`: a HorizontalPodAutoscaler for something that can be scaled."""

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import INT, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag(
        "cpu-percent", INT, -1, help="The share of requested CPU that pods shall use on average; without, the default."
    ),
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-autoscale"),
    *flags_shared.filenames("identifying the resource to autoscale"),
    Flag("max", INT, -1, help="The most pods. Required."),
    Flag("min", INT, -1, help="The fewest pods; without, the server says."),
    record.FLAG,
    Flag("name", help="The name of the autoscaler; without, that of what it scales."),
    writes.SAVE_CONFIG,
    *flags_shared.PRINT,
)
USAGE = "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu-percent=CPU]"
HELP = "Auto-scale a deployment, replica set, stateful set, or replication controller."
EXAMPLES = """
# Between two and ten pods
{program} autoscale deployment foo --min=2 --max=10

# By CPU
{program} autoscale rc foo --max=5 --cpu-percent=80
"""


async def run(call: Call) -> None:
    flags = call.flags
    sending.require(call, "max")
    how = writes.dry_run(call)
    if flags["max"] < 1:
        raise CommandError(f"--max=MAXPODS is required and must be at least 1, max: {flags['max']}")
    if flags["max"] < flags["min"]:
        raise CommandError(
            f"--max=MAXPODS must be larger or equal to --min=MINPODS, max: {flags['max']}, min: {flags['min']}"
        )
    printer = printers.make(flags, operation=writes.operation("autoscaled", how), keep_order=True)
    autoscalers = (await call.discovery()).find_kind("autoscaling/v2", "HorizontalPodAutoscaler")
    if autoscalers is None:
        raise CommandError('no matches for kind "HorizontalPodAutoscaler" in version "autoscaling/v2"')
    found = await builder.find(call, builder.from_flags(call, keep_going=True))
    count = 0

    async def one(info: Info) -> None:
        nonlocal count
        count += 1
        resource = info.resource
        if "scale" not in resource.subresources:
            kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
            raise CommandError(
                f"cannot autoscale a {kind}: could not find scale subresource for {resource.group}/{resource.version}, "
                f"Resource={resource.plural} in discovery information"
            )
        obj = record.recorded(call, generate(info, flags))
        if how != writes.CLIENT:
            if flags["save-config"]:
                obj = sending.with_annotation(obj)
            query = writes.parameters(how, manager=flags["field-manager"])
            obj = await writes.create(call, Info(autoscalers, info.namespace), obj, query)
        call.write(printer.print(obj))

    await found.visit(one)
    if not count:
        raise CommandError("no objects passed to autoscale")


def generate(info: Info, flags: Values) -> Object:
    spec: Object = {
        "scaleTargetRef": {"kind": info.resource.kind, "name": info.name, "apiVersion": info.resource.api_version}
    }
    if flags["min"] > 0:
        spec["minReplicas"] = flags["min"]
    spec["maxReplicas"] = flags["max"]
    if flags["cpu-percent"] >= 0:
        target = {"type": "Utilization", "averageUtilization": flags["cpu-percent"]}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": typed.metadata(flags["name"] or info.name),
        "spec": spec,
        "status": {"desiredReplicas": 0, "currentMetrics": None},
    }
