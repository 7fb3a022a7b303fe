"""`kubectl api-resources`: what the server serves."""

from collections.abc import Iterable, Sequence

from steersman.kubectl import flags, problems
from steersman.kubectl.call import Call
from steersman.kubectl.discovery import Resource
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError, UsageError

FLAGS = (
    Flag("api-group", help="Only resources of this API group."),
    Flag("cached", flags.BOOL, help="Use what is known already, where there is such."),
    Flag("categories", flags.LIST, help="Only resources of these categories."),
    Flag("namespaced", flags.BOOL, True, help="Resources in namespaces; with =false those outside of any."),
    Flag("no-headers", flags.BOOL, help="Print no headers."),
    Flag("output", short="o", help="Output format. One of: (wide, name)."),
    Flag("sort-by", help='Sort by "name" or "kind".'),
    Flag("verbs", flags.LIST, help="Only resources that support all of these verbs."),
)
HELP = "Print the API resources that the server supports."
EXAMPLES = """
# All of them, with verbs and categories
{program} api-resources -o wide

# Those that can be listed and are in no namespace
{program} api-resources --verbs=list --namespaced=false
"""


async def run(call: Call) -> None:
    if call.arguments:
        raise UsageError(f"unexpected arguments: [{' '.join(call.arguments)}]")
    check(call.flags)
    discovery = await call.discovery()
    found = select(discovery.preferred(), call.flags)
    if call.flags["output"] == "name":
        call.write("".join(f"{one.qualified}\n" for one in found))
    else:
        call.write(table(found, wide=call.flags["output"] == "wide", headers=not call.flags["no-headers"]))
    problems.raise_all(discovery.failures())


def check(flags: Values) -> None:
    """Raises CommandError."""
    if flags["output"] not in ("", "wide", "name"):
        raise CommandError(f"--output {flags['output']} is not available")
    if flags["sort-by"] not in ("", "name", "kind"):
        raise CommandError("--sort-by accepts only name or kind")


def select(resources: Iterable[Resource], flags: Values) -> list[Resource]:
    """Those that the flags leave, in the order they ask for: by group and name, or as --sort-by says."""
    found = [
        one
        for one in resources
        if one.verbs
        and (not flags.changed("api-group") or one.group == flags["api-group"])
        and (not flags.changed("namespaced") or one.namespaced == flags["namespaced"])
        and set(flags["verbs"]) <= set(one.verbs)
        and set(flags["categories"]) <= set(one.categories)
    ]
    match flags["sort-by"]:
        case "name":
            return sorted(found, key=lambda one: one.plural)
        case "kind":
            return sorted(found, key=lambda one: one.kind)
    return sorted(found, key=lambda one: (one.group, one.plural))


def table(found: Sequence[Resource], *, wide: bool, headers: bool) -> str:
    writer = TabWriter()
    if headers:
        extra = ("VERBS", "CATEGORIES") if wide else ()
        writer.row("NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", *extra)
    for one in found:
        extra = (",".join(one.verbs), ",".join(one.categories)) if wide else ()
        is_namespaced = "true" if one.namespaced else "false"
        writer.row(one.plural, ",".join(one.short_names), one.api_version, is_namespaced, one.kind, *extra)
    return writer.flush()
