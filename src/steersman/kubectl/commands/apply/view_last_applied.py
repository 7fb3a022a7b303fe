"""`apply view-last-applied`: what was applied last, as the object's annotation keeps it."""

import json

from steersman.kubectl import builder, flags_shared, go_yaml
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import BOOL, Flag
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, UsageError

FLAGS = (
    Flag("all", BOOL, help="All resources of the types, in the namespace."),
    *flags_shared.filenames("that contains the last-applied-configuration annotations"),
    Flag("output", short="o", default="yaml", help="Output format. Must be one of (yaml, json)"),
    flags_shared.SELECTOR,
)
USAGE = "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)"
HELP = "View the latest last-applied-configuration annotations by type/name or file."
EXAMPLES = """
# As YAML
{program} apply view-last-applied deployment/nginx

# As JSON, of what a file names
{program} apply view-last-applied -f deploy.yaml -o json
"""


async def run(call: Call) -> None:
    output = call.flags["output"]
    query = builder.from_flags(call, latest=True)
    found = await builder.find(call, query)
    texts: list[str] = []

    async def collect(info: Info) -> None:
        text = last_applied.of(info.object)
        if text is not None:
            texts.append(text)
        elif info.source:
            raise CommandError(
                f"error when no last-applied-configuration annotation found on resource: {info.name}\n "
                f'"{info.source}": <nil>'
            )

    await found.visit(collect)
    if texts and output not in ("json", "yaml"):
        raise UsageError(f"Unexpected -o output mode: {output}, the flag 'output' must be one of yaml|json")
    for text in texts:
        call.write(shown(text, output))


def shown(text: str, output: str) -> str:
    value = json.loads(text)
    if output == "yaml":
        return go_yaml.dump(value)
    return last_applied.escaped(json.dumps(value, indent=2, sort_keys=False, ensure_ascii=False)) + "\n"
