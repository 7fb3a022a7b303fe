"""`kubectl api-versions`: the groups and versions that the server serves."""

from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import UsageError

FLAGS: tuple[Flag, ...] = ()
HELP = 'Print the API versions that the server supports, as "group/version".'
EXAMPLES = """
{program} api-versions
"""


async def run(call: Call) -> None:
    if call.arguments:
        raise UsageError(f"unexpected arguments: [{' '.join(call.arguments)}]")
    groups = (await call.discovery()).groups
    names = [f"{group.name}/{version}" if group.name else version for group in groups for version in group.versions]
    call.write("".join(f"{name}\n" for name in sorted(names)))
